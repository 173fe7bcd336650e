package linkage

import "math"

// Nowhere is the place of a record that was not among those learned from.
const Nowhere = math.MaxUint32

// standing is a record's best pairs: the value of the best and with whom it is, and the
// value of the next.
type standing struct {
	with         uint32
	most, second float64
}

func standings(n int, pairs []Pair, values []float64) []standing {
	out := make([]standing, n)
	for i := range out {
		out[i].most, out[i].second = math.Inf(-1), math.Inf(-1)
	}
	for i, p := range pairs {
		for _, side := range [2]Pair{{p.A, p.B}, {p.B, p.A}} {
			switch s := &out[side.A]; {
			case values[i] > s.most:
				*s = standing{side.B, values[i], s.most}
			case values[i] > s.second:
				s.second = values[i]
			}
		}
	}
	return out
}

// margin is how far a pair ranks above the best other pair of either record; infinite
// where there is no other.
func (l *Links) margin(p Pair, rank float64) float64 {
	margin := math.Inf(1)
	for _, side := range [2]Pair{{p.A, p.B}, {p.B, p.A}} {
		if int(side.A) >= len(l.best) {
			continue
		}
		s := l.best[side.A]
		other := s.most
		if s.with == side.B {
			other = s.second
		}
		margin = min(margin, rank-other)
	}
	return margin
}

// marginLevel is a margin as a comparison of its own: what is like several others alike is
// seldom the same as any of them.
func marginLevel(margin float64) uint8 {
	const width = 4 // nats
	if math.IsInf(margin, 0) {
		return absent
	}
	return level(min(logistic(margin/width), belowEqual))
}
