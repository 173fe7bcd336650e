package api

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

type imported struct {
	Imported, Failed int
	Errors           []struct {
		Line   int
		Reason string
	}
}

func TestImportJSONLAndExport(t *testing.T) {
	// The body limit does not bind a stream.
	c := newClient(t, Config{MaxBody: 500})
	for _, name := range []string{"v", "w"} {
		c.do("PUT", "/collections/"+name, `{"vectors":{"size":2,"distance":"Euclid"}}`).result(nil)
	}
	var lines strings.Builder
	for i := range 1203 {
		switch i {
		case 7:
			lines.WriteString("{not json\n")
		case 600:
			lines.WriteString(`{"id":600,"vector":[1,2,3]}` + "\n")
		case 601:
			lines.WriteString(`{"id":-1,"vector":[1,2]}` + "\n")
		default:
			fmt.Fprintf(&lines, `{"id":%d,"vector":[%d,1],"payload":{"n":%d}}`+"\n", i, i, i)
		}
	}
	var got imported
	c.send("POST", "/collections/v/import", "application/x-ndjson; charset=utf-8", lines.String()).result(&got)
	var failed []int
	for _, e := range got.Errors {
		failed = append(failed, e.Line)
		if e.Reason == "" {
			t.Errorf("line %d failed without a reason", e.Line)
		}
	}
	if got.Imported != 1200 || got.Failed != 3 || !slices.Equal(failed, []int{8, 601, 602}) {
		t.Errorf("imported %+v", got)
	}
	exported := c.do("GET", "/collections/v/export", nil)
	if exported.status != 200 || exported.header.Get("Content-Type") != "application/x-ndjson" || strings.Count(exported.body, "\n") != 1200 {
		t.Fatalf("export: %d, %d lines", exported.status, strings.Count(exported.body, "\n"))
	}
	c.send("POST", "/collections/w/import", "application/x-ndjson", exported.body).result(&got)
	if again := c.do("GET", "/collections/w/export", nil); got.Imported != 1200 || again.body != exported.body {
		t.Errorf("what was exported, imported and exported again differs")
	}
}

func TestImportCSV(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/t", `{"latent":{"source":{"kind":"table"}}}`).result(nil)
	var got imported
	c.send("POST", "/collections/t/import?payload=label", "text/csv", "id,x,k,label\na7,1,red,yes\nb8,2,blue,no\n").result(&got)
	if got.Imported != 2 {
		t.Fatalf("imported %+v", got)
	}
	body := c.do("POST", "/collections/t/points", `{"ids":["a7"],"with_record":true}`).body
	if !strings.HasPrefix(body, `{"result":[{"id":"a7","payload":{"label":"yes"},"record":{"k":"red","x":1}}]`) {
		t.Errorf("imported point: %s", body)
	}
	c.send("POST", "/collections/t/import?id=x&payload=label", "text/csv", "x,k,label\n5,red,yes\n").result(&got)
	c.send("POST", "/collections/t/import?first_id=40", "text/csv", "x,k\n3,red\n4,blue\n").result(&got)
	var count struct{ Count int }
	c.do("POST", "/collections/t/points/count", nil).result(&count)
	if count.Count != 5 {
		t.Errorf("after rows with ids of three kinds there are %d points, want 5", count.Count)
	}
	c.do("GET", "/collections/t/points/41", nil).result(nil) // the second row of the last file
}

// Rows without ids replace nothing unless they are told their numbers.
func TestImportOfNumberedRows(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/t", `{"latent":{"source":{"kind":"table"}}}`).result(nil)
	const rows = "x,k\n3,red\n4,blue\n"
	load := func(query, rows string) answer {
		return c.send("POST", "/collections/t/import"+query, "text/csv", rows)
	}
	ids := func(want ...uint64) {
		t.Helper()
		var page struct{ Points []struct{ ID uint64 } }
		c.do("POST", "/collections/t/points/scroll", nil).result(&page)
		var got []uint64
		for _, p := range page.Points {
			got = append(got, p.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the points are %v, want %v", got, want)
		}
	}
	load("", rows).result(nil)
	ids(1, 2)
	load("", rows).refused(400, "2 points", "?id=", "?first_id=")
	for _, bad := range []string{"-1", "x", "1.5", "9223372036854775808", "%20"} {
		load("?first_id="+bad, rows).refused(400, "first_id", "0 to 9223372036854775807")
	}
	load("?first_id=2&id=x", rows).refused(400, "first_id", "id")
	ids(1, 2)
	load("?first_id=2", rows).result(nil)
	ids(1, 2, 3)
	load("?id=x", "x,k\n7,red\n8,blue\n").result(nil)
	ids(1, 2, 3, 7, 8)

	// Nor do they replace what the same file brings.
	for query, lines := range map[string]string{"": "id,x\n2,5\n,6\n", "?first_id=20": "id,x\n,6\n20,5\n"} {
		var got imported
		load(query, lines).result(&got)
		if got.Imported != 1 || got.Failed != 1 || got.Errors[0].Line != 3 || !strings.HasPrefix(got.Errors[0].Reason, "id: ") {
			t.Errorf("%q: %+v", query, got)
		}
	}
}

func TestStalledImport(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/v", `{"vectors":{"size":2,"distance":"Euclid"}}`).result(nil)
	req := httptest.NewRequest("POST", "/collections/v/import", io.MultiReader(
		strings.NewReader(`{"id":1,"vector":[1,2]}`+"\n"+`{"id":2,`), iotest.ErrReader(os.ErrDeadlineExceeded)))
	req.Header.Set("Content-Type", "application/x-ndjson")
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, req)
	answer{t, "stalled import", w.Code, w.Header(), w.Body.String()}.refused(408, "too long")
	c.do("GET", "/collections/v/points/1", nil).result(nil)
}

func TestImportRefusals(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/t", `{"latent":{"source":{"kind":"table"}}}`).result(nil)
	c.send("POST", "/collections/t/import", "application/x-www-form-urlencoded", "x").refused(415, "application/x-ndjson", "text/csv")
	c.send("POST", "/collections/t/import?id=zzz", "text/csv", "a,b\n1,2\n").refused(400, "zzz")
	c.send("POST", "/collections/t/import", "text/csv", "").refused(400, "header")
	c.send("POST", "/collections/none/import", "text/csv", "a\n1\n").refused(404, "none")
	c.do("GET", "/collections/none/export", nil).refused(404, "none")

	c.do("PUT", "/collections/i", `{"latent":{"source":{"kind":"image","width":8,"height":8}}}`).result(nil)
	var got imported
	c.send("POST", "/collections/i/import", "application/x-ndjson",
		`{"id":1,"record":"?!"}`+"\n"+`{"id":2,"record":"`+picture(t, 3)+`"}`).result(&got)
	if got.Imported != 1 || got.Failed != 1 || got.Errors[0].Line != 1 || !strings.Contains(got.Errors[0].Reason, "base64") {
		t.Errorf("images: %+v", got)
	}
}
