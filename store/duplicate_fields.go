package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store/internal/linkage"
)

const (
	// maxComparedFields is how many columns a table may have that is compared by fields.
	maxComparedFields = 256
	// leastProbability is that of the pairs that are kept.
	leastProbability = 1e-3
	// textField is the name of the one field of a text.
	textField = "text"
)

// fieldMatcher compares records field by field, by what was learned of a collection.
type fieldMatcher struct {
	form  recordForm
	links *linkage.Links
	slots []uint32 // of the points learned from, ascending
}

// recordForm reads the fields of stored records.
type recordForm struct {
	names  []string
	values func(stored []byte) ([]linkage.Value, error)
}

// fieldForm is how a generation's records are compared by fields; false where they are
// not: where originals are dropped, and of kinds other than texts and tables with text in
// them. Tables of numbers alone are measured as a whole.
func (c *Collection) fieldForm(gen *generation) (recordForm, bool) {
	if gen.fitted == nil || gen.latentOnly {
		return recordForm{}, false
	}
	switch spec := gen.fitted.Spec().(type) {
	case source.Text:
		return recordForm{[]string{textField}, func(stored []byte) ([]linkage.Value, error) {
			return []linkage.Value{{Kind: linkage.Text, Text: string(stored)}}, nil
		}}, true
	case source.Table:
		return tableForm(spec)
	}
	return recordForm{}, false
}

func tableForm(spec source.Table) (recordForm, bool) {
	var form recordForm
	written := false
	for _, column := range spec.Columns {
		form.names = append(form.names, column.Name)
		written = written || column.Type == source.TextColumn || column.Type == source.CategoricalColumn && len(column.Levels) == 0
	}
	form.values = func(stored []byte) ([]linkage.Value, error) {
		record, err := spec.Unmarshal(stored)
		if err != nil {
			return nil, err
		}
		out := make([]linkage.Value, len(form.names))
		for i, name := range form.names {
			out[i] = fieldValue(record.(map[string]any)[name])
		}
		return out, nil
	}
	return form, written && len(form.names) <= maxComparedFields
}

func fieldValue(v any) linkage.Value {
	switch v := v.(type) {
	case nil:
		return linkage.Value{}
	case string:
		if v == "" {
			return linkage.Value{}
		}
		return linkage.Value{Kind: linkage.Text, Text: v}
	case bool:
		return linkage.Value{Kind: linkage.Text, Text: fmt.Sprint(v)}
	case int64:
		return linkage.NumberValue(float64(v))
	case float64:
		return linkage.NumberValue(v)
	}
	return linkage.Value{Kind: linkage.Text, Text: fmt.Sprint(v)}
}

