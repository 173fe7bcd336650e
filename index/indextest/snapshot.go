package indextest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/index"
)

// onlyReader hides all methods but Read.
type onlyReader struct{ io.Reader }

// newestFormat is the version of the snapshots that are written.
const newestFormat = 4

// reload replaces the index by what its snapshot loads to.
func (c *testCase) reload() {
	c.t.Helper()
	before := c.encoded()
	idx, err := c.engine.Load(bytes.NewReader(before))
	if err != nil {
		c.t.Fatal(err)
	}
	c.idx = idx
	if !bytes.Equal(before, c.encoded()) {
		c.t.Fatal("a loaded index encodes to other bytes")
	}
}

// testRoundTrip saves an index with a history to a file and to a stream, and
// loads both.
func testRoundTrip(t *testing.T, engine index.Engine, m measure, o Options) {
	const n, dim = 600, 5
	c := newCase(t, engine, index.Config{Dim: dim, Metric: m.metric, Step: m.step, M: 6, EfConstruct: 30, Seed: 9})
	r := newRand(7)
	for i := range uint32(n) {
		c.upsert(i, uniformRow(r, dim))
		c.upsert(n+i, uniformRow(newRand(uint64(i%7)), dim)) // repeats
	}
	for i := range uint32(n / 6) {
		c.delete(5 * i)
	}
	h := index.Header{Generation: 3, ModelHash: [32]byte{1, 2, 3}, AppliedSeq: 1 << 40}
	saved := snapshotOf(t, h, c.idx)
	saveToFile(t, h, c, saved)

	for name, source := range map[string]io.Reader{
		"stream": onlyReader{bytes.NewReader(saved)}, "seeker": bytes.NewReader(saved),
	} {
		got, loaded, err := index.Load(source, index.Flat, engine)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Engine != engine.Name || got.Generation != 3 || got.ModelHash != h.ModelHash ||
			got.AppliedSeq != h.AppliedSeq || got.Format != newestFormat || got.Length == 0 {
			t.Errorf("%s: header %+v", name, got)
		}
		twin := &testCase{t, engine, loaded, c.oracle}
		twin.checkSlots()
		for range 20 {
			query := uniformRow(r, dim)
			twin.check(query, index.Params{K: 10, EF: 10})
			if o.Deterministic {
				sameAnswers(t, c.idx, loaded, query)
			}
		}
	}
}

