package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/index/internal/cellscan"
)

// checkCells states what is true of a partition between any two operations.
func checkCells(p *partition) error {
	if len(p.cells) == 0 || p.centres.len() != len(p.cells) || p.trained == 0 && len(p.cells) > 1 {
		return fmt.Errorf("%d cells, %d centres, trained with %d", len(p.cells), p.centres.len(), p.trained)
	}
	total := 0
	for i := range p.cells {
		l := &p.cells[i]
		total += l.len()
		if p.centres.ids[i] != uint32(i) {
			return fmt.Errorf("centre %d has the id %d", i, p.centres.ids[i])
		}
		if cap(l.ids)%cellscan.Lanes != 0 || cap(l.ids) >= l.len()+2*cellscan.Lanes {
			return fmt.Errorf("cell %d has room for %d of %d rows", i, cap(l.ids), l.len())
		}
		for _, slot := range l.ids {
			if cell, held := p.cellOf.get(slot); !held || cell != uint32(i) {
				return fmt.Errorf("slot %d of cell %d is said to be in %d, %v", slot, i, cell, held)
			}
		}
	}
	if total != p.cellOf.n {
		return fmt.Errorf("%d rows, %d slots", total, p.cellOf.n)
	}
	return checkSketches(p)
}

// TestCellsStaySound changes cells and a flat index alike. Rows are whole
// numbers and the step is 1, so that codes lose nothing.
func TestCellsStaySound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{Dim: rapid.IntRange(1, 6).Draw(t, "dim"), Step: float32(rapid.IntRange(0, 1).Draw(t, "step"))}
		x, err := Cells.New(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Step = 0
		flat, err := Flat.New(c)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "rows"), 0))
		row := func() []float32 {
			row := make([]float32, c.Dim)
			for i := range row {
				row[i] = float32(r.IntN(9) * r.IntN(9))
			}
			return row
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if err := checkCells(x.(*cells).part); err != nil {
					t.Fatal(err)
				}
			},
			"upsert": func(t *rapid.T) {
				for range rapid.IntRange(1, 700).Draw(t, "n") {
					slot, row := r.Uint32N(2000), row()
					if err := errors.Join(x.Upsert(slot, row), flat.Upsert(slot, row)); err != nil {
						t.Fatal(err)
					}
				}
			},
			"upsert many": func(t *rapid.T) {
				var slots []uint32
				var rows []float32
				for range rapid.IntRange(0, 1500).Draw(t, "n") {
					slots, rows = append(slots, r.Uint32N(2000)), append(rows, row()...)
					if err := flat.Upsert(slots[len(slots)-1], rows[len(rows)-c.Dim:]); err != nil {
						t.Fatal(err)
					}
				}
				if err := x.(Bulk).UpsertMany(context.Background(), slots, rows, 2); err != nil {
					t.Fatal(err)
				}
			},
			"delete": func(t *rapid.T) {
				first := r.Uint32N(2000)
				for slot := range rapid.Uint32Range(1, 900).Draw(t, "n") {
					if x.Delete(first+slot) != flat.Delete(first+slot) {
						t.Fatalf("slot %d", first+slot)
					}
				}
			},
			"search": func(t *rapid.T) {
				p := Params{K: rapid.IntRange(1, 200).Draw(t, "K"), Exact: true}
				if rapid.Bool().Draw(t, "filter") {
					p.Allow = new(Bitmap)
					for range rapid.IntRange(0, 1000).Draw(t, "allowed") {
						p.Allow.Set(r.Uint32N(2100))
					}
				}
				query := row()
				got, errX := x.Search(nil, query, p)
				want, errFlat := flat.Search(nil, query, p)
				if err := errors.Join(errX, errFlat); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("got %v\nwant %v", got, want)
				}
				p.Exact, p.EF = false, 1
				if got, _ = x.Search(nil, query, p); len(got) != len(want) {
					t.Fatalf("%d hits, want %d", len(got), len(want))
				}
			},
			"reload": func(t *rapid.T) {
				var b bytes.Buffer
				if err := x.Encode(&b); err != nil {
					t.Fatal(err)
				}
				body := b.Bytes()
				if x, err = Cells.Load(bytes.NewReader(body)); err != nil {
					t.Fatal(err)
				}
				var again bytes.Buffer
				if err := x.Encode(&again); err != nil || !bytes.Equal(again.Bytes(), body) {
					t.Fatalf("a loaded index encodes to other bytes, %v", err)
				}
			},
		})
	})
}

// cloud returns n rows of a mixture of normal distributions.
func cloud(r *rand.Rand, n, dim int, centres [][]float32) []float32 {
	rows := make([]float32, 0, n*dim)
	for range n {
		for _, v := range centres[r.IntN(len(centres))] {
			rows = append(rows, v+0.3*float32(r.NormFloat64()))
		}
	}
	return rows
}

