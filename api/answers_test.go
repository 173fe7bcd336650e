package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// fitted is a client with a vector collection "v" of 300 rows, fitted to two
// dimensions; rows 298 and 299 repeat rows 0 and 1.
func fitted(t *testing.T) (*client, [][]float32) {
	c := newClient(t, Config{})
	rows := vectors(300, 6, 12)
	copy(rows[298], rows[0])
	copy(rows[299], rows[1])
	c.fill("v", rows)
	c.do("POST", "/collections/v/fit", `{"dim":2,"encoder":"pca","wait":true}`).result(nil)
	return c, rows
}

func TestEncodeDecode(t *testing.T) {
	c, rows := fitted(t)
	var encoded struct {
		Generation uint64
		Latents    [][]float32
	}
	c.do("POST", "/collections/v/encode", object{"vectors": rows[:3]}).result(&encoded)
	if len(encoded.Latents) != 3 || len(encoded.Latents[0]) != 2 || encoded.Generation == 0 {
		t.Fatalf("encoded: %+v", encoded)
	}
	var again struct{ Latents [][]float32 }
	c.do("POST", "/collections/v/encode", object{"records": rows[:3]}).result(&again)
	if !slices.Equal(again.Latents[2], encoded.Latents[2]) {
		t.Errorf("records encode to %v, vectors to %v", again.Latents[2], encoded.Latents[2])
	}
	var decoded struct{ Vectors [][]float32 }
	c.do("POST", "/collections/v/decode", object{"latents": encoded.Latents}).result(&decoded)
	for i, row := range decoded.Vectors {
		for j := range row {
			// The rows lie on a plane but for noise of 0.05 per dimension.
			if math.Abs(float64(row[j]-rows[i][j])) > 0.5 {
				t.Errorf("row %d came back as %v, was %v", i, row, rows[i])
				break
			}
		}
	}
	for body, want := range map[string]string{
		`{}`:                              "records: is missing or empty",
		`{"vectors":[]}`:                  "vectors: is missing or empty",
		`{"vectors":[[1,2]]}`:             "dimensions",
		`{"vectors":[[1]],"records":[1]}`: "either",
		`{"vecs":[]}`:                     `unknown field "vecs"`,
	} {
		c.do("POST", "/collections/v/encode", body).refused(400, want)
	}
	c.do("POST", "/collections/v/decode", `{}`).refused(400, "latents: is missing")
	c.do("POST", "/collections/v/decode", `{"latents":[[1,2,3]]}`).refused(400)
	c.do("POST", "/collections/v/decode", `{"latents":[[1,"x"]]}`).refused(400, "latents[0][1]")
}

func TestReconstruct(t *testing.T) {
	c, rows := fitted(t)
	var got []struct {
		ID     *int
		Vector []float32
		Error  float64
		Parts  []struct {
			Name  string
			Error float64
		}
	}
	c.do("POST", "/collections/v/points/reconstruct", `{"ids":[3,4]}`).result(&got)
	if len(got) != 2 || got[0].ID == nil || *got[0].ID != 3 || len(got[0].Vector) != 6 || len(got[0].Parts) == 0 || got[0].Error > 0.1 {
		t.Errorf("reconstructed: %+v", got)
	}
	got = nil
	c.do("POST", "/collections/v/points/reconstruct", object{"vectors": rows[:1]}).result(&got)
	if len(got) != 1 || got[0].ID != nil || len(got[0].Vector) != 6 {
		t.Errorf("reconstructed a new one: %+v", got)
	}
	c.do("POST", "/collections/v/points/reconstruct", `{"ids":[3,999]}`).refused(404, "999")
	c.do("POST", "/collections/v/points/reconstruct", `{}`).refused(400, "ids: is missing")
	c.do("POST", "/collections/v/points/reconstruct", `{"ids":[3],"vectors":[[1]]}`).refused(400, "either")
}

