package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// sweep is a WAV file of a tenth of a second whose pitch moves.
func sweep(rng *rand.Rand) []byte {
	const rate, n = 8000, 800
	le := binary.LittleEndian
	out := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt "), 16, 0, 0, 0, 1, 0, 1, 0)
	out = le.AppendUint32(out, rate)
	out = le.AppendUint32(out, 2*rate)
	out = append(out, 2, 0, 16, 0)
	out = le.AppendUint32(append(out, "data"...), 2*n)
	from, to, bend, phase := 300+2000*rng.Float64(), 300+3000*rng.Float64(), .3+2*rng.Float64(), 0.
	for i := range n {
		phase += 2 * math.Pi * (from + (to-from)*math.Pow(float64(i)/n, bend)) / rate
		out = le.AppendUint16(out, uint16(int16(9000*math.Sin(phase)+200*rng.NormFloat64())))
	}
	return out
}

// audioPoints are n sweeps; the payload tells which are even.
func audioPoints(seed uint64, n int) []Point {
	rng := rand.New(rand.NewPCG(seed, 5))
	points := make([]Point, n)
	for i := range points {
		points[i] = Point{ID: NumID(uint64(i)), Record: sweep(rng), Payload: Payload{"even": i%2 == 0}}
	}
	return points
}

func audioCollection(t testing.TB, points []Point, cfg Config) *Collection {
	cfg.Source, cfg.Dim = source.Audio{Frames: 16, Coefficients: 12}, 8
	c := create(t, tempDB(t, quiet()), cfg)
	mustUpsert(t, c, points...)
	return c
}

// warpedTwin re-scores what a plain search finds, by rows made here.
func warpedTwin(t *testing.T, c *Collection, points []Point, q Query, candidates int) []Hit {
	t.Helper()
	fitted := c.active.Load().fitted
	rowOf := func(record any) []float32 {
		row := make([]float32, fitted.Width())
		if err := fitted.(source.Direct).RowOf(row, record); err != nil {
			t.Fatal(err)
		}
		return row
	}
	query := q.Record
	if !q.ID.IsZero() {
		query = points[q.ID.Value().(uint64)].Record
	}
	plain := q
	plain.Warp, plain.Limit, plain.Offset, plain.Rerank, plain.ScoreThreshold = false, candidates, 0, 0, nil
	hits := mustSearch(t, c, plain).Hits
	for i, h := range hits {
		row := rowOf(points[h.ID.Value().(uint64)].Record)
		hits[i].Score = float64(fitted.(source.Warper).Warp(rowOf(query), row))
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(a.Score, b.Score) })
	hits = hits[q.Offset:min(len(hits), q.Offset+q.Limit)]
	if q.ScoreThreshold != nil {
		hits = slices.DeleteFunc(hits, func(h Hit) bool { return h.Score > *q.ScoreThreshold })
	}
	return hits
}

// A warped answer is that of re-scoring the plain one, before a fit and after it.
func TestWarpIsItsTwin(t *testing.T) {
	points := audioPoints(1, 300)
	c := audioCollection(t, points, Config{})
	even := &Filter{Must: []Condition{{Key: "even", Match: &Match{Value: true}}}}
	record := sweep(rand.New(rand.NewPCG(9, 9)))
	threshold := 60.
	for _, fitted := range []bool{false, true} {
		if fitted {
			mustFit(t, c)
		}
		for name, q := range map[string]Query{
			"record":            {Record: record, Limit: 10},
			"id":                {ID: NumID(7), Limit: 10},
			"few, all warped":   {Record: record, Limit: 3},
			"many":              {Record: record, Limit: 80},
			"offset":            {Record: record, Limit: 10, Offset: 45},
			"filter":            {Record: record, Limit: 10, Filter: even},
			"threshold":         {Record: record, Limit: 40, ScoreThreshold: &threshold},
			"as many as rerank": {Record: record, Limit: 5, Rerank: 20},
			"input space":       {Record: record, Limit: 5, Space: SpaceInput},
		} {
			q.Warp, q.Exact = true, true // so that the candidates are the same
			candidates := max(50, q.Limit+q.Offset)
			if q.Rerank > 0 {
				candidates = q.Rerank
			}
			want := warpedTwin(t, c, points, q, candidates)
			got := mustSearch(t, c, q)
			if len(got.Hits) != len(want) || got.Info.Warped < candidates || len(want) == 0 {
				t.Errorf("fitted %t, %s: %d hits of %d, %d warped of %d", fitted, name, len(got.Hits), len(want), got.Info.Warped, candidates)
				continue
			}
			for i, h := range got.Hits {
				if h.ID != want[i].ID || !near(h.Score, want[i].Score) {
					t.Errorf("fitted %t, %s: hit %d is %v at %g, want %v at %g", fitted, name, i, h.ID, h.Score, want[i].ID, want[i].Score)
				}
			}
			q.Exact, q.OmitPayload = false, true
			if got := mustSearch(t, c, q); len(got.Hits) != len(want) || got.Hits[0].ID != want[0].ID {
				t.Errorf("fitted %t, %s: the index finds %v first", fitted, name, got.Hits)
			}
		}
	}
}

// Where originals are dropped candidates are warped by what they decode to.
func TestWarpOfDroppedOriginals(t *testing.T) {
	points := audioPoints(2, 200)
	c := audioCollection(t, points, Config{DropOriginals: true})
	mustFit(t, c)
	got := mustSearch(t, c, Query{ID: NumID(3), Limit: 5, Warp: true})
	if len(got.Hits) != 5 || got.Hits[0].Score > got.Hits[4].Score || got.Hits[0].Score <= 0 {
		t.Errorf("got %v", got.Hits)
	}
	again, err := c.Reconstruct(ctx, NumID(3))
	if err != nil || !bytes.HasPrefix(again[0].Spectrogram, []byte("\x89PNG")) {
		t.Errorf("no spectrogram of %v, %v", again, err)
	}
}

func TestWarpIsRefusedWithoutTime(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}})
	mustUpsert(t, c, numbered(curved(1, 20, 4))...)
	_, err := c.Search(ctx, Query{ID: NumID(1), Warp: true})
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Field != "warp" || !strings.Contains(err.Error(), "kind vector") {
		t.Errorf("got %v", err)
	}
}

// A recording is shown as a sound and as a picture; other kinds have no picture.
func TestReconstructShowsAudio(t *testing.T) {
	points := audioPoints(3, 100)
	c := audioCollection(t, points, Config{})
	mustFit(t, c)
	stored, err := c.Reconstruct(ctx, NumID(0))
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := c.ReconstructRecords(ctx, points[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Reconstruction{stored[0], fresh[0]} {
		sound, _ := r.Record.([]byte)
		if !bytes.HasPrefix(sound, []byte("RIFF")) || !bytes.HasPrefix(r.Spectrogram, []byte("\x89PNG")) {
			t.Errorf("record of %d bytes, spectrogram of %d", len(sound), len(r.Spectrogram))
		}
		if len(r.Parts) == 0 || !strings.HasPrefix(r.Parts[0].Name, "band ") {
			t.Errorf("parts %v", r.Parts)
		}
	}
	vectors, _, _ := sharedVectors(t)
	plain, err := vectors.Reconstruct(ctx, NumID(0))
	if err != nil || plain[0].Spectrogram != nil {
		t.Errorf("a vector's spectrogram: %v, %v", plain, err)
	}
}