func cloudCentres(r *rand.Rand, n, dim int) [][]float32 {
	centres := make([][]float32, n)
	for i := range centres {
		centres[i] = make([]float32, dim)
		for j := range centres[i] {
			centres[i][j] = float32(r.NormFloat64())
		}
	}
	return centres
}

// TestCellsAfterChurn replaces half of the rows by rows of another distribution,
// one by one, and then deletes nine of ten, and compares with an index made of
// what is left.
func TestCellsAfterChurn(t *testing.T) {
	const n, dim = 8000, 16
	r := rand.New(rand.NewPCG(1, 0))
	before, after := cloudCentres(r, 30, dim), cloudCentres(r, 30, dim)
	queries := cloud(r, 200, dim, slices.Concat(before, after))
	for _, step := range []float32{0, 1. / 32} {
		c := Config{Dim: dim, Step: step}
		rows := cloud(r, n, dim, before)
		x := madeOf(t, c, rows, slots(n))
		for i := range n / 2 {
			copy(rows[2*i*dim:][:dim], cloud(r, 1, dim, after))
			if err := x.Upsert(uint32(2*i), rows[2*i*dim:][:dim]); err != nil {
				t.Fatal(err)
			}
		}
		compareWithFresh(t, "half replaced", x, madeOf(t, c, rows, slots(n)), queries)
		var left []uint32
		var leftRows []float32
		for i := range uint32(n) {
			if r.IntN(10) > 0 {
				x.Delete(i)
				continue
			}
			left, leftRows = append(left, i), append(leftRows, rows[int(i)*dim:][:dim]...)
		}
		compareWithFresh(t, "nine of ten deleted", x, madeOf(t, c, leftRows, left), queries)
	}
}

// TestCellsSplitAndJoin puts rows into one place and takes them out of another,
// too few for the cells to be made anew.
func TestCellsSplitAndJoin(t *testing.T) {
	const n, dim, moved = 4000, 6, 1500
	r := rand.New(rand.NewPCG(5, 0))
	rows := cloud(r, n, dim, cloudCentres(r, 4, dim))
	x := madeOf(t, Config{Dim: dim, Step: 1. / 32}, rows, slots(n)).(*cells)
	made := x.part
	before := len(made.cells)
	for i := range uint32(moved) {
		if err := x.Upsert(n+i, rows[:dim]); err != nil {
			t.Fatal(err)
		}
	}
	if x.part != made || len(made.cells) < before+moved/(splitFactor*made.size) {
		t.Fatalf("%d cells of %d rows after %d were put into one place, before %d", len(made.cells), made.size, moved, before)
	}
	for i := range made.cells {
		if rows := made.cells[i].len(); rows > splitFactor*made.size {
			t.Errorf("cell %d has %d rows, should have %d", i, rows, made.size)
		}
	}
	before = len(made.cells)
	emptied := slices.Clone(made.cells[0].ids)
	for _, slot := range emptied {
		x.Delete(slot)
	}
	if x.part != made || len(made.cells) != before-1 {
		t.Errorf("%d cells after one was emptied, before %d", len(made.cells), before)
	}
	if err := checkCells(made); err != nil {
		t.Error(err)
	}
}

func slots(n int) []uint32 {
	s := make([]uint32, n)
	for i := range s {
		s[i] = uint32(i)
	}
	return s
}

func madeOf(t *testing.T, c Config, rows []float32, slots []uint32) Index {
	t.Helper()
	x, err := Cells.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.(Bulk).UpsertMany(context.Background(), slots, rows, 2); err != nil {
		t.Fatal(err)
	}
	return x
}

func compareWithFresh(t *testing.T, what string, x, fresh Index, queries []float32) {
	t.Helper()
	if err := checkCells(x.(*cells).part); err != nil {
		t.Fatal(err)
	}
	if x.Len() != fresh.Len() {
		t.Fatalf("%d rows, want %d", x.Len(), fresh.Len())
	}
	for _, ef := range []int{10, 32} {
		got, errX := Recall(x, queries, 10, Params{EF: ef})
		want, errFresh := Recall(fresh, queries, 10, Params{EF: ef})
		if err := errors.Join(errX, errFresh); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s, ef %d: recall %.4f, fresh %.4f; %d cells, fresh %d; %.1f bytes a row, fresh %.1f", what, ef, got, want,
			len(x.(*cells).part.cells), len(fresh.(*cells).part.cells),
			float64(x.Bytes())/float64(x.Len()), float64(fresh.Bytes())/float64(fresh.Len()))
		if got < want-0.01 {
			t.Errorf("%s, ef %d: recall %.4f, fresh %.4f", what, ef, got, want)
		}
	}
	if float64(x.Bytes()) > 1.3*float64(fresh.Bytes()) {
		t.Errorf("%s: %d bytes, fresh %d", what, x.Bytes(), fresh.Bytes())
	}
}

