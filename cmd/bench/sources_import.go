package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store/bulk"
	_ "github.com/latentdb/latentdb/store/bulk/parquet" // measured with the others
)

// importing measures what it costs to read files and make of their records what is
// stored, beside decoding the same bytes.
func (s *sources) importing(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "latentdb-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, cost := range []struct {
		letter, what string
		files        func(dir string) (importCost, error)
	}{
		{"a", "CSV (bike shares), against encoding/csv on the file", s.csvCost},
		{"a2", "CSV (bike shares), against encoding/csv on the file and strconv on its numbers", s.csvNumbersCost},
		{"b", "PNG (MNIST's test digits, 25 a picture), against image/png on the files", s.pngCost},
		{"c", "WAV (spoken digits), against Audio.Marshal, which decodes, on the files", s.wavCost},
	} {
		f := figure{Name: "sources.7" + cost.letter, What: "CPU time of reading and storing " + cost.what, Floor: ptr(1.5), Better: lower}
		c, err := cost.files(dir)
		if errors.Is(err, os.ErrNotExist) {
			s.logf("sources.7%s: %v: not measured", cost.letter, err)
		} else if err != nil {
			return err
		} else if err := s.compare(ctx, c, &f); err != nil {
			return err
		}
		s.add(f)
	}
	return s.flat(dir)
}

// importCost is an import and the decoding that it is measured against.
type importCost struct {
	path   string
	spec   source.Spec
	decode func() error
}

// compare measures both in turns, on one core.
func (s *sources) compare(ctx context.Context, c importCost, f *figure) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ours, theirs []float64
	for range s.rounds(9) {
		if err := ctx.Err(); err != nil {
			return err
		}
		runtime.GC()
		start := mark()
		for range s.rounds(5) {
			if err := c.decode(); err != nil {
				return err
			}
		}
		theirs = append(theirs, start.since())
		runtime.GC()
		start = mark()
		for range s.rounds(5) {
			if err := readAndMarshal(c.path, c.spec, func() {}); err != nil {
				return err
			}
		}
		ours = append(ours, start.since())
	}
	f.Ours, f.Peer = ptr(median(ours)), ptr(median(theirs))
	return nil
}

func (s *sources) rounds(n int) int {
	if s.quick {
		return min(n, 2)
	}
	return n
}

// readAndMarshal reads a file and makes of every record what is stored, which it drops.
func readAndMarshal(path string, spec source.Spec, each func()) error {
	r, err := bulk.Open(path, bulk.Options{Cells: true})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	for row, err := range (&bulk.IDs{}).Rows(r.Rows()) {
		if err != nil {
			return err
		}
		record := row.Record
		if row.Vector != nil {
			record = row.Vector
		}
		if _, err := spec.Marshal(record); err != nil {
			return err
		}
		each()
	}
	return nil
}

// resolved is a spec with what it leaves open decided by a file's first records.
func resolved(path string, spec source.Spec) (source.Spec, error) {
	r, err := bulk.Open(path, bulk.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	var first []any
	for row, err := range r.Rows() {
		if err != nil {
			return nil, err
		}
		if first = append(first, row.Record); len(first) == 500 {
			break
		}
	}
	return spec.Resolve(first)
}

// pngCost writes sheets of digits, as large as pictures are that people have.
func (s *sources) pngCost(dir string) (importCost, error) {
	digits, err := bulk.Open(filepath.Join(s.mnist, "t10k-images-idx3-ubyte.gz"), bulk.Options{})
	if err != nil {
		return importCost{}, err
	}
	defer func() { _ = digits.Close() }()
	const across, side, sheets = 5, 28, 200
	folder := filepath.Join(dir, "png")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return importCost{}, err
	}
	var files []string
	next, stop := iter.Pull2(digits.Rows())
	defer stop()
	for len(files) < sheets {
		sheet := image.NewGray(image.Rect(0, 0, across*side, across*side))
		for i := range across * across {
			row, err, more := next()
			if err != nil || !more {
				return importCost{}, errors.Join(err, errors.New("too few digits"))
			}
			digit, ok := row.Record.(*image.Gray)
			if !ok {
				return importCost{}, fmt.Errorf("a digit is a %T", row.Record)
			}
			for y := range side {
				copy(sheet.Pix[(i/across*side+y)*sheet.Stride+i%across*side:], digit.Pix[y*side:][:side])
			}
		}
		var encoded bytes.Buffer
		if err := png.Encode(&encoded, sheet); err != nil {
			return importCost{}, err
		}
		files = append(files, filepath.Join(folder, fmt.Sprintf("%03d.png", len(files))))
		if err := os.WriteFile(files[len(files)-1], encoded.Bytes(), 0o600); err != nil {
			return importCost{}, err
		}
	}
	return importCost{folder, source.Image{Width: 28, Height: 28, Channels: 1}, eachFile(files, func(data []byte) error {
		_, err := png.Decode(bytes.NewReader(data))
		return err
	})}, nil
}

