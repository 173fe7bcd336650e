package store

import (
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// foundOf is the share of the true 10 neighbours that queries find.
func foundOf(t *testing.T, c *Collection, vectors, queries [][]float32, q Query) (recall float64) {
	t.Helper()
	all := make([]uint64, len(vectors))
	for i := range all {
		all[i] = uint64(i)
	}
	for _, v := range queries {
		q.Vector, q.Limit = v, 10
		truth := make(map[uint64]bool)
		for _, i := range nearestOf(all, func(i uint64) float64 { return trueScore(Euclid, v, vectors[i]) })[:10] {
			truth[i] = true
		}
		for _, h := range mustSearch(t, c, q).Hits {
			if truth[h.ID.num] {
				recall += .1 / float64(len(queries))
			}
		}
	}
	return recall
}

// TestCalibrationRanksCandidates: it is the best candidates that are scored anew, in
// whatever order an index gives them.
func TestCalibrationRanksCandidates(t *testing.T) {
	const width, n = 24, 2000
	vectors := clustered(3, n, width)
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: width, Encoder: embed.PCA, Engine: EngineCells, Rows: RowsMemory})
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	sample := &fitSample{rows: embed.NewMatrix(n, width)}
	for i, v := range vectors {
		sample.slots = append(sample.slots, uint32(i))
		copy(embed.Row(sample.rows, i), v)
	}
	gen := c.active.Load()
	cal, err := newCalibration(ctx, c, gen, sample)
	if err != nil {
		t.Fatal(err)
	}
	if err := cal.findTruth(ctx); err != nil {
		t.Fatal(err)
	}
	points, err := cal.atWidth(ctx, gen.index, SpaceInput, 64, []int{20, 64})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range points {
		if p.Recall < .98 {
			t.Errorf("%+v", p)
		}
	}
}

// TestSearchesGoOn: searches like those that were calibrated end where they were meant
// to, nearly all; others go on for as long as they find much late, and find more.
func TestSearchesGoOn(t *testing.T) {
	const width, n = 24, 6000
	vectors := clustered(4, n+300, width)
	vectors, queries := vectors[:n], vectors[n:]
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 8, Encoder: embed.PCA, Engine: EngineCells, Rows: RowsMemory})
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	plan := c.active.Load().plan(Query{Space: SpaceInput, Recall: .9, Limit: 10})
	if plan.late < 1 || plan.late > 9 || plan.exact {
		t.Fatalf("planned %+v", plan)
	}
	wider := func(late int) (share float64) {
		setLate(c, late)
		for _, v := range queries {
			info := mustSearch(t, c, Query{Vector: v, Recall: .9}).Info
			if info.EF > plan.ef {
				share += 1 / float64(len(queries))
			}
			if info.EF > 8*plan.ef || info.Rerank > 8*plan.rerank {
				t.Fatalf("planned %+v, went on to %+v", plan, info)
			}
		}
		return share
	}
	if share := wider(plan.late); share > .04 {
		t.Errorf("%.3f of the searches went on", share)
	}
	before := foundOf(t, c, vectors, queries[:100], Query{Recall: .9})
	if share := wider(1); share < .3 {
		t.Errorf("%.3f of the searches went on after one late find", share)
	}
	if after := foundOf(t, c, vectors, queries[:100], Query{Recall: .9}); after < before+.01 {
		t.Errorf("going on found %.4f instead of %.4f", after, before)
	}
	told := Query{Vector: queries[0], EF: plan.ef, Rerank: plan.rerank}
	if info := mustSearch(t, c, told).Info; info.EF != plan.ef || info.Rerank != plan.rerank {
		t.Errorf("told %d and %d, searched with %+v", plan.ef, plan.rerank, info)
	}
}

// setLate has searches go on after some late finds.
func setLate(c *Collection, late int) {
	points := c.active.Load().report.Calibration
	for i := range points {
		if points[i].Late > 0 {
			points[i].Late = late
		}
	}
}