// TestWorkersMakeTheSameCells makes cells with one worker and with three.
func TestWorkersMakeTheSameCells(t *testing.T) {
	const n, dim = 3000, 5
	r := rand.New(rand.NewPCG(2, 0))
	rows := cloud(r, n, dim, cloudCentres(r, 5, dim))
	given := slots(n)
	given[n-1] = 7 // the last row of a slot stays
	var bodies [2]bytes.Buffer
	for i, workers := range []int{1, 3} {
		x, err := Cells.New(Config{Dim: dim, Step: 0.02})
		if err != nil {
			t.Fatal(err)
		}
		for from := 0; from < n; from += n / 2 { // made anew, then filled
			if err := x.(Bulk).UpsertMany(context.Background(), given[from:][:n/2], rows[from*dim:][:n/2*dim], workers); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(checkCells(x.(*cells).part), x.Encode(&bodies[i])); err != nil {
			t.Fatal(err)
		}
		got, want := make([]float32, dim), rows[(n-1)*dim:]
		if !x.Row(got, 7) || math.Abs(float64(got[0]-want[0])) > 0.011 {
			t.Errorf("the row of the slot given twice is %v, want %v", got, want)
		}
	}
	if !bytes.Equal(bodies[0].Bytes(), bodies[1].Bytes()) {
		t.Error("three workers made other cells than one")
	}
}

// TestUpsertManyRefusals offers what must be refused and expects no change.
func TestUpsertManyRefusals(t *testing.T) {
	const n, dim = 600, 3
	r := rand.New(rand.NewPCG(3, 0))
	rows := cloud(r, n, dim, cloudCentres(r, 5, dim))
	ended, end := context.WithCancel(context.Background())
	end()
	spoilt := slices.Clone(rows)
	spoilt[n*dim-1] /= 0
	for _, held := range []int{0, n} {
		x := madeOf(t, Config{Dim: dim}, rows[:held*dim], slots(held))
		for name, bad := range map[string]struct {
			ctx     context.Context
			rows    []float32
			workers int
			want    error
		}{
			"a value short": {context.Background(), rows[1:], 2, ErrDim},
			"no number":     {context.Background(), spoilt, 2, ErrNotFinite},
			"no workers":    {context.Background(), rows, 0, ErrParams},
			"no time":       {ended, rows, 2, context.Canceled},
		} {
			if err := x.(Bulk).UpsertMany(bad.ctx, slots(n), bad.rows, bad.workers); !errors.Is(err, bad.want) {
				t.Errorf("%s: %v, want %v", name, err, bad.want)
			}
		}
		if err := checkCells(x.(*cells).part); err != nil || x.Len() != held {
			t.Errorf("%d rows, want %d; %v", x.Len(), held, err)
		}
	}
}

// TestWiderSearchesScanMore asks ever wider: the recall of a mixture must not
// fall, and reach 1 where a search may scan all rows.
func TestWiderSearchesScanMore(t *testing.T) {
	const n, dim = 5000, 12
	r := rand.New(rand.NewPCG(4, 0))
	centres := cloudCentres(r, 20, dim)
	x := madeOf(t, Config{Dim: dim, Step: 1. / 32}, cloud(r, n, dim, centres), slots(n))
	queries := cloud(r, 200, dim, centres)
	last := 0.0
	for _, ef := range []int{10, 20, 40, 80, 160} {
		recall, err := Recall(x, queries, 10, Params{EF: ef})
		if err != nil {
			t.Fatal(err)
		}
		if recall < last {
			t.Errorf("ef %d: recall %.4f after %.4f", ef, recall, last)
		}
		last = recall
	}
	if last != 1 {
		t.Errorf("recall is %.4f where all rows may be scanned", last)
	}
}

// TestCellsLoadRefusesInconsistentBodies writes two cells of one row each.
func TestCellsLoadRefusesInconsistentBodies(t *testing.T) {
	load := func(step float32, head [4]uint32, slots [2]uint32, code uint8) error {
		c, err := Config{Dim: 1, Step: step}.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		_, err = Cells.Load(body(c, func(e *encoder) {
			e.u32s(head[:])
			for _, slot := range slots {
				e.u32s([]uint32{1, slot})
				e.u8(0)
				e.u8(code)
			}
		}))
		return err
	}
	if err := load(1, [4]uint32{4, 256, 9, 2}, [2]uint32{1, 2}, 5); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"a slot in two cells":    load(1, [4]uint32{4, 256, 9, 2}, [2]uint32{1, 1}, 5),
		"no cell":                load(1, [4]uint32{4, 256, 9, 0}, [2]uint32{1, 2}, 5),
		"cells of no rows":       load(1, [4]uint32{0, 256, 9, 2}, [2]uint32{1, 2}, 5),
		"cells that nobody made": load(1, [4]uint32{4, 0, 9, 2}, [2]uint32{1, 2}, 5),
		"a cell less":            load(1, [4]uint32{4, 256, 9, 3}, [2]uint32{1, 2}, 5),
		"no code":                load(1, [4]uint32{4, 256, 9, 2}, [2]uint32{1, 2}, 0x80),
		"float32 rows":           load(0, [4]uint32{4, 256, 9, 2}, [2]uint32{1, 2}, 5),
	} {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}
