package store

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// laidOut lays rows out in more dimensions, without changing what is near.
func laidOut(rng *rand.Rand, rows [][]float32, width int) [][]float32 {
	basis := make([][]float64, len(rows[0]))
	for k := range basis {
		basis[k] = make([]float64, width)
		for j := range basis[k] {
			basis[k][j] = rng.NormFloat64() / math.Sqrt(float64(width))
		}
	}
	out := make([][]float32, len(rows))
	for i, r := range rows {
		out[i] = make([]float32, width)
		for k, x := range r {
			for j, b := range basis[k] {
				out[i][j] += x * float32(b)
			}
		}
	}
	return out
}

// curves are rows of two numbers beside waves of them: all is in what is linear.
func curves(rng *rand.Rand, n, width int) [][]float32 {
	out := make([][]float32, n)
	waves := make([][2]float64, width)
	for j := range waves {
		waves[j] = [2]float64{1.5 * rng.NormFloat64(), 1.5 * rng.NormFloat64()}
	}
	for i := range out {
		s, t := rng.NormFloat64(), rng.NormFloat64()
		out[i] = append(out[i], float32(3*s), float32(3*t))
		for j := 2; j < width; j++ {
			out[i] = append(out[i], float32(.8*math.Cos(s*waves[j][0]+t*waves[j][1])))
		}
	}
	return out
}

// rolled is rows of a sheet rolled up: no plane tells its turns from each other.
func rolled(rng *rand.Rand, n int) [][]float32 {
	out := make([][]float32, n)
	for i := range out {
		turn := 1.5 * math.Pi * (1 + 2*rng.Float64())
		sin, cos := math.Sincos(turn)
		out[i] = []float32{float32(turn * cos), float32(21 * rng.Float64()), float32(turn * sin)}
	}
	return out
}

// TestAutoEncoderOfVectors: by what it learned and what a search costs.
func TestAutoEncoderOfVectors(t *testing.T) {
	if testing.Short() {
		t.Skip("trains several networks")
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for name, c := range map[string]struct {
		rows    [][]float32
		dim     int
		encoder string
		weighed int
		reason  string
	}{
		"linear keeps what deep learns": {laidOut(rng, curves(rng, 1500, 12), 384), 3, "linear", 3, "a linear encoder keeps"},
		"linear learns too little":      {laidOut(rng, rolled(rng, 1500), 384), 2, "deep", 3, ": not enough"},
		"deep is cheap":                 {curves(rng, 1500, 12), 3, "deep", 2, "no linear encoder was trained"},
	} {
		col := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: c.dim})
		mustUpsert(t, col, numbered(c.rows)...)
		report, err := col.Fit(ctx, &FitOptions{Epochs: 16})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v %s", name, report.Encoders, report.Settings.Reason)
		if report.Encoder != c.encoder || len(report.Encoders) != c.weighed || !strings.Contains(report.Settings.Reason, c.reason) {
			t.Errorf("%s: %s of %+v: %s", name, report.Encoder, report.Encoders, report.Settings.Reason)
		}
		checkEncoders(t, report)
		if again, err := col.Fit(ctx, &FitOptions{Epochs: 16}); err != nil || again.Encoder != c.encoder {
			t.Errorf("%s: fitted again: %+v, %v", name, again, err)
		}
		tuned, err := col.Fit(ctx, &FitOptions{FineTune: true, Epochs: 2})
		if err != nil || tuned.Encoder != c.encoder || tuned.Encoders != nil {
			t.Errorf("%s: tuned to %+v, %v", name, tuned, err)
		}
	}
}

// checkEncoders holds what a report says of encoders against its rules.
func checkEncoders(t *testing.T, r *Report) {
	t.Helper()
	of := make(map[string]EncoderReport)
	chosen := 0
	for _, e := range r.Encoders {
		of[e.Name] = e
		if e.Chosen {
			chosen++
		}
	}
	if deep, linear, pca := of["deep"], of["linear"], of["pca"]; chosen != 1 || !of[r.Encoder].Chosen || deep.MSE >= pca.MSE ||
		linear.Chosen && (linear.MSE > (deep.MSE+pca.MSE)/2 || linear.Cost > deep.Cost*2/3) {
		t.Errorf("%s of %+v", r.Encoder, r.Encoders)
	}
	if of[r.Encoder].MSE == r.MSE.Model {
		t.Errorf("the points that choose are those that are reported: %v", r.MSE)
	}
}

// TestAutoEncoderOfOthers: answers in latent space are the deep encoder's.
func TestAutoEncoderOfOthers(t *testing.T) {
	col := create(t, tempDB(t, quiet()), Config{Source: source.Table{}, Dim: 2})
	rng := rand.New(rand.NewPCG(6, 6))
	points := numbered(curves(rng, 1300, 5))
	for i := range points {
		record := make(map[string]any)
		for j, x := range points[i].Vector {
			record[string(rune('a'+j))] = float64(x)
		}
		points[i].Vector, points[i].Record = nil, record
	}
	mustUpsert(t, col, points...)
	report, err := col.Fit(ctx, &FitOptions{Epochs: 16})
	if err != nil || report.Encoder != "deep" || report.Encoders != nil {
		t.Fatalf("%+v, %v", report, err)
	}
}

// TestAutoEncoderOfLatentsAlone: they answer themselves, and candidates are decoded.
func TestAutoEncoderOfLatentsAlone(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	rows := laidOut(rng, curves(rng, 1500, 12), 384)
	col := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 3, DropOriginals: true})
	mustUpsert(t, col, numbered(rows)...)
	report, err := col.Fit(ctx, &FitOptions{Epochs: 16})
	if err != nil || report.Encoder != "deep" || report.Encoders != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	info := mustSearch(t, col, Query{Vector: rows[3], Space: SpaceInput, EF: 40, Rerank: 25}).Info
	if w := info.Work; w.Decoded != 25 || w.DecodedWeights != 25*float64(col.active.Load().model.DecoderWeights()) || w.Rescored+w.Stored > 0 || info.Cost != w.cost() {
		t.Errorf("%+v costs %v", w, info.Cost)
	}
}

// TestExplainedWork: what is said of a search is what it did.
func TestExplainedWork(t *testing.T) {
	c, vectors, _ := sharedVectors(t)
	gen := c.active.Load()
	for _, q := range []Query{{Space: SpaceInput, EF: 40, Rerank: 25}, {Space: SpaceLatent, EF: 40}, {Space: SpaceInput, Exact: true}} {
		q.Vector = vectors[3]
		info := mustSearch(t, c, q).Info
		scored := map[bool]float64{true: float64(len(vectors)), false: float64(q.Rerank)}[q.Exact]
		w := info.Work
		if w.Rescored+w.Stored != scored || w.Weights != float64(gen.model.EncoderWeights()) {
			t.Errorf("%+v: %+v", q, w)
		}
		if looked := w.Scanned + w.Blocked + w.Sketched + w.Gathered; (looked == 0) != q.Exact {
			t.Errorf("%+v looked at %v rows of the index", q, looked)
		}
		more := w
		more.rescore(w.Rescored+100, 1500, 4*sharedWidth)
		if info.Cost != w.cost() || more.cost() <= info.Cost {
			t.Errorf("%+v costs %v, more work %v", w, info.Cost, more.cost())
		}
	}
	if w := mustSearch(t, c, Query{Vector: vectors[3], Space: SpaceLatent}).Info.Work; reflect.DeepEqual(w, SearchWork{}) {
		t.Error("a search is no work")
	}
}