func TestOutliers(t *testing.T) {
	c, rows := fitted(t)
	odd := []float32{40, -40, 40, -40, 40, -40}
	c.do("PUT", "/collections/v/points", object{"points": []any{object{"id": 1000, "vector": odd}}}).result(nil)
	var got struct {
		Cut      *float64 `json:"suggested_cut"`
		Outliers []struct {
			ID    int
			Score float64
			Parts []any
		}
	}
	c.do("POST", "/collections/v/points/outliers", `{"limit":5}`).result(&got)
	found := false
	for _, o := range got.Outliers {
		found = found || o.ID == 1000 && len(o.Parts) > 0 && o.Score > *got.Cut
	}
	if len(got.Outliers) != 5 || !found {
		t.Errorf("outliers: %+v", got)
	}
	var scored struct {
		Scores []struct {
			Score   float64
			Outlier *bool
			Nearest []any
		}
	}
	c.do("POST", "/collections/v/points/outliers", object{"vectors": [][]float32{rows[0], odd}}).result(&scored)
	if len(scored.Scores) != 2 || scored.Scores[0].Score >= scored.Scores[1].Score || scored.Scores[1].Outlier == nil {
		t.Errorf("scored: %+v", scored)
	}
	c.do("POST", "/collections/v/points/outliers", `{"limit":0}`).refused(400, "limit: is 0; it must be 1 to 10000")
	c.do("POST", "/collections/v/points/outliers", `{"n":3}`).refused(400, `unknown field "n"`)
	c.do("POST", "/collections/v/points/outliers", `{"limit":1,"vectors":[[1]]}`).refused(400, "limit")
}

func TestWatch(t *testing.T) {
	c := newClient(t, Config{})
	latent := `{"source":{"kind":"vector"},"watch":{"field":"odd","cut":0.9},"auto_fit":{"enabled":false}}`
	c.do("PUT", "/collections/w", `{"latent":`+latent+`}`).result(nil)
	var info struct{ Latent map[string]any }
	c.do("GET", "/collections/w", nil).result(&info)
	if fmt.Sprint(info.Latent["watch"]) != "map[cut:0.9 field:odd]" {
		t.Errorf("described as %v", info.Latent)
	}
	again, _ := json.Marshal(object{"latent": object{"source": info.Latent["source"], "watch": info.Latent["watch"]}})
	c.do("PUT", "/collections/again", string(again)).result(nil)
	c.do("PUT", "/collections/w/index", `{"field_name":"odd.outlier","field_schema":"bool"}`).result(nil)
	c.do("PUT", "/collections/w/points", object{"points": numberedPoints(vectors(150, 6, 3))}).result(nil)
	c.do("PUT", "/collections/w/points", object{"points": []any{object{"id": 1000, "vector": []float32{40, -40, 40, -40, 40, -40}, "payload": object{"odd": "no", "a": 1}}}}).result(nil)
	var found struct {
		Points []struct {
			ID      int
			Payload map[string]any
		}
	}
	c.do("POST", "/collections/w/points/scroll", `{"filter":{"must":[{"key":"odd.outlier","match":{"value":true}},{"key":"odd.score","range":{"gt":0.9}}]},"with_payload":true}`).result(&found)
	if len(found.Points) != 1 || found.Points[0].ID != 1000 || found.Points[0].Payload["a"] != 1.0 {
		t.Errorf("marked: %+v", found)
	}
}

func numberedPoints(rows [][]float32) (points []any) {
	for i, row := range rows {
		points = append(points, object{"id": i, "vector": row})
	}
	return points
}

