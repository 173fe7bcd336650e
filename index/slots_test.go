package index

import (
	"math/rand/v2"
	"testing"
)

// TestSlotTableIsAMap compares a table with a map, while pages fill, empty and become
// thin and wide again.
func TestSlotTableIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 0))
	var table slotTable
	want := make(map[uint32]uint32)
	check := func(step int) {
		t.Helper()
		if table.n != len(want) {
			t.Fatalf("step %d: %d slots, want %d", step, table.n, len(want))
		}
		var listed []uint32
		for next := 0; ; {
			if listed, next = table.appendNext(listed, next); next == 0 {
				break
			}
		}
		if len(listed) != len(want) {
			t.Fatalf("step %d: lists %d slots, want %d", step, len(listed), len(want))
		}
		for i, slot := range listed {
			v, held := table.get(slot)
			if w, ok := want[slot]; !held || !ok || v != w || i > 0 && listed[i-1] >= slot {
				t.Fatalf("step %d: slot %d has %d, %t; want %d, %t", step, slot, v, held, w, ok)
			}
		}
	}
	for step := range 60 {
		grow := step/10%2 == 0
		for range 1000 {
			slot := r.Uint32N(5 * pageSize)
			if _, held := want[slot]; !grow && r.IntN(8) > 0 {
				table.remove(slot)
				delete(want, slot)
			} else if v := r.Uint32N(9); table.add(slot, v) == held {
				t.Fatalf("step %d: slot %d is added as if it was not: %t", step, slot, held)
			} else {
				want[slot] = v
			}
		}
		if step%7 == 0 {
			table.settle()
		}
		check(step)
	}
	for slot := range want {
		table.remove(slot)
		delete(want, slot)
	}
	if check(60); table.bytes() > 8*int64(cap(table.pages)) {
		t.Errorf("an empty table takes %d bytes", table.bytes())
	}
}

// TestThinSlotTableIsSmall: every tenth slot of many takes little more than its value.
func TestThinSlotTableIsSmall(t *testing.T) {
	const n = 40_000
	var table slotTable
	for slot := range uint32(n) {
		table.set(slot, 7)
	}
	for slot := range uint32(n) {
		if slot%10 != 0 {
			table.remove(slot)
		}
	}
	if most := int64(n/10*8 + 1000); table.bytes() > most {
		t.Errorf("%d slots take %d bytes, more than %d", table.n, table.bytes(), most)
	}
}
