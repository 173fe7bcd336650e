package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/latentdb/latentdb/store"
)

// idx is a gzip-compressed IDX file of bytes.
func idx(t *testing.T, data []byte, shape ...uint32) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_ = binary.Write(w, binary.BigEndian, append([]uint32{0x0800 | uint32(len(shape))}, shape...))
	_, _ = w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// npy is a NumPy array of float32 vectors.
func npy(rows, size int, value func(row, i int) float32) []byte {
	var out bytes.Buffer
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, size)
	header += string(bytes.Repeat([]byte(" "), 63-(10+len(header))%64)) + "\n"
	out.WriteString("\x93NUMPY\x01\x00")
	_ = binary.Write(&out, binary.LittleEndian, uint16(len(header)))
	out.WriteString(header)
	for r := range rows {
		for i := range size {
			_ = binary.Write(&out, binary.LittleEndian, value(r, i))
		}
	}
	return out.Bytes()
}

// circle is the i-th coordinate of a row on a circle bent through many
// dimensions.
func circle(row, i int) float32 {
	angle := 2 * math.Pi * float64(row) / 200
	return float32(math.Sin(angle*float64(1+i%3) + float64(i)))
}

func TestVectors(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		file := writeFile(t, "circle.npy", npy(200, 12, circle))
		on.run("import", "circle", file, "--metric", "cosine", "--dim", "3", "--recall", "0.9")
		contains(t, on.run("info", "circle"), "Cosine", "200", "0.9")
		contains(t, on.fails("import", "circle", file), "--first-id")
		contains(t, on.run("import", "circle", file, "--first-id", "100"), "200 points imported")
		var info collectionInfo
		on.json(&info, "info", "circle")
		if info.Points != 300 {
			t.Errorf("%d points, want 300", info.Points)
		}
		var h hits
		on.json(&h, "search", "circle", "--id", "7", "--limit", "2", "--exact")
		if len(h.Points) != 2 || h.Points[0].ID != store.NumID(107) {
			t.Errorf("beside point 7 lies %+v, want its copy 107", h.Points)
		}
		contains(t, on.run("fit", "circle", "--epochs", "2"), "12 features to 3")
		query := writeFile(t, "query.json", []byte("[1,0,1,0,1,0,1,0,1,0,1,0.5]"))
		contains(t, on.run("search", "circle", "--vector", query, "--limit", "1", "--space", "latent", "--explain"), "latent space")
		contains(t, on.run("reconstruct", "circle", "7"), "[")
		contains(t, on.run("reconstruct", "circle", "--vector", query), "record 1")
		contains(t, on.run("sample", "circle", "-n", "2"), "[")
		contains(t, on.fails("search", "circle", "--vector", "[1,2]"), "12")
	})
}

func TestImages(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		const count, side = 80, 8
		rng := rand.New(rand.NewPCG(3, 4))
		var pixels, labels []byte
		for i := range count {
			pixels = append(pixels, spot(side, rng.Float64()*side, rng.Float64()*side).Pix...)
			labels = append(labels, byte(i%4))
		}
		images := writeFile(t, "spots-images-idx3-ubyte.gz", idx(t, pixels, count, side, side))
		on.run("import", "spots", images, "--fit",
			"--labels", writeFile(t, "spots-labels-idx1-ubyte.gz", idx(t, labels, count)))
		contains(t, on.run("info", "spots"), `"width":8`, "generation")
		testImageAnswers(t, on, side)
	})
}

func testImageAnswers(t *testing.T, on target, side int) {
	query := writeFile(t, "query.png", encodePNG(t, spot(side, 2, 2)))
	var h hits
	on.json(&h, "search", "spots", "--record", query, "--limit", "3",
		"--filter", `{"must": [{"key": "label", "match": {"value": 3}}]}`)
	if len(h.Points) != 3 || h.Points[0].Payload["label"] != 3.0 {
		t.Errorf("search by a picture gave %+v", h.Points)
	}
	dir := filepath.Join(t.TempDir(), "pictures")
	contains(t, on.run("reconstruct", "spots", "4", "5", "-o", dir), "4.png", "5.png")
	contains(t, on.run("reconstruct", "spots", "4"), "-o DIR")
	on.run("reconstruct", "spots", "--record", query, "-o", dir)
	on.run("sample", "spots", "-n", "2", "-o", dir)
	for _, name := range []string{"4.png", "5.png", "record-0001.png", "sample-0001.png", "sample-0002.png"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if width := decodePNG(t, data).Bounds().Dx(); width != side {
			t.Errorf("%s is %d pixels wide, want %d", name, width, side)
		}
	}
}

func TestFolderOfImages(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		dir := t.TempDir()
		for i := range 6 {
			path := filepath.Join(dir, fmt.Sprintf("spot%d.png", i))
			if err := os.WriteFile(path, encodePNG(t, spot(12, float64(i), 3)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "broken.png"), []byte("no picture"), 0o600); err != nil {
			t.Fatal(err)
		}
		var r importResult
		on.json(&r, "import", "spots", dir, "--width", "6", "--height", "6")
		if r.Imported != 6 || r.Failed != 1 || len(r.Errors) != 1 || r.Errors[0].Line != 1 {
			t.Errorf("import gave %+v", r)
		}
		contains(t, on.run("search", "spots", "--id", "spot2.png", "--limit", "1"), "spot")
		contains(t, on.run("info", "spots"), `"width":6`)
	})
}

func TestPictureNamesStayInTheirFolder(t *testing.T) {
	dir := t.TempDir()
	record := any("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
	for _, name := range []string{"../out", "a/b", "..", "/etc/passwd", `c:\d`} {
		path, err := showRecord(record, dir, name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if filepath.Dir(path) != dir {
			t.Errorf("%q was written to %s", name, path)
		}
	}
}
