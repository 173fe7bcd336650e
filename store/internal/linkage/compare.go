package linkage

import (
	"math"
)

// shortText is the longest text, in bytes, whose letters are compared in order too.
const shortText = 40

// similarity compares two values of a field, 0 to 1; NaN if either is missing. spread is
// how far apart numbers of the field usually are.
func similarity(a, b *field, spread float64) float64 {
	switch {
	case a.kind == Missing || b.kind == Missing:
		return math.NaN()
	case a.text == b.text:
		return 1
	case a.kind == Number && b.kind == Number:
		near := 0.0
		if spread > 0 {
			near = max(0, 1-math.Abs(a.number-b.number)/spread)
		}
		// Numbers that name something are mistyped by digits.
		return min(max(near, inOrder(a.text, b.text)), belowEqual)
	}
	s := cosine(a.terms, b.terms)
	if max(len(a.text), len(b.text)) <= shortText {
		s = (s + inOrder(a.text, b.text)) / 2
	}
	return min(s, belowEqual)
}

// belowEqual is the most that values are alike which are not the same.
const belowEqual = 0.999

// inOrder is the Jaro-Winkler similarity, stretched: unrelated words have about a half.
func inOrder(a, b string) float64 { return max(0, 2*jaroWinkler(a, b)-1) }

// jaroWinkler compares two short texts by the characters they share nearly in place, more
// if they begin alike (Winkler, "String comparator metrics and enhanced decision rules in
// the Fellegi-Sunter model of record linkage", 1990).
func jaroWinkler(a, b string) float64 {
	const prefix, boost = 4, 0.1
	x, y := []rune(a), []rune(b)
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	window := max(0, max(len(x), len(y))/2-1)
	matchedX, matchedY := make([]bool, len(x)), make([]bool, len(y))
	matches := 0
	for i, r := range x {
		for j := max(0, i-window); j < min(len(y), i+window+1); j++ {
			if !matchedY[j] && y[j] == r {
				matchedX[i], matchedY[j] = true, true
				matches++
				break
			}
		}
	}
	if matches == 0 {
		return 0
	}
	swapped, j := 0, 0
	for i, r := range x {
		if !matchedX[i] {
			continue
		}
		for !matchedY[j] {
			j++
		}
		if y[j] != r {
			swapped++
		}
		j++
	}
	m := float64(matches)
	jaro := (m/float64(len(x)) + m/float64(len(y)) + (m-float64(swapped)/2)/m) / 3
	same := 0
	for same < min(prefix, len(x), len(y)) && x[same] == y[same] {
		same++
	}
	return jaro + float64(same)*boost*(1-jaro)
}
