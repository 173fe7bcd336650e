package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
)

// withDuplicates are 300 points, of which 10 are planted copies: 0 to 4 again as
// 1000 to 1004 to the byte, and 5 to 9 again as 1005 to 1009 nearly.
func withDuplicates() []Point {
	rng := rand.New(rand.NewPCG(51, 1))
	vectors := make([][]float32, 290)
	for i := range vectors {
		vectors[i] = make([]float32, 16)
		for j := range vectors[i] {
			vectors[i][j] = float32(rng.NormFloat64())
		}
	}
	points := numbered(vectors)
	for i := range 10 {
		v := slices.Clone(points[i].Vector)
		if i >= 5 {
			v[i] += 0.004
		}
		points = append(points, Point{ID: NumID(uint64(1000 + i)), Vector: v, Payload: Payload{"copy": true}})
	}
	return points
}

func TestDuplicates(t *testing.T) {
	for _, fitted := range []bool{false, true} {
		c := create(t, tempDB(t, quiet()), vectorConfig())
		mustUpsert(t, c, withDuplicates()...)
		if fitted {
			mustFit(t, c)
		}
		found, err := c.Duplicates(ctx, DuplicateQuery{})
		if err != nil || found.Points != 300 {
			t.Fatalf("%+v, %v", found, err)
		}
		if len(found.Groups) != 10 {
			t.Errorf("fitted %t: %d groups within the suggested %v, want the 10 planted", fitted, len(found.Groups), found.Threshold)
		}
		for _, g := range found.Groups {
			n := g.IDs[0].num
			if len(g.IDs) != 2 || g.IDs[1] != NumID(n+1000) || g.Keep != NumID(n) || g.Exact != (n < 5) ||
				len(g.Pairs) != 1 || g.Pairs[0].A != g.IDs[0] || g.Pairs[0].B != g.IDs[1] || g.Pairs[0].Exact != g.Exact {
				t.Errorf("fitted %t: group %+v", fitted, g)
			}
			if d := g.Pairs[0].Distance; g.Exact != (d == 0) || d > 0.0041 {
				t.Errorf("fitted %t: distance %v", fitted, d)
			}
		}
		zero := 0.0
		for _, test := range []struct {
			q    DuplicateQuery
			want int
		}{
			{DuplicateQuery{Threshold: &zero}, 5},
			{DuplicateQuery{Limit: 3}, 3},
			{DuplicateQuery{Filter: &Filter{Must: []Condition{{Key: "copy", Match: &Match{Value: true}}}}}, 0},
		} {
			if found, err := c.Duplicates(ctx, test.q); err != nil || len(found.Groups) != test.want {
				t.Errorf("fitted %t: %+v gives %d groups, %v, want %d", fitted, test.q, len(found.Groups), err, test.want)
			}
		}
		if found, err := c.Duplicates(ctx, DuplicateQuery{Keep: KeepNewest}); err != nil || found.Groups[0].Keep.num < 1000 {
			t.Errorf("keep the newest: %+v, %v", found.Groups[0], err)
		}
	}
}

