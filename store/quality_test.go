package store

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// TestReportFromOutside measures the report's figures again through the public
// calls: errors by Reconstruct, recall by Encode and an exact scan, both on the
// points that were held out.
func TestReportFromOutside(t *testing.T) {
	c, vectors, report := sharedVectors(t)
	gen := c.active.Load()
	all, held := idsOf(t, c, gen.stats.HeldOut), idsOf(t, c, gen.stats.Examined)
	if len(all) != report.HeldOut || len(held) != report.Examined || len(held) < 50 {
		t.Fatalf("%d of %d points held out were examined, the report says %d of %d", len(held), len(all), report.Examined, report.HeldOut)
	}
	back, err := c.Reconstruct(ctx, held...)
	if err != nil {
		t.Fatal(err)
	}
	var mse, mseInput float64
	for i, r := range back {
		mse += r.Error / float64(len(held))
		v := vectors[held[i].num]
		for j := range v {
			d := float64(v[j]) - float64(r.Vector[j])
			mseInput += d * d / float64(len(v)*len(held))
		}
	}
	closeTo(t, "mse", mse, report.MSE.Model, 0.02*report.MSE.Model)
	closeTo(t, "mse_input", mseInput, report.MSEInput.Model, 0.02*report.MSEInput.Model)
	if report.MSE.Model > report.MSE.PCA {
		t.Errorf("kept a model of error %v, PCA's is %v", report.MSE.Model, report.MSE.PCA)
	}
	checkRecalls(t, c, vectors, all, held, report)
	if want := float64(sharedWidth*4) / float64(c.active.Load().model.CodeSize()); report.Compression != want {
		t.Errorf("compression %v, want %v", report.Compression, want)
	}
	info, err := c.Info(ctx)
	if err != nil || math.Abs(report.BytesPerPoint.RAM-float64(info.RAMBytes)/1500) > 1 {
		t.Errorf("%v bytes per point, the index has %d in all, %v", report.BytesPerPoint.RAM, info.RAMBytes, err)
	}
}

func idsOf(t *testing.T, c *Collection, slots []uint32) (ids []ID) {
	t.Helper()
	if err := c.view(func(g *ground) error {
		for _, slot := range slots {
			e, _, err := g.entry(slot)
			if err != nil {
				return err
			}
			ids = append(ids, e.id)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func closeTo(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: measured %v, reported %v", what, got, want)
	}
}

// checkRecalls counts the true 10 neighbours of held-out points, among the
// points that were not held out, in the first 10, 50 and 100 by latents.
func checkRecalls(t *testing.T, c *Collection, vectors [][]float32, all, held []ID, report *Report) {
	t.Helper()
	var rows []any
	for _, v := range vectors {
		rows = append(rows, v)
	}
	_, z, err := c.Encode(ctx, rows...)
	if err != nil {
		t.Fatal(err)
	}
	var references []uint64
	for i := range uint64(len(vectors)) {
		if !slices.Contains(all, NumID(i)) {
			references = append(references, i)
		}
	}
	got := make(map[int]float64)
	for _, id := range held {
		truth := nearestOf(references, func(j uint64) float64 { return trueScore(Euclid, vectors[id.num], vectors[j]) })[:10]
		byLatent := nearestOf(references, func(j uint64) float64 { return trueScore(Euclid, z[id.num], z[j]) })
		for _, r := range []int{10, 50, 100} {
			for _, j := range byLatent[:r] {
				if slices.Contains(truth, j) {
					got[r] += 0.1 / float64(len(held))
				}
			}
		}
	}
	closeTo(t, "recall@10", got[10], report.RecallAt10.Model, 0.005)
	closeTo(t, "recall@50", got[50], report.RecallAt50.Model, 0.005)
	closeTo(t, "recall@100", got[100], report.RecallAt100.Model, 0.005)
}

// nearestOf is the references by distance.
func nearestOf(references []uint64, distance func(uint64) float64) []uint64 {
	d := make(map[uint64]float64, len(references))
	for _, j := range references {
		d[j] = distance(j)
	}
	return slices.SortedFunc(slices.Values(references), func(a, b uint64) int { return cmp.Compare(d[a], d[b]) })
}

// TestFarQueriesAreFlagged asks for points between and beyond those stored, which
// PCA of full size reconstructs as well as any.
func TestFarQueriesAreFlagged(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 4, Encoder: embed.PCA})
	mustUpsert(t, c, numbered(curved(8, 1200, 4))...)
	mustFit(t, c)
	flagged := func(space Space, shift float32) (n int) {
		for _, v := range curved(9, 200, 4) {
			for j := range v {
				v[j] += shift
			}
			if mustSearch(t, c, Query{Vector: v, Space: space, Limit: 3}).Info.OutOfDistribution {
				n++
			}
		}
		return n
	}
	for _, space := range []Space{SpaceInput, SpaceLatent} {
		if n := flagged(space, 0); n > 10 {
			t.Errorf("%s: %d of 200 queries like the points are flagged", space, n)
		}
		if n := flagged(space, 5); n < 195 {
			t.Errorf("%s: %d of 200 queries far away are flagged", space, n)
		}
	}
}
