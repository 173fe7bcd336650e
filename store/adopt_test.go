package store

import (
	"strings"
	"testing"
)

// TestSwitchBeforeCommit commits batches that were prepared for a generation
// which is no longer the active one.
func TestSwitchBeforeCommit(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	points := numbered(curved(21, 300, 8))
	mustUpsert(t, c, points[:200]...)
	mustFit(t, c)
	mustUpsert(t, c, points[200:298]...)
	mustFit(t, c)
	prepared := func(p Point) *request {
		r, err := c.prepare(ctx, Batch{Upsert: []Point{p}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	good, bad := prepared(points[298]), prepared(points[299])
	bad.upserts[0].record = []byte("no vector") // which generation 1 cannot encode
	if err := c.Activate(ctx, 1); err != nil {
		t.Fatal(err)
	}
	c.commitGroup([]*request{good, bad})
	if good.err != nil {
		t.Fatal(good.err)
	}
	refused(t, "no row under the active generation", bad.err, "points[0].record")
	if n, err := c.Count(ctx, nil); n != 299 || err != nil {
		t.Errorf("%d points, %v, want 299", n, err)
	}
	hits := mustSearch(t, c, Query{Vector: points[298].Vector, Space: SpaceLatent, Exact: true, Limit: 299}).Hits
	if len(hits) != 299 || hits[0].ID != points[298].ID || hits[0].Score != 0 {
		t.Errorf("%d hits, the first %v", len(hits), hits[0])
	}
}

// TestUnreadableRecord activates a generation whose front end cannot read a
// record: the error names the point, and nothing changes.
func TestUnreadableRecord(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, numbered(curved(22, 200, 8))...)
	mustFit(t, c)
	mustFit(t, c)
	// The writer takes rows that were made already for what they are.
	odd := &request{
		generation: c.active.Load(), done: make(chan struct{}),
		upserts: []preparedPoint{{id: NumID(7), record: []byte("no vector"), row: make([]float32, 4)}},
	}
	if c.commitGroup([]*request{odd}); odd.err != nil {
		t.Fatal(odd.err)
	}
	err := c.Activate(ctx, 1)
	if err == nil || !strings.HasPrefix(err.Error(), "store: ") || !strings.Contains(err.Error(), "id 7") {
		t.Errorf("%v, want an error that names id 7", err)
	}
	if n := c.active.Load().number; n != 2 {
		t.Errorf("generation %d is active", n)
	}
	if _, err := c.Delete(ctx, NumID(7)); err != nil {
		t.Fatal(err)
	}
}