func TestDeduplicate(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	mustFit(t, c)
	dry, err := c.Deduplicate(ctx, DuplicateQuery{}, true)
	if err != nil || !dry.DryRun || len(dry.Removed) != 10 {
		t.Fatalf("%+v, %v", dry, err)
	}
	if n, err := c.Count(ctx, nil); err != nil || n != 300 {
		t.Errorf("a dry run leaves %d points, %v", n, err)
	}
	done, err := c.Deduplicate(ctx, DuplicateQuery{}, false)
	if err != nil || fmt.Sprint(done.Removed) != fmt.Sprint(dry.Removed) {
		t.Fatalf("%+v, %v, want %+v", done, err, dry)
	}
	for _, r := range done.Removed {
		if r.ID.num < 1000 || r.Kept != NumID(r.ID.num-1000) || r.Exact != (r.ID.num < 1005) {
			t.Errorf("removed %+v", r)
		}
		got, err := c.Get(ctx, With{}, r.ID, r.Kept)
		if err != nil || len(got) != 1 || got[0].ID != r.Kept {
			t.Errorf("%v, %v", got, err)
		}
	}
	if again, err := c.Deduplicate(ctx, DuplicateQuery{Threshold: &done.Threshold}, false); err != nil || again.Removed == nil || len(again.Removed) != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// TestDeduplicateOfAChain takes points a step apart: each is near the next, the
// ends are far from each other. Every other one may leave.
func TestDeduplicateOfAChain(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	for i := range 9 {
		v := make([]float32, 16)
		v[0] = float32(i)
		mustUpsert(t, c, Point{ID: NumID(uint64(i)), Vector: v})
	}
	threshold := 1.0
	found, err := c.Duplicates(ctx, DuplicateQuery{Threshold: &threshold})
	if err != nil || len(found.Groups) != 1 || len(found.Groups[0].IDs) != 9 {
		t.Fatalf("%+v, %v", found, err)
	}
	done, err := c.Deduplicate(ctx, DuplicateQuery{Threshold: &threshold}, false)
	if err != nil || len(done.Removed) != 4 {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, r := range done.Removed {
		if r.Distance > threshold {
			t.Errorf("%v is %v from %v", r.ID, r.Distance, r.Kept)
		}
	}
}

// endsAfter is a context that ends after it was asked some times.
type endsAfter struct {
	context.Context
	asked *int64 // by several goroutines
}

func (c endsAfter) Err() error {
	if atomic.AddInt64(c.asked, -1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestDeduplicateEndsWithinAGroup: one group may take longer than all else.
func TestDeduplicateEndsWithinAGroup(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	var chain []Point
	for i := range 300 {
		v := make([]float32, 16)
		v[0] = float32(i)
		chain = append(chain, Point{ID: NumID(uint64(i)), Vector: v})
	}
	mustUpsert(t, c, chain...)
	threshold, asked := 1.0, int64(200)
	if _, err := c.Duplicates(ctx, DuplicateQuery{Threshold: &threshold}); err != nil { // the scan is kept
		t.Fatal(err)
	}
	done, err := c.Deduplicate(endsAfter{ctx, &asked}, DuplicateQuery{Threshold: &threshold}, true)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", done, err)
	}
}

// TestDeduplicateLeavesChangesAlone changes points between the scan and the
// removal.
func TestDeduplicateLeavesChangesAlone(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, withDuplicates()...)
	found, scan, err := c.findDuplicates(ctx, DuplicateQuery{Keep: KeepFirst})
	if err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, c, Point{ID: NumID(1000), Vector: make([]float32, 16)}, Point{ID: NumID(1), Vector: make([]float32, 16)})
	if _, err := c.Delete(ctx, NumID(2), NumID(1003)); err != nil {
		t.Fatal(err)
	}
	removed, err := c.removals(ctx, scan, found)
	if err != nil {
		t.Fatal(err)
	}
	r := &request{duplicates: removed, notAfter: scan.seq, done: make(chan struct{})}
	if err := c.enqueue(ctx, r); err != nil {
		t.Fatal(err)
	}
	<-r.done
	if r.err != nil || len(r.removed) != 6 { // 1004 to 1009
		t.Errorf("removed %+v, %v", r.removed, r.err)
	}
	got, err := c.Get(ctx, With{}, NumID(1000), NumID(1001), NumID(1002), NumID(1004))
	if err != nil || len(got) != 3 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestDotDuplicates: an inner product is no distance, so duplicates of a Dot
// collection are measured by Euclid; by default chance removes none.
func TestDotDuplicates(t *testing.T) {
	for _, fitted := range []bool{false, true} {
		cfg := vectorConfig()
		cfg.Metric = Dot
		c := create(t, tempDB(t, quiet()), cfg)
		mustUpsert(t, c, withDuplicates()...)
		if fitted {
			mustFit(t, c)
		}
		done, err := c.Deduplicate(ctx, DuplicateQuery{}, true)
		if err != nil || len(done.Removed) != 10 {
			t.Fatalf("fitted %t: %+v, %v: want the 10 planted", fitted, done, err)
		}
		for _, r := range done.Removed {
			if r.ID.num != r.Kept.num+1000 || r.Distance < 0 || r.Distance > 0.0041 {
				t.Errorf("fitted %t: removed %+v", fitted, r)
			}
		}
		if few, err := c.Deduplicate(ctx, DuplicateQuery{Limit: 3}, true); err != nil || len(few.Removed) != 3 {
			t.Errorf("fitted %t: 3 groups remove %d, %v", fitted, len(few.Removed), err)
		}
	}
}
