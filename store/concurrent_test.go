package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// TestReadYourWrites writes and searches from many goroutines while fits and
// rollbacks switch generations. Each writer must find at once what it wrote and
// nothing of what it deleted; no hit may contradict itself.
func TestReadYourWrites(t *testing.T) {
	c := create(t, tempDB(t, &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 25}), vectorConfig())
	const width = 8
	mustUpsert(t, c, numbered(curved(31, 300, width))...)
	var done atomic.Bool
	var writers, readers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() { writeAndRead(t, c, w, 40, width) })
	}
	readers.Go(func() { readConsistent(t, c, &done, width) })
	readers.Go(func() {
		for !done.Load() {
			if r, err := c.Check(ctx); err != nil || !r.OK() {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
	for range 2 {
		mustFit(t, c)
	}
	if err := c.Activate(ctx, 1); err != nil {
		t.Error(err)
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

// writeAndRead moves points of its own about and asks for them.
func writeAndRead(t *testing.T, c *Collection, w, rounds, width int) {
	rng := rand.New(rand.NewPCG(uint64(w), 1))
	for round := range rounds {
		id := StringID(fmt.Sprintf("w%d-%d", w, round%7))
		v := make([]float32, width)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		if err := c.Upsert(ctx, Point{ID: id, Vector: v, Payload: Payload{"group": w, "first": v[0]}}); err != nil {
			t.Error(err)
			return
		}
		mine := &Filter{Must: []Condition{{HasID: []ID{id}}}}
		for _, q := range []Query{
			{Vector: v, Limit: 1, Exact: true, Space: SpaceInput}, {Vector: v, Limit: 5, Filter: mine}, {Vector: v, Limit: 1, Filter: mine, Space: SpaceLatent},
		} {
			hits, err := c.Search(ctx, q)
			if err != nil || len(hits) != 1 || hits[0].ID != id || q.Space != SpaceLatent && hits[0].Score > 1e-3 {
				t.Errorf("round %d: %+v finds %v, %v", round, q, hits, err)
			}
		}
		if round%3 != 0 {
			continue
		}
		if _, err := c.Delete(ctx, id); err != nil {
			t.Error(err)
		}
		if hits, err := c.Search(ctx, Query{Vector: v, Limit: 3, Filter: mine}); err != nil || len(hits) != 0 {
			t.Errorf("round %d: deleted, and found %v, %v", round, hits, err)
		}
	}
}

// readConsistent looks at hits alone: score, vector and payload must be of one
// version of the point, and the payload as the filter asked.
func readConsistent(t *testing.T, c *Collection, done *atomic.Bool, width int) {
	zero := make([]float32, width)
	zero[1] = 0.5
	for !done.Load() {
		for _, group := range []int{0, 1} {
			f := &Filter{Must: []Condition{{Key: "group", Match: &Match{Value: group}}}}
			hits, err := c.Search(ctx, Query{Vector: zero, Space: SpaceInput, Filter: f, Limit: 8, WithVector: true})
			if err != nil {
				t.Error(err)
				return
			}
			seen := make(map[ID]bool)
			for i, h := range hits {
				first, _ := h.Payload["first"].(float64)
				switch {
				case seen[h.ID]:
					t.Errorf("%s stands twice", h.ID)
				case h.Payload["group"] != int64(group):
					t.Errorf("%s has payload %v, asked for group %d", h.ID, h.Payload, group)
				case !near(first, float64(h.Vector[0])):
					t.Errorf("%s has the payload of another vector", h.ID)
				case !near(h.Score, trueScore(Euclid, zero, h.Vector)):
					t.Errorf("%s scores %v, its vector is at %v", h.ID, h.Score, trueScore(Euclid, zero, h.Vector))
				case i > 0 && h.Score < hits[i-1].Score:
					t.Errorf("hit %d scores %v after %v", i, h.Score, hits[i-1].Score)
				}
				seen[h.ID] = true
			}
		}
	}
}

// TestOvertakenSearch changes points between the steps of a search: one no
// longer fits the filter, one gave its slot to another point, one moved.
func TestOvertakenSearch(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	points := numbered(curved(33, 60, 6))
	for i := range points {
		points[i].Payload = Payload{"in": true}
	}
	mustUpsert(t, c, points...)
	for _, fitted := range []bool{false, true} {
		if fitted {
			mustFit(t, c)
		}
		q := Query{Vector: points[0].Vector, Filter: &Filter{Must: []Condition{{Key: "in", Match: &Match{Value: true}}}}}
		s := &search{memory: new(searchMemory), c: c, q: q.withDefaults(c.Config()), published: c.published.Load(), gen: c.active.Load()}
		if err := s.prepare(ctx); err != nil {
			t.Fatal(err)
		}
		hits, err := s.candidates(ctx)
		if err != nil || len(hits) != 10 {
			t.Fatalf("%v, %v", hits, err)
		}
		ids := make([]ID, 3)
		if err := c.view(func(g *ground) error {
			for i := range ids {
				e, _, err := g.entry(hits[i].Slot)
				if err != nil {
					return err
				}
				ids[i] = e.id
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		far := []float32{9, 9, 9, 9, 9, 9}
		if _, err := c.Write(ctx, Batch{
			Delete:   ids[1:2],
			Upsert:   []Point{{ID: StringID("other"), Vector: points[0].Vector}, {ID: ids[2], Vector: far, Payload: Payload{"in": true}}},
			Payloads: []PayloadChange{{Op: PayloadClear, IDs: ids[:1]}},
		}, false); err != nil {
			t.Fatal(err)
		}
		if err := c.view(func(g *ground) error {
			if hits, err = s.refresh(g, hits); err != nil {
				return err
			}
			found, err := s.materialise(g, hits)
			if len(found) != 8 || found[7].ID != ids[2] || !near(found[7].Score, trueScore(Euclid, q.Vector, far)) {
				t.Errorf("fitted %t: %v", fitted, found)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Delete(ctx, StringID("other")); err != nil {
			t.Fatal(err)
		}
		mustUpsert(t, c, points...)
	}
}
