package api

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/latentdb/latentdb/store/bulk/parquet"
)

// Files of all kinds go in and come out, and a temporary file is gone afterwards.
func TestImportAndExportOfFiles(t *testing.T) {
	scratch := t.TempDir()
	t.Setenv("TMPDIR", scratch)
	c := newClient(t, Config{})
	for name, source := range map[string]string{
		"table": `{"kind":"table"}`, "vector": `{"kind":"vector"}`, "image": `{"kind":"image","width":8,"height":8}`, "text": `{"kind":"text"}`,
	} {
		for _, suffix := range []string{"", "2"} {
			c.do("PUT", "/collections/"+name+suffix, `{"latent":{"source":`+source+`}}`).result(nil)
		}
	}
	var pictures bytes.Buffer
	z := zip.NewWriter(&pictures)
	for i := range 3 {
		w, _ := z.Create(fmt.Sprintf("a/%d.png", i))
		data, _ := base64.StdEncoding.DecodeString(picture(t, i))
		_, _ = w.Write(data)
	}
	_ = z.Close()
	put := func(collection, media, data string, want int) {
		t.Helper()
		var got imported
		c.send("POST", "/collections/"+collection+"/import", media, data).result(&got)
		if got.Imported != want || got.Failed > 0 {
			t.Errorf("%s: %+v", collection, got)
		}
	}
	put("table", "text/csv", "id,a,b\n1,2,x\n2,3,y\n", 2)
	put("vector", jsonLines, `{"id":1,"vector":"AACAPwAAAEA="}`+"\n"+`{"id":2,"vector":[3,4]}`, 2)
	put("image", zipFile, pictures.String(), 3)
	put("text", "text/plain", "one\n\ntwo\n", 2)
	get := func(collection, format string) string {
		t.Helper()
		got := c.do("GET", "/collections/"+collection+"/export?format="+format, nil)
		if got.status != 200 {
			t.Fatalf("%s as %s: %d %s", collection, format, got.status, got.body)
		}
		return got.body
	}
	if csv := get("table", "csv"); csv != "id,a,b\n1,2,x\n2,3,y\n" {
		t.Errorf("csv: %q", csv)
	}
	if npy := get("vector", "npy"); !strings.HasPrefix(npy, "\x93NUMPY") || len(npy) != 128+16 {
		t.Errorf("npy: %q", npy)
	}
	for _, name := range []string{"table", "vector", "image", "text"} {
		rows := strings.Count(get(name, "jsonl"), "\n")
		put(name+"2", parquetFile, get(name, "parquet"), rows)
		if got, want := get(name+"2", ""), get(name, ""); got != want {
			t.Errorf("%s: by Parquet\n%s, want\n%s", name, got, want)
		}
	}
	put("image2", zipFile, get("image", "zip"), 3)
	c.do("GET", "/collections/table/export?format=npy", nil).refused(400, "format", "kind vector")
	c.do("GET", "/collections/table/export?format=xml", nil).refused(400, "format", "jsonl, csv")
	c.send("POST", "/collections/image/import", zipFile, "no zip").refused(400, "zip")
	c.send("POST", "/collections/table/import", parquetFile, "PAR1").refused(400, "parquet")
	var got imported
	c.send("POST", "/collections/table/import", zipFile, pictures.String()).result(&got)
	if got.Failed != 3 || !strings.Contains(got.Errors[0].Reason, "got a file, want an object") {
		t.Errorf("pictures into a table: %+v", got)
	}
	c.do("PUT", "/collections/table/points", `{"points":[{"id":9,"record":{"a":1},"payload":{"l":[1]}}]}`).result(nil)
	c.do("GET", "/collections/table/export?format=csv", nil).refused(400, "point 9", "list")
	left, err := filepath.Glob(filepath.Join(scratch, "latentdb-*port-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
