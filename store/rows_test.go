package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// inForms are vectors whose rows are kept in each form.
func inForms(n, width int) map[index.RowKind][][]float32 {
	out := map[index.RowKind][][]float32{index.RowFloat32: curved(21, n, width)}
	for kind, step := range map[index.RowKind]float64{index.RowUint8: 0.25, index.RowFloat16: 1. / 256} {
		for _, v := range out[index.RowFloat32] {
			w := make([]float32, len(v))
			for j, x := range v {
				w[j] = float32(math.Round(max(-2, min(2, float64(x)))/step) * step)
			}
			out[kind] = append(out[kind], w)
		}
	}
	return out
}

// filled waits until ids and rows are kept.
func filled(t testing.TB, c *Collection) {
	t.Helper()
	for range 10_000 {
		if info, err := c.Info(ctx); err != nil {
			t.Fatal(err)
		} else if !info.Filling {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("rows are never filled")
}

// keptRows is how many rows the active generation keeps.
func keptRows(c *Collection) int {
	if rows := c.active.Load().rows; rows != nil {
		return rows.Len()
	}
	return 0
}

func rowsConfig(place string, m Metric) Config {
	return Config{Source: source.Vector{}, Dim: 4, Encoder: embed.PCA, Metric: m, Rows: place}
}

// TestRowsWhereverTheyAre asks the same of collections that differ only in where
// their rows are, through changes, an open and a fit, in all metrics and forms.
func TestRowsWhereverTheyAre(t *testing.T) {
	for kind, vectors := range inForms(800, 12) {
		for _, m := range []Metric{Euclid, Cosine, Dot, Manhattan} {
			if m == Cosine && kind != index.RowFloat32 {
				continue // a length made one is on no grid
			}
			t.Run(fmt.Sprint(kind, m), func(t *testing.T) {
				t.Parallel() // they wait for the disk
				var want [][]Hit
				for _, place := range []string{RowsMemory, RowsDisk} {
					got := answersOf(t, place, m, kind, vectors)
					if want == nil {
						want = got
					}
					for i := range want {
						if !slices.EqualFunc(want[i], got[i], func(a, b Hit) bool { return a.ID == b.ID && a.Score == b.Score }) {
							t.Fatalf("%s: answer %d is %v, want %v", place, i, got[i], want[i])
						}
					}
				}
			})
		}
	}
}

func answersOf(t *testing.T, place string, m Metric, kind index.RowKind, vectors [][]float32) (out [][]Hit) {
	t.Helper()
	db := openDB(t, t.TempDir(), &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 90})
	c := create(t, db, rowsConfig(place, m))
	ask := func() {
		t.Helper()
		filled(t, c)
		if n, err := c.Count(ctx, nil); err != nil || keptRows(c) != n {
			t.Fatalf("%s: %d rows of %d, %v", place, keptRows(c), n, err)
		}
		for _, i := range []int{0, 400, 799} {
			out = append(out, mustSearch(t, c, Query{Vector: vectors[i], Limit: 15, EF: 200, Rerank: 60}).Hits)
		}
	}
	mustUpsert(t, c, numbered(vectors[:600])...)
	mustFit(t, c)
	if got := c.active.Load().rows.Form().Kind; got != kind {
		t.Fatalf("rows are %s, want %s", got, kind)
	}
	ask()
	for i := 0; i < 200; i += 50 { // others in their place, and new ones
		points := numbered(vectors)[600+i : 650+i]
		for j := range points[:25] {
			points[j].ID = NumID(uint64(3 * (i + j)))
		}
		mustUpsert(t, c, points...)
		if _, err := c.Delete(ctx, NumID(uint64(400+i))); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	db = reopen(t, db, &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 90})
	c = collection(t, db, "test")
	ask()
	if m != Euclid {
		return out
	}
	mustFit(t, c)
	ask()
	if err := c.Activate(ctx, 1); err != nil {
		t.Fatal(err)
	}
	ask()
	return out
}

// onDisk makes a closed database whose rows are in a file, and the vectors in it.
func onDisk(t *testing.T, n int) (dir string, vectors [][]float32) {
	t.Helper()
	dir, vectors = t.TempDir(), curved(22, n, 12)
	db, err := Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	c := create(t, db, rowsConfig(RowsDisk, Euclid))
	mustUpsert(t, c, numbered(vectors)...)
	mustFit(t, c)
	mustCheck(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, vectors
}

const rowsName = "rows.main.pack"

// TestRowsFileIsUsed expects an open to take rows from the file, and to read the
// records of none but those that changed after it was written.
func TestRowsFileIsUsed(t *testing.T) {
	dir, vectors := onDisk(t, 1200)
	db := openDB(t, dir, quiet())
	c := collection(t, db, "test")
	filled(t, c)
	gen := c.active.Load()
	if n := gen.file.changes.Load(); n != 0 || keptRows(c) != 1200 {
		t.Fatalf("%d records read for %d rows", n, keptRows(c))
	}
	if heap := gen.rows.Bytes(); heap > 1200 {
		t.Errorf("%d bytes of memory", heap)
	}
	mustUpsert(t, c, numbered(vectors[5:12])...)
	db = reopen(t, db, quiet())
	c = collection(t, db, "test")
	filled(t, c)
	if n := c.active.Load().file.changes.Load(); n != 7 || keptRows(c) != 1200 {
		t.Fatalf("%d records read for %d rows, want 7", n, keptRows(c))
	}
}

// TestRowsOffTheGrid has points that the form does not hold, before a file is written
// and in one: their records answer for them.
func TestRowsOffTheGrid(t *testing.T) {
	opts := &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 20}
	db := openDB(t, t.TempDir(), opts)
	c := create(t, db, rowsConfig(RowsDisk, Euclid))
	vectors := inForms(400, 12)[index.RowUint8]
	mustUpsert(t, c, numbered(vectors[:300])...)
	mustFit(t, c)
	vectors[7][2] += 0.1
	vectors[350][3] += 0.1
	mustUpsert(t, c, numbered(vectors)...)
	settled(t, c)
	for range 2 {
		filled(t, c)
		if n := keptRows(c); n != 398 {
			t.Errorf("%d rows are kept, want 398", n)
		}
		for _, i := range []int{7, 350} {
			if hits := mustSearch(t, c, Query{Vector: vectors[i], Limit: 1, Rerank: 20}).Hits; hits[0].ID != NumID(uint64(i)) || hits[0].Score != 0 {
				t.Errorf("point %d: %v", i, hits)
			}
		}
		db = reopen(t, db, opts)
		c = collection(t, db, "test")
	}
}

// TestRowsFileIsRebuilt damages the file in many ways, and expects the same rows
// after each, and a sound file again.
func TestRowsFileIsRebuilt(t *testing.T) {
	dir, vectors := onDisk(t, 1200)
	path := derivedFile(t, dir, rowsName)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := func(change func(*rowsHeader)) func([]byte) []byte {
		return func(b []byte) []byte {
			h, err := decodeRowsHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			change(&h)
			copy(b, h.encode())
			return b
		}
	}
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 4; return b }
	}
	for name, damage := range map[string]func([]byte) []byte{
		"flipped at the start":     flip(0),
		"flipped in the header":    flip(3000),
		"flipped in the form":      flip(13),
		"flipped in the rows":      flip(rowsHeaderSize + 12345),
		"flipped in what is held":  flip(-1),
		"cut":                      func(b []byte) []byte { return b[:len(b)-1] },
		"cut to the header":        func(b []byte) []byte { return b[:rowsHeaderSize] },
		"cut in the header":        func(b []byte) []byte { return b[:100] },
		"emptied":                  func([]byte) []byte { return nil },
		"longer":                   func(b []byte) []byte { return append(b, 0) },
		"of a newer format":        func(b []byte) []byte { b[8]++; return b },
		"of another generation":    header(func(h *rowsHeader) { h.generation++ }),
		"of another model":         header(func(h *rowsHeader) { h.modelHash[3]++ }),
		"of another form":          header(func(h *rowsHeader) { h.form = index.RowForm{Kind: index.RowFloat32, Offset: 1} }),
		"of a later state":         header(func(h *rowsHeader) { h.applied = 1e6 }),
		"perhaps of a later state": header(func(h *rowsHeader) { h.through = 1e6 }),
		"of an earlier state":      header(func(h *rowsHeader) { h.applied = 0 }),
		"beside one not finished":  func(b []byte) []byte { leaveTemporary(t, path); return b },
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, damage(bytes.Clone(sound)), 0o600); err != nil {
				t.Fatal(err)
			}
			var told bytes.Buffer
			db := openDB(t, dir, &Options{NoAutoFit: true, Logger: slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelWarn}))})
			if left, err := filepath.Glob(path + temporaryMark + "*"); err != nil || slices.Contains(left, path+temporaryMark+"1") {
				t.Errorf("%q is left, %v", left, err)
			}
			c := collection(t, db, "test")
			filled(t, c)
			if keptRows(c) != 1200 {
				t.Errorf("%d rows", keptRows(c))
			}
			if hits := mustSearch(t, c, Query{Vector: vectors[77], Limit: 3}).Hits; hits[0].ID != NumID(77) || hits[0].Score != 0 {
				t.Errorf("%v", hits)
			}
			mustCheck(t, db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			usable := name == "of an earlier state" || name == "beside one not finished"
			if refused := strings.Contains(told.String(), "cannot be used"); refused == usable {
				t.Errorf("refused: %v: %s", refused, told.String())
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got[rowsHeaderSize:], sound[rowsHeaderSize:]) {
				t.Errorf("the file is another, %v", err)
			}
		})
	}
}

