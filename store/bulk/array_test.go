package bulk_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

// npy is an array as NumPy 1.x saves it: format 1, header padded to 64 bytes.
func npy(t testing.TB, descr, shape string, values any) []byte {
	t.Helper()
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)))
	out, err := binary.Append(append(out, header...), binary.LittleEndian, values)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// idx is an IDX file.
func idx(t testing.TB, code byte, values any, dims ...uint32) []byte {
	t.Helper()
	out, err := binary.Append([]byte{0, 0, code, byte(len(dims))}, binary.BigEndian, dims)
	if err != nil {
		t.Fatal(err)
	}
	if out, err = binary.Append(out, binary.BigEndian, values); err != nil {
		t.Fatal(err)
	}
	return out
}

func vectors(rows []bulk.Row) [][]float32 {
	var out [][]float32
	for _, row := range rows {
		out = append(out, row.Vector)
	}
	return out
}

func TestArrayVectors(t *testing.T) {
	two := func(a, b, c, d float32) [][]float32 { return [][]float32{{a, b}, {c, d}} }
	for _, test := range []struct {
		name   string
		format bulk.Format
		data   []byte
		want   [][]float32
	}{
		{"<f4", bulk.NPY, npy(t, "<f4", "2, 2", []float32{1, 2.5, -3, math.MaxFloat32}), two(1, 2.5, -3, math.MaxFloat32)},
		{"<f8", bulk.NPY, npy(t, "<f8", "2, 2", []float64{1, .1, -3, 4}), two(1, .1, -3, 4)},
		{"|u1", bulk.NPY, npy(t, "|u1", "2, 2", []byte{0, 128, 255, 4}), two(0, 128, 255, 4)},
		{"|i1", bulk.NPY, npy(t, "|i1", "2, 2", []int8{0, -128, 127, 4}), two(0, -128, 127, 4)},
		{"<i2", bulk.NPY, npy(t, "<i2", "2, 2", []int16{0, -2, 300, 4}), two(0, -2, 300, 4)},
		{"<u4", bulk.NPY, npy(t, "<u4", "2, 2", []uint32{0, math.MaxUint32, 3, 4}), two(0, math.MaxUint32, 3, 4)},
		{"<i8", bulk.NPY, npy(t, "<i8", "2L, 2L", []int64{0, -1 << 40, 3, 4}), two(0, -1<<40, 3, 4)},
		{"<f2", bulk.NPY, npy(t, "<f2", "3, 2", []uint16{0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555, 0xfc00}),
			append(two(1, -2, 65504, 0x1p-24), []float32{0.333251953125, float32(math.Inf(-1))})},
		{"1-D", bulk.NPY, npy(t, "<f4", "3,", []float32{1, 2, 3}), [][]float32{{1, 2, 3}}},
		{"no rows", bulk.NPY, npy(t, "<f4", "0, 3", []float32{}), nil},
		{"idx bytes", bulk.IDX, idx(t, 0x08, []byte{1, 2, 3, 255}, 2, 2), two(1, 2, 3, 255)},
		{"idx shorts", bulk.IDX, idx(t, 0x0b, []int16{1, -2, 3, 300}, 2, 2), two(1, -2, 3, 300)},
		{"idx floats", bulk.IDX, idx(t, 0x0d, []float32{1, -2.5, 3, 300}, 2, 2), two(1, -2.5, 3, 300)},
		{"idx doubles", bulk.IDX, idx(t, 0x0e, []float64{1, -2.5, 3, 300}, 2, 2), two(1, -2.5, 3, 300)},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, data := range [][]byte{test.data, gzipped(t, test.data)} {
				got := vectors(readAll(t, data, bulk.Options{Format: test.format}))
				if !reflect.DeepEqual(got, test.want) {
					t.Errorf("got %v, want %v", got, test.want)
				}
			}
		})
	}
}

