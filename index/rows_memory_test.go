package index

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// TestRowsInGivenMemory carries out random changes on rows that lie in one memory
// after another and on rows of their own, and compares them. Memory that was given up
// is scribbled over: nothing may read it.
func TestRowsInGivenMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 1))
	values := pixels(rng, 400, 9)
	form := LosslessRowForm(slices.Concat(values...))
	given, own := mustRows(t, 9, L2, form), mustRows(t, 9, L2, form)
	var memory []byte
	for step := range 3000 {
		slot, row := uint32(rng.IntN(2000+step)), values[rng.IntN(len(values))]
		if rng.IntN(4) == 0 {
			given.Delete(slot)
			own.Delete(slot)
		} else if given.Put(slot, row) != own.Put(slot, row) {
			t.Fatal("one keeps a row that the other does not")
		}
		before := memory
		switch step % 300 {
		case 100:
			memory = make([]byte, given.Size(1+rng.IntN(5000)))
			given.Move(memory)
		case 200:
			memory = bytes.Clone(memory)
			held := BitmapOf(given.Swap(memory))
			for slot := range uint32(given.Size(1) / 9) {
				if held.Has(slot) != own.Row(make([]float32, 9), slot) {
					t.Fatalf("step %d: slot %d is said to be held: %v", step, slot, held.Has(slot))
				}
			}
		default:
			continue
		}
		scribble(before)
		sameRows(t, given, own)
	}
	if given.Bytes() > own.Bytes()/2 {
		t.Errorf("%d bytes of memory beside what was given, %d of its own", given.Bytes(), own.Bytes())
	}
	given.Drop()
	scribble(memory)
	if given.Len() != 0 || given.Rescore([]Hit{{Slot: 3}}, values[0]) != 0 {
		t.Error("rows are held after all were dropped")
	}
	if given.Put(3, values[1]) || given.Scan(NewTopK(1), values[0], nil) {
		t.Error("rows that were dropped keep or answer")
	}
}

func scribble(memory []byte) {
	for i := range memory {
		memory[i] = 0xa5
	}
}

func sameRows(t *testing.T, a, b *Rows) {
	t.Helper()
	x, y := make([]float32, a.dim), make([]float32, a.dim)
	for slot := range uint32(6000) {
		inA, inB := a.Row(x, slot), b.Row(y, slot)
		if inA != inB || inA && !slices.Equal(x, y) {
			t.Fatalf("slot %d: %v %v, want %v %v", slot, inA, x, inB, y)
		}
	}
	query := make([]float32, a.dim)
	topA, topB := NewTopK(50), NewTopK(50)
	a.Scan(topA, query, nil)
	b.Scan(topB, query, nil)
	if got, want := topA.AppendTo(nil), topB.AppendTo(nil); !slices.Equal(got, want) || a.Len() != b.Len() {
		t.Fatalf("%d rows, %v; want %d, %v", a.Len(), got, b.Len(), want)
	}
}

// TestRowsKeep takes over rows that lie in memory already.
func TestRowsKeep(t *testing.T) {
	rng := rand.New(rand.NewPCG(32, 1))
	values := gaussians(rng, 100, 5)
	form := RowForm{Kind: RowFloat32}
	first, second := mustRows(t, 5, L2, form), mustRows(t, 5, L2, form)
	memory := make([]byte, first.Size(100))
	first.Move(memory)
	for slot, row := range values {
		first.Put(uint32(slot), row)
	}
	second.Keep(7) // which has no memory yet
	second.Move(memory)
	if second.Len() != 0 {
		t.Fatalf("%d rows are held unasked", second.Len())
	}
	for slot := range uint32(100) {
		second.Keep(slot)
	}
	second.Keep(5000)
	sameRows(t, second, first)
	second.Reserve(5000)
	if second.Keep(4000); second.Len() != 100 {
		t.Error("a row is kept in memory that was not given")
	}
}

// TestRowsMoveWhileSearched moves rows to and fro while they are searched and written:
// each must be found where it is.
func TestRowsMoveWhileSearched(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 1))
	values := gaussians(rng, 3000, 4)
	r := mustRows(t, 4, L2, RowForm{Kind: RowFloat32})
	for slot, row := range values {
		r.Put(uint32(slot), row)
	}
	done := make(chan struct{})
	var busy sync.WaitGroup
	for w := range 3 {
		busy.Go(func() {
			for i := w; ; i = (i + 11) % len(values) {
				select {
				case <-done:
					return
				default:
				}
				if w == 0 {
					r.Put(uint32(i), values[i])
				}
				if hits := []Hit{{Slot: uint32(i)}}; r.Rescore(hits, values[i]) != 1 || hits[0].Distance != 0 {
					t.Errorf("slot %d: %v", i, hits)
					return
				}
			}
		})
	}
	var memory []byte
	for range 40 {
		before := memory
		memory = make([]byte, r.Size(3000))
		r.Move(memory)
		scribble(before)
	}
	close(done)
	busy.Wait()
}