// TestAsksBelowNearlyAllAreKept: that queries off the points find less of nearly all is no
// reason to scan all points where less is asked for.
func TestAsksBelowNearlyAllAreKept(t *testing.T) {
	const width, n = 24, 4000
	vectors := clustered(4, n, width)
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: width, Encoder: embed.PCA, Engine: EngineCells, Rows: RowsMemory})
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	gen := c.active.Load()
	cal := &calibration{c: c, gen: gen, slots: []uint32{0}, truthInput: []map[uint32]bool{{0: true}}, targets: vectors[:1]}
	for _, v := range vectors[:20] { // queries of which nothing is found
		cal.off = append(cal.off, stepQuery{v, map[uint32]bool{n: true}, n})
	}
	p := CalibrationPoint{Space: SpaceInput, EF: 20, Rerank: 20, Promised: .99}
	if err := cal.setLate(t.Context(), gen.index, &p); err != nil || p.Promised >= nearlyAll || p.Promised < nearlyAll-.001 {
		t.Errorf("promised %v, %v", p.Promised, err)
	}
	for _, recall := range []float64{.9, .95} {
		if plan := gen.plan(Query{Space: SpaceInput, Recall: recall, Limit: 10}); plan.exact {
			t.Errorf("recall %.2f is planned as %+v", recall, plan)
		}
	}
}

// TestSearchesWithoutRowsDoNotGoOn: while rows are still to be read, candidates are scored
// by their records, and nothing tells that there is more to find.
func TestSearchesWithoutRowsDoNotGoOn(t *testing.T) {
	const width, n = 24, 6000
	vectors := clustered(4, n+20, width)
	vectors, queries := vectors[:n], vectors[n:]
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 8, Encoder: embed.PCA, Engine: EngineCells, Rows: RowsMemory})
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	gen := c.active.Load()
	plan := gen.plan(Query{Space: SpaceInput, Recall: .9, Limit: 10})
	setLate(c, 1)
	strange, gone := 0, 0
	for _, v := range queries {
		if info := mustSearch(t, c, Query{Vector: v, Recall: .9}).Info; info.EF >= 4*plan.ef {
			if gone++; info.OutOfDistribution {
				strange++
			}
		}
	}
	if gone == 0 || strange < gone {
		t.Errorf("%d of %d searches that went on twice are of strange queries", strange, gone)
	}
	for slot := range gen.index.Slots() {
		gen.rows.Delete(slot)
	}
	for _, v := range queries {
		if info := mustSearch(t, c, Query{Vector: v, Recall: .9}).Info; info.EF != plan.ef {
			t.Fatalf("planned %+v, searched with %+v", plan, info)
		}
	}
	if got := foundOf(t, c, vectors, queries, Query{Recall: .9}); got < .85 {
		t.Errorf("%.3f is found by records", got)
	}
}

// TestStrangeInBothParts: a query that is neither too far nor too badly reconstructed may
// be both to a degree that no held-out point is.
func TestStrangeInBothParts(t *testing.T) {
	const width, n = 24, 3000
	vectors := clustered(4, n+1, width)
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 8, Encoder: embed.PCA, Engine: EngineCells, Rows: RowsMemory})
	mustUpsert(t, c, numbered(vectors[:n])...)
	mustFit(t, c)
	stats, query := &c.active.Load().stats, Query{Vector: vectors[n], Recall: .9}
	hits := mustSearch(t, c, query).Hits
	mse, err := c.active.Load().errorOf(vectors[n])
	if err != nil {
		t.Fatal(err)
	}
	far := hits[calibrationK-1].Score * hits[calibrationK-1].Score // the score is the root
	stats.Reach[SpaceInput], stats.UsualMSE = float32(far*1.1), mse*1.1
	for _, limit := range []float64{1.7, 1.9} { // the query has 1.82
		stats.Strange[SpaceInput] = limit
		if got := mustSearch(t, c, query).Info.OutOfDistribution; got != (limit < 1.8) {
			t.Errorf("at a limit of %v: %t", limit, got)
		}
	}
}

// TestNewAmong counts what a wider search found anew.
func TestNewAmong(t *testing.T) {
	hits := func(slots ...uint32) (out []index.Hit) {
		for _, slot := range slots {
			out = append(out, index.Hit{Slot: slot})
		}
		return out
	}
	before := slotsAmong(hits(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
	for want, after := range [][]index.Hit{
		hits(10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 12), hits(1, 2, 11, 3, 4), hits(20, 1, 21, 2, 3, 4, 5, 6, 7, 8),
	} {
		if got := newAmong(after, before); got != want {
			t.Errorf("%d of %v are new, want %d", got, after, want)
		}
	}
}
