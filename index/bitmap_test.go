package index

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBitmapModel compares two bitmaps with two maps.
func TestBitmapModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bitmaps := [2]*Bitmap{new(Bitmap), new(Bitmap)}
		models := [2]map[uint32]bool{{}, {}}
		slot := rapid.Uint32Range(0, 300)
		which := func(t *rapid.T) (i, other int) {
			i = rapid.IntRange(0, 1).Draw(t, "which")
			return i, 1 - i
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				for i, b := range bitmaps {
					checkBitmap(t, b, models[i])
				}
			},
			"set": func(t *rapid.T) { i, _ := which(t); s := slot.Draw(t, "slot"); bitmaps[i].Set(s); models[i][s] = true },
			"clear": func(t *rapid.T) {
				i, _ := which(t)
				s := slot.Draw(t, "slot")
				bitmaps[i].Clear(s)
				delete(models[i], s)
			},
			"fill": func(t *rapid.T) {
				i, _ := which(t)
				n := rapid.IntRange(-1, 200).Draw(t, "n")
				bitmaps[i].FillTo(n)
				for s := range max(n, 0) {
					models[i][uint32(s)] = true
				}
			},
			"clone": func(t *rapid.T) {
				i, other := which(t)
				bitmaps[i], models[i] = bitmaps[other].Clone(), maps.Clone(models[other])
			},
			"and": func(t *rapid.T) {
				i, other := which(t)
				bitmaps[i].And(bitmaps[other])
				maps.DeleteFunc(models[i], func(s uint32, _ bool) bool { return !models[other][s] })
			},
			"or": func(t *rapid.T) {
				i, other := which(t)
				bitmaps[i].Or(bitmaps[other])
				maps.Copy(models[i], models[other])
			},
			"and not": func(t *rapid.T) {
				i, other := which(t)
				bitmaps[i].AndNot(bitmaps[other])
				maps.DeleteFunc(models[i], func(s uint32, _ bool) bool { return models[other][s] })
			},
		})
	})
}

func checkBitmap(t *rapid.T, b *Bitmap, model map[uint32]bool) {
	t.Helper()
	want := slices.Sorted(maps.Keys(model))
	if got := slices.Collect(b.Slots()); !slices.Equal(got, want) {
		t.Fatalf("Slots gave %v, want %v", got, want)
	}
	if b.Len() != len(want) {
		t.Fatalf("Len is %d, want %d", b.Len(), len(want))
	}
	for s := range uint32(310) {
		if b.Has(s) != model[s] {
			t.Fatalf("Has(%d) is %v", s, b.Has(s))
		}
	}
}

func TestNilBitmapReadsAsEmpty(t *testing.T) {
	var b *Bitmap
	if b.Has(0) || b.Len() != 0 || b.Clone().Len() != 0 || slices.Collect(b.Slots()) != nil {
		t.Error("nil is not empty")
	}
	some := NewBitmap(1, 2)
	some.Or(b)
	some.AndNot(b)
	if some.Len() != 2 {
		t.Errorf("Len is %d, want 2", some.Len())
	}
	if some.And(b); some.Len() != 0 {
		t.Errorf("Len is %d, want 0", some.Len())
	}
}