// scanFields compares the points by fields: candidates are the nearest by terms and, once
// there is a model, by latents.
func (c *Collection) scanFields(ctx context.Context, scan *duplicateScan, form recordForm) error {
	stored := make([][]byte, 0, cap(scan.seen))
	search, near := c.generationSearch(scan.generation), newNearLists(0, false)
	err := c.eachChunk(ctx, scan.asked.allow, scan.progress(stageGather), func(chunk []storedPoint) error {
		for _, p := range chunk {
			stored = append(stored, slices.Clone(p.data))
			if err := scan.remember(p); err != nil {
				return err
			}
		}
		if scan.generation.model == nil {
			return nil
		}
		return c.addNear(ctx, near, scan, search, chunk)
	})
	if err != nil {
		return err
	}
	failed := make([]error, len(stored))
	ended := func() bool { return ctx.Err() != nil }
	records := linkage.Prepare(c.opts.Workers, len(stored), len(form.names), ended, func(i int) []linkage.Value {
		values, err := form.values(stored[i])
		if err != nil {
			failed[i] = err
			return make([]linkage.Value, len(form.names))
		}
		return values
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, err := range failed {
		if err != nil {
			return fmt.Errorf("%w: record of slot %d: %v", ErrCorrupt, scan.seen[i].slot, err)
		}
	}
	matcher := &fieldMatcher{form: form, slots: make([]uint32, len(scan.seen))}
	for i, p := range scan.seen {
		matcher.slots[i] = p.slot
	}
	var goes func(a, b uint32) bool
	if scan.between != nil {
		side := make([]bool, len(scan.seen))
		for i, p := range scan.seen {
			side[i] = scan.between.Has(p.slot)
		}
		goes = func(a, b uint32) bool { return side[a] != side[b] }
	}
	pairs := records.Candidates(goes, scan.progress(stageSearch))
	if near.settle(scan.seen); scan.generation.model != nil {
		for a, listed := range near.pairs(scan.places()) {
			pairs = append(pairs, linkage.PairOf(a, near.at[listed]))
		}
	}
	pairs = records.Distinct(pairs)
	if err := ctx.Err(); err != nil {
		return err
	}
	var matches []linkage.Match
	matcher.links, matches = records.Learn(pairs, scan.between != nil)
	if err := ctx.Err(); err != nil {
		return err
	}
	scan.matcher, scan.search.method = matcher, MethodFields
	if err := scan.addCopies(ctx); err != nil {
		return err
	}
	scan.addMatches(matches)
	return nil
}

// addMatches adds the pairs that are not next to impossible.
func (s *duplicateScan) addMatches(matches []linkage.Match) {
	for _, m := range matches {
		if m.Probability < leastProbability || s.seen[m.A].content == s.seen[m.B].content {
			continue // copies are pairs already
		}
		s.fields = append(s.fields, s.matcher.similarities(m.Fields))
		s.pairs = append(s.pairs, scanPair{a: m.A, b: m.B, distance: 1 - m.Probability, fields: uint32(len(s.fields))})
	}
}

// fieldsOf are what a pair's fields have in common, where these decide.
func (s *duplicateScan) fieldsOf(p scanPair) []FieldSimilarity {
	if p.fields == 0 {
		return nil
	}
	return s.fields[p.fields-1]
}

// place is where a slot's point was among those learned from.
func (m *fieldMatcher) place(slot uint32) uint32 {
	at, ok := slices.BinarySearch(m.slots, slot)
	if !ok {
		return linkage.Nowhere
	}
	return uint32(at)
}

// similarities names what fields have in common, those left out where one is missing.
func (m *fieldMatcher) similarities(fields []float32) []FieldSimilarity {
	out := make([]FieldSimilarity, 0, len(fields))
	for i, s := range fields {
		if !math.IsNaN(float64(s)) {
			out = append(out, FieldSimilarity{Name: m.form.names[i], Similarity: float64(s)})
		}
	}
	return out
}

// suggestProbable is the threshold at which the balance of precision and recall (F1) that
// the probabilities let expect is best, never so large that a pair within it is more
// likely none.
func suggestProbable(pairs []scanPair) float64 {
	distances := make([]float64, len(pairs))
	var all float64
	for i, p := range pairs {
		distances[i] = p.distance
		all += 1 - p.distance
	}
	slices.Sort(distances)
	best, cut, hits := 0.0, 0.0, 0.0
	for i, d := range distances {
		if d > 0.5 {
			break
		}
		hits += 1 - d
		if f := 2 * hits / (float64(i+1) + all); f > best {
			best, cut = f, d
		}
	}
	return cut
}

// expectedPrecision is the mean probability of pairs; nil where there is none to say, or
// they have no probability.
func (s *duplicateScan) expectedPrecision(threshold float64) *float64 {
	if s.matcher == nil {
		return nil
	}
	sum, n := 0.0, 0
	for _, p := range s.pairs {
		if p.exact || p.distance <= threshold {
			sum, n = sum+1-p.distance, n+1
		}
	}
	if n == 0 {
		return nil
	}
	sum /= float64(n)
	return &sum
}
