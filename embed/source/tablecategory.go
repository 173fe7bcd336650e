package source

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/latentdb/latentdb/embed"
)

// OtherLevel stands in Parts for a level that has no feature of its own.
const OtherLevel = "(other)"

// maxDistinct bounds the different values or words of a column that a fit counts;
// those that come later count as rare.
const maxDistinct = 1 << 16

// categoricalFeatures is a one-hot run: the levels, one feature for all other
// values if the column is open, one for missing if some value was.
type categoricalFeatures struct {
	Levels levels `json:"levels"`
	Open   bool   `json:"open,omitempty"`
	// Other is the most frequent of the pooled values, nil if none was.
	Other   any  `json:"other,omitempty"`
	Missing bool `json:"missing,omitempty"`
	// Mode is the feature of the most frequent value, which stands for a
	// missing one if the fit had none.
	Mode int `json:"mode"`

	declared []string // the spec's levels
}

// levels are the values that have a feature, as first seen, and their position.
type levels struct {
	values []any
	index  map[string]int
}

func newLevels(values []any) levels {
	l := levels{values: values, index: make(map[string]int, len(values))}
	for i, v := range values {
		l.index[levelText(v)] = i
	}
	return l
}

func (l levels) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, v := range l.values {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendValue(out, v)
	}
	return append(out, ']'), nil
}

func (l *levels) UnmarshalJSON(data []byte) error {
	var values []any
	if err := decodeStrict(data, &values); err != nil {
		return err
	}
	for i, v := range values {
		normal, err := normalLevel(v)
		if err != nil {
			return fmt.Errorf("level %d: %w", i, err)
		}
		values[i] = normal
	}
	*l = newLevels(values)
	if len(l.index) != len(values) {
		return errors.New("a level is there twice")
	}
	return nil
}

func (f *categoricalFeatures) width() int {
	n := len(f.Levels.values)
	if f.Open {
		n++
	}
	if f.Missing {
		n++
	}
	return n
}

// keep is an open column with its most frequent levels only, up to most of them.
// The most frequent of the others now stands for all that share a feature.
func (f *categoricalFeatures) keep(most int) *categoricalFeatures {
	values := f.Levels.values // most frequent first
	if len(values) <= most {
		return f
	}
	cut := *f
	cut.Levels, cut.Other = newLevels(values[:most:most]), values[most]
	return &cut
}

func (f *categoricalFeatures) layout() embed.Layout {
	return embed.Layout{{Kind: embed.OneHot, Width: f.width()}}
}

func (f *categoricalFeatures) encode(dst []float32, v any) { dst[f.position(v)] = 1 }

func (f *categoricalFeatures) position(v any) int {
	if v == nil {
		if f.Missing {
			return f.width() - 1
		}
		return f.Mode
	}
	if i, ok := f.Levels.index[levelText(v)]; ok {
		return i
	}
	return len(f.Levels.values) // only an open column has such values
}

// shares tells that a value has no feature of its own.
func (f *categoricalFeatures) shares(v any) bool {
	return v != nil && f.position(v) == len(f.Levels.values)
}

func (f *categoricalFeatures) decode(src []float32) any { return f.read(src, f.Other) }
func (f *categoricalFeatures) show(src []float32) any   { return f.read(src, OtherLevel) }

func (f *categoricalFeatures) read(src []float32, other any) any {
	best := 0
	for i, v := range src {
		if v > src[best] {
			best = i
		}
	}
	switch {
	case best < len(f.Levels.values):
		return f.Levels.values[best]
	case f.Open && best == len(f.Levels.values):
		return other
	}
	return nil
}

func (f *categoricalFeatures) inputScale() float32 { return 1 }

