package index

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkSketches states what is true of sketches and coarse cells: checkCells asks it.
func checkSketches(p *partition) error {
	row, centre := make([]float32, p.rows.dim), make([]float32, p.rows.dim)
	for i := range p.cells {
		p.home.get(centre, &p.centres, i)
		if p.coarse != nil {
			at, held := p.coarse.cellOf.get(uint32(i))
			if !held {
				return fmt.Errorf("cell %d is in no coarse one", i)
			}
			l := &p.coarse.cells[at]
			if p.coarse.rows.get(row, l, l.find(uint32(i))); !slices.Equal(row, centre) {
				return fmt.Errorf("the centre of cell %d is %v, among coarse ones %v", i, centre, row)
			}
		}
		if p.rows.sketcher == nil {
			continue
		}
		l, fresh := &p.cells[i], p.rows.emptyList(centre)
		if !slices.Equal(l.centre, centre) {
			return fmt.Errorf("cell %d is sketched around %v, its centre is %v", i, l.centre, centre)
		}
		// Where no row is, anything may stand.
		p.rows.reserve(&fresh, l.len())
		copy(fresh.sketches, l.sketches)
		for j, id := range l.ids {
			p.rows.get(row, l, j)
			p.rows.add(&fresh, id, row)
		}
		if !bytes.Equal(fresh.sketches, l.sketches[:len(fresh.sketches)]) {
			return fmt.Errorf("sketches of cell %d are not of its rows", i)
		}
	}
	if p.coarse != nil && p.coarse.cellOf.n != len(p.cells) {
		return fmt.Errorf("%d cells, %d among coarse ones", len(p.cells), p.coarse.cellOf.n)
	}
	return nil
}

// slotsOf are the slots of hits in order.
func slotsOf(hits []Hit) []uint32 {
	out := make([]uint32, len(hits))
	for i, h := range hits {
		out[i] = h.Slot
	}
	slices.Sort(out)
	return out
}

// TestRoughSearches: candidates found by estimates hold the true neighbours as often
// as those found by codes, as many as asked for, at about their distances.
func TestRoughSearches(t *testing.T) {
	const n, dim, k = 6000, 24, 60
	r := rand.New(rand.NewPCG(6, 0))
	centres := cloudCentres(r, 20, dim)
	x := madeOf(t, Config{Dim: dim, Step: 1. / 32}, cloud(r, n, dim, centres), slots(n))
	queries := cloud(r, 100, dim, centres)
	half := new(Bitmap)
	for slot := uint32(0); slot < n; slot += 2 {
		half.Set(slot)
	}
	for name, allow := range map[string]*Bitmap{"all": nil, "half": half} {
		missed := 0
		for q := range 100 {
			query := queries[q*dim:][:dim]
			var work Work
			rough, err := x.Search(nil, query, Params{K: k, EF: 40, Rough: true, Allow: allow, Work: &work})
			if err != nil {
				t.Fatal(err)
			}
			exact, err := x.Search(nil, query, Params{K: n, Exact: true, Allow: allow})
			if err != nil {
				t.Fatal(err)
			}
			byCodes, err := x.Search(nil, query, Params{K: k, EF: 40, Allow: allow})
			if err != nil {
				t.Fatal(err)
			}
			if len(rough) != k || work.Sketched == 0 {
				t.Fatalf("%s: %d hits, want %d; %+v", name, len(rough), k, work)
			}
			at := make(map[uint32]float32)
			for _, h := range exact {
				at[h.Slot] = h.Distance
			}
			for _, h := range rough {
				if d, allowed := at[h.Slot]; !allowed || math.Abs(float64(h.Distance-d)) > .35*float64(d) {
					t.Fatalf("%s: slot %d is %v away, estimated %v", name, h.Slot, d, h.Distance)
				}
			}
			found, want := slotsOf(rough), slotsOf(byCodes[:10])
			for _, slot := range want {
				if _, ok := slices.BinarySearch(found, slot); !ok {
					missed++
				}
			}
		}
		if missed > 10 {
			t.Errorf("%s: %d of 1,000 neighbours found by codes are no candidates", name, missed)
		}
	}
}

// TestSearchBySteps: each step gives as many candidates as it is to, none twice, and it
// ends when all is scanned; two steps find what one search finds.
func TestSearchBySteps(t *testing.T) {
	const n, dim, k = 6000, 24, 60
	r := rand.New(rand.NewPCG(6, 3))
	centres := cloudCentres(r, 20, dim)
	x := madeOf(t, Config{Dim: dim, Step: 1. / 32}, cloud(r, n, dim, centres), slots(n))
	queries := cloud(r, 50, dim, centres)
	missed := 0
	for q := range 50 {
		query := queries[q*dim:][:dim]
		atOnce, err := x.Search(nil, query, Params{K: k, EF: 40, Rough: true})
		if err != nil {
			t.Fatal(err)
		}
		for steps := 2; steps <= 4; steps++ {
			given, counts := stepsOf(t, x, query, Params{K: k, EF: 40}, steps)
			if want := []int{k / 2, k / 2, k, 2 * k}[:steps]; !slices.Equal(counts, want) {
				t.Fatalf("%d steps gave %v, want %v", steps, counts, want)
			}
			for _, h := range atOnce {
				if steps == 2 && !given[h.Slot] {
					missed++
				}
			}
		}
	}
	if missed > 50*k/10 {
		t.Errorf("two steps miss %d of %d candidates", missed, 50*k)
	}
	if given, _ := stepsOf(t, x, queries[:dim], Params{K: k, EF: 40}, math.MaxInt); len(given) < 4*k {
		t.Errorf("all steps gave %d of %d rows", len(given), n)
	}
}

