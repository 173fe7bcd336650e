package bulk_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

// read reads all rows: good ones, bad ones, and the error that ended reading.
func read(r *bulk.Reader) (rows []bulk.Row, bad []*bulk.LineError, fatal error) {
	for row, err := range r.Rows() {
		var line *bulk.LineError
		switch {
		case fatal != nil:
			return nil, nil, fmt.Errorf("something came after %w", fatal)
		case err == nil:
			rows = append(rows, row)
		case errors.As(err, &line):
			bad = append(bad, line)
		default:
			fatal = err
		}
	}
	return rows, bad, fatal
}

// readAll reads bytes that must be well-formed.
func readAll(t testing.TB, data []byte, opt bulk.Options) []bulk.Row {
	t.Helper()
	r, err := bulk.NewReader(bytes.NewReader(data), opt)
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := read(r)
	if err != nil || len(bad) > 0 {
		t.Fatalf("%v, %v", err, bad)
	}
	return rows
}

func writeFile(t testing.TB, data []byte, elements ...string) string {
	t.Helper()
	path := filepath.Join(elements...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// fuzz reads bytes whatever they are. Reading ends, and every good row has what
// its format promises.
func fuzz(t *testing.T, data []byte, opt bulk.Options) {
	r, err := bulk.NewReader(bytes.NewReader(data), opt)
	fuzzRows(t, r, err)
}

// fuzzRows reads to the end what could be opened.
func fuzzRows(t *testing.T, r *bulk.Reader, err error) {
	if err != nil {
		if !errors.Is(err, bulk.ErrFile) && !errors.Is(err, bulk.ErrOption) {
			t.Fatal(err)
		}
		return
	}
	rows, _, err := read(r)
	if err != nil && !errors.Is(err, bulk.ErrFile) && !errors.Is(err, bulk.ErrOption) {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Line < 1 || (row.Record == nil) == (row.Vector == nil) {
			t.Fatalf("bad row %+v", row)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
