package bulk_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/latentdb/latentdb/embed/source/cells"
	"github.com/latentdb/latentdb/store/bulk"
	"pgregory.net/rapid"
)

// byLibrary reads a CSV of text as encoding/csv does, a line of text for each record.
func byLibrary(file string) (shown []string) {
	in := csv.NewReader(strings.NewReader(file))
	in.FieldsPerRecord = -1
	header, _ := in.Read()
	for {
		fields, err := in.Read()
		var parse *csv.ParseError
		switch {
		case err == io.EOF:
			return shown
		case errors.As(err, &parse):
			shown = append(shown, (&bulk.LineError{Line: parse.StartLine, Reason: parse.Err.Error()}).Error())
			continue
		}
		line, _ := in.FieldPos(0)
		switch at := notUTF8(fields); {
		case len(fields) != len(header):
			shown = append(shown, fmt.Sprintf("bulk: line %d: %d fields, the header has %d", line, len(fields), len(header)))
		case at >= 0:
			shown = append(shown, fmt.Sprintf("bulk: line %d: column %q is not UTF-8", line, header[at]))
		default:
			record := map[string]any{}
			for i, name := range header {
				if record[name] = nil; fields[i] != "" {
					record[name] = fields[i]
				}
			}
			shown = append(shown, fmt.Sprintf("%d %#v", line, record))
		}
	}
}

func notUTF8(fields []string) int {
	for i, field := range fields {
		if !utf8.ValidString(field) {
			return i
		}
	}
	return -1
}

// Records are those of encoding/csv, however the file's bytes arrive.
func TestCSVIsThatOfTheLibrary(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "bc", ",", ",", ",", "\n", "\n", "\r\n", "\r", "\"", "\"\"", "\",\"", "\"x\ny\"", " ", "é", "\xff", "\xc3", "\xa9",
		strings.Repeat("long", 20_000)})
	rapid.Check(t, func(t *rapid.T) {
		file := "a,b\n" + strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(t, "file"), "")
		var in io.Reader = strings.NewReader(file)
		if rapid.IntRange(0, 4).Draw(t, "slow") == 0 {
			in = iotest.OneByteReader(in)
		}
		r, err := bulk.NewReader(in, bulk.Options{Format: bulk.CSV, Text: []string{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for row, err := range r.Rows() {
			if err != nil {
				got = append(got, err.Error())
			} else {
				got = append(got, fmt.Sprintf("%d %#v", row.Line, row.Record))
			}
		}
		if want := byLibrary(file); !reflect.DeepEqual(got, want) {
			t.Fatalf("%.200q: got\n%.2000s\nwant\n%.2000s", file, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Rows of cells hold what maps hold, whatever is in their file.
func TestCSVCells(t *testing.T) {
	cell := rapid.SampledFrom([]string{"", "1", " 2 ", "3.50", "1e3", "true", "FALSE", "NA", "x", "\"a,\nb\"", "inf", "007", " "})
	rapid.Check(t, func(t *rapid.T) {
		file := "id,n,b,t,p\n"
		for range rapid.IntRange(1, 8).Draw(t, "rows") {
			file += strings.Join(rapid.SliceOfN(cell, 5, 5).Draw(t, "row"), ",") + "\n"
		}
		opt := bulk.Options{Format: bulk.CSV, Payload: []string{"p"}, ID: rapid.SampledFrom([]string{"", "id"}).Draw(t, "id")}
		all := func(opt bulk.Options) (shown []bulk.Row, bad []string) {
			r, err := bulk.NewReader(strings.NewReader(file), opt)
			if err != nil {
				t.Fatal(err)
			}
			for row, err := range r.Rows() {
				if err != nil {
					bad = append(bad, err.Error())
				} else if record, ok := row.Columns(); ok {
					if _, isCells := row.Record.(*cells.Row); isCells != opt.Cells {
						t.Fatalf("a %T", row.Record)
					}
					row.Record = record
					shown = append(shown, row)
				}
			}
			return shown, bad
		}
		want, wantBad := all(opt)
		opt.Cells = true
		if got, bad := all(opt); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(bad, wantBad) {
			t.Fatalf("got  %v, %v\nwant %v, %v", got, bad, want, wantBad)
		}
	})
}
