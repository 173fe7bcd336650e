package main

import (
	"context"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/mnist"
	"github.com/latentdb/latentdb/store"
)

// TestMNIST imports and fits MNIST's 60,000 training digits by the command
// line, asks with the first 1,000 test digits, and measures the answers against
// exact scans of its own. It takes minutes, so it runs only where
// LATENTDB_MNIST names the folder of the training set's files.
func TestMNIST(t *testing.T) {
	folder := os.Getenv("LATENTDB_MNIST")
	if folder == "" {
		t.Skip("LATENTDB_MNIST does not name the folder of train-images-idx3-ubyte.gz")
	}
	data := t.TempDir()
	for _, args := range [][]string{
		{"import", "digits", filepath.Join(folder, "train-images-idx3-ubyte.gz"), "--data", data,
			"--labels", filepath.Join(folder, "train-labels-idx1-ubyte.gz")},
		{"fit", "digits", "--dim", "32", "--data", data},
		{"quality", "digits", "--data", data},
	} {
		out := cli(args...)
		t.Logf("latentdb %v\n%s", args, out.stdout)
		if out.code != 0 {
			t.Fatalf("latentdb %v: exit code %d\n%s", args, out.code, out.stderr)
		}
	}
	db, err := store.Open(data, &store.Options{NoAutoFit: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	coll, err := db.Collection("digits")
	if err != nil {
		t.Fatal(err)
	}
	digits, err := mnist.Load()
	if err != nil {
		t.Fatal(err)
	}
	m := newMNISTMeasure(t, coll, digits[:1000])
	m.reconstruction()
	m.candidates()
	m.reranked()
	m.accuracy()
	check, err := coll.Check(context.Background())
	if err != nil || !check.OK() {
		t.Errorf("check: %v, %v", err, check)
	}
}

// mnistMeasure measures a fitted collection with digits it does not hold.
type mnistMeasure struct {
	t       *testing.T
	ctx     context.Context
	coll    *store.Collection
	report  *store.Report
	queries []mnist.Digit
	ids     []store.ID
	pixels  [][]byte // of the stored digits, by position in ids
	labels  []int64
	truth   [][]store.ID // per query, its 10 nearest stored digits by pixels
}

func newMNISTMeasure(t *testing.T, coll *store.Collection, queries []mnist.Digit) *mnistMeasure {
	m := &mnistMeasure{t: t, ctx: context.Background(), coll: coll, queries: queries}
	var err error
	if m.report, err = coll.Quality(); err != nil {
		t.Fatal(err)
	}
	for p, err := range coll.Scroll(m.ctx, store.ScrollQuery{With: store.With{Record: true, Payload: true}}) {
		if err != nil {
			t.Fatal(err)
		}
		m.ids = append(m.ids, p.ID)
		m.pixels = append(m.pixels, pixelsOf(t, p.Record))
		m.labels = append(m.labels, p.Payload["label"].(int64))
	}
	if len(m.ids) != 60_000 {
		t.Fatalf("%d digits were imported", len(m.ids))
	}
	m.truth = make([][]store.ID, len(queries))
	type near struct{ distance, at int }
	for q, query := range queries {
		var best []near
		for i, p := range m.pixels {
			limit := math.MaxInt
			if len(best) == 10 {
				limit = best[9].distance
			}
			d := squaredDistance(query.Pixels, p, limit)
			if d < limit {
				at, _ := slices.BinarySearchFunc(best, d, func(n near, d int) int { return n.distance - d })
				best = slices.Insert(best, at, near{d, i})[:min(10, len(best)+1)]
			}
		}
		for _, n := range best {
			m.truth[q] = append(m.truth[q], m.ids[n.at])
		}
	}
	return m
}

func pixelsOf(t *testing.T, record any) []byte {
	img := decodePNG(t, record.([]byte))
	grey, ok := img.(*image.Gray)
	if !ok || len(grey.Pix) != mnist.Side*mnist.Side {
		t.Fatalf("a digit came back as %T", img)
	}
	return grey.Pix
}

// reconstruction: the error per pixel of digits the model never saw.
func (m *mnistMeasure) reconstruction() {
	records := make([]any, len(m.queries))
	for i, q := range m.queries {
		records[i] = q.Image()
	}
	back, err := m.coll.ReconstructRecords(m.ctx, records...)
	if err != nil {
		m.t.Fatal(err)
	}
	var sum float64
	for i, b := range back {
		got := pixelsOf(m.t, b.Record)
		for j, p := range m.queries[i].Pixels {
			d := (float64(p) - float64(got[j])) / 255
			sum += d * d / float64(len(got))
		}
	}
	mse := sum / float64(len(back))
	reported := m.report.MSEInput
	m.t.Logf("squared error per pixel: %.5f on test digits, %.5f reported, PCA %.5f (%.0f %% lower)",
		mse, reported.Model, reported.PCA, 100*(1-reported.Model/reported.PCA))
	if mse > 0.0090 || reported.Model > 0.0090 || reported.Model > 0.55*reported.PCA {
		m.t.Error("the reconstruction is worse than 0.0090 or than 45 % under PCA")
	}
}

// hitIDs asks for the neighbours of every query.
func (m *mnistMeasure) hitIDs(q store.Query) [][]store.ID {
	out := make([][]store.ID, len(m.queries))
	for i, query := range m.queries {
		q.Record = query.Image()
		hits, err := m.coll.Search(m.ctx, q)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, h := range hits {
			out[i] = append(out[i], h.ID)
		}
	}
	return out
}

func (m *mnistMeasure) recall(lists [][]store.ID) float64 {
	found := 0
	for i, l := range lists {
		for _, id := range m.truth[i] {
			if slices.Contains(l, id) {
				found++
			}
		}
	}
	return float64(found) / float64(10*len(lists))
}

// candidates: true neighbours among the first 50 in latent space.
func (m *mnistMeasure) candidates() {
	r := m.recall(m.hitIDs(store.Query{Limit: 50, Space: store.SpaceLatent, Exact: true}))
	m.t.Logf("recall@50 in latent space: %.4f on test digits, %.4f reported", r, m.report.RecallAt50.Model)
	if r < 0.99 {
		m.t.Error("recall@50 is below 0.99")
	}
}

// reranked: recall asked for in input space is recall delivered.
func (m *mnistMeasure) reranked() {
	r := m.recall(m.hitIDs(store.Query{Limit: 10, Space: store.SpaceInput, Recall: 0.95}))
	m.t.Logf("recall@10 in input space, asked for 0.95: %.4f", r)
	if r < 0.95 {
		m.t.Error("recall@10 is below the 0.95 that was asked for")
	}
}

// accuracy: digits named by their 10 nearest, in latent space and by pixels.
func (m *mnistMeasure) accuracy() {
	label := make(map[store.ID]int64, len(m.ids))
	for i, id := range m.ids {
		label[id] = m.labels[i]
	}
	share := func(lists [][]store.ID) float64 {
		right := 0
		for i, l := range lists {
			votes := map[int64]int{}
			best := int64(0)
			for _, id := range l {
				votes[label[id]]++
			}
			for _, id := range l { // the nearest of the most frequent
				if votes[label[id]] > votes[best] {
					best = label[id]
				}
			}
			if best == int64(m.queries[i].Label) {
				right++
			}
		}
		return float64(right) / float64(len(lists))
	}
	latent, raw := share(m.hitIDs(store.Query{Limit: 10, Space: store.SpaceLatent})), share(m.truth)
	m.t.Logf("digits named rightly by 10 neighbours: %.3f in latent space, %.3f by pixels", latent, raw)
	if latent < raw-0.005 {
		m.t.Error("latents name digits worse than pixels by more than half a point")
	}
}
