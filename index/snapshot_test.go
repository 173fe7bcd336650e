package index

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"
)

// TestLoadDoesNotTrustLengths claims lengths and counts that are not there.
func TestLoadDoesNotTrustLengths(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, length := range []uint64{1, 1 << 20, 1 << 40, math.MaxInt64 - headerSize, math.MaxInt64, math.MaxUint64} {
		h := Header{Format: snapshotFormat, Engine: Flat.Name, Length: length, SHA256: sha256.Sum256(nil)}
		for _, r := range []io.Reader{bytes.NewReader(h.encode()), bytes.NewBuffer(h.encode())} {
			if _, _, err := Load(r, Flat); !errors.Is(err, ErrCorrupt) {
				t.Errorf("length %d: %v, want ErrCorrupt", length, err)
			}
		}
	}
	for _, engine := range []Engine{Flat, HNSW} {
		for _, count := range []uint32{1 << 28, math.MaxUint32} {
			if _, err := engine.Load(bytes.NewReader(hugeCounts(count))); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v, want ErrCorrupt", engine.Name, err)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("took %d bytes of memory for no data", used)
	}
}

// TestLoadDoesNotTrustALengthWithCounts gives counts for which only the length that a
// header claims has room.
func TestLoadDoesNotTrustALengthWithCounts(t *testing.T) {
	for _, engine := range []Engine{Flat, HNSW, Cells} {
		for _, count := range []uint32{1 << 16, 1 << 28, math.MaxUint32} {
			h := Header{Format: snapshotFormat, Engine: engine.Name, Length: math.MaxInt64 - headerSize}
			r := bytes.NewReader(append(h.encode(), hugeCounts(count)...))
			if _, _, err := Load(r, engine); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, count %d: %v, want ErrCorrupt", engine.Name, count, err)
			}
		}
	}
}

// hugeCounts is a valid configuration with the same count over and over after it.
func hugeCounts(count uint32) []byte {
	var b bytes.Buffer
	e := newEncoder(&b)
	c, _ := Config{Dim: MaxDim}.Resolve()
	e.config(c)
	for range 4 {
		e.u32(count)
	}
	e.flush()
	return b.Bytes()
}

func TestHeaderRoundTrip(t *testing.T) {
	want := Header{
		Format: snapshotFormat, Engine: "sixteen-bytes-ok", Generation: 1<<63 + 5, ModelHash: [32]byte{31: 9},
		AppliedSeq: 77, Length: 123, SHA256: [32]byte{1, 2},
	}
	r := bytes.NewReader(append(want.encode(), "body"...))
	got, err := ReadHeader(r)
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if r.Len() != len("body") {
		t.Errorf("ReadHeader left %d bytes, want %d", r.Len(), len("body"))
	}
}

// A failing stream fails reads and writes after n bytes.
type failing struct{ n int }

var errFailing = errors.New("the disk is gone")

func (f *failing) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errFailing
	}
	return len(b), nil
}

func TestStreamErrorsComeThrough(t *testing.T) {
	idx, err := HNSW.New(Config{Dim: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := idx.Upsert(1, []float32{1, 2}); err != nil {
		t.Fatal(err)
	}
	var good bytes.Buffer
	if err := Save(&good, Header{}, idx); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 10, headerSize, good.Len() - 1} {
		if err := Save(&failing{n}, Header{}, idx); !errors.Is(err, errFailing) {
			t.Errorf("Save to a stream that fails after %d bytes: %v", n, err)
		}
		r := io.MultiReader(bytes.NewReader(good.Bytes()[:n]), errorReader{})
		if _, _, err := Load(r, HNSW); !errors.Is(err, errFailing) || errors.Is(err, ErrCorrupt) {
			t.Errorf("Load from a stream that fails after %d bytes: %v", n, err)
		}
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errFailing }

func TestSaveRefusesLongEngineNames(t *testing.T) {
	idx, err := Flat.New(Config{Dim: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := Save(io.Discard, Header{}, renamed{idx, "a-name-too-long-for-it"}); !errors.Is(err, ErrParams) {
		t.Errorf("%v, want ErrParams", err)
	}
}

type renamed struct {
	Index
	name string
}

func (r renamed) Engine() string { return r.name }

func FuzzReadHeader(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(Header{Format: snapshotFormat, Engine: "flat"}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(bytes.NewReader(b))
		switch {
		case err == nil:
			if !bytes.Equal(h.encode(), b[:headerSize]) {
				t.Errorf("%+v encodes to other bytes", h)
			}
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat):
			t.Error(err)
		}
	})
}
