package indextest

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// oracle is the naive index: a map, measured whole and sorted.
type oracle struct {
	metric  index.Metric
	step    float32
	measure func(a, b []float32) float32
	rows    map[uint32][]float32 // prepared
}

func newOracle(c index.Config) *oracle {
	o := &oracle{c.Metric, c.Step, c.Metric.Kernel(), make(map[uint32][]float32)}
	if c.Step > 0 {
		o.measure = func(a, b []float32) float32 {
			var sum int64
			for i := range a {
				d := o.code(a[i]) - o.code(b[i])
				sum += d * d
			}
			return float32(sum) * (c.Step * c.Step)
		}
	}
	return o
}

// code is which multiple of the step stands for x.
func (o *oracle) code(x float32) int64 {
	return int64(max(-127, min(127, math.RoundToEven(float64(x)/float64(o.step)))))
}

func (o *oracle) prepare(row []float32) []float32 {
	prepared := make([]float32, len(row))
	if err := o.metric.Prepare(prepared, row); err != nil {
		panic(err) // a mistake in the suite
	}
	if o.step > 0 {
		for i, x := range prepared {
			prepared[i] = float32(o.code(x)) * o.step
		}
	}
	return prepared
}

func (o *oracle) upsert(slot uint32, row []float32) { o.rows[slot] = o.prepare(row) }

func (o *oracle) delete(slot uint32) bool {
	_, held := o.rows[slot]
	delete(o.rows, slot)
	return held
}

func (o *oracle) slots() []uint32 { return slices.Sorted(maps.Keys(o.rows)) }

func (o *oracle) search(query []float32, p index.Params) []index.Hit {
	prepared := o.prepare(query)
	var hits []index.Hit
	for slot, row := range o.rows {
		if p.Allow == nil || p.Allow.Has(slot) {
			hits = append(hits, index.Hit{Slot: slot, Distance: o.measure(prepared, row) + 0})
		}
	}
	slices.SortFunc(hits, index.Hit.Compare)
	return hits[:min(p.K, len(hits))]
}

// checkValid fails unless each hit is held, allowed, rightly measured and in
// its place.
func (o *oracle) checkValid(t fataler, query []float32, hits []index.Hit, allow *index.Bitmap) {
	t.Helper()
	prepared := o.prepare(query)
	for i, h := range hits {
		row, held := o.rows[h.Slot]
		switch {
		case !held:
			t.Fatalf("hit %d: slot %d is not held", i, h.Slot)
		case allow != nil && !allow.Has(h.Slot):
			t.Fatalf("hit %d: slot %d is not allowed", i, h.Slot)
		case h.Distance != o.measure(prepared, row):
			t.Fatalf("hit %d: distance %v, want %v", i, h.Distance, o.measure(prepared, row))
		case i > 0 && hits[i-1].Compare(h) >= 0:
			t.Fatalf("hits %v and %v are out of order", hits[i-1], h)
		}
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// uniformRow is a row with values from -1 to 1.
func uniformRow(r *rand.Rand, dim int) []float32 {
	row := make([]float32, dim)
	for i := range row {
		row[i] = 2*r.Float32() - 1
	}
	return row
}

// clustered returns clusters×size rows, cluster by cluster, each cluster a
// normal cloud of the given width around a centre in the unit cube.
func clustered(r *rand.Rand, clusters, size, dim int, width float32) [][]float32 {
	rows := make([][]float32, 0, clusters*size)
	for range clusters {
		centre := uniformRow(r, dim)
		for range size {
			row := slices.Clone(centre)
			for i := range row {
				row[i] += width * float32(r.NormFloat64())
			}
			rows = append(rows, row)
		}
	}
	return rows
}
