package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// TestWideTable stores a table whose levels, all of them, would pass the limit
// of a row, and opens it again.
func TestWideTable(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, Config{Source: source.Table{}})
	const columns, points = 1100, 64
	for i := range points {
		record := map[string]any{}
		for j := range columns {
			record[fmt.Sprint("c", j)] = fmt.Sprint("v", (i+j)%points)
		}
		mustUpsert(t, c, Point{ID: NumID(uint64(i)), Record: record})
	}
	for range 2 {
		if hits := mustSearch(t, c, Query{ID: NumID(3), Limit: points}).Hits; len(hits) != points-1 {
			t.Errorf("%d hits, want %d", len(hits), points-1)
		}
		db = reopen(t, db, quiet())
		c = collection(t, db, "test")
	}
}

// TestBrokenFrontEnd stores a record that no front end can read: searches say
// so, and the database opens with it.
func TestBrokenFrontEnd(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	columns := []source.Column{{Name: "a", Type: source.NumericColumn}}
	c := create(t, db, Config{Source: source.Table{Columns: columns}})
	r := &request{upserts: []preparedPoint{{id: NumID(1), record: []byte("no JSON")}}, done: make(chan struct{})}
	if c.commitGroup([]*request{r}); r.err != nil {
		t.Fatal(r.err)
	}
	fails := func(when string) {
		t.Helper()
		_, err := c.Search(ctx, Query{Record: map[string]any{"a": 1}})
		if !errors.Is(err, source.ErrRecord) || !strings.HasPrefix(err.Error(), "store: ") {
			t.Errorf("%s: search: %v, want ErrRecord", when, err)
		}
		if _, err := c.Duplicates(ctx, DuplicateQuery{}); !errors.Is(err, source.ErrRecord) {
			t.Errorf("%s: duplicates: %v, want ErrRecord", when, err)
		}
		if report, err := c.Check(ctx); err != nil || report.OK() {
			t.Errorf("%s: check finds nothing: %v", when, err)
		}
	}
	fails("written")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir, quiet())
	c = collection(t, db, "test")
	fails("reopened")
	if _, err := c.Delete(ctx, NumID(1)); err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, c, Point{ID: NumID(2), Record: map[string]any{"a": 1}})
	if hits := mustSearch(t, c, Query{Record: map[string]any{"a": 1}}).Hits; len(hits) != 1 {
		t.Errorf("afterwards: %d hits", len(hits))
	}
}
