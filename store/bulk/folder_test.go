package bulk_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

func TestFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	writeFile(t, []byte("1"), dir, "top.PNG")
	writeFile(t, []byte("22"), dir, "cats", "b.jpeg")
	writeFile(t, []byte("333"), dir, "cats", "a.jpg")
	writeFile(t, []byte("4444"), dir, "cats", "old", "c.png")
	writeFile(t, []byte("no"), dir, "cats", "notes.txt")
	secret := writeFile(t, []byte("secret"), outside, "secret.png")
	for link, target := range map[string]string{"link.png": secret, "linked": outside, "inside.png": filepath.Join(dir, "top.PNG")} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.png"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := bulk.Open(dir, bulk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if at, total := r.Progress(); at != 0 || total != 10 {
		t.Errorf("before: progress %d of %d, want 0 of 10", at, total)
	}
	rows, bad, err := read(r)
	want := []bulk.Row{
		{Line: 1, File: "cats/a.jpg", ID: "cats/a.jpg", Record: []byte("333"), Payload: map[string]any{"file": "a.jpg", "folder": "cats"}},
		{Line: 2, File: "cats/b.jpeg", ID: "cats/b.jpeg", Record: []byte("22"), Payload: map[string]any{"file": "b.jpeg", "folder": "cats"}},
		{Line: 3, File: "cats/old/c.png", ID: "cats/old/c.png", Record: []byte("4444"), Payload: map[string]any{"file": "c.png", "folder": "old"}},
		{Line: 4, File: "top.PNG", ID: "top.PNG", Record: []byte("1"), Payload: map[string]any{"file": "top.PNG"}},
	}
	if err != nil || len(bad) > 0 || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %v, %v, %v", rows, bad, err)
	}
	if at, total := r.Progress(); at != total {
		t.Errorf("after: progress %d of %d", at, total)
	}
	if rows, _, err := read(r); len(rows) > 0 || err != nil {
		t.Errorf("a second time: %v, %v", rows, err)
	}
}

func TestFolderErrors(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, []byte("1"), dir, "a.png")
	writeFile(t, make([]byte, 32<<20+1), dir, "large.png")
	writeFile(t, []byte("1"), dir, "z.png")
	r, err := bulk.Open(dir, bulk.Options{Format: bulk.Images})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rows, bad, err := read(r)
	if err != nil || len(rows) != 2 || len(bad) != 1 || bad[0].Line != 2 || !strings.Contains(bad[0].Reason, "large.png: more than 33554432 bytes") {
		t.Errorf("got %d rows, %v, %v", len(rows), bad, err)
	}
	for _, opt := range []bulk.Options{{Format: bulk.CSV}, {ID: "x"}, {Labels: "x.npy"}} {
		if _, err := bulk.Open(dir, opt); !errors.Is(err, bulk.ErrOption) {
			t.Errorf("%+v: got %v, want ErrOption", opt, err)
		}
	}
}

// A folder is of recordings where it holds some and no images; where it holds both, the
// format says which are read.
func TestFolderOfRecordings(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, []byte("1"), dir, "a.WAV")
	writeFile(t, []byte("22"), dir, "talks", "b.flac")
	writeFile(t, []byte("333"), dir, "talks", "c.mp3")
	writeFile(t, []byte("no"), dir, "talks", "notes.txt")
	names := func(opt bulk.Options) (format bulk.Format, names []string) {
		t.Helper()
		r, err := bulk.Open(dir, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		rows, bad, err := read(r)
		if err != nil || len(bad) > 0 {
			t.Fatal(bad, err)
		}
		for _, row := range rows {
			names = append(names, row.File)
		}
		if at, total := r.Progress(); at != total {
			t.Errorf("%v: progress %d of %d", opt, at, total)
		}
		return r.Format(), names
	}
	all := []string{"a.WAV", "talks/b.flac", "talks/c.mp3"}
	if format, got := names(bulk.Options{}); format != bulk.Audio || !slices.Equal(got, all) {
		t.Errorf("got %s: %v", format, got)
	}
	writeFile(t, []byte("4444"), dir, "talks", "cover.png")
	if _, err := bulk.Open(dir, bulk.Options{}); !errors.Is(err, bulk.ErrOption) || !strings.Contains(err.Error(), "images and recordings") {
		t.Errorf("both: %v", err)
	}
	if format, got := names(bulk.Options{Format: bulk.Audio}); format != bulk.Audio || !slices.Equal(got, all) {
		t.Errorf("got %s: %v", format, got)
	}
	if format, got := names(bulk.Options{Format: bulk.Images}); format != bulk.Images || !slices.Equal(got, []string{"talks/cover.png"}) {
		t.Errorf("got %s: %v", format, got)
	}
}

// A caller may stop early in any format.
func TestStopEarly(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, []byte("1"), dir, "images", "a.png")
	writeFile(t, []byte("1"), dir, "images", "b.png")
	paths := []string{
		filepath.Join(dir, "images"),
		writeFile(t, []byte("a\n1\n2\n"), dir, "x.csv"),
		writeFile(t, []byte("{}\n{}\n"), dir, "x.jsonl"),
		writeFile(t, npy(t, "|u1", "2, 1", []byte{1, 2}), dir, "x.npy"),
	}
	for _, path := range paths {
		r, err := bulk.Open(path, bulk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for range r.Rows() {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%s: %d rows", path, n)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
