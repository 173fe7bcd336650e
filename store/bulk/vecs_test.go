package bulk_test

import (
	"bytes"
	"encoding/base64"
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

// vecs is a .fvecs file, or of bytes a .bvecs file.
func vecs[T float32 | byte](vectors ...[]T) []byte {
	var out []byte
	for _, v := range vectors {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(v)))
		out, _ = binary.Append(out, binary.LittleEndian, v)
	}
	return out
}

func TestVecs(t *testing.T) {
	want := [][]float32{{1, 2, 3}, {4, 5, 255}}
	f := vecs([]float32{1, 2, 3}, []float32{4, 5, 255})
	for name, data := range map[string][]byte{
		"a.fvecs": f, "a.fvecs.gz": gzipped(t, f), "a.bvecs": vecs([]byte{1, 2, 3}, []byte{4, 5, 255}),
	} {
		r, err := openAs(t, name, data, bulk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if rows, _, err := read(r); err != nil || !reflect.DeepEqual(vectors(rows), want) {
			t.Errorf("%s: got %v, %v", name, rows, err)
		}
	}
	if _, err := openAs(t, "a.ivecs", f, bulk.Options{}); !errors.Is(err, bulk.ErrOption) || !strings.Contains(err.Error(), "neighbours") {
		t.Errorf("ivecs: %v", err)
	}
	for want, data := range map[string][]byte{
		"vector 1: 0 dimensions":     {0, 0, 0, 0},
		"vector 1: -1 dimensions":    {255, 255, 255, 255},
		"vector 1: 65537 dimensions": {1, 0, 1, 0},
		"those before have 3":        append(f, vecs([]float32{1})...),
		"ends within it":             f[:len(f)-1],
		"vector 3: unexpected EOF":   append(f, 3),
	} {
		r, err := bulk.NewReader(bytes.NewReader(data), bulk.Options{Format: bulk.FVecs})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := read(r); !errors.Is(err, bulk.ErrFile) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func encoded(values ...float32) string {
	b, _ := binary.Append(nil, binary.LittleEndian, values)
	return base64.StdEncoding.EncodeToString(b)
}

func TestBase64Vectors(t *testing.T) {
	line := fmt.Sprintf(`{"id":1,"vector":%q}`, encoded(1, -2.5, math.MaxFloat32))
	got := vectors(readAll(t, []byte(line), bulk.Options{Format: bulk.JSONL}))
	if !reflect.DeepEqual(got, [][]float32{{1, -2.5, math.MaxFloat32}}) {
		t.Errorf("got %v", got)
	}
	for text, want := range map[string]string{"?": "not base64", "AAA=": "base64 of 2 bytes", "": "base64 of 0 bytes", strings.Repeat("A", 400_000): "the limit is 65536"} {
		if _, err := bulk.DecodeVector(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10s: got %v, want %q", text, err, want)
		}
	}
}

func FuzzBase64Vector(f *testing.F) {
	f.Add(encoded(1, 2))
	f.Add("AAA=")
	f.Fuzz(func(t *testing.T, text string) {
		vector, err := bulk.DecodeVector(text)
		if err == nil && len(vector) == 0 || err == nil && encoded(vector...) != strings.NewReplacer("\r", "", "\n", "").Replace(text) {
			if b, _ := base64.StdEncoding.DecodeString(text); len(b) != 4*len(vector) {
				t.Errorf("%q is %v", text, vector)
			}
		}
	})
}

func FuzzVecs(f *testing.F) {
	f.Add(vecs([]float32{1, 2}, []float32{3, 4}), true)
	f.Add(vecs([]byte{1, 2}), false)
	f.Fuzz(func(t *testing.T, data []byte, floats bool) {
		format := bulk.BVecs
		if floats {
			format = bulk.FVecs
		}
		fuzz(t, data, bulk.Options{Format: format})
	})
}

func TestText(t *testing.T) {
	data := "\ufefffirst\n\n  second \r\n\xff\n" + strings.Repeat("x", 1<<20+1) + "\nlast"
	r, err := bulk.NewReader(strings.NewReader(data), bulk.Options{Format: bulk.Text})
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := read(r)
	want := []bulk.Row{{Line: 1, Record: "first"}, {Line: 3, Record: "second"}, {Line: 6, Record: "last"}}
	if err != nil || !reflect.DeepEqual(rows, want) || len(bad) != 2 || bad[0].Line != 4 || bad[1].Line != 5 {
		t.Errorf("got %v, %v, %v", rows, bad, err)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("a\n\nb\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, data, bulk.Options{Format: bulk.Text}) })
}

// A column may be the record; the others are then the payload.
func TestRecordColumn(t *testing.T) {
	csv := readAll(t, []byte("label,text,n\nham,12,1\nspam,hello,2\n"), bulk.Options{Format: bulk.CSV, Record: "text"})
	want := []bulk.Row{
		{Line: 2, Record: "12", Payload: map[string]any{"label": "ham", "n": int64(1)}},
		{Line: 3, Record: "hello", Payload: map[string]any{"label": "spam", "n": int64(2)}},
	}
	if !reflect.DeepEqual(csv, want) {
		t.Errorf("got %+v", csv)
	}
	jsonl := readAll(t, []byte(`{"key":"a","emb":[1,2.5],"n":1}`), bulk.Options{Format: bulk.JSONL, Record: "emb", ID: "key"})
	if want := []bulk.Row{{Line: 1, ID: "a", Vector: []float32{1, 2.5}, Payload: map[string]any{"n": int64(1)}}}; !reflect.DeepEqual(jsonl, want) {
		t.Errorf("got %+v", jsonl)
	}
	for text, want := range map[string]string{
		`{"a":1}`: `key "emb" is missing`, `{"emb":null}`: "is missing", `{"emb":[1,"x"]}`: "position 1 is not", `{"emb":[]}`: "0 dimensions", `{"emb":[1e300]}`: "beyond",
	} {
		r, err := bulk.NewReader(strings.NewReader(text), bulk.Options{Format: bulk.JSONL, Record: "emb"})
		if err != nil {
			t.Fatal(err)
		}
		if _, bad, err := read(r); err != nil || len(bad) != 1 || !strings.Contains(bad[0].Reason, want) {
			t.Errorf("%s: got %v, %v, want %q", text, bad, err, want)
		}
	}
}

func TestNPZ(t *testing.T) {
	x, labels := npy(t, "<f4", "2, 2", []float32{1, 2, 3, 4}), npy(t, "<i8", "2,", []int64{7, 9})
	images := npy(t, "|u1", "2, 1, 2", []byte{1, 2, 3, 4})
	strange := npy(t, "<U1", "2,", []int32{65, 66})
	data := zipped(t, packed{"x.npy", x}, packed{"y.npy", labels}, packed{"names.npy", strange}, packed{"other.npy", npy(t, "<f4", "3,", []float32{1, 2, 3})})
	for name, opt := range map[string]bulk.Options{"y": {}, "label": {Labels: "y", Array: "x"}} {
		r, err := openAs(t, "a.npz", data, opt)
		if err != nil {
			t.Fatal(err)
		}
		rows, _, err := read(r)
		want := []bulk.Row{
			{Line: 1, Vector: []float32{1, 2}, Payload: map[string]any{name: int64(7)}},
			{Line: 2, Vector: []float32{3, 4}, Payload: map[string]any{name: int64(9)}},
		}
		if err != nil || !reflect.DeepEqual(rows, want) {
			t.Errorf("got %+v, %v", rows, err)
		}
	}
	r, err := openAs(t, "a.npz", zipped(t, packed{"x.npy", x}, packed{"pictures.npy", images}), bulk.Options{Array: "pictures"})
	if err != nil {
		t.Fatal(err)
	}
	if rows, _, err := read(r); err != nil || len(rows) != 2 || !reflect.DeepEqual(rows[1].Record, &image.Gray{Pix: []byte{3, 4}, Stride: 2, Rect: image.Rect(0, 0, 2, 1)}) {
		t.Errorf("got %+v, %v", rows, err)
	}
	for _, test := range []struct {
		data []byte
		opt  bulk.Options
		is   error
		want string
	}{
		{zipped(t, packed{"x.npy", x}, packed{"z.npy", images}), bulk.Options{}, bulk.ErrOption, "name one"},
		{data, bulk.Options{Array: "z"}, bulk.ErrOption, `"names" (of no type that is read)`},
		{data, bulk.Options{Array: "names"}, bulk.ErrOption, "of a type that is read"},
		{data, bulk.Options{Labels: "other"}, bulk.ErrOption, "one number for each"},
		{zipped(t, packed{"y.npy", labels}), bulk.Options{}, bulk.ErrFile, "no array of two"},
		{[]byte("no zip"), bulk.Options{}, bulk.ErrFile, "zip"},
	} {
		if _, err := openAs(t, "a.npz", test.data, test.opt); !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