func snapshotOf(t *testing.T, h index.Header, idx index.Index) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := index.Save(&b, h, idx); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// saveToFile saves after some bytes that are not the snapshot's and expects
// want after them.
func saveToFile(t *testing.T, h index.Header, c *testCase, want []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index.snap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("before"); err != nil {
		t.Fatal(err)
	}
	if err := index.Save(f, h, c.idx); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("after"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, slices.Concat([]byte("before"), want, []byte("after"))) {
		t.Fatal("a file and a stream got different snapshots")
	}
	if _, err := f.Seek(int64(len("before")), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, _, err := index.Load(f, c.engine); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(f); err != nil || string(rest) != "after" {
		t.Fatalf("Load left %q, %v", rest, err)
	}
}

func sameAnswers(t *testing.T, a, b index.Index, query []float32) {
	t.Helper()
	for _, p := range []index.Params{{K: 1, EF: 1}, {K: 10, EF: 10}, {K: 10}} {
		x, errX := a.Search(nil, query, p)
		y, errY := b.Search(nil, query, p)
		if errX != nil || errY != nil || !slices.Equal(x, y) {
			t.Fatalf("two answers:\n%v %v\n%v %v", x, errX, y, errY)
		}
	}
}

// testDamage cuts a small snapshot at every length and flips its every bit.
func testDamage(t *testing.T, engine index.Engine, step float32) {
	c := newCase(t, engine, index.Config{Dim: 2, Step: step, M: 2, EfConstruct: 4})
	r := newRand(8)
	for slot := range uint32(12) {
		c.upsert(slot, uniformRow(r, 2))
	}
	c.upsert(20, []float32{1, 1})
	c.upsert(21, []float32{1, 1})
	c.delete(4)
	good := snapshotOf(t, index.Header{Generation: 1}, c.idx)
	for n := range good {
		expectRefused(t, engine, good[:n], index.ErrCorrupt)
	}
	for bit := range 8 * len(good) {
		bad := slices.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		want := index.ErrCorrupt
		if format := binary.LittleEndian.Uint32(bad[8:]); format < 1 || format > newestFormat {
			want = index.ErrFormat // before any checksum
		}
		expectRefused(t, engine, bad, want)
	}
	if _, _, err := index.Load(bytes.NewReader(good)); !errors.Is(err, index.ErrFormat) {
		t.Errorf("an engine not given: %v, want ErrFormat", err)
	}
	body := c.encoded()
	for n := range body {
		if idx, err := engine.Load(bytes.NewReader(body[:n])); !errors.Is(err, index.ErrCorrupt) || idx != nil {
			t.Fatalf("body cut at %d of %d: %v, %v", n, len(body), idx, err)
		}
	}
	if _, err := engine.Load(bytes.NewReader(append(body, 0))); !errors.Is(err, index.ErrCorrupt) {
		t.Errorf("a body with a byte too many: %v, want ErrCorrupt", err)
	}
}

func expectRefused(t *testing.T, engine index.Engine, snapshot []byte, want error) {
	t.Helper()
	for _, source := range []io.Reader{bytes.NewReader(snapshot), onlyReader{bytes.NewReader(snapshot)}} {
		if _, idx, err := index.Load(source, engine); !errors.Is(err, want) || idx != nil {
			t.Fatalf("Load gave %v, %v, want %v", idx, err, want)
		}
	}
}

// testDeterministic does the same operations twice.
func testDeterministic(t *testing.T, engine index.Engine) {
	build := func(seed uint64) []byte {
		c := newCase(t, engine, index.Config{Dim: 4, M: 4, EfConstruct: 20, Seed: seed})
		r := newRand(10)
		for range 1500 {
			if slot := r.Uint32N(500); r.IntN(3) == 0 {
				c.delete(slot)
			} else {
				c.upsert(slot, uniformRow(r, 4))
			}
		}
		return c.encoded()
	}
	first := build(1)
	if !bytes.Equal(first, build(1)) {
		t.Error("the same operations gave other bytes")
	}
	if bytes.Equal(first, build(2)) {
		t.Error("another seed gave the same bytes")
	}
}

// Fuzz fuzzes engine.Load: it must refuse garbage with ErrCorrupt, and what it
// accepts must work.
func Fuzz(f *testing.F, engine index.Engine, o Options) {
	for _, m := range o.measures() {
		c := newCase(f, engine, index.Config{Dim: 2, Metric: m.metric, Step: m.step, M: 2, EfConstruct: 4})
		f.Add(c.encoded())
		r := newRand(11)
		for slot := range uint32(20) {
			c.upsert(slot, uniformRow(r, 2))
			c.upsert(100+slot, []float32{1, 1})
		}
		c.delete(3)
		f.Add(c.encoded())
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		idx, err := engine.Load(bytes.NewReader(body))
		if err != nil {
			if !errors.Is(err, index.ErrCorrupt) {
				t.Errorf("%v, want ErrCorrupt", err)
			}
			return
		}
		exercise(t, idx)
	})
}

// exercise uses an index in every way, without knowing what it holds.
func exercise(t *testing.T, idx index.Index) {
	row := make([]float32, idx.Dim())
	row[0] = 0.5
	for _, p := range []index.Params{{K: 1, EF: 1}, {K: 3}, {K: 3, Exact: true}, {K: 2, EF: 2, Allow: index.NewBitmap(1, 2, 3)}} {
		if _, err := idx.Search(nil, row, p); err != nil {
			t.Error(err)
		}
	}
	if err := idx.Upsert(1, row); err != nil {
		t.Error(err)
	}
	for slot := range idx.Slots() {
		idx.Row(row, slot)
	}
	idx.Delete(1)
	if err := idx.Encode(discard{}); err != nil {
		t.Error(err)
	}
}
