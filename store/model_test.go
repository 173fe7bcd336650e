package store

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// modelWidth is the size of the vectors of the model-based test.
const modelWidth = 4

// modelIDs are the ids it writes, in scroll's order.
var modelIDs = []ID{
	NumID(0), NumID(1), NumID(2), NumID(255), NumID(256), NumID(math.MaxUint64), UUID([16]byte{1}), UUID([16]byte{1, 2}),
	StringID("0"), StringID("1"), StringID("10"), StringID("2"), StringID("é"), StringID("\U0001F600"),
}

type modelPoint struct {
	vector  []float32
	payload Payload
}

// machine is a collection beside the map it should equal.
type machine struct {
	dir    string
	opts   *Options
	metric Metric
	db     *DB
	c      *Collection
	points map[ID]modelPoint
	// drops tells that the collection gives its records up.
	drops bool
	// undo is the last deduplication that removed anything and can be undone, and removed
	// what it took out.
	undo    uint64
	removed map[ID]modelPoint
}

// TestModel carries out random operations under random options on a collection
// and on a map, and compares every answer.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		withMachine(t, func(m *machine) map[string]func(*rapid.T) {
			return map[string]func(*rapid.T){
				"upsert": m.upsert, "delete": m.delete, "deleteWhere": m.deleteWhere, "payload": m.payload,
				"copy": m.copy, "deduplicate": m.deduplicate, "undo": m.undoDeduplicate,
				"index": m.index, "dropIndex": m.dropIndex,
				"get": m.get, "scroll": m.scroll, "count": m.count, "exact": m.searchExact, "search": m.search,
				"fit": m.fit, "shed": m.shed, "activate": m.activate, "reopen": m.reopen, "reopenRebuilt": m.reopenRebuilt,
			}
		})
	})
}

// withMachine repeats actions of a new machine, and checks the database it leaves.
func withMachine(t *rapid.T, actions func(m *machine) map[string]func(*rapid.T)) {
	dir, err := os.MkdirTemp("", "latentdb-model-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	m := &machine{
		dir: dir, metric: rapid.SampledFrom([]Metric{Euclid, Cosine, Dot, Manhattan}).Draw(t, "metric"),
		opts:   &Options{NoAutoFit: rapid.Bool().Draw(t, "no auto fit"), Workers: 2, SnapshotEvery: rapid.IntRange(1, 40).Draw(t, "snapshot every")},
		points: make(map[ID]modelPoint), drops: rapid.Bool().Draw(t, "drops"),
	}
	m.opts.NoAutoFit = m.opts.NoAutoFit || m.drops // or points may turn to decoded ones as they are compared
	m.open(t)
	defer func() { _ = m.db.Close() }() // closed already, unless the test failed
	cfg := Config{
		Source: source.Vector{}, Metric: m.metric, Dim: 2,
		Engine:  rapid.SampledFrom([]string{EngineAuto, EngineHNSW, EngineCells, EngineFlat, EngineCoder}).Draw(t, "engine"),
		Rows:    rapid.SampledFrom([]string{RowsMemory, RowsDisk}).Draw(t, "rows"),
		AutoFit: AutoFit{MinPoints: 8}, DropOriginals: m.drops,
	}
	if m.drops {
		cfg.Encoder = embed.PCA
	}
	if m.c, err = m.db.CreateCollection(ctx, "model", cfg); err != nil {
		t.Fatal(err)
	}
	t.Repeat(actions(m))
	m.close(t)
}

