package store

import (
	"bytes"
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
		strict := json.NewDecoder(bytes.NewReader(data))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&by); err != nil {
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
	return invalid("keep", "%q is not one of %v, nor %sKEY with a payload key", string(k), all, keepMax)
}

func (k Keep) readsPayloads() bool { return strings.HasPrefix(string(k), keepMax) }

// choose picks the point of a group that stays, of those in order of ids. Between some
// points and the rest, it is one of the rest.
func (k Keep) choose(g *ground, scan *duplicateScan, group joinedPoints) (uint32, error) {
	worth := k.worth(g, scan, group.pairs)
	best, most := -1, 0.0
	for i, at := range group.members {
		if scan.between != nil && scan.between.Has(scan.seen[at].slot) {
			continue
		}
		w, err := worth(at)
		if err != nil {
			return 0, err
		}
		if best < 0 || w > most {
			best, most = i, w
		}
	}
	return group.members[best], nil
}

// worth returns what a policy wants much of.
func (k Keep) worth(g *ground, scan *duplicateScan, pairs []scanPair) func(at uint32) (float64, error) {
	switch k {
	case KeepFirst:
		return func(uint32) (float64, error) { return 0, nil }
	case KeepNewest:
		return func(at uint32) (float64, error) { return float64(scan.seen[at].seq), nil }
	case KeepLongest:
		return func(at uint32) (float64, error) { return float64(scan.seen[at].size), nil }
	case KeepCentral:
		near := nearness(pairs)
		return func(at uint32) (float64, error) { return near[at], nil }
	}
	key := strings.TrimPrefix(string(k), keepMax)
	return func(at uint32) (float64, error) {
		payload, err := g.payload(scan.seen[at].slot)
		return largest(valuesAt(payload, key)), err
	}
}

// nearness sums, by place, what pairs bring their points nearer to the others.
func nearness(pairs []scanPair) map[uint32]float64 {
	out := make(map[uint32]float64)
	farthest := pairs[len(pairs)-1].distance
	for _, p := range pairs {
		out[p.a] += 2*farthest - p.distance
		out[p.b] += 2*farthest - p.distance
	}
	return out
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
