package store

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestBeyondTheModel stores vectors so far from what the models learned that
// their latents overflow: as far as a vector may be, and as far as float32 goes,
// which an older version took. They are found, farthest, under every generation
// and however it is loaded.
func TestBeyondTheModel(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, vectorConfig())
	vectors := curved(23, 300, 8)
	for _, v := range vectors {
		for j := range v {
			v[j] *= 1e-12
		}
	}
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	mustFit(t, c)
	far := make([]float32, 8)
	far[3] = -1e18
	mustUpsert(t, c, Point{ID: NumID(1000), Vector: far})
	r := &request{
		upserts: []preparedPoint{{id: NumID(1001), record: binary.LittleEndian.AppendUint32(make([]byte, 28), math.Float32bits(-3e38))}},
		done:    make(chan struct{}),
	}
	if c.commitGroup([]*request{r}); r.err != nil {
		t.Fatal(r.err)
	}
	found := func(when string) {
		t.Helper()
		for _, q := range []Query{{Vector: vectors[5]}, {Vector: vectors[5], Exact: true}, {ID: NumID(1000)}, {ID: NumID(1001)}} {
			q.Space, q.Limit = SpaceLatent, 302
			want := 302
			if !q.ID.IsZero() {
				want = 301
			}
			hits := mustSearch(t, c, q).Hits
			if len(hits) != want {
				t.Errorf("%s: %d hits, want %d", when, len(hits), want)
			}
			for _, h := range hits {
				if math.IsInf(h.Score, 0) || math.IsNaN(h.Score) {
					t.Errorf("%s: id %s scores %v", when, h.ID, h.Score)
				}
			}
			if last := hits[len(hits)-1].ID; q.ID.IsZero() && last != NumID(1000) && last != NumID(1001) {
				t.Errorf("%s: the farthest is %s", when, last)
			}
		}
		if _, err := c.Outliers(ctx, OutlierQuery{}); err != nil {
			t.Errorf("%s: outliers: %v", when, err)
		}
		if _, err := c.Sample(ctx, SampleQuery{N: 2}); err != nil {
			t.Errorf("%s: sample: %v", when, err)
		}
		mustCheck(t, db)
	}
	found("written")
	if err := c.Activate(ctx, 1); err != nil {
		t.Fatal(err)
	}
	found("activated")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(c.dir, "default")); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, db.Dir(), quiet())
	c = collection(t, db, "test")
	found("encoded again")
}
