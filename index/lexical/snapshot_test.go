package lexical_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/lexical"
)

// slots are those that the indexes of these tests have.
const slots = 64

func encoded(t interface{ Fatal(...any) }, x *lexical.Index) []byte {
	var b bytes.Buffer
	if err := x.State().Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decoded(t interface{ Fatal(...any) }, body []byte) *lexical.Index {
	x, err := lexical.Decode(bytes.NewReader(body), slots)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// change changes indexes alike, and notes what they hold.
func change(t *rapid.T, docs map[uint32][]lexical.Term, indexes ...*lexical.Index) {
	for range rapid.IntRange(0, 60).Draw(t, "changes") {
		slot := rapid.Uint32Range(0, slots-1).Draw(t, "slot")
		gone := rapid.IntRange(0, 3).Draw(t, "kind") == 0
		if gone {
			delete(docs, slot)
		} else {
			docs[slot] = drawTerms(t, "terms")
		}
		for _, x := range indexes {
			if gone {
				x.Delete(slot)
			} else {
				x.Put(lexical.Document{Slot: slot, Terms: docs[slot]})
			}
		}
	}
}

// sameScores tells whether indexes give every slot the same score, to the bit. Slots
// beyond the last document are not told by one that was loaded.
func sameScores(t *rapid.T, a, b *lexical.Index) {
	query := drawTerms(t, "query")
	x, y := a.Scores(nil, query), b.Scores(nil, query)
	for slot := range max(len(x), len(y)) {
		at := func(s []float32) float32 {
			if slot < len(s) {
				return s[slot]
			}
			return -1
		}
		if at(x) != at(y) {
			t.Fatalf("slot %d scores %v and %v", slot, at(x), at(y))
		}
	}
}

// What was saved and loaded answers as before, to the bit, is saved as the same bytes, and
// goes on as the index that stayed.
func TestLoadedIndexIsTheOneThatWasSaved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, docs := lexical.New(), make(map[uint32][]lexical.Term)
		change(t, docs, x)
		body := encoded(t, x)
		y := decoded(t, body)
		if !bytes.Equal(body, encoded(t, y)) {
			t.Fatal("a loaded index encodes to other bytes")
		}
		for range 3 {
			sameScores(t, x, y)
			if x.Len() != len(docs) || y.Len() != len(docs) {
				t.Fatalf("%d and %d documents, want %d", x.Len(), y.Len(), len(docs))
			}
			holds(t, y, docs)
			change(t, docs, x, y)
		}
		if !bytes.Equal(encoded(t, x), encoded(t, y)) {
			t.Fatal("after the same changes the indexes differ")
		}
	})
}

// holds compares an index's own account with what it should hold.
func holds(t *rapid.T, x *lexical.Index, docs map[uint32][]lexical.Term) {
	prints, err := x.Audit()
	if err != nil {
		t.Fatal(err)
	}
	for slot, terms := range docs {
		terms = slices.Clone(terms)
		slices.Reverse(terms)
		if prints[slot] != lexical.Fingerprint(terms) {
			t.Fatalf("slot %d holds other terms than %v", slot, terms)
		}
	}
	for slot, print := range prints {
		if _, there := docs[uint32(slot)]; there != (print != 0) {
			t.Fatalf("slot %d: fingerprint %d, there: %v", slot, print, there)
		}
	}
}

// A state stays what it was, whatever becomes of the index.
func TestStateStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, docs := lexical.New(), make(map[uint32][]lexical.Term)
		change(t, docs, x)
		state, want := x.State(), encoded(t, x)
		change(t, docs, x)
		x.Compact()
		var got bytes.Buffer
		if err := state.Encode(&got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatal("a state encodes otherwise after the index has changed")
		}
	})
}

// What is saved beside writers and searches is the index as it was at one moment: each
// slot's document is one that was put.
func TestStateBesideWriters(t *testing.T) {
	x := lexical.New()
	terms := func(version uint32) []lexical.Term {
		return []lexical.Term{{ID: version % 7, Weight: 1}, {ID: 7 + version%11, Weight: 2}, {ID: 18 + version, Weight: 3}}
	}
	const versions = 600
	known := make(map[uint64]bool)
	for v := range uint32(versions) {
		known[lexical.Fingerprint(terms(v))] = true
	}
	var busy sync.WaitGroup
	for w := range uint32(2) {
		busy.Go(func() {
			for v := range uint32(versions) {
				slot := 2*(v%20) + w
				if v%5 == 0 {
					x.Delete(slot)
				} else {
					x.Put(lexical.Document{Slot: slot, Terms: terms(v)})
				}
				x.Scores(nil, terms(v))
			}
		})
	}
	for range 50 {
		prints, err := decoded(t, encoded(t, x)).Audit()
		if err != nil {
			t.Fatal(err)
		}
		for slot, print := range prints {
			if print != 0 && !known[print] {
				t.Fatalf("slot %d holds what was never put", slot)
			}
		}
	}
	busy.Wait()
}

