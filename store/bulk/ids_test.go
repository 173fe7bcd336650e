package bulk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/store/bulk"
)

var errHeld = errors.New("points are there")

// given reads files as one import and shows each row's id, or why it has none.
func given(t *testing.T, ids *bulk.IDs, opt bulk.Options, files ...string) (shown []string) {
	t.Helper()
	for _, file := range files {
		r, err := bulk.NewReader(strings.NewReader(file), opt)
		if err != nil {
			t.Fatal(err)
		}
		for row, err := range ids.Rows(r.Rows()) {
			switch columns, _ := row.Columns(); {
			case err != nil:
				shown = append(shown, err.Error())
			case columns["id"] != nil:
				t.Errorf("the id is still in the record %v", columns)
			default:
				shown = append(shown, fmt.Sprintf("%T %v", row.ID, row.ID))
			}
		}
	}
	return shown
}

// An id that cannot be one, or is missing where others have one, is an error of
// its row: it never becomes a number, which another row may have.
func TestIDs(t *testing.T) {
	free := func() error { return nil }
	held := func() error { return errHeld }
	for name, test := range map[string]struct {
		ids   bulk.IDs
		files []string
		want  []string
	}{
		"bad ones": {bulk.IDs{Unnamed: held}, []string{"id,a\n-1,2\n0,3\n1.5,4\n3.0,5\n5,4\n"}, []string{
			"bulk: line 2: id: -1 is neither a whole number from 0 on nor text", "uint64 0",
			"bulk: line 4: id: 1.5 is neither a whole number from 0 on nor text", "uint64 3", "uint64 5"}},
		"empty ones": {bulk.IDs{Unnamed: held}, []string{"id,a\n,2\n7,3\n,4\n"}, []string{
			"bulk: line 2: id: is empty", "uint64 7", "bulk: line 4: id: is missing, while rows before have one"}},
		"text": {bulk.IDs{Unnamed: held}, []string{"id,a\nx,2\n7,3\n"}, []string{"string x", "string 7"}},
		"none": {bulk.IDs{First: 1, Unnamed: free}, []string{"a,b\n1,2\n3\n5,6\n"}, []string{
			"uint64 1", "bulk: line 3: 1 fields, the header has 2", "uint64 3"}},
		"none, into points": {bulk.IDs{Unnamed: held}, []string{"a\n1\n2\n"}, []string{errHeld.Error()}},
		"none, two files": {bulk.IDs{First: 10, Unnamed: free}, []string{"a\n1\n2\n", "a\n3\n"}, []string{
			"uint64 10", "uint64 11", "uint64 12"}},
		"none, then some": {bulk.IDs{Unnamed: free}, []string{"a\n1\n", "id,a\n0,3\n"}, []string{
			"uint64 0", "bulk: line 2: id: is there, while rows before have none and are numbered"}},
		"some, then none": {bulk.IDs{Unnamed: held}, []string{"id,a\n0,3\n", "a\n1\n"}, []string{
			"uint64 0", "bulk: line 2: id: is missing, while rows before have one"}},
		"numbers asked for": {bulk.IDs{First: 20}, []string{"id,a\n,6\n21,5\n"}, []string{
			"uint64 20", "bulk: line 3: id: is there, while rows before have none and are numbered"}},
		"the last number": {bulk.IDs{First: bulk.MaxFirstID}, []string{"a\n1\n2\n"}, []string{
			"uint64 9223372036854775807", "uint64 9223372036854775808"}},
	} {
		for _, asCells := range []bool{false, true} {
			ids := test.ids
			if got := given(t, &ids, bulk.Options{Format: bulk.CSV, Cells: asCells}, test.files...); !slices.Equal(got, test.want) {
				t.Errorf("%s: got  %q\nwant %q", name, got, test.want)
			}
		}
	}
	got := given(t, &bulk.IDs{}, bulk.Options{Format: bulk.JSONL}, `{"id":18446744073709551615,"a":1}`+"\n"+
		`{"id":18446744073709551616,"a":1}`+"\n"+`{"id":true,"a":1}`+"\n"+`{"id":"","a":1}`)
	want := []string{"uint64 18446744073709551615",
		"bulk: line 2: id: 18446744073709551616 is neither a whole number from 0 on nor text",
		"bulk: line 3: id: true is neither a whole number from 0 on nor text",
		"bulk: line 4: id: is missing, while rows before have one"}
	if !slices.Equal(got, want) {
		t.Errorf("JSON: got  %q\nwant %q", got, want)
	}
}

// Whoever reads rows may stop at any.
func TestIDsStopEarly(t *testing.T) {
	r, err := bulk.NewReader(strings.NewReader("id\n-1\n2\n"), bulk.Options{Format: bulk.CSV})
	if err != nil {
		t.Fatal(err)
	}
	for range new(bulk.IDs).Rows(r.Rows()) {
		break
	}
}