func TestDuplicates(t *testing.T) {
	c, _ := fitted(t)
	var got struct {
		Threshold float64
		Points    int
		Groups    []struct {
			IDs   []int
			Keep  int
			Exact bool
			Pairs []struct{ A, B int }
		}
	}
	c.do("POST", "/collections/v/points/duplicates", `{"threshold":0}`).result(&got)
	if len(got.Groups) != 2 || got.Points != 300 || !got.Groups[0].Exact || len(got.Groups[0].Pairs) != 1 {
		t.Fatalf("duplicates: %+v", got)
	}
	count := func() any {
		return c.do("POST", "/collections/v/points/count", nil).value().(map[string]any)["count"]
	}
	var undo uint64
	for _, dry := range []bool{true, false} {
		var removed struct {
			DryRun  bool `json:"dry_run"`
			Removed []struct{ ID, Kept int }
			Undo    uint64
		}
		c.do("POST", "/collections/v/points/deduplicate", object{"threshold": 0, "dry_run": dry}).result(&removed)
		if removed.DryRun != dry || len(removed.Removed) != 2 || removed.Removed[0].ID < 298 || removed.Removed[0].Kept > 1 {
			t.Errorf("removed: %+v", removed)
		}
		if want := map[bool]any{true: 300.0, false: 298.0}[dry]; count() != want {
			t.Errorf("dry run %v leaves %v points, want %v", dry, count(), want)
		}
		if (removed.Undo == 0) != dry {
			t.Errorf("dry run %v answers undo %d", dry, removed.Undo)
		}
		undo = removed.Undo
	}
	c.do("POST", "/collections/v/points/deduplicate/undo", object{"undo": undo + 1}).refused(404, "undo")
	c.do("PUT", "/collections/v/points", object{"points": []any{object{"id": 299, "vector": []float32{9, 9, 9, 9, 9, 9}}}}).result(nil)
	var undone struct {
		Undo              uint64
		Restored, Skipped []int
	}
	c.do("POST", "/collections/v/points/deduplicate/undo", object{"undo": undo}).result(&undone)
	if undone.Undo != undo || !slices.Equal(undone.Restored, []int{298}) || !slices.Equal(undone.Skipped, []int{299}) || count() != 300.0 {
		t.Errorf("undone: %+v", undone)
	}
	c.do("POST", "/collections/v/points/deduplicate/undo", object{"undo": undo}).refused(404, "undo")
	for body, want := range map[string]string{
		`{}`: "undo: is missing", `{"undo":-1}`: "undo", `{"undo":"a"}`: "undo", `{"undo":1,"n":2}`: `unknown field "n"`,
	} {
		c.do("POST", "/collections/v/points/deduplicate/undo", body).refused(400, want)
	}
	var forgone map[string]any
	c.do("POST", "/collections/v/points/deduplicate", `{"threshold":0,"undo":false}`).result(&forgone)
	if removed, _ := forgone["removed"].([]any); len(removed) != 1 || forgone["undo"] != nil {
		t.Errorf("without an undo: %v", forgone)
	}
	for body, want := range map[string]string{
		`{"limit":0}`:          "limit",
		`{"keep":"best"}`:      "keep",
		`{"keep":{"min":"a"}}`: `unknown field "min"`,
		`{"keep":{"max":""}}`:  "keep",
		`{"between":{}}`:       "between",
		`{"threshold":-1}`:     "threshold",
		`{"thresh":1}`:         `unknown field "thresh"`,
		`{"threshold":"a"}`:    "threshold: must be a number",
	} {
		c.do("POST", "/collections/v/points/duplicates", body).refused(400, want)
		c.do("POST", "/collections/v/points/deduplicate", body).refused(400, want)
	}
}