func (f *categoricalFeatures) restore() error {
	if f.Open != (len(f.declared) == 0) || !f.Open && len(f.Levels.values) != len(f.declared) {
		return errors.New("levels differ from the spec's")
	}
	for _, text := range f.declared {
		if _, ok := f.Levels.index[text]; !ok {
			return fmt.Errorf("the spec's level %q is not there", text)
		}
	}
	if f.Mode < 0 || f.Mode >= f.width() {
		return fmt.Errorf("mode %d of %d features", f.Mode, f.width())
	}
	if f.Other != nil {
		var err error
		f.Other, err = normalLevel(f.Other)
		return err
	}
	return nil
}

// categoricalCollector counts the levels of a categorical column.
type categoricalCollector struct {
	declared []string
	counts   map[string]*levelCount
	missing  int
}

type levelCount struct {
	text  string
	value any // as first seen
	n     int
}

func newCategoricalCollector(declared []string) *categoricalCollector {
	return &categoricalCollector{declared: declared, counts: map[string]*levelCount{}}
}

func (c *categoricalCollector) add(v any) {
	if v == nil {
		c.missing++
		return
	}
	text := levelText(v)
	count := c.counts[text]
	if count == nil {
		if len(text) > MaxLevelBytes || len(c.counts) == maxDistinct {
			return
		}
		count = &levelCount{text: text, value: v}
		c.counts[text] = count
	}
	count.n++
}

func (c *categoricalCollector) fit() features {
	f := &categoricalFeatures{Open: len(c.declared) == 0, Missing: c.missing > 0, declared: c.declared}
	if !f.Open {
		f.Levels, f.Mode = c.declaredLevels()
		return f
	}
	ranked := slices.SortedFunc(maps.Values(c.counts), func(a, b *levelCount) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.text, b.text))
	})
	if kept := keptLevels(ranked); kept < len(ranked) {
		f.Other = ranked[kept].value
		ranked = ranked[:kept]
	}
	values := make([]any, len(ranked))
	for i, r := range ranked {
		values[i] = r.value
	}
	f.Levels = newLevels(values)
	return f
}

// keptLevels is how many of the levels, most frequent first, get a feature. Of
// too many, those that occur once are no category but a name or a date: which of
// them came first would be noise.
func keptLevels(ranked []*levelCount) int {
	if len(ranked) <= MaxOpenLevels {
		return len(ranked)
	}
	kept := 0
	for kept < MaxOpenLevels && ranked[kept].n > 1 {
		kept++
	}
	return kept
}

// declaredLevels are the spec's, each in the form the sample had it, and the
// position of the most frequent.
func (c *categoricalCollector) declaredLevels() (l levels, mode int) {
	values := make([]any, len(c.declared))
	most := 0
	for i, text := range c.declared {
		values[i] = text
		if count := c.counts[text]; count != nil {
			values[i] = count.value
			if count.n > most {
				mode, most = i, count.n
			}
		}
	}
	return newLevels(values), mode
}

// booleanFeatures is one binary feature, and an indicator if some value was missing.
type booleanFeatures struct {
	Mode    bool `json:"mode"` // the more frequent value, which stands for a missing one
	Missing bool `json:"missing,omitempty"`
}

func (f *booleanFeatures) layout() embed.Layout {
	return withIndicator(embed.Layout{{Kind: embed.Binary, Width: 1}}, f.Missing)
}

func (f *booleanFeatures) encode(dst []float32, v any) {
	if v == nil && f.Missing {
		dst[1] = 1
	}
	if v == true || v == nil && f.Mode {
		dst[0] = 1
	}
}

func (f *booleanFeatures) decode(src []float32) any {
	if saysMissing(src) {
		return nil
	}
	return src[0] >= 0.5
}

func (f *booleanFeatures) show(src []float32) any { return f.decode(src) }
func (f *booleanFeatures) inputScale() float32    { return 1 }
func (f *booleanFeatures) restore() error         { return nil }

type booleanCollector struct {
	balance int // trues less falses
	missing bool
}

func (c *booleanCollector) add(v any) {
	switch v {
	case nil:
		c.missing = true
	case true:
		c.balance++
	default:
		c.balance--
	}
}

func (c *booleanCollector) fit() features {
	return &booleanFeatures{Mode: c.balance > 0, Missing: c.missing}
}
