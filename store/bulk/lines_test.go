package bulk_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

func TestLines(t *testing.T) {
	r, err := bulk.NewReader(strings.NewReader("\ufefffirst, \"line\"\r\n\n  \nnot\xffUTF-8\n{third}"), bulk.Options{Format: bulk.Lines})
	if err != nil {
		t.Fatal(err)
	}
	rows, bad, err := read(r)
	want := []bulk.Row{{Line: 1, Record: `first, "line"`}, {Line: 5, Record: "{third}"}}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %+v, %v, want %+v", rows, err, want)
	}
	if len(bad) != 1 || bad[0].Line != 4 {
		t.Errorf("bad lines %v, want line 4", bad)
	}
	if _, err := bulk.NewReader(strings.NewReader("a"), bulk.Options{Format: bulk.Lines, ID: "id"}); !errors.Is(err, bulk.ErrOption) {
		t.Errorf("an id column: error %v, want ErrOption", err)
	}
}

func TestRowAlone(t *testing.T) {
	row := bulk.Row{Line: 3, Record: map[string]any{"text": "a dog", "n": int64(1), "none": nil}, Payload: map[string]any{"m": 2}}
	got, err := row.Alone("text")
	want := bulk.Row{Line: 3, Record: "a dog", Payload: map[string]any{"m": 2, "n": int64(1)}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	var bad *bulk.LineError
	for _, column := range []string{"none", "n", "missing"} {
		if _, err := row.Alone(column); !errors.As(err, &bad) || bad.Line != 3 {
			t.Errorf("%s: error %v, want one of line 3", column, err)
		}
	}
	if got, err := (bulk.Row{Record: "whole"}).Alone("text"); err != nil || got.Record != "whole" {
		t.Errorf("a record without columns: %v, %v", got, err)
	}
}