func TestPairScores(t *testing.T) {
	c, _ := fitted(t)
	type scores struct {
		Method    string
		Threshold float64
		Pairs     []struct {
			A, B     int
			Distance float64
			Exact    bool
			Fields   []struct {
				Name       string
				Similarity float64
			}
		}
	}
	var got scores
	c.do("POST", "/collections/v/points/pairs", `{"pairs":[[0,298],[298,0],[0,1]],"threshold":0.5}`).result(&got)
	if len(got.Pairs) != 3 || !got.Pairs[0].Exact || got.Pairs[1].A != 298 || got.Pairs[2].Exact || got.Pairs[2].Distance == 0 || got.Method != "input" || got.Threshold != 0.5 {
		t.Errorf("scored: %+v", got)
	}
	c.do("PUT", "/collections/people", `{"latent":{"source":{"kind":"table"},"auto_fit":{"enabled":false}}}`).result(nil)
	var points []any
	for i := range 60 {
		name := fmt.Sprintf("person%d of town%d", i%40, (i%40)*7)
		points = append(points, object{"id": i, "record": object{"name": name, "age": i % 40}})
	}
	c.do("PUT", "/collections/people/points", object{"points": points}).result(nil)
	got = scores{}
	c.do("POST", "/collections/people/points/pairs", `{"pairs":[[3,43],[3,4]]}`).result(&got)
	if got.Method != "fields" || len(got.Pairs) != 2 || len(got.Pairs[0].Fields) != 2 || got.Pairs[0].Fields[1].Similarity != 1 || got.Pairs[1].Distance <= got.Pairs[0].Distance {
		t.Errorf("scored: %+v", got)
	}
	for body, want := range map[string]string{
		`{}`:                               "pairs: is missing or empty",
		`{"pairs":[]}`:                     "pairs: is missing or empty",
		`{"pairs":[[1]]}`:                  "pairs[0]: must be two ids",
		`{"pairs":[[1,2],[1,2,3]]}`:        "pairs[1]: must be two ids",
		`{"pairs":[[1,null]]}`:             "pairs[0][1]: is missing",
		`{"pairs":[[1,{}]]}`:               "pairs[0][1]",
		`{"pairs":[[1,2]],"threshold":-1}`: "threshold",
		`{"pairs":[[1,2]],"between":{}}`:   "between",
		`{"pairs":[[1,2]],"limit":1}`:      `unknown field "limit"`,
		`{"pairs":[` + strings.Repeat("[1,2],", 100_000) + `[1,2]]}`: "pairs: are 100001; the limit is 100000",
	} {
		c.do("POST", "/collections/v/points/pairs", body).refused(400, want)
	}
	c.do("POST", "/collections/v/points/pairs", `{"pairs":[[1,2],[1,999]]}`).refused(404, "999")
}

// Samples of a wide table take a minute to learn from, and a client that asks again would
// wait as long.
func TestSampleHasNoTimeout(t *testing.T) {
	c, _ := fitted(t)
	c.handler = New(c.db, Config{Timeout: time.Nanosecond}).Handler()
	c.do("POST", "/collections/v/points/reconstruct", `{"ids":[1]}`).refused(504, "longer")
	var got struct{ Vectors [][]float32 }
	if c.do("POST", "/collections/v/points/sample", `{"n":3}`).result(&got); len(got.Vectors) != 3 {
		t.Errorf("%d samples", len(got.Vectors))
	}
}

func TestSample(t *testing.T) {
	c, _ := fitted(t)
	type samples struct {
		Generation uint64
		Vectors    [][]float32
		Privacy    map[string]float64
	}
	var got, again, like samples
	c.do("POST", "/collections/v/points/sample", `{"n":3,"seed":5}`).result(&got)
	c.do("POST", "/collections/v/points/sample", `{"n":3,"seed":5}`).result(&again)
	if len(got.Vectors) != 3 || len(got.Vectors[0]) != 6 || len(got.Privacy) != 4 || !slices.Equal(got.Vectors[2], again.Vectors[2]) {
		t.Errorf("samples: %+v and %+v", got, again)
	}
	c.do("POST", "/collections/v/points/sample", object{"n": 2, "like": object{"must": object{"key": "group", "match": object{"value": 1}}}}).result(&like)
	c.do("POST", "/collections/v/points/sample", object{"n": 2, "like": []int{1, 4, 7, 10, 13, 16, 19, 22}}).result(&like)
	for body, want := range map[string]string{
		`{}`:                         "n: is missing",
		`{"n":0}`:                    "n: is 0; it must be 1 to 10000",
		`{"n":10001}`:                "n: is 10001",
		`{"n":1,"like":{"ids":[1]}}`: "ids",
		`{"n":1,"like":[]}`:          "like: is empty",
		`{"n":1,"like":[null]}`:      "like[0]",
		`{"n":1,"like":3}`:           "like",
		`{"n":1,"temperature":3}`:    "temperature",
	} {
		c.do("POST", "/collections/v/points/sample", body).refused(400, want)
	}
}

// picture is a PNG of a bar whose place depends on n.
func picture(t *testing.T, n int) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	for y := range 8 {
		img.SetGray(n%8, y, color.Gray{Y: uint8(200 + n%50)})
		img.SetGray(y, n/8%8, color.Gray{Y: uint8(100 + n%90)})
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}

