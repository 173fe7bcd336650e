package main

import (
	"cmp"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// tableDecoded adds what is left of held-out records after decoding.
func (s *sources) tableDecoded(test tableRows, decoded []map[string]any) {
	var right, cells int
	var correlations []float64
	for _, name := range columnNames(test) {
		if isText(test, name) {
			for i, r := range test.records {
				if cells++; r[name] == decoded[i][name] {
					right++
				}
			}
			continue
		}
		r, odd := spearmanOf(test.records, decoded, name)
		s.logf("sources.4e %s: %.4f, %d records differ from the usual", name, r, odd)
		if odd >= leastOdd {
			correlations = append(correlations, r)
		}
	}
	s.add(figure{Name: "sources.4d", What: "categories of NSL-KDD that decode to themselves, share", Better: higher,
		Ours: ptr(float64(right) / float64(cells)), Floor: ptr(.95), Goal: ptr(.98)})
	s.add(figure{Name: "sources.4e", What: fmt.Sprintf("numbers of NSL-KDD, Spearman after decoding, mean of the %d columns where %d records or more differ from the usual value", len(correlations), leastOdd), Better: higher,
		Ours: ptr(stat.Mean(correlations, nil)), Floor: ptr(.98), Goal: ptr(.98)})
}

// leastOdd is how many held-out records must differ from a column's most frequent value
// for a correlation with them to mean something.
const leastOdd = 10

// spearmanOf is the rank correlation of a column with its decoded form, 0 if either is
// constant, and how many values are not the most frequent.
func spearmanOf(records, decoded []map[string]any, name string) (r float64, odd int) {
	x, y := make([]float64, len(records)), make([]float64, len(records))
	counts, most := map[float64]int{}, 0
	for i := range records {
		x[i], y[i] = numberOf(records[i][name]), numberOf(decoded[i][name])
		counts[x[i]]++
		most = max(most, counts[x[i]])
	}
	if len(counts) > 1 && slices.Min(y) < slices.Max(y) {
		r = stat.Correlation(midRanks(x), midRanks(y), nil)
	}
	return r, len(x) - most
}

// midRanks are the ranks of values, the mean one for equal values.
func midRanks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		end := i
		for end < len(order) && v[order[end]] == v[order[i]] {
			end++
		}
		for _, at := range order[i:end] {
			out[at] = float64(i+end-1) / 2
		}
		i = end
	}
	return out
}
