package store

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// Keep says which point of a group of duplicates stays. Where several would, it is the
// one of the lowest id.
type Keep string

// The keep policies, beside KeepMax.
const (
	// KeepFirst keeps the lowest id. The default.
	KeepFirst Keep = "first"
	// KeepNewest keeps the point written last.
	KeepNewest Keep = "newest"
	// KeepLongest keeps the point whose record has the most bytes.
	KeepLongest Keep = "longest"
	// KeepCentral keeps the point nearest to the others of its group; a pair beyond the
	// threshold counts as twice as far as the farthest within it.
	KeepCentral Keep = "central"
)

// keepMax is what a policy by payload begins with.
const keepMax = "max:"

// KeepMax keeps the point with the largest number under a payload key; one without a
// number there goes first.
func KeepMax(key string) Keep { return Keep(keepMax + key) }

// UnmarshalJSON reads a policy's name, or {"max": key}.
func (k *Keep) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var by struct {
			Max string `json:"max"`
		}
		if err := json.Unmarshal(data, &by); err != nil {
			return err
		}
		*k = KeepMax(by.Max)
		return nil
	}
	var name string
	if err := json.Unmarshal(data, &name); err != nil {
		return err
	}
	*k = Keep(name)
	return nil
}

func (k Keep) check() error {
	all := []Keep{KeepFirst, KeepNewest, KeepLongest, KeepCentral}
	if key, ok := strings.CutPrefix(string(k), keepMax); ok && key != "" || slices.Contains(all, k) {
		return nil
	}
	return invalid("keep", "%q is not one of %v, nor %sKEY", string(k), all, keepMax)
}

func (k Keep) readsPayloads() bool { return strings.HasPrefix(string(k), keepMax) }

// chooser returns what picks the point that stays from those of a group, which are in
// order of ids. Between some points and the rest, it is one of the rest.
func (k Keep) chooser(scan *duplicateScan) func(g *ground, members []*scannedPoint, pairs []scanPair) (*scannedPoint, error) {
	return func(g *ground, members []*scannedPoint, pairs []scanPair) (*scannedPoint, error) {
		if scan.between != nil {
			members = slices.DeleteFunc(slices.Clone(members), func(p *scannedPoint) bool { return scan.between.Has(p.slot) })
		}
		value, err := k.values(g, members, pairs)
		if err != nil {
			return nil, err
		}
		// The first of the largest.
		return slices.MinFunc(members, func(p, q *scannedPoint) int { return cmp.Compare(value[q.slot], value[p.slot]) }), nil
	}
}

// values are what a policy wants much of, by slot.
func (k Keep) values(g *ground, members []*scannedPoint, pairs []scanPair) (map[uint32]float64, error) {
	out := make(map[uint32]float64, len(members))
	switch {
	case k == KeepCentral:
		farthest := 0.0
		for _, p := range pairs {
			farthest = max(farthest, p.distance)
		}
		for _, p := range pairs { // each brings its points nearer to the others
			out[p.a] += 2*farthest - p.distance
			out[p.b] += 2*farthest - p.distance
		}
	case k.readsPayloads():
		for _, p := range members {
			payload, err := g.payload(p.slot)
			if err != nil {
				return nil, err
			}
			out[p.slot] = largest(valuesAt(payload, strings.TrimPrefix(string(k), keepMax)))
		}
	case k == KeepNewest:
		for _, p := range members {
			out[p.slot] = float64(p.seq)
		}
	case k == KeepLongest:
		for _, p := range members {
			out[p.slot] = float64(p.size)
		}
	}
	return out, nil
}

// largest is the largest number among values, -Inf without one.
func largest(values []any) float64 {
	most := math.Inf(-1)
	for _, v := range values {
		if x, ok := number(v); ok {
			most = max(most, x)
		}
	}
	return most
}
