package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"
)

// colourPicture is a picture that is red all over, in base64.
func colourPicture(t *testing.T, n int) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		img.Set(i%8, i/8, color.RGBA{R: uint8(200 + n), A: 255})
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}

// A bad row among the first ones decides nothing: the others make the source what
// they would have made it without the row.
func TestImportDecidesByGoodRows(t *testing.T) {
	c := newClient(t, Config{})
	load := func(name, source, bad string, good ...string) {
		t.Helper()
		c.do("PUT", "/collections/"+name, `{"latent":{"source":`+source+`}}`).result(nil)
		lines := append([]string{good[0], bad}, good[1:]...)
		var got imported
		c.send("POST", "/collections/"+name+"/import", "application/x-ndjson", strings.Join(lines, "\n")).result(&got)
		if got.Imported != len(good) || got.Failed != 1 || got.Errors[0].Line != 2 {
			t.Errorf("%s: %d imported, %d failed", name, got.Imported, got.Failed)
			return
		}
		if reason := got.Errors[0].Reason; strings.Contains(reason, "points") {
			t.Errorf("%s: the reason names a place in the batch: %s", name, reason)
		}
	}
	holds := func(name string, parts ...string) {
		t.Helper()
		body := c.do("GET", "/collections/"+name, nil).body
		for _, part := range parts {
			if !strings.Contains(body, part) {
				t.Errorf("%s: %s is missing in %s", name, part, body)
			}
		}
	}
	rows := []string{`{"id":1,"record":{"a":1}}`}
	images := []string{`{"id":1,"record":"` + picture(t, 3) + `"}`}
	for i := range 100 {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"record":{"a":%d,"b":%d}}`, i+10, i, 2*i))
		if i < 13 {
			images = append(images, fmt.Sprintf(`{"id":%d,"record":"%s"}`, i+10, colourPicture(t, i)))
		}
	}
	for name, bad := range map[string]string{
		"list":    `{"id":2,"record":{"a":[1]}}`,
		"nested":  `{"id":2,"record":{"a":1},"payload":{"x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`,
		"long-id": `{"id":"` + strings.Repeat("x", 1025) + `","record":{"a":1}}`,
		"text":    `{"id":2,"record":"text"}`,
	} {
		load(name, `{"kind":"table"}`, bad, rows...)
		holds(name, `"name":"a","type":"numeric"`, `"name":"b","type":"numeric"`)
	}
	load("images", `{"kind":"image","width":8,"height":8}`, `{"id":2,"record":"bm8gcGljdHVyZQ=="}`, images...)
	holds("images", `"channels":3`)
}

// A batch that the model refuses without naming a point is taken apart.
func TestImportOfWhatTheModelRefuses(t *testing.T) {
	c := newClient(t, Config{})
	rows := vectors(60, 4, 1)
	for i, row := range rows { // along the diagonal, on which large numbers add up
		for j := range row {
			row[j] = float32(i)/60 + row[j]/1000
		}
	}
	c.fill("v", rows)
	c.do("POST", "/collections/v/fit", `{"dim":2,"encoder":"pca","wait":true}`).result(nil)
	var lines strings.Builder
	for i := range 9 {
		fmt.Fprintf(&lines, `{"id":%d,"vector":[%d,1,1,1]}`+"\n", 100+i, i)
	}
	lines.WriteString(`{"id":109,"vector":[3e38,3e38,3e38,3e38]}`)
	var got imported
	c.send("POST", "/collections/v/import", "application/x-ndjson", lines.String()).result(&got)
	if got.Imported != 9 || got.Failed != 1 || got.Errors[0].Line != 10 || strings.Contains(got.Errors[0].Reason, "points") {
		t.Errorf("imported %+v", got)
	}
}

// A batch is one change, and the first one decides what the source leaves open.
func TestImportBatch(t *testing.T) {
	c := newClient(t, Config{})
	rows := `{"id":1,"a":1}` + "\n" + `{"id":2,"a":2}` + "\n" + `{"id":3,"a":3,"b":4}`
	for batch, want := range map[string]int{"?batch=1": 2, "?batch=2": 2, "?batch=3": 3, "": 3, "?batch=10000": 3} {
		name := "/collections/t" + strings.TrimPrefix(batch, "?batch=")
		c.do("PUT", name, `{"latent":{"source":{"kind":"table"}}}`).result(nil)
		var got imported
		c.send("POST", name+"/import"+batch, "application/x-ndjson", rows).result(&got)
		if got.Imported != want || got.Failed != 3-want {
			t.Errorf("%q: %+v", batch, got)
		}
	}
	for _, bad := range []string{"0", "-1", "10001", "x", ""} {
		c.send("POST", "/collections/t/import?batch="+bad, "text/csv", "a\n1\n").refused(400, "batch", "1 to 10000")
	}
}
