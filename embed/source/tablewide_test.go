package source_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

func manyLevels(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return out
}

// Declared levels add up over the columns, each with its sign of missing values.
func TestDeclaredLevelsAddUp(t *testing.T) {
	table := func(levels ...int) source.Table {
		var columns []source.Column
		for i, n := range levels {
			columns = append(columns, source.Column{Name: fmt.Sprint(i), Type: source.CategoricalColumn, Levels: manyLevels(n)})
		}
		return source.Table{Columns: columns}
	}
	for _, spec := range []source.Table{table(40_000, 40_000), table(source.MaxFeatures), table(40_000, 25_535)} {
		_, err := spec.Resolve(nil)
		if !errors.Is(err, source.ErrSpec) || !strings.Contains(err.Error(), "the limit is 65536") {
			t.Errorf("%d columns: got %v, want ErrSpec with the limit", len(spec.Columns), err)
		}
	}
	widest := resolve(t, table(40_000, 25_534))
	fitted := fit(t, widest, marshal(t, widest, map[string]any{"0": "1"}), marshal(t, widest, map[string]any{"1": "1"}))
	if fitted.Width() != source.MaxFeatures {
		t.Errorf("the widest table has %d features", fitted.Width())
	}
}

// Open columns keep fewer levels where all of them would not fit into a row.
func TestWideTableKeepsFewerLevels(t *testing.T) {
	for _, columns := range []int{900, 1100, 4096} {
		var stored [][]byte
		var spec source.Spec = source.Table{}
		for i := range 70 {
			record := map[string]any{}
			for j := range columns {
				record[fmt.Sprint("c", j)] = fmt.Sprint("v", max(0, i-7)) // v0 is there 8 times, 62 others once
			}
			spec = resolve(t, spec, record)
			stored = append(stored, marshal(t, spec, record))
		}
		fitted := fit(t, spec, stored...)
		levels := min(63, source.MaxFeatures/columns-1)
		if want := columns * (levels + 1); fitted.Width() != want {
			t.Errorf("%d columns have %d features, want %d", columns, fitted.Width(), want)
		}
		if got := decoded(t, fitted, rowOf(t, fitted, stored[0])...)["c1"]; got != "v0" {
			t.Errorf("%d columns: the most frequent level decodes to %v", columns, got)
		}
		if columns == 1100 {
			checkBytes(t, fitted)
		}
	}
}
