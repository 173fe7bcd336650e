package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/latentdb/latentdb/embed"
)

// features is one column as a run of features. Values are normal (Column.normal).
// Implementations are immutable and marshal to JSON as their state.
type features interface {
	// layout has at least one feature.
	layout() embed.Layout
	// encode writes the features of a value, nil if it is missing.
	encode(dst []float32, v any)
	// decode reads a value, in the range that the fit saw.
	decode(src []float32) any
	// show reads a value for Parts: not cut to that range, and without a guess
	// at what was pooled.
	show(src []float32) any
	// inputScale is the factor from the units of the first feature to the column's.
	inputScale() float32
	// restore completes features that were read from bytes, and tells what is
	// wrong with them.
	restore() error
}

// collector gathers the values of one column during a fit.
type collector interface {
	add(v any)
	fit() features
}

func (t Table) newCollector(c Column) collector {
	switch c.Type {
	case NumericColumn:
		return &numericCollector{knots: min(maxKnots, max(minKnots, allKnots/len(t.Columns)))}
	case BooleanColumn:
		return &booleanCollector{}
	case TimeColumn:
		return newTimeCollector(c.Format)
	case TextColumn:
		return newTextCollector(t.textFeatures())
	}
	return newCategoricalCollector(c.Levels)
}

func emptyFeatures(c Column) features {
	switch c.Type {
	case NumericColumn:
		return &numericFeatures{}
	case BooleanColumn:
		return &booleanFeatures{}
	case TimeColumn:
		return &timeFeatures{format: c.Format}
	case TextColumn:
		return &textFeatures{}
	}
	return &categoricalFeatures{declared: c.Levels}
}

// Fit learns scales, levels and words. It holds 8 bytes per sample and column of
// numbers or times, and up to maxDistinct different values or words of each of the
// other columns.
func (t Table) Fit(samples iter.Seq2[[]byte, error]) (Fitted, error) {
	if err := t.resolved(); err != nil {
		return nil, err
	}
	collectors := make([]collector, len(t.Columns))
	for i, c := range t.Columns {
		collectors[i] = t.newCollector(c)
	}
	n, form := 0, t.form()
	for stored, err := range samples {
		if err != nil {
			return nil, err
		}
		if err := form.eachValue(stored, func(i int, v any) { collectors[i].add(v) }); err != nil {
			return nil, err
		}
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: no table records to fit", ErrRecord)
	}
	columns := make([]features, len(collectors))
	for i, c := range collectors {
		columns[i] = c.fit()
	}
	return newFittedTable(t, fitWidth(columns))
}

// fitWidth lets open columns keep ever fewer levels until the row is within
// MaxFeatures. It ends there at the latest where they keep none, for that is
// the width that Table.reserved bounds.
func fitWidth(columns []features) []features {
	cut := columns
	for most := MaxOpenLevels; widthOf(cut) > MaxFeatures && most >= 0; most-- {
		cut = slices.Clone(columns)
		for i, c := range columns {
			if open, ok := c.(*categoricalFeatures); ok && open.Open {
				cut[i] = open.keep(most)
			}
		}
	}
	return cut
}

func widthOf(columns []features) int {
	n := 0
	for _, c := range columns {
		n += c.layout().Width()
	}
	return n
}

// fittedTable is a table with the features of its columns.
type fittedTable struct {
	spec    Table
	form    *tableForm
	columns []features
	starts  []int // first feature of each column, and the width at the end
	blocks  embed.Layout
}

func newFittedTable(spec Table, columns []features) (*fittedTable, error) {
	f := &fittedTable{spec: spec, form: spec.form(), columns: columns, starts: make([]int, len(columns)+1)}
	for i, c := range columns {
		layout := c.layout()
		f.starts[i+1] = f.starts[i] + layout.Width()
		f.blocks = appendBlocks(f.blocks, layout)
	}
	if f.Width() > MaxFeatures {
		return nil, fmt.Errorf("%w: the table's columns need %d features, the limit is %d", ErrSpec, f.Width(), MaxFeatures)
	}
	return f, nil
}

// appendBlocks joins neighbours of one kind, save one-hot runs, whose softmax is
// over the run.
func appendBlocks(layout, more embed.Layout) embed.Layout {
	for _, b := range more {
		if n := len(layout); n > 0 && b.Kind != embed.OneHot && layout[n-1].Kind == b.Kind {
			layout[n-1].Width += b.Width
			continue
		}
		layout = append(layout, b)
	}
	return layout
}

func (f *fittedTable) Spec() Spec { return f.spec }
func (f *fittedTable) Width() int { return f.starts[len(f.columns)] }