func TestArrayImagesWithLabels(t *testing.T) {
	dir := t.TempDir()
	pixels := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	images := map[string][]byte{
		"a-images-idx3-ubyte.gz": gzipped(t, idx(t, 0x08, pixels, 2, 2, 3)),
		"a.npy":                  npy(t, "|u1", "2, 2, 3", pixels),
	}
	labels := map[string][]byte{
		"a-labels-idx1-ubyte.gz": gzipped(t, idx(t, 0x08, []byte{7, 9}, 2)),
		"y.npy":                  npy(t, "<i8", "2,", []int64{7, 9}),
	}
	for name, data := range images {
		for label, values := range labels {
			path := writeFile(t, data, dir, name)
			r, err := bulk.Open(path, bulk.Options{Labels: writeFile(t, values, dir, label)})
			if err != nil {
				t.Fatal(err)
			}
			rows, _, err := read(r)
			want := []bulk.Row{
				{Line: 1, Record: &image.Gray{Pix: pixels[:6], Stride: 3, Rect: image.Rect(0, 0, 3, 2)}, Payload: map[string]any{"label": int64(7)}},
				{Line: 2, Record: &image.Gray{Pix: pixels[6:], Stride: 3, Rect: image.Rect(0, 0, 3, 2)}, Payload: map[string]any{"label": int64(9)}},
			}
			if err != nil || !reflect.DeepEqual(rows, want) {
				t.Errorf("%s, %s: got %v, %v", name, label, rows, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	short := writeFile(t, idx(t, 0x08, []byte{7}, 1), dir, "short-idx1-ubyte")
	if _, err := bulk.Open(dir+"/a.npy", bulk.Options{Labels: short}); !errors.Is(err, bulk.ErrFile) {
		t.Errorf("too few labels: %v", err)
	}
	if _, err := bulk.Open(dir+"/a.npy", bulk.Options{Labels: "labels.csv"}); !errors.Is(err, bulk.ErrOption) {
		t.Errorf("labels of another format: %v", err)
	}
}

func TestArrayFileErrors(t *testing.T) {
	whole := npy(t, "<f4", "2, 2", []float32{1, 2, 3, 4})
	edit := func(old, new string) []byte { return bytes.Replace(whole, []byte(old), []byte(new), 1) }
	for _, test := range []struct {
		name   string
		format bulk.Format
		data   []byte
		want   string
	}{
		{"empty", bulk.NPY, nil, "ends within its header"},
		{"another file", bulk.NPY, []byte("PK\x03\x04 not numpy"), "not a NumPy file"},
		{"cut header", bulk.NPY, whole[:40], "ends within its header"},
		{"version 9", bulk.NPY, edit("\x01\x00", "\x09\x00"), "version 9"},
		{"huge header", bulk.NPY, []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), "4294967295 bytes, the limit is 65536"},
		{"big-endian", bulk.NPY, edit("<f4", ">f4"), "little-endian"},
		{"objects", bulk.NPY, edit("<f4", "|O8"), "little-endian"},
		{"quads", bulk.NPY, edit("<f4", "<f9"), "little-endian"},
		{"Fortran order", bulk.NPY, edit("False", "True "), "ascontiguousarray"},
		{"no shape", bulk.NPY, edit("shape", "shade"), "no plain descr"},
		{"wide", bulk.NPY, edit("(2, 2), }", "(2, 65537), }"), "65537 dimensions, want 1..65536"},
		{"overflow", bulk.NPY, edit("(2, 2), }", "(2, 99999999999999999999), }"), "shape"},
		{"scalar", bulk.NPY, edit("(2, 2)", "()    "), "0 dimensions"},
		{"3-D floats", bulk.NPY, edit("(2, 2), }", "(1, 2, 2), }"), "must have bytes"},
		{"empty", bulk.IDX, nil, "ends within its header"},
		{"another file", bulk.IDX, []byte("\x00\x01\x08\x03"), "not an IDX file"},
		{"unknown type", bulk.IDX, []byte("\x00\x00\x0a\x03"), "not an IDX file"},
		{"no dimensions", bulk.IDX, []byte("\x00\x00\x08\x00"), "no dimensions"},
		{"labels", bulk.IDX, idx(t, 0x08, []byte{1}, 1), "as the labels"},
		{"large images", bulk.IDX, idx(t, 0x08, []byte{}, 1, 1<<13, 1<<13), "the limits are"},
		{"overflow", bulk.IDX, idx(t, 0x08, []byte{}, 1, math.MaxUint32, math.MaxUint32), "the limits are"},
		{"4-D", bulk.IDX, idx(t, 0x08, []byte{}, 1, 1, 1, 1), "4 dimensions"},
	} {
		_, err := bulk.NewReader(bytes.NewReader(test.data), bulk.Options{Format: test.format})
		if !errors.Is(err, bulk.ErrFile) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: got %v, want ErrFile with %q", test.format, test.name, err, test.want)
		}
	}
	longer := edit("(2, 2), ", "(4, 2), ")
	r, err := bulk.NewReader(bytes.NewReader(longer[:len(longer)-3]), bulk.Options{Format: bulk.NPY})
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := read(r)
	if len(rows) != 1 || !errors.Is(err, bulk.ErrFile) || !strings.Contains(err.Error(), "record 2 of 4") {
		t.Errorf("truncated: %d rows, then %v", len(rows), err)
	}
	for _, opt := range []bulk.Options{{ID: "x"}, {Payload: []string{"x"}}, {Text: []string{"x"}}, {Format: "parquet"}, {Format: bulk.Images}} {
		if opt.Format == "" {
			opt.Format = bulk.NPY
		}
		if _, err := bulk.NewReader(bytes.NewReader(whole), opt); !errors.Is(err, bulk.ErrOption) {
			t.Errorf("%+v: got %v, want ErrOption", opt, err)
		}
	}
}

func FuzzNPY(f *testing.F) {
	f.Add(npy(f, "<f4", "2, 2", []float32{1, 2, 3, 4}))
	f.Add(npy(f, "|u1", "2, 1, 3", []byte{1, 2, 3, 4, 5, 6}))
	f.Add([]byte("\x93NUMPY\x03\x00\xff\xff\x00\x00{"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, data, bulk.Options{Format: bulk.NPY}) })
}

func FuzzIDX(f *testing.F) {
	f.Add(idx(f, 0x08, []byte{1, 2, 3, 4}, 2, 1, 2))
	f.Add(idx(f, 0x0d, []float32{1, 2}, 1, 2))
	f.Add(gzipped(f, idx(f, 0x0b, []int16{1, 2}, 1, 2)))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, data, bulk.Options{Format: bulk.IDX}) })
}
