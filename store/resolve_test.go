package store

import (
	"fmt"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// A first batch that cannot decide its source is refused for the point that is
// to blame, and decides nothing.
func TestFirstBatchNamesThePoint(t *testing.T) {
	wide := func(from, n int) map[string]any {
		row := map[string]any{}
		for i := range n {
			row[fmt.Sprint("c", from+i)] = i
		}
		return row
	}
	record := func(records ...any) []Point {
		points := make([]Point, len(records))
		for i, r := range records {
			points[i] = Point{ID: NumID(uint64(i)), Record: r}
		}
		return points
	}
	const many = source.MaxColumns - 96
	good := pictures(2)
	empty := map[string]any{}
	for name, test := range map[string]struct {
		spec   source.Spec
		points []Point
		field  string
	}{
		"unreadable image":   {source.Image{Width: 4, Height: 4}, record(good[0], []byte("no picture"), good[1]), "points[1].record: "},
		"two of them":        {source.Image{Width: 4, Height: 4}, record(good[0], good[1], []byte("a"), []byte("b")), "points[2].record: "},
		"no table row":       {source.Table{}, record(map[string]any{"a": 1}, "text"), "points[1].record: "},
		"after an empty row": {source.Table{}, record(empty, map[string]any{"a": 1}, "text"), "points[2].record: "},
		"a list in a column": {source.Table{}, record(map[string]any{"a": 1}, map[string]any{"a": []any{1}}), "points[1].record: "},
		"no columns":         {source.Table{}, record(empty, empty), "points[0].record: "},
		"too many columns":   {source.Table{}, record(map[string]any{"a": 1}, wide(0, source.MaxColumns+1)), "points[1].record: "},
		"too many together":  {source.Table{}, record(wide(0, many), wide(50, many), wide(many-100, many)), "points[2].record: "},
		"too long a vector":  {source.Vector{}, []Point{{ID: NumID(1), Vector: make([]float32, source.MaxFeatures+1)}}, "points[0].vector: "},
		"of another length":  {source.Vector{}, []Point{{ID: NumID(1), Vector: []float32{1, 2}}, {ID: NumID(2), Vector: []float32{1}}}, "points[1].vector: "},
	} {
		c := create(t, tempDB(t, quiet()), Config{Source: test.spec})
		unchanged(t, c, func() { refused(t, name, c.Upsert(ctx, test.points...), test.field) })
	}
}
