package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/latentdb/latentdb/embed/source"
)

// TestTableOfAllTypes stores records of inferred columns and asks what the model made of
// one: numbers are numbers, and dates dates.
func TestTableOfAllTypes(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, Config{Source: source.Table{}})
	var points []Point
	for i := range 300 {
		points = append(points, Point{ID: NumID(uint64(i)), Record: map[string]any{
			"price": float64(i%50) + .25, "kind": []string{"a", "b", "c"}[i%3], "new": i%2 == 0,
			"sold":  time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i).Format(time.DateOnly),
			"place": map[string]any{"city": "Oslo", "street": i},
			"title": fmt.Sprintf("the %d long words of it", i),
		}})
	}
	mustUpsert(t, c, points...)
	want := map[string]source.ColumnType{
		"price": source.NumericColumn, "kind": source.CategoricalColumn, "new": source.BooleanColumn, "sold": source.TimeColumn,
		"place.city": source.CategoricalColumn, "place.street": source.NumericColumn, "title": source.TextColumn,
	}
	columns := c.Config().Source.(source.Table).Columns
	for _, column := range columns {
		if column.Type != want[column.Name] {
			t.Errorf("column %q is %s, want %s", column.Name, column.Type, want[column.Name])
		}
	}
	if len(columns) != len(want) {
		t.Fatalf("%d columns", len(columns))
	}
	if _, err := c.Fit(ctx, &FitOptions{Dim: 24}); err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, quiet())
	c = collection(t, db, "test")
	back, err := c.Reconstruct(ctx, NumID(100))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]PartError{}
	for _, p := range back[0].Parts {
		seen[p.Name] = p
	}
	for name, value := range map[string]any{"price": .25, "kind": "b", "new": true, "sold": "2020-04-10", "place.street": int64(100), "place.city": "Oslo"} {
		if got := seen[name].Value; got != value {
			t.Errorf("%s is shown as %v, want %v", name, got, value)
		}
	}
	if _, err := time.Parse(time.DateOnly, fmt.Sprint(seen["sold"].Expected)); err != nil {
		t.Errorf("a date is expected to be %v", seen["sold"].Expected)
	}
	again := Point{ID: NumID(1000), Record: back[0].Record}
	mustUpsert(t, c, again)
	if hits := mustSearch(t, c, Query{Record: points[7].Record, Limit: 1}).Hits; len(hits) != 1 || hits[0].ID != NumID(7) {
		t.Errorf("nearest to itself is %v", hits)
	}
	refused(t, "date", c.Upsert(ctx, Point{ID: NumID(1), Record: map[string]any{"sold": "soon"}}), "sold")
}