// stepsOf is what some steps of a search give, and how many each.
func stepsOf(t *testing.T, x Index, query []float32, p Params, steps int) (given map[uint32]bool, counts []int) {
	t.Helper()
	given = make(map[uint32]bool)
	p.Rough = true
	p.Next = func(found []Hit) bool {
		for _, h := range found {
			if given[h.Slot] {
				t.Fatalf("slot %d is given twice", h.Slot)
			}
			given[h.Slot] = true
		}
		counts = append(counts, len(found))
		return len(counts) < steps
	}
	if rest, err := x.Search(nil, query, p); err != nil || len(rest) > 0 {
		t.Fatalf("beside the steps: %v, %v", rest, err)
	}
	return given, counts
}

// TestExactRoughSearchIsExact: so is one that may scan all rows.
func TestExactRoughSearchIsExact(t *testing.T) {
	const n, dim = 2000, 8
	r := rand.New(rand.NewPCG(7, 0))
	rows := cloud(r, n, dim, cloudCentres(r, 6, dim))
	x := madeOf(t, Config{Dim: dim, Step: 1. / 32}, rows, slots(n))
	for _, p := range []Params{{K: 40, Exact: true, Rough: true}, {K: 40, EF: n, Rough: true}} {
		got, errRough := x.Search(nil, rows[:dim], p)
		want, err := x.Search(nil, rows[:dim], Params{K: 40, Exact: true})
		if errRough != nil || err != nil {
			t.Fatal(errRough, err)
		}
		slices.SortFunc(got, Hit.Compare)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: got %v\nwant %v", p, got, want)
		}
	}
}

// TestSketchesAreLoaded loads cells that were saved with their steps, and some of a
// format that had no sketches.
func TestSketchesAreLoaded(t *testing.T) {
	const n, dim = 3000, 9
	r := rand.New(rand.NewPCG(8, 0))
	rows := cloud(r, n, dim, cloudCentres(r, 6, dim))
	x := madeOf(t, Config{Dim: dim, Step: 1. / 32}, rows, slots(n)).(*cells)
	reloaded := func() *cells {
		var body bytes.Buffer
		if err := x.Encode(&body); err != nil {
			t.Fatal(err)
		}
		y, err := Cells.Load(&body)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkCells(y.(*cells).part); err != nil {
			t.Fatal(err)
		}
		return y.(*cells)
	}
	p := Params{K: 30, EF: 30, Rough: true}
	want, _ := x.Search(nil, rows[:dim], p)
	got, err := reloaded().Search(nil, rows[:dim], p)
	if slices.SortFunc(got, Hit.Compare); err != nil || !slices.Equal(got, slices.SortedFunc(slices.Values(want), Hit.Compare)) {
		t.Errorf("loaded, %v: %v\nwant %v", err, got, want)
	}
	x.part.rows.sketcher = nil
	if y := reloaded(); y.part.rows.sketcher == nil {
		t.Error("rows of a format without sketches have none")
	}
}

// TestManyCells makes so many cells that they are found through coarse ones, and
// changes them.
func TestManyCells(t *testing.T) {
	if raceDetector {
		t.Skip("takes long under the race detector, and has one goroutine")
	}
	const n, dim = 270_000, 2
	r := rand.New(rand.NewPCG(9, 0))
	rows := cloud(r, n, dim, cloudCentres(r, 30, dim))
	x := madeOf(t, Config{Dim: dim, Step: 1. / 64}, rows, slots(n)).(*cells)
	if x.part.coarse == nil {
		t.Fatalf("no coarse cells for %d", len(x.part.cells))
	}
	if err := checkCells(x.part); err != nil {
		t.Fatal(err)
	}
	queries := cloud(r, 50, dim, cloudCentres(r, 30, dim))
	for _, rough := range []bool{false, true} {
		var work Work
		p := Params{K: 20, EF: 40, Work: &work, Rough: rough}
		hits, err := x.Search(nil, queries[:dim], p)
		if centres := work.Blocked + work.Sketched - 1400; err != nil || len(hits) != 20 || centres > len(x.part.cells)*3/4 {
			t.Errorf("%d hits, %v: %+v, some %d of %d centres", len(hits), err, work, centres, len(x.part.cells))
		}
	}
	if _, counts := stepsOf(t, x, queries[:dim], Params{K: 40, EF: 40}, 8); !slices.Equal(counts, []int{20, 20, 40, 80, 160, 320, 640, 1280}) {
		t.Errorf("steps gave %v", counts)
	}
	recall, err := Recall(x, queries, 10, Params{EF: 40})
	if err != nil || recall < .97 {
		t.Errorf("recall %.4f, %v", recall, err)
	}
	// Where the nearest cells have few rows that are allowed, the search goes on to all
	// others, and to none twice.
	all, _ := x.Search(nil, queries[:dim], Params{K: n, Exact: true})
	far := new(Bitmap)
	for _, h := range slices.Concat(all[:5], all[n-50_000:]) {
		far.Set(h.Slot)
	}
	hits, _ := x.Search(nil, queries[:dim], Params{K: 20, Allow: far})
	if distinct := slices.Compact(slotsOf(hits)); len(distinct) != 20 || !slices.Equal(hits[:5], all[:5]) {
		t.Errorf("%d hits, %d of them distinct; %v", len(hits), len(distinct), hits)
	}
	made := x.part
	for i := range uint32(2000) { // splits
		if err := x.Upsert(n+i, rows[:dim]); err != nil {
			t.Fatal(err)
		}
	}
	for _, slot := range slices.Clone(made.cells[7].ids) { // a join
		x.Delete(slot)
	}
	if err := checkCells(x.part); err != nil || x.part != made {
		t.Errorf("after changes: %v", err)
	}
}

