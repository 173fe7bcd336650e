package source

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/latentdb/latentdb/embed"
)

const (
	// maxTextFeatures and minTextFeatures bound the features of a text column.
	maxTextFeatures, minTextFeatures = 64, 8
	// maxWords is how many words of a text count.
	maxWords = 4096
	// shownWords is how many words a feature row is read as, at most.
	shownWords = 16
	// standsOut is the share of the strongest word's weight that others must have
	// to be read.
	standsOut = 0.5
)

// textFeatures is a text column: its words, hashed to features with a sign, weighted
// by how rare they are, the whole of length 1 (feature hashing: Weinberger et al.,
// 2009); then the sign of a missing value.
type textFeatures struct {
	Words   []string  `json:"words"`   // per feature, the word of the fit that weighs the most in it
	Weights []float64 `json:"weights"` // per feature, the inverse document frequency
	Missing bool      `json:"missing,omitempty"`
}

// textFeatures is how many features each text column gets.
func (t Table) textFeatures() int {
	texts := 0
	for _, c := range t.Columns {
		if c.Type == TextColumn {
			texts++
		}
	}
	n := maxTextFeatures
	for n > minTextFeatures && t.reserved()+texts*(n-minTextFeatures) > MaxFeatures {
		n /= 2
	}
	return n
}

// normalText is v as a text column keeps it. A list of strings is kept as its elements
// with spaces between; no other list is text.
func normalText(v any) (any, error) {
	switch list := v.(type) {
	case []string:
		v = joined(list)
	case []any:
		words := make([]string, len(list))
		for i, e := range list {
			word, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("got a list with %s in it, want text or a list of strings", describe(e))
			}
			words[i] = word
		}
		v = joined(words)
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return v, checkText(v, MaxTextBytes)
	case bool:
		return fmt.Sprint(v), nil
	}
	n, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("got %s, want text or a list of strings", describe(v))
	}
	return levelText(n), nil
}

// joined is nil for an empty list, which is no text.
func joined(words []string) any {
	if len(words) == 0 {
		return nil
	}
	return strings.Join(words, " ")
}

// wordsOf are the first words of a text, as the source Text takes words.
func wordsOf(text string) []string {
	var out []string
	eachUnit(fold(text), func(unit string) {
		if len(out) < maxWords {
			out = append(out, unit)
		}
	})
	return out
}

// placeOf is the feature of a word among n, and the sign it has there.
func placeOf(word string, n int) (feature int, sign float64) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(word)) // never fails
	sum := h.Sum64()
	if sum>>63 == 1 {
		sign = -1
	} else {
		sign = 1
	}
	return int(sum % uint64(n)), sign
}

func (f *textFeatures) layout() embed.Layout {
	return withIndicator(embed.Layout{{Kind: embed.Numeric, Width: len(f.Words)}}, f.Missing)
}

func (f *textFeatures) encode(dst []float32, v any) {
	if v == nil {
		if f.Missing {
			dst[len(f.Words)] = 1
		}
		return
	}
	sums := make([]float64, len(f.Words))
	for _, word := range wordsOf(v.(string)) {
		at, sign := placeOf(word, len(sums))
		sums[at] += sign
	}
	var squares float64
	for i, s := range sums {
		sums[i] = math.Copysign(math.Sqrt(math.Abs(s)), s) * f.Weights[i]
		squares += sums[i] * sums[i]
	}
	if squares == 0 {
		return
	}
	for i, s := range sums {
		dst[i] = float32(s / math.Sqrt(squares))
	}
}

// decode reads the words that stand out, the strongest first.
func (f *textFeatures) decode(src []float32) any {
	n := len(f.Words)
	if f.Missing && says(src[n]) {
		return nil
	}
	weight := func(i int) float64 {
		_, sign := placeOf(f.Words[i], n)
		return sign * finite(src[i])
	}
	order := make([]int, 0, n)
	for i, word := range f.Words {
		if word != "" && weight(i) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weight(b), weight(a)) })
	var words []string
	for _, i := range order[:min(len(order), shownWords)] {
		if weight(i) >= standsOut*weight(order[0]) {
			words = append(words, f.Words[i])
		}
	}
	return strings.Join(words, " ")
}

func (f *textFeatures) show(src []float32) any { return f.decode(src) }
func (f *textFeatures) inputScale() float32    { return 1 }

func (f *textFeatures) restore() error {
	if n := len(f.Words); n < minTextFeatures || n > maxTextFeatures || len(f.Weights) != n {
		return errors.New("bad number of words")
	}
	for i, word := range f.Words {
		if err := checkText(word, MaxTextBytes); err != nil {
			return err
		}
		if !(f.Weights[i] >= 0 && f.Weights[i] <= maxWeight) {
			return errors.New("bad weight of a word")
		}
	}
	return nil
}

// maxWeight is beyond any inverse document frequency, which grows as a logarithm.
const maxWeight = 100

// textCollector counts the words of a text column.
type textCollector struct {
	features int
	texts    int
	counts   map[string]int // texts with a word
	used     []int          // texts that use a feature
	missing  bool
}

func newTextCollector(features int) *textCollector {
	return &textCollector{features: features, counts: map[string]int{}, used: make([]int, features)}
}

func (c *textCollector) add(v any) {
	if v == nil {
		c.missing = true
		return
	}
	c.texts++
	words := wordsOf(v.(string))
	slices.Sort(words)
	used := map[int]bool{}
	for _, word := range slices.Compact(words) {
		if len(word) <= MaxLevelBytes && (c.counts[word] > 0 || len(c.counts) < maxDistinct) {
			c.counts[word]++
		}
		at, _ := placeOf(word, c.features)
		used[at] = true
	}
	for at := range used {
		c.used[at]++
	}
}

func (c *textCollector) fit() features {
	f := &textFeatures{Words: make([]string, c.features), Weights: make([]float64, c.features), Missing: c.missing}
	for i, n := range c.used {
		f.Weights[i] = math.Log1p(float64(c.texts) / float64(1+n))
	}
	for _, word := range slices.Sorted(maps.Keys(c.counts)) {
		at, _ := placeOf(word, c.features)
		if best := f.Words[at]; best == "" || c.counts[word] > c.counts[best] {
			f.Words[at] = word
		}
	}
	return f
}
