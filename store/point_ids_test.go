package store

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// TestAnswersFromMemory compares answers that need no transaction with those that
// read payloads: with ids of all kinds, and slots that were used before.
func TestAnswersFromMemory(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	c := create(t, db, vectorConfig())
	rows := curved(5, 400, 8)
	mustUpsert(t, c, numbered(rows[:300])...)
	check := func(when string) {
		t.Helper()
		for i, row := range rows[:40] {
			threshold := 0.5
			for name, q := range map[string]Query{
				"plain": {Vector: row}, "exact": {Vector: row, Exact: true}, "latent": {Vector: row, Space: SpaceLatent},
				"offset": {Vector: row, Offset: 3, Limit: 4}, "threshold": {Vector: row, ScoreThreshold: &threshold},
				"filter": {Vector: row, Filter: &Filter{Must: []Condition{{Key: "group", Match: &Match{Value: i % 3}}}}},
				"far":    {Vector: rows[399], Offset: 290, Limit: 50},
			} {
				compareFromMemory(t, c, when+", "+name, q)
			}
			compareFromMemory(t, c, when+", by id", Query{ID: NumID(uint64(i)), Limit: 7})
		}
	}
	check("before a fit")
	mustFit(t, c)
	check("fitted")
	if _, err := c.Delete(ctx, NumID(250), NumID(251), NumID(252), NumID(253)); err != nil {
		t.Fatal(err)
	}
	for i, id := range []ID{NumID(1000), StringID("x"), UUID([16]byte{7}), NumID(250)} {
		mustUpsert(t, c, Point{ID: id, Vector: rows[300+i]}) // in slots that were freed
	}
	check("slots used again")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir, quiet())
	var err error
	if c, err = db.Collection("test"); err != nil {
		t.Fatal(err)
	}
	check("opened") // whether or not all is in memory yet
	c.fills.Wait()
	check("filled")
}

func compareFromMemory(t *testing.T, c *Collection, name string, q Query) {
	t.Helper()
	slow, err := c.Search(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	q.OmitPayload = true
	fast, err := c.Search(ctx, q)
	if err != nil || len(fast) != len(slow) {
		t.Errorf("%s: %v (%v), with payloads %v", name, fast, err, slow)
		return
	}
	for i, h := range fast {
		if h.ID != slow[i].ID || !near(h.Score, slow[i].Score) || h.Payload != nil {
			t.Errorf("%s: hit %d is %v, with payloads %v", name, i, h, slow[i])
		}
	}
}

// TestIDsGoWithScores replaces points by others in their slots while searches run:
// every hit's score must be that of the vector its id stands for.
func TestIDsGoWithScores(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 1, Engine: EngineFlat})
	vector := func(id uint64) []float32 { return []float32{float32(id), 1} }
	point := func(id uint64) Point { return Point{ID: NumID(id), Vector: vector(id)} }
	for id := range uint64(64) {
		mustUpsert(t, c, point(id))
	}
	mustFit(t, c)
	var done atomic.Bool
	var readers sync.WaitGroup
	for r := range 2 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(r), 3))
			for !done.Load() {
				at := vector(rng.Uint64N(400))
				hits, err := c.Search(ctx, Query{Vector: at, Limit: 5, OmitPayload: true, Exact: r == 0})
				if err != nil || len(hits) == 0 {
					t.Error(err, hits)
					return
				}
				for _, h := range hits {
					if want := trueScore(Euclid, at, vector(h.ID.num)); !near(h.Score, want) {
						t.Errorf("%s scores %v, its vector is at %v", h.ID, h.Score, want)
					}
				}
			}
		})
	}
	for id := range uint64(300) {
		if _, err := c.Write(ctx, Batch{Delete: []ID{NumID(id)}, Upsert: []Point{point(id + 64)}}, false); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	readers.Wait()
}

// TestIDPage compares a page of ids with a map.
func TestIDPage(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var p idPage
	want := make(map[uint32]uint64)
	for step := range 20_000 {
		at := rng.Uint32N(idPageSize)
		if rng.IntN(20_000) > step { // ever fewer
			want[at] = rng.Uint64()
			p.put(at, want[at])
		} else {
			delete(want, at)
			p.clear(at)
		}
		at = rng.Uint32N(idPageSize)
		place, held := p.find(at)
		if number, known := want[at]; held != known || known && p.numbers[place] != number {
			t.Fatalf("step %d: slot %d holds %v, want %v", step, at, held, known)
		}
	}
	if n := len(want); len(p.numbers) != n || cap(p.numbers) > 2*n+64 {
		t.Errorf("%d numbers in room for %d, want %d", len(p.numbers), cap(p.numbers), n)
	}
}