// Exacting says that columns are not like one another.
func (f *fittedTable) Exacting() {}

func (f *fittedTable) Layout() embed.Layout { return append(embed.Layout(nil), f.blocks...) }

// ColumnStarts are those of the table's columns.
func (f *fittedTable) ColumnStarts() []int { return slices.Clone(f.starts) }

// run is the part of a row that holds column i.
func (f *fittedTable) run(row []float32, i int) []float32 { return row[f.starts[i]:f.starts[i+1]] }

// Row writes the features. A value that is missing where none was in the fit
// counts as the column's median, or its most frequent value.
func (f *fittedTable) Row(dst []float32, stored []byte) error {
	if err := checkRow(dst, f.Width()); err != nil {
		return err
	}
	return f.form.eachValue(stored, func(i int, v any) {
		run := f.run(dst, i)
		clear(run)
		f.columns[i].encode(run, v)
	})
}

// Record returns every column: numbers and times within the range of the fit and
// as whole as they were there, one of the values that were there if they were few;
// the likeliest level; of a text its likeliest words; nil where the row says missing.
// The levels that share a feature decode to the most frequent of them.
func (f *fittedTable) Record(row []float32) (any, error) {
	if err := checkRow(row, f.Width()); err != nil {
		return nil, err
	}
	record := make(map[string]any, len(f.columns))
	for i, c := range f.columns {
		record[f.spec.Columns[i].Name] = c.decode(f.run(row, i))
	}
	return record, nil
}

// Unnamed are the levels that share a feature.
func (f *fittedTable) Unnamed(stored []byte) (out []ColumnValue, err error) {
	err = f.form.eachValue(stored, func(i int, v any) {
		if c, ok := f.columns[i].(*categoricalFeatures); ok && c.shares(v) {
			out = append(out, ColumnValue{Column: i, Name: f.spec.Columns[i].Name, Value: v})
		}
	})
	return out, err
}

// InputScale is, for the feature of a number, how far values lie apart for 1 between
// features, over the middle nine tenths of the fit's, which no single factor gives
// exactly; for the trend of a time the same in seconds; 1 for all other features.
func (f *fittedTable) InputScale() []float32 {
	scale := make([]float32, f.Width())
	for i := range scale {
		scale[i] = 1
	}
	for i, c := range f.columns {
		scale[f.starts[i]] = c.inputScale()
	}
	return scale
}

// Parts are the columns. Value and Expected are read from the features, so
// OtherLevel stands for a level without a feature of its own, and of a text its
// words are shown as far as they were frequent in the fit.
func (f *fittedTable) Parts(contributions []float64, row, decoded []float32) []Part {
	if w := f.Width(); len(contributions) != w || len(row) != w || len(decoded) != w {
		return nil
	}
	parts := make([]Part, len(f.columns))
	for i, c := range f.columns {
		parts[i] = Part{Name: f.spec.Columns[i].Name, Value: c.show(f.run(row, i)), Expected: c.decode(f.run(decoded, i))}
		for _, w := range contributions[f.starts[i]:f.starts[i+1]] {
			parts[i].Weight += w
		}
	}
	return ByWeight(parts)
}

// MarshalBinary gives the spec and the state of each column.
func (f *fittedTable) MarshalBinary() ([]byte, error) {
	return marshalFitted(f.spec, tableState(f.columns))
}

// tableState is the columns' state. The first format has neither ranks of numbers
// nor times and texts.
type tableState []features

func (s tableState) format() int {
	for _, c := range s {
		switch c := c.(type) {
		case *numericFeatures:
			if c.Ranks == nil {
				continue
			}
		case *timeFeatures, *textFeatures:
		default:
			continue
		}
		return 2
	}
	return 1
}

func restoreTable(spec Spec, state json.RawMessage) (Fitted, error) {
	table, ok := spec.(Table)
	if !ok {
		return nil, fmt.Errorf("spec is a %T", spec)
	}
	if err := table.resolved(); err != nil {
		return nil, err
	}
	var states []json.RawMessage
	if err := json.Unmarshal(state, &states); err != nil {
		return nil, err
	}
	if len(states) != len(table.Columns) {
		return nil, errors.New("number of columns in spec and state differ")
	}
	columns := make([]features, len(states))
	for i, s := range states {
		columns[i] = emptyFeatures(table.Columns[i])
		if err := decodeStrict(s, columns[i]); err != nil {
			return nil, fmt.Errorf("column %q: %w", table.Columns[i].Name, err)
		}
		if err := columns[i].restore(); err != nil {
			return nil, fmt.Errorf("column %q: %w", table.Columns[i].Name, err)
		}
	}
	return newFittedTable(table, columns)
}