func (m *machine) open(t *rapid.T) {
	var err error
	if m.db, err = Open(m.dir, m.opts); err != nil {
		t.Fatal(err)
	}
	if len(m.db.Collections()) > 0 {
		if m.c, err = m.db.Collection("model"); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *machine) close(t *rapid.T) {
	mustCheck(t, m.db)
	if err := m.db.Close(); err != nil {
		t.Fatal(err)
	}
}

func drawVector(t *rapid.T) []float32 {
	return rapid.SliceOfN(rapid.Map(rapid.IntRange(-4, 4), func(i int) float32 { return float32(i) / 2 }), modelWidth, modelWidth).Draw(t, "vector")
}

func drawIDs(t *rapid.T) []ID {
	return rapid.SliceOfN(rapid.SampledFrom(modelIDs), 1, 5).Draw(t, "ids")
}

func (m *machine) upsert(t *rapid.T) {
	var points []Point
	for _, id := range drawIDs(t) {
		points = append(points, Point{ID: id, Vector: drawVector(t), Payload: drawPayload(t)})
	}
	if err := m.c.Upsert(ctx, points...); err != nil {
		t.Fatal(err)
	}
	for _, p := range points {
		m.points[p.ID] = modelPoint{p.Vector, p.Payload}
	}
}

func (m *machine) delete(t *rapid.T) {
	ids := drawIDs(t)
	want := len(m.points)
	for _, id := range ids {
		delete(m.points, id)
	}
	if n, err := m.c.Delete(ctx, ids...); err != nil || n != want-len(m.points) {
		t.Fatalf("deleted %d, %v, want %d", n, err, want-len(m.points))
	}
}

// matching are the ids that a filter's twin selects, in scroll's order.
func (m *machine) matching(holds func(ID, map[string]any) bool) []ID {
	out := []ID{}
	for _, id := range modelIDs {
		if p, ok := m.points[id]; ok && holds(id, p.payload) {
			out = append(out, id)
		}
	}
	return out
}

func (m *machine) deleteWhere(t *rapid.T) {
	f, holds := drawFilter(t, modelIDs, 1)
	gone := m.matching(holds)
	if res, err := m.c.Write(ctx, Batch{DeleteWhere: f}, false); err != nil || res.Points != len(gone) {
		t.Fatalf("deleted %d, %v, want %d", res.Points, err, len(gone))
	}
	for _, id := range gone {
		delete(m.points, id)
	}
}

func (m *machine) payload(t *rapid.T) {
	op := rapid.SampledFrom([]PayloadOp{PayloadSet, PayloadOverwrite, PayloadDelete, PayloadClear}).Draw(t, "op")
	f, holds := drawFilter(t, modelIDs, 0)
	p, keys := drawPayload(t), []string{"n", "o"}
	changed := m.matching(holds)
	res, err := m.c.Write(ctx, Batch{Payloads: []PayloadChange{{Op: op, Filter: f, Payload: p, Keys: keys}}}, false)
	if err != nil || res.Points != len(changed) {
		t.Fatalf("changed %d, %v, want %d", res.Points, err, len(changed))
	}
	for _, id := range changed {
		next := Payload{}
		switch op {
		case PayloadSet:
			maps.Copy(next, m.points[id].payload)
			maps.Copy(next, p)
		case PayloadOverwrite:
			maps.Copy(next, p)
		case PayloadDelete:
			maps.Copy(next, m.points[id].payload)
			delete(next, "n")
			delete(next, "o")
		}
		m.points[id] = modelPoint{m.points[id].vector, next}
	}
}

func (m *machine) compare(t *rapid.T, got Point) {
	want, ok := m.points[got.ID]
	if !ok {
		t.Fatalf("point %s should not be there", got.ID)
	}
	if got.Vector == nil {
	} else if want := m.vector(t, got.ID); !slices.Equal(got.Vector, want) {
		t.Fatalf("vector of %s is %v, want %v", got.ID, got.Vector, want)
	}
	if a, b := fmt.Sprint(map[string]any(got.Payload)), fmt.Sprint(map[string]any(want.payload)); a != b {
		t.Fatalf("payload of %s is %s, want %s", got.ID, a, b)
	}
}

func (m *machine) get(t *rapid.T) {
	ids := drawIDs(t)
	got, err := m.c.Get(ctx, With{Payload: true, Vector: true}, ids...)
	if err != nil {
		t.Fatal(err)
	}
	var found []ID
	for _, p := range got {
		m.compare(t, p)
		found = append(found, p.ID)
	}
	ids = slices.DeleteFunc(ids, func(id ID) bool { _, ok := m.points[id]; return !ok })
	if !slices.Equal(found, ids) {
		t.Fatalf("got %v, want %v", found, ids)
	}
}

func (m *machine) scroll(t *rapid.T) {
	f, holds := drawFilter(t, modelIDs, 1)
	from := rapid.SampledFrom(modelIDs).Draw(t, "from")
	want := slices.DeleteFunc(m.matching(holds), func(id ID) bool { return id.Compare(from) < 0 })
	got := []ID{}
	for p, err := range m.c.Scroll(ctx, ScrollQuery{From: from, Filter: f, With: With{Payload: true, Vector: true}}) {
		if err != nil {
			t.Fatal(err)
		}
		m.compare(t, p)
		got = append(got, p.ID)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("scrolled %v, want %v", got, want)
	}
}

func (m *machine) count(t *rapid.T) {
	f, holds := drawFilter(t, modelIDs, 1)
	if n, err := m.c.Count(ctx, f); err != nil || n != len(m.matching(holds)) {
		t.Fatalf("counted %d, %v, want %d", n, err, len(m.matching(holds)))
	}
	if n, err := m.c.Count(ctx, nil); err != nil || n != len(m.points) {
		t.Fatalf("counted %d in all, %v, want %d", n, err, len(m.points))
	}
}

// searchExact compares the exact search in input space with the naive scan.
func (m *machine) searchExact(t *rapid.T) {
	q, want := m.drawQuery(t)
	q.Exact = true
	hits := m.answer(t, q, len(want))
	for i, h := range hits {
		if !near(h.Score, want[i]) {
			t.Fatalf("hit %d scores %v, want %v", i, h.Score, want[i])
		}
	}
}

// search asks for what any search must hold to: how many hits there are, and
// that each has its own score, in order.
func (m *machine) search(t *rapid.T) {
	q, want := m.drawQuery(t)
	m.answer(t, q, len(want))
}

// drawQuery draws a search in input space, and the scores of the exact answer.
func (m *machine) drawQuery(t *rapid.T) (Query, []float64) {
	f, holds := drawFilter(t, modelIDs, 1)
	q := Query{Vector: drawVector(t), Space: SpaceInput, Filter: f, WithVector: true,
		Limit: rapid.IntRange(1, 8).Draw(t, "limit"), Offset: rapid.IntRange(0, 3).Draw(t, "offset")}
	var scores []float64
	for _, id := range m.matching(holds) {
		scores = append(scores, trueScore(m.metric, q.Vector, m.vector(t, id)))
	}
	slices.SortFunc(scores, func(a, b float64) int {
		switch {
		case closer(m.metric, a, b):
			return -1
		case a == b:
			return 0
		}
		return 1
	})
	scores = scores[min(q.Offset, len(scores)):]
	return q, scores[:min(q.Limit, len(scores))]
}

func (m *machine) answer(t *rapid.T, q Query, want int) []Hit {
	if m.c.active.Load().fitted == nil {
		q.Vector = make([]float32, modelWidth) // nothing decided the size yet
	}
	hits, err := m.c.Search(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	if len(hits) != want {
		t.Fatalf("%d hits, want %d", len(hits), want)
	}
	for i, h := range hits {
		m.compare(t, h.Point)
		if own := trueScore(m.metric, q.Vector, m.vector(t, h.ID)); !near(h.Score, own) {
			t.Fatalf("%s scores %v, its own distance is %v", h.ID, h.Score, own)
		}
		if i > 0 && closer(m.metric, h.Score, hits[i-1].Score) {
			t.Fatalf("hit %d scores %v after %v", i, h.Score, hits[i-1].Score)
		}
	}
	return hits
}

func (m *machine) fit(t *rapid.T) {
	defer m.forgetUndo(m.c.active.Load())
	_, err := m.c.Fit(ctx, &FitOptions{Epochs: 1, Seed: rapid.Uint64Range(1, 3).Draw(t, "seed")})
	switch {
	case m.drops && len(m.models(t)) > 1:
		t.Fatal("it was fitted twice")
	case err == nil, len(m.points) < 3 && errors.Is(err, ErrTooFew), m.decoded() && errors.Is(err, ErrNoOriginals):
		return
	}
	// ErrTooFew is for points of which those that are not held out are all alike.
	alike := 0
	for _, p := range m.points {
		n := 0
		for _, o := range m.points {
			if m.metric != Cosine && slices.Equal(p.vector, o.vector) || m.metric == Cosine && near(trueScore(Cosine, p.vector, o.vector), 1) {
				n++
			}
		}
		alike = max(alike, n)
	}
	if !errors.Is(err, ErrTooFew) || alike < len(m.points)-max(1, len(m.points)/10) {
		t.Fatal(err)
	}
}

func (m *machine) models(t *rapid.T) []ModelInfo {
	models, err := m.c.Models(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return models
}

func (m *machine) activate(t *rapid.T) {
	// A fit that began by itself may make and drop generations meanwhile.
	if _, err := m.c.WaitFit(ctx); err != nil {
		t.Fatal(err)
	}
	models := m.models(t)
	if len(models) == 0 {
		if err := m.c.Activate(ctx, 1000); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		return
	}
	defer m.forgetUndo(m.c.active.Load())
	n := rapid.SampledFrom(models).Draw(t, "model").Generation
	if err := m.c.Activate(ctx, n); err != nil && !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

// drawKey draws a key that drawTwin's conditions look at.
func drawKey(t *rapid.T) string {
	return rapid.SampledFrom([]string{"n", "s", "list", "o.deep"}).Draw(t, "key")
}

func (m *machine) index(t *rapid.T) {
	key, kind := drawKey(t), rapid.SampledFrom(payloadKinds).Draw(t, "kind")
	if err := m.c.CreatePayloadIndex(ctx, key, kind); err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "wait") {
		if err := m.c.WaitPayloadIndexes(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *machine) dropIndex(t *rapid.T) {
	key := drawKey(t)
	want := placeOf(m.c.Config().PayloadIndexes, key) >= 0
	if had, err := m.c.DeletePayloadIndex(ctx, key); err != nil || had != want {
		t.Fatalf("deleting the index of %s: %t, %v, want %t", key, had, err, want)
	}
}

func (m *machine) reopen(t *rapid.T) {
	m.close(t)
	m.open(t)
}

// reopenRebuilt deletes derived files first: all, the snapshots, the
// latents, or the rows.
func (m *machine) reopenRebuilt(t *rapid.T) {
	m.close(t)
	pattern := rapid.SampledFrom([]string{"*", "*/*.snap", "*/latents*", "*/rows*"}).Draw(t, "deleted")
	paths, err := filepath.Glob(filepath.Join(m.dir, "c-*", "default", pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			t.Fatal(err)
		}
	}
	m.open(t)
}