func (s *sources) wavCost(string) (importCost, error) {
	folder := filepath.Join(s.data, "fsdd", "recordings")
	files, err := filepath.Glob(filepath.Join(folder, "*.wav"))
	if err != nil {
		return importCost{}, err
	}
	spec, err := resolved(folder, source.Audio{})
	return importCost{folder, spec, eachFile(files, func(data []byte) error {
		_, err := spec.Marshal(data)
		return err
	})}, err
}

// eachFile reads files and decodes them.
func eachFile(files []string, decode func(data []byte) error) func() error {
	return func() error {
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := decode(data); err != nil {
				return err
			}
		}
		return nil
	}
}

// flat measures how the memory of an import grows with its file, for every format.
func (s *sources) flat(dir string) error {
	f := figure{Name: "sources.7d", What: "peak heap of reading and storing a file ten times as large, the worst of the formats", Floor: ptr(1.2), Better: lower}
	defer func() { s.add(f) }()
	for _, kind := range growing {
		var peaks [2]float64
		for i, rows := range []int{s.size(40_000), s.size(400_000)} {
			path := filepath.Join(dir, fmt.Sprintf("%d%s", i, kind.name))
			if err := kind.write(path, rows); err != nil {
				return err
			}
			var err error
			if peaks[i], err = peakHeap(path, kind.spec); err != nil {
				return fmt.Errorf("%s: %w", kind.name, err)
			}
			if err := os.Remove(path); err != nil {
				return err
			}
		}
		s.logf("sources.7d: %s: %.1f MB, ten times as large %.1f MB", kind.name, peaks[0]/1e6, peaks[1]/1e6)
		if ratio := peaks[1] / peaks[0]; f.Ours == nil || ratio > *f.Ours {
			f.Ours = ptr(ratio)
		}
	}
	return nil
}

func (s *sources) size(n int) int {
	if s.quick {
		return n / 10
	}
	return n
}

// peakHeap is the largest heap while a file is read, collected often, so that it is
// what is held and not when the collector happened to run.
func peakHeap(path string, spec source.Spec) (float64, error) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	peak, n := uint64(0), 0
	runtime.GC()
	runtime.GC() // of what pools held, too
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	err := readAndMarshal(path, spec, func() {
		if n++; n%2000 != 0 {
			return
		}
		runtime.GC()
		metrics.Read(sample)
		peak = max(peak, sample[0].Value.Uint64())
	})
	// What a program has anyway is no part of what the file takes, but for a base: of
	// next to nothing, a little more is a multiple. No heap of Go's is smaller.
	const base = 4 << 20
	return float64(max(peak, before)-before) + base, err
}

// growing are files of any length, by the end of their names.
var growing = []struct {
	name  string
	spec  source.Spec
	write func(path string, rows int) error
}{
	{".csv", growingTable, written(bulk.CSV, tableRow)},
	{".jsonl", growingTable, written(bulk.JSONL, tableRow)},
	{".parquet", growingTable, written(bulk.Parquet, tableRow)},
	{".npy", source.Vector{Size: 16}, written(bulk.NPY, vectorRow)},
	{".zip", source.Text{}, written(bulk.Zip, textRow)},
}

var growingTable = source.Table{Columns: []source.Column{{Name: "a", Type: source.NumericColumn}, {Name: "b", Type: source.CategoricalColumn}}}

func tableRow(i int) bulk.Row {
	return bulk.Row{ID: uint64(i), Record: map[string]any{"a": float64(i) / 8, "b": fmt.Sprintf("level %d", i%1000)}}
}

func vectorRow(i int) bulk.Row {
	v := make([]float32, 16)
	for j := range v {
		v[j] = float32(i*j%97) / 7
	}
	return bulk.Row{ID: uint64(i), Vector: v}
}

func textRow(i int) bulk.Row {
	return bulk.Row{ID: uint64(i), Record: fmt.Sprintf("the text number %d", i)}
}

// written writes a file of a format from what makes its rows.
func written(format bulk.Format, row func(i int) bulk.Row) func(path string, rows int) error {
	return func(path string, rows int) error {
		file, err := os.Create(path)
		if err != nil {
			return err
		}
		err = bulk.WriteRows(file, bulk.WriterOptions{Format: format, Content: bulk.Texts}, func(yield func(bulk.Row, error) bool) {
			for i := range rows {
				if !yield(row(i), nil) {
					return
				}
			}
		})
		return errors.Join(err, file.Close())
	}
}