func leaveTemporary(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path+temporaryMark+"1", make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRowsFileMissing opens a database that has no file of rows, as one of before
// there were any has none.
func TestRowsFileMissing(t *testing.T) {
	dir, _ := onDisk(t, 300)
	path := derivedFile(t, dir, rowsName)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir, quiet())
	c := collection(t, db, "test")
	filled(t, c)
	if keptRows(c) != 300 || !exists(path) {
		t.Errorf("%d rows, file %v", keptRows(c), exists(path))
	}
}

// TestCheckFindsDamagedRows expects Check to see a byte flipped under an open
// database, in the file and in memory.
func TestCheckFindsDamagedRows(t *testing.T) {
	dir, vectors := onDisk(t, 300)
	path := derivedFile(t, dir, rowsName)
	db := openDB(t, dir, quiet())
	c := collection(t, db, "test")
	filled(t, c)
	problems := func() int {
		r, err := c.Check(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return len(r.Problems)
	}
	for _, fromEnd := range []int{1, 2000} { // what is held, and a row that no slot has
		flip := func(b []byte) []byte { b[len(b)-fromEnd] ^= 0x40; return b }
		edit(t, path, flip)
		if problems() == 0 {
			t.Error("a flipped byte goes unnoticed")
		}
		edit(t, path, flip)
	}
	if n := problems(); n != 0 {
		t.Fatalf("%d problems", n)
	}
	c.active.Load().rows.Put(4, vectors[5])
	if problems() != 1 {
		t.Error("another row goes unnoticed")
	}
	c.active.Load().rows.Put(4, vectors[4])
}

// TestRowsFileStaysAsItIs writes after the file was loaded: its bytes must not change
// until enough have, and then a new file takes its place and gives the memory back.
func TestRowsFileStaysAsItIs(t *testing.T) {
	dir, vectors := onDisk(t, 1200)
	path := derivedFile(t, dir, rowsName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir, &Options{NoAutoFit: true, SnapshotEvery: 1000})
	c := collection(t, db, "test")
	filled(t, c)
	other := curved(23, 2500, 12)
	mustUpsert(t, c, numbered(other[:900])...)
	if _, err := c.Delete(ctx, NumID(1000)); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, db)
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, before) {
		t.Fatalf("the file changed, %v", err)
	}
	mustUpsert(t, c, numbered(other)[900:]...)
	settled(t, c)
	if got, err := os.ReadFile(path); err != nil || bytes.Equal(got, before) {
		t.Fatalf("no new file, %v", err)
	}
	gen := c.active.Load()
	if heap := gen.rows.Bytes(); heap > 2500 || keptRows(c) != 2500 {
		t.Errorf("%d bytes of memory, %d rows", heap, keptRows(c))
	}
	mustCheck(t, db)
	db = reopen(t, db, quiet())
	c = collection(t, db, "test")
	filled(t, c)
	if n := c.active.Load().file.changes.Load(); n > 1000 {
		t.Errorf("%d records read", n)
	}
	if hits := mustSearch(t, c, Query{Vector: other[3], Limit: 1}).Hits; hits[0].ID != NumID(3) || hits[0].Score != 0 {
		t.Errorf("%v, %v", hits, vectors[3])
	}
}