// sample is an index with replaced and deleted documents, and terms of all weights.
func sample() *lexical.Index {
	x, rng := lexical.New(), rand.New(rand.NewPCG(3, 1))
	for i := range 120 {
		slot := uint32(rng.IntN(slots))
		if i%9 == 0 {
			x.Delete(slot)
			continue
		}
		d := lexical.Document{Slot: slot}
		for id := range uint32(12) {
			if rng.IntN(2) == 0 {
				d.Terms = append(d.Terms, lexical.Term{ID: id * 0x01020305, Weight: []float32{1, .03, 7, 2.5}[rng.IntN(4)]})
			}
		}
		x.Put(d)
	}
	return x
}

// TestDecodeRefusesDamage cuts a body everywhere, and alters what Decode answers for.
func TestDecodeRefusesDamage(t *testing.T) {
	body := encoded(t, sample())
	refused := func(what string, b []byte, limit int) {
		t.Helper()
		if x, err := lexical.Decode(bytes.NewReader(b), limit); !errors.Is(err, index.ErrCorrupt) || x != nil {
			t.Errorf("%s: %v, want ErrCorrupt", what, err)
		}
	}
	for n := range body {
		refused("truncated", body[:n], slots)
	}
	refused("longer", append(slices.Clone(body), 0), slots)
	refused("a slot beyond the last", body, slots/2)
	refused("any slot", body, -1)
	documents := int(binary.LittleEndian.Uint32(body))
	lists := 12 + 8*documents
	with := func(at int, v uint32) []byte {
		b := slices.Clone(body)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	living := 0
	for binary.LittleEndian.Uint32(body[12+4*living:]) == math.MaxUint32 {
		living++
	}
	refused("weighed more than there are", with(4, uint32(documents+1)), slots)
	refused("more terms", with(8, 13), slots)
	refused("fewer terms", with(8, 11), slots)
	refused("two documents of a slot", with(12+4*(documents-1), binary.LittleEndian.Uint32(body[12+4*living:])), slots)
	for _, norm := range []float32{-1, 1.1, float32(math.NaN()), float32(math.Inf(1))} {
		refused("norm", with(12+4*documents, math.Float32bits(norm)), slots)
	}
	for _, weight := range []float32{.9, 25, -1, float32(math.NaN())} {
		refused("weight", with(lists+4, math.Float32bits(weight)), slots)
	}
}

// body makes a body of two documents and one term with the postings given.
func body(count uint64, postings ...byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, v := range []uint32{2, 1, 0, 1, 0, 0, 7, math.Float32bits(1)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = binary.AppendUvarint(b, count)
	return append(binary.AppendUvarint(b, uint64(len(postings))), postings...)
}

func TestDecodeRefusesPostings(t *testing.T) {
	for _, good := range [][]byte{body(2, 1, 1), body(2, 0, 9, 0, 255), body(1, 3), body(1, 0x83, 0)} {
		x := decoded(t, good)
		x.Scores(nil, []lexical.Term{{ID: 7, Weight: 1}})
		if _, err := x.Audit(); !errors.Is(err, index.ErrCorrupt) { // the lengths are those of no terms
			t.Errorf("audit: %v, want ErrCorrupt", err)
		}
	}
	overlong := slices.Repeat([]byte{0x80}, 10)
	for name, bad := range map[string][]byte{
		"none":                  body(0),
		"fewer than counted":    body(2, 1),
		"more than counted":     body(1, 1, 1),
		"a third document":      body(2, 1, 3),
		"far beyond":            body(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		"a weight missing":      body(1, 0),
		"a weight of none":      body(1, 0, 0),
		"a number cut short":    body(1, 0x81),
		"a number too long":     body(1, append(overlong, 1, 1)...),
		"more than documents":   body(3, 1, 1, 1),
		"a count without bound": append(body(1)[:36], append(overlong, 0x7f)...),
	} {
		if _, err := lexical.Decode(bytes.NewReader(bad), slots); !errors.Is(err, index.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}

// Counts and lengths that are not there take no memory.
func TestDecodeDoesNotTrustCounts(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	huge := bytes.Repeat([]byte{0xff}, 12)
	long := binary.AppendUvarint(body(1)[:37], math.MaxInt64)
	for _, b := range [][]byte{huge, append(huge, encoded(t, sample())...), long} {
		for _, r := range []io.Reader{bytes.NewReader(b), io.MultiReader(bytes.NewReader(b))} {
			if _, err := lexical.Decode(r, math.MaxUint32); !errors.Is(err, index.ErrCorrupt) {
				t.Errorf("%v, want ErrCorrupt", err)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("took %d bytes of memory for no data", used)
	}
}

var errGone = errors.New("the disk is gone")

type failing struct{ n int }

func (f *failing) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errGone
	}
	return len(b), nil
}

func (f *failing) Read([]byte) (int, error) { return 0, errGone }

func TestErrorsOfStreamsComeThrough(t *testing.T) {
	x := sample()
	good := encoded(t, x)
	for _, n := range []int{0, 10, 40, len(good) - 1} {
		if err := x.State().Encode(&failing{n}); !errors.Is(err, errGone) {
			t.Errorf("a stream that fails after %d bytes: %v", n, err)
		}
		_, err := lexical.Decode(io.MultiReader(bytes.NewReader(good[:n]), &failing{}), slots)
		if !errors.Is(err, errGone) || errors.Is(err, index.ErrCorrupt) {
			t.Errorf("a source that fails after %d bytes: %v", n, err)
		}
	}
}

// A snapshot with its header and checksum, as files have it.
func TestSnapshotIsSealed(t *testing.T) {
	x := sample()
	var file bytes.Buffer
	if err := index.Save(&file, index.Header{AppliedSeq: 9}, x.State()); err != nil {
		t.Fatal(err)
	}
	load := func(b []byte) error {
		r := bytes.NewReader(b)
		h, err := index.ReadHeader(r)
		if err != nil {
			return err
		}
		if h.Engine != lexical.Engine || h.AppliedSeq != 9 {
			t.Errorf("header %+v", h)
		}
		y, err := index.LoadBody(r, h, func(r io.Reader) (*lexical.Index, error) { return lexical.Decode(r, slots) })
		if err == nil && !bytes.Equal(encoded(t, x), encoded(t, y)) {
			t.Error("a damaged snapshot was loaded")
		}
		return err
	}
	good := file.Bytes()
	if err := load(good); err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := slices.Clone(good)
		bad[at] ^= 0x10
		if err := load(bad); !errors.Is(err, index.ErrCorrupt) && !errors.Is(err, index.ErrFormat) {
			t.Errorf("byte %d flipped: %v", at, err)
		}
	}
}

// FuzzDecode gives Decode any bytes. What it takes must be an index: it is decoded again
// from what it encodes to, and can be asked and changed.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(body(2, 1, 0, 9))
	f.Add(body(1, 0x83, 0))
	f.Add(encoded(f, lexical.New()))
	f.Add(encoded(f, sample()))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := lexical.Decode(bytes.NewReader(b), slots)
		if err != nil {
			if !errors.Is(err, index.ErrCorrupt) || x != nil {
				t.Fatalf("%v, %v", x, err)
			}
			return
		}
		if again := encoded(t, x); !bytes.Equal(encoded(t, decoded(t, again)), again) {
			t.Fatal("encodes to other bytes")
		}
		terms := []lexical.Term{{ID: 7, Weight: 1}, {ID: 0x01020305, Weight: 2}, {ID: 0, Weight: 9}}
		ask := func() {
			for slot, score := range x.Scores(nil, terms) {
				if score-score != 0 || score > 1 || score < 0 && score != -1 {
					t.Fatalf("slot %d scores %v", slot, score)
				}
			}
		}
		ask()
		_, _ = x.Audit()
		x.Put(lexical.Document{Slot: 3, Terms: terms})
		x.Delete(5)
		ask()
		x.Compact()
		ask()
		if _, err := x.Audit(); err != nil {
			t.Fatal(err)
		}
	})
}
