package index

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// TestThinPages fills pages, takes most rows away and puts some back, and compares with
// a map all along: what is left takes about the memory of a fresh build.
func TestThinPages(t *testing.T) {
	const dim, n = 8, 3*pageSize - 100
	rng := rand.New(rand.NewPCG(3, 1))
	rows, err := NewRows(dim, L2, RowForm{Kind: RowFloat32})
	if err != nil {
		t.Fatal(err)
	}
	rows.Reserve(n)
	want := make(map[uint32][]float32)
	put := func(slot uint32) {
		row := make([]float32, dim)
		for i := range row {
			row[i] = float32(rng.NormFloat64())
		}
		if want[slot] = row; !rows.Put(slot, row) {
			t.Fatalf("slot %d is refused", slot)
		}
	}
	remove := func(slot uint32) { rows.Delete(slot); delete(want, slot) }
	compare := func(when string) {
		t.Helper()
		query := make([]float32, dim)
		top, oracle := NewTopK(20), NewTopK(20)
		var hits []Hit
		got := make([]float32, dim)
		for slot := range uint32(n + 10) {
			row, held := want[slot]
			if rows.Row(got, slot) != held || held && !slices.Equal(got, row) {
				t.Fatalf("%s: slot %d is %v, want %v", when, slot, got, row)
			}
			hits = append(hits, Hit{Slot: slot})
			if held {
				oracle.Push(Hit{slot, L2.Distance(query, row)})
			}
		}
		if known := rows.Rescore(hits, query); known != len(want) || rows.Len() != len(want) {
			t.Errorf("%s: %d rows are known, %d held, want %d", when, known, rows.Len(), len(want))
		}
		if !rows.Scan(top, query, nil) || !slices.Equal(slotsOf(top.AppendTo(nil)), slotsOf(oracle.AppendTo(nil))) {
			t.Errorf("%s: a scan finds others", when)
		}
	}
	for slot := range uint32(n) {
		put(slot)
	}
	rows.Settle()
	compare("full")
	full := rows.Bytes()
	for _, slot := range rng.Perm(n) {
		if slot%10 != 0 {
			remove(uint32(slot))
		}
	}
	compare("a tenth left")
	if left := rows.Bytes(); left > full/5 {
		t.Errorf("a tenth of the rows takes %d bytes of %d", left, full)
	}
	for range 400 { // some of them held, of the first page
		put(rng.Uint32N(pageSize))
	}
	compare("some came back")
	for slot := range uint32(pageSize) {
		put(slot)
	}
	compare("the first page is full again")
	for slot := range uint32(n) {
		remove(slot)
	}
	compare("empty")
	rows.Put(7, make([]float32, dim))
	want[7] = make([]float32, dim)
	memory := make([]byte, rows.Size(pageSize))
	rows.Move(memory)
	compare("moved")
}

// TestReservedRoomIsGivenBack: slots that are gone in a row give their room back while
// others stay.
func TestReservedRoomIsGivenBack(t *testing.T) {
	const pages, dim = 48, 1024
	r, err := NewRows(dim, L2, RowForm{Kind: RowFloat32})
	if err != nil {
		t.Fatal(err)
	}
	r.Reserve(pages * pageSize)
	row := make([]float32, dim)
	for p := range pages {
		r.Put(uint32(p*pageSize), row)
	}
	r.Settle()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for p := range pages * 3 / 4 {
		r.Delete(uint32(p * pageSize))
	}
	if after := heap(); after > before/2 {
		t.Errorf("%d MB are held of %d, of which three quarters are gone", after>>20, before>>20)
	}
	runtime.KeepAlive(r)
}