// settled waits until no file of rows is due.
func settled(t *testing.T, c *Collection) {
	t.Helper()
	for range 10_000 {
		gen := c.active.Load()
		if gen.tail.size() == 0 && !c.rowsDue(gen) && !gen.file.saving.Load() {
			return
		}
		c.wakeIndexer()
		time.Sleep(time.Millisecond)
	}
	t.Fatal("a file of rows is due for ever")
}

// TestRowsGivenUpUnderLoad searches and writes while files are written anew,
// generations change and the database closes: no mapping may be touched after it was
// given up, which would end the process.
func TestRowsGivenUpUnderLoad(t *testing.T) {
	dir, vectors := onDisk(t, 600)
	var told bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := Open(dir, &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 25, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	c := collection(t, db, "test")
	mustFit(t, c)
	var asked atomic.Int64
	var load sync.WaitGroup
	for w := range 4 {
		load.Go(func() {
			for i := w; ; i += 7 {
				v := vectors[i%600]
				if w == 3 { // points that no search asks for, each a change
					far := slices.Repeat([]float32{float32(1000 + i)}, len(v))
					if err := c.Upsert(ctx, Point{ID: NumID(uint64(600 + i%100)), Vector: far}); errors.Is(err, ErrClosed) {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
					continue
				}
				hits, err := c.Search(ctx, Query{Vector: v, Limit: 1, OmitPayload: true})
				switch {
				case errors.Is(err, ErrClosed):
					return
				case err != nil:
					t.Error(err)
					return
				case len(hits) != 1 || hits[0].Score != 0:
					t.Errorf("%v", hits)
					return
				}
				asked.Add(1)
			}
		})
	}
	for round := range 6 {
		if err := c.Activate(ctx, uint64(1+round%2)); err != nil {
			t.Error(err)
		}
		for from := asked.Load(); asked.Load() < from+200 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	load.Wait()
	noMappings(t)
	if told.Len() > 0 { // of rows that are lost: memory was touched that was not there
		t.Error(told.String())
	}
}

// noMappings expects that none is left of a file of rows.
func noMappings(t *testing.T) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the system does not tell what is mapped")
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(maps) {
		if bytes.Contains(line, []byte(rowsName)) {
			t.Errorf("still mapped: %s", line)
		}
	}
}

// TestRowsFileCutShort takes the file from under a mapping: rows are given up, and
// records answer.
func TestRowsFileCutShort(t *testing.T) {
	dir, vectors := onDisk(t, 600)
	db := openDB(t, dir, quiet())
	c := collection(t, db, "test")
	filled(t, c)
	if err := os.Truncate(derivedFile(t, dir, rowsName), rowsHeaderSize); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{3, 300} {
		if hits := mustSearch(t, c, Query{Vector: vectors[i], Limit: 1}).Hits; hits[0].ID != NumID(uint64(i)) || hits[0].Score != 0 {
			t.Errorf("%v", hits)
		}
	}
	mustUpsert(t, c, Point{ID: NumID(3), Vector: vectors[4]})
	if keptRows(c) != 0 {
		t.Errorf("%d rows are left", keptRows(c))
	}
	if err := os.Remove(derivedFile(t, dir, rowsName)); err != nil { // it is damaged, which Check tells
		t.Fatal(err)
	}
	db = reopen(t, db, quiet())
	c = collection(t, db, "test")
	if filled(t, c); keptRows(c) != 600 {
		t.Errorf("%d rows", keptRows(c))
	}
}

// TestMemoryOfRows compares what is reported of memory and disk.
func TestMemoryOfRows(t *testing.T) {
	reports := map[string]*Report{}
	vectors := curved(24, 3000, 200)
	for _, place := range []string{RowsMemory, RowsDisk} {
		db := tempDB(t, quiet())
		c := create(t, db, rowsConfig(place, Euclid))
		mustUpsert(t, c, numbered(vectors)...)
		reports[place] = mustFit(t, c)
		gen, n := c.active.Load(), reports[place].BytesPerPoint.RAM
		if ids := n - float64(gen.memory())/3000; ids < 8 || ids > 9.5 {
			t.Errorf("ids take %v", ids)
		}
		if info, err := c.Info(ctx); err != nil || info.RAMBytes < int64(3000*n-3000) || info.Filling {
			t.Errorf("%+v, %v", info, err)
		}
	}
	ram, disk := reports[RowsMemory].BytesPerPoint, reports[RowsDisk].BytesPerPoint
	if d := ram.RAM - disk.RAM; d < 800 || d > 830 {
		t.Errorf("rows of 800 bytes take %v of memory", d)
	}
	if d := disk.Disk - ram.Disk; d < 800 || d > 830 {
		t.Errorf("rows of 800 bytes take %v of disk", d)
	}
	if disk.RAM < 8+4 || disk.RAM > 120 {
		t.Errorf("index and ids take %v", disk.RAM)
	}
}

func FuzzRowsHeader(f *testing.F) {
	h := rowsHeader{form: index.RowForm{Kind: index.RowUint8, Offset: -1, Step: 0.5}, dim: 3, words: 16, generation: 2, applied: 7, through: 9}
	f.Add(h.encode())
	h.form = index.RowForm{Kind: index.RowFloat32}
	f.Add(h.encode()[:500])
	f.Add([]byte(rowsMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := decodeRowsHeader(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(h.encode(), data[:rowsHeaderSize]) || h.fileSize() < rowsHeaderSize {
			t.Fatalf("%+v", h)
		}
	})
}

// TestRowsPlace says where rows go.
func TestRowsPlace(t *testing.T) {
	db := tempDB(t, quiet())
	c := create(t, db, vectorConfig())
	mustUpsert(t, c, numbered(curved(25, 10, 64))...)
	gen, form := c.active.Load(), index.RowForm{Kind: index.RowFloat32} // 256 bytes a row
	slots, cfg := c.slots.Load(), c.Config()
	defer func() { c.slots.Store(slots); c.config.Store(&cfg) }()
	for _, test := range []struct {
		rows  string
		src   source.Spec
		slots int64
		want  string
	}{
		{RowsAuto, source.Vector{Size: 64}, 1 << 22, RowsMemory},
		{RowsAuto, source.Vector{Size: 64}, 1<<22 + 1, RowsDisk},
		{RowsMemory, source.Vector{Size: 64}, 1 << 30, RowsMemory},
		{RowsDisk, source.Vector{Size: 64}, 1, RowsDisk},
		{RowsAuto, source.Image{Width: 8, Height: 8}, 1, ""},
		{RowsDisk, source.Image{Width: 8, Height: 8}, 1, RowsDisk},
	} {
		c.slots.Store(test.slots)
		c.config.Store(&Config{Source: test.src, Rows: test.rows})
		want := test.want
		if want == RowsDisk && !canMap {
			want = RowsMemory
		}
		if got := c.rowsPlace(gen, form); got != want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// TestRowsGivenUpUnderAReader gives rows up, and moves them, while a search has them
// pinned: it must come to no memory that is no longer there.
func TestRowsGivenUpUnderAReader(t *testing.T) {
	dir, vectors := onDisk(t, 600)
	var told bytes.Buffer
	db := openDB(t, dir, &Options{NoAutoFit: true, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	c := collection(t, db, "test")
	filled(t, c)
	gen := c.active.Load()
	told.Reset()
	var readers sync.WaitGroup
	for w := range 2 {
		readers.Go(func() {
			for i := w; ; i = (i + 1) % 600 {
				hits := []index.Hit{{Slot: uint32(i), Distance: -1}}
				if gen.rescore(hits, vectors[i]) == 0 {
					return
				}
				if hits[0].Distance != 0 {
					t.Errorf("slot %d is at %v", i, hits[0].Distance)
				}
			}
		})
	}
	for i := range 20 {
		if err := c.saveRows(gen); err != nil {
			t.Error(err)
		}
		if i%5 == 0 { // a file that is not finished stays mapped, without a name
			broken := errors.New("broken")
			if err := gen.file.save(gen.rowsHeader(), 600, func() (uint64, error) { return 0, broken }); !errors.Is(err, broken) {
				t.Errorf("%v, want %v", err, broken)
			}
			if left, err := filepath.Glob(gen.file.path + temporaryMark + "*"); err != nil || len(left) > 0 {
				t.Errorf("%q are left, %v", left, err)
			}
		}
	}
	c.release(gen)
	readers.Wait()
	noMappings(t)
	if gen.scanRows(index.NewTopK(1), vectors[0], nil) {
		t.Error("rows that were given up answer that nothing is near")
	}
	if told.Len() > 0 {
		t.Error(told.String())
	}
}