// TestCellsLoadRefusesSpoiledColumns spoils a body of 10 cells and more, in every column
// that is not free to hold anything.
func TestCellsLoadRefusesSpoiledColumns(t *testing.T) {
	const n, dim = 600, 3
	rows := cloud(rand.New(rand.NewPCG(7, 0)), n, dim, cloudCentres(rand.New(rand.NewPCG(7, 1)), 4, dim))
	x := madeOf(t, Config{Dim: dim, Step: 1. / 32}, rows, slots(n)).(*cells)
	var body bytes.Buffer
	if err := x.Encode(&body); err != nil {
		t.Fatal(err)
	}
	good := body.Bytes()
	cells := len(x.part.cells)
	steps := 4 + 1 + 2 + 4 + 8 + 4 + 4*4
	counts := steps + 4*dim
	centres := counts + 4*cells
	ids := centres + cells*dim
	load := func(spoil func(b []byte)) error {
		b := slices.Clone(good)
		spoil(b)
		_, err := Cells.Load(bytes.NewReader(b))
		return err
	}
	if err := load(func([]byte) {}); err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for i := range x.part.cells {
		blocks += (x.part.cells[i].len() + 15) / 16
	}
	codes := ids + 2*4*16*blocks
	for name, spoil := range map[string]func(b []byte){
		"a step that is no number": func(b []byte) { copy(b[steps:], []byte{0, 0, 0xc0, 0x7f}) },
		"a cell with all slots":    func(b []byte) { copy(b[counts:], []byte{0xff, 0xff, 0xff, 0xff}) },
		"a centre that is no code": func(b []byte) { b[centres] = 0x80 },
		"a slot in two places":     func(b []byte) { copy(b[ids:], b[ids+4:ids+8]) },
		"no code":                  func(b []byte) { b[codes] = 0x80 },
		"rows without steps":       func(b []byte) { b[4] &^= stepped },
	} {
		if err := load(spoil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	if err := load(func(b []byte) { b[4] ^= joined | blocked }); !errors.Is(err, ErrFormat) {
		t.Errorf("blocks cell by cell: %v, want ErrFormat", err)
	}
	for cut := range good {
		if _, err := Cells.Load(bytes.NewReader(good[:cut])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v", cut, len(good), err)
		}
	}
}

// TestCellsGiveBackWhatIsGone: what is left of many rows takes little more than if the
// others had never been there, when they went and after it was saved and loaded.
func TestCellsGiveBackWhatIsGone(t *testing.T) {
	const n, dim = 20_000, 24
	r := rand.New(rand.NewPCG(8, 3))
	rows := cloud(r, n, dim, cloudCentres(r, 20, dim))
	config := Config{Dim: dim, Step: 1. / 32}
	for _, of20 := range []uint32{2, 11} {
		x := madeOf(t, config, rows, slots(n))
		var kept []float32
		for slot := range uint32(n) {
			if slot%20 < of20 {
				kept = append(kept, rowAt(rows, dim, slot)...)
			} else {
				x.Delete(slot)
			}
		}
		left := len(kept) / dim
		fresh := madeOf(t, config, kept, slots(left))
		var body bytes.Buffer
		if err := x.Encode(&body); err != nil {
			t.Fatal(err)
		}
		loaded, err := Cells.Load(&body)
		if err != nil {
			t.Fatal(err)
		}
		for name, idx := range map[string]Index{"deleted from": x, "loaded": loaded} {
			if most := fresh.Bytes() * 13 / 10; idx.Bytes() > most || idx.Len() != left {
				t.Errorf("%s: %d rows take %d bytes, a fresh build %d", name, idx.Len(), idx.Bytes(), fresh.Bytes())
			}
		}
	}
}