func TestImageCollection(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/i", `{"latent":{"source":{"kind":"image","width":8,"height":8,"channels":1},"dim":4}}`).result(nil)
	points := make([]object, 64)
	for i := range points {
		points[i] = object{"id": i, "record": picture(t, i)}
	}
	c.do("PUT", "/collections/i/points", object{"points": points}).result(nil)
	var read []hit
	c.do("POST", "/collections/i/points", `{"ids":[5],"with_record":true}`).result(&read)
	if len(read) != 1 || read[0].Record == nil {
		t.Fatalf("read: %+v", read)
	}
	if _, err := base64.StdEncoding.DecodeString(read[0].Record.(string)); err != nil {
		t.Errorf("record is not base64: %v", err)
	}
	var described struct {
		Config struct {
			Params struct{ Vectors struct{ Size int } }
		}
	}
	c.do("GET", "/collections/i", nil).result(&described)
	if described.Config.Params.Vectors.Size != 64 {
		t.Errorf("size of the input: %d, want 64", described.Config.Params.Vectors.Size)
	}
	for _, fit := range []bool{false, true} {
		if fit {
			c.do("POST", "/collections/i/fit", `{"encoder":"pca","wait":true}`).result(nil)
		}
		var found struct{ Points []hit }
		c.do("POST", "/collections/i/points/query", object{"query": object{"record": picture(t, 9)}, "limit": 1}).result(&found)
		if ids := idsOf(found.Points); !slices.Equal(ids, []int{9}) {
			t.Errorf("fitted %v: nearest to picture 9: %v", fit, ids)
		}
	}
	var back []struct{ Record string }
	c.do("POST", "/collections/i/points/reconstruct", `{"ids":[5]}`).result(&back)
	data, err := base64.StdEncoding.DecodeString(back[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(bytes.NewReader(data)); err != nil || img.Bounds().Dx() != 8 {
		t.Errorf("reconstructed picture: %v %v", img, err)
	}
	put := func(record string) answer {
		return c.do("PUT", "/collections/i/points", object{"points": []any{object{"id": 0, "record": picture(t, 0)}, object{"id": 1, "record": record}}})
	}
	put("?!").refused(400, "points[1].record: is not base64")
	put("AAAA").refused(400, "points[1]")
	c.do("PUT", "/collections/i/points", `{"points":[{"id":1,"record":{"a":1}}]}`).refused(400, "points[0].record: got an object, want a base64 string (encoded image)")
	c.do("PUT", "/collections/i/points", `{"points":[{"id":1,"vector":[1,2]}]}`).refused(400)
	c.do("POST", "/collections/i/encode", `{"vectors":[[1]]}`).refused(400, "vectors", "image")
	c.do("POST", "/collections/i/points/query", `{"query":{"record":"?!"}}`).refused(400, "query.record: is not base64")
}

func TestTableCollection(t *testing.T) {
	c := newClient(t, Config{})
	c.do("PUT", "/collections/t", `{"latent":{"source":{"kind":"table","columns":[{"name":"x","type":"numeric"},{"name":"k","type":"categorical"}]}}}`).result(nil)
	points := make([]object, 30)
	for i := range points {
		points[i] = object{"id": i, "record": object{"x": i, "k": string(rune('a' + i%2))}}
	}
	c.do("PUT", "/collections/t/points", object{"points": points}).result(nil)
	var read []hit
	c.do("POST", "/collections/t/points", `{"ids":[5],"with_record":true}`).result(&read)
	if r, ok := read[0].Record.(map[string]any); !ok || r["x"] != 5.0 || r["k"] != "b" {
		t.Errorf("record: %v", read[0].Record)
	}
	c.do("PUT", "/collections/t/points", `{"points":[{"id":1,"record":{"x":"many","k":"a"}}]}`).refused(400, "points[0]", "x")
	c.do("PUT", "/collections/t/points", `{"points":[{"id":1,"record":{"y":1}}]}`).refused(400, "y")
	c.do("PUT", "/collections/t/points", `{"points":[{"id":1,"record":{"x":1e400}}]}`).refused(400, "points[0].record.x")
	c.do("PUT", "/collections/t/points", `{"points":[{"id":1,"record":"text"}]}`).refused(400, "points[0]")
}
