package cellscan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// sketcherOf spreads sixteen steps over the range of each value of rows around a
// centre in the middle.
func sketcherOf(rows [][]float32, dim int) (s *Sketcher, centre []float32) {
	s, centre = &Sketcher{Step: make([]float32, dim)}, make([]float32, dim)
	for j := range dim {
		lo, hi := rows[0][j], rows[0][j]
		for _, row := range rows {
			lo, hi = min(lo, row[j]), max(hi, row[j])
		}
		centre[j], s.Step[j] = (lo+hi)/2, (hi-lo)/sketchMost
	}
	return s, centre
}

func sketchesOf(s *Sketcher, centre []float32, scale float32, rows [][]float32) Sketches {
	whole := Blocks(len(rows)) * Lanes
	r := Sketches{
		Blocks: make([]byte, Blocks(len(rows))*SketchSize(len(s.Step))),
		IDs:    make([]uint32, len(rows), whole),
	}
	for i, row := range rows {
		s.Put(r.Blocks, i, row, centre, scale)
		r.IDs[i] = uint32(7 * i)
	}
	return r
}

func squareOf(a, b []float32) float32 {
	sum := 0.0
	for j := range a {
		sum += math.Pow(float64(a[j]-b[j]), 2)
	}
	return float32(sum)
}

func floatRows(r *rand.Rand, n, dim int) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(r.NormFloat64()*float64(1+j%3)) + 5
		}
	}
	return rows
}

type sketchPath func(distances []float32, ids []uint32, q *SketchQuery, blocks []byte, slots []uint32, n int, base, bound float32) int

func sketchGo(distances []float32, ids []uint32, q *SketchQuery, blocks []byte, slots []uint32, n int, base, bound float32) int {
	return sketchBlocks(distances, ids, q, blocks, slots, n, base, bound, estimateGo)
}

// TestSketchPathsAgree wants the same bits of every path.
func TestSketchPathsAgree(t *testing.T) {
	for name, scan := range sketchPaths() {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 0))
			for _, dim := range []int{1, 2, 4, 7, 8, 9, 31, 32, 33, 64, 100, 257} {
				for _, n := range []int{1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200} {
					rows := floatRows(r, n+1, dim)
					s, centre := sketcherOf(rows, dim)
					var q SketchQuery
					q.Set(s, rows[n], 3)
					checkSketchScan(t, scan, &q, sketchesOf(s, centre, 3, rows[:n]), n)
				}
			}
		})
	}
}

func checkSketchScan(t *testing.T, scan sketchPath, q *SketchQuery, laid Sketches, n int) {
	t.Helper()
	all := make([]float32, n+Slack)
	if found := sketchGo(all, make([]uint32, n+Slack), q, laid.Blocks, laid.IDs[:cap(laid.IDs)], n, 7, math.MaxFloat32); found != n {
		t.Fatalf("%d rows of %d without a bound", found, n)
	}
	sorted := slices.Sorted(slices.Values(all[:n]))
	for _, bound := range []float32{-1e9, sorted[0], sorted[n/2], sorted[n-1], math.MaxFloat32} {
		var want, got []string
		for i, d := range all[:n] {
			if d <= bound {
				want = append(want, fmt.Sprint(d, 7*i))
			}
		}
		distances, ids := make([]float32, n+Slack), make([]uint32, n+Slack)
		found := scan(distances, ids, q, laid.Blocks, laid.IDs[:cap(laid.IDs)], n, 7, bound)
		for i := range found {
			got = append(got, fmt.Sprint(distances[i], ids[i]))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d rows, bound %v:\n got %v\nwant %v", n, bound, got, want)
		}
	}
}

// TestSketchesEstimateDistances: rows that lie on a sketch's values are measured
// as they are, up to the rounding of the query; others within what four bits lose.
func TestSketchesEstimateDistances(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 0))
	const dim, n = 48, 300
	rows := floatRows(r, n, dim)
	s, centre := sketcherOf(rows, dim)
	exact := make([][]float32, n)
	for i, row := range rows {
		exact[i] = make([]float32, dim)
		for j, x := range row {
			exact[i][j] = centre[j] + (float32(sketchCode(x-centre[j], s.Step[j]))-sketchMiddle)*s.Step[j]
		}
	}
	query := floatRows(r, 1, dim)[0]
	var q SketchQuery
	q.Set(s, query, 1)
	for name, c := range map[string]struct {
		rows  [][]float32
		error float64 // relative, the most
	}{"on the values": {exact, .01}, "between them": {rows, .12}} {
		laid := sketchesOf(s, centre, 1, c.rows)
		distances, ids := make([]float32, n+Slack), make([]uint32, n+Slack)
		if found := ScanSketches(distances, ids, &q, laid, 0, n, squareOf(query, centre), math.MaxFloat32); found != n {
			t.Fatal(found)
		}
		for i, row := range c.rows {
			want := float64(squareOf(row, query))
			if math.Abs(float64(distances[i])-want) > c.error*want {
				t.Errorf("%s: row %d is %v away, estimated %v", name, i, want, distances[i])
			}
		}
	}
}

// TestSketchOfAConstant: a value that is the same everywhere has no step.
func TestSketchOfAConstant(t *testing.T) {
	s, centre := &Sketcher{Step: []float32{0, 1}}, []float32{3, 0}
	var q SketchQuery
	query := []float32{5, .5}
	q.Set(s, query, 1)
	laid := sketchesOf(s, centre, 1, [][]float32{{3, .5}, {3, 2.5}})
	distances, ids := make([]float32, 2+Slack), make([]uint32, 2+Slack)
	if n := ScanSketches(distances, ids, &q, laid, 0, 2, squareOf(query, centre), 100); n != 2 || distances[0] != 4 || distances[1] != 8 {
		t.Errorf("%d rows, %v away, want 4 and 8", n, distances[:n])
	}
}

func BenchmarkScanSketches(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	for _, dim := range []int{32, 64} {
		for _, n := range []int{256, 65536} {
			rows := floatRows(r, n, dim)
			s, centre := sketcherOf(rows, dim)
			laid := sketchesOf(s, centre, 1, rows)
			var q SketchQuery
			q.Set(s, rows[0], 1)
			distances, ids := make([]float32, n+Slack), make([]uint32, n+Slack)
			for name, scan := range sketchPaths() {
				b.Run(fmt.Sprintf("%s/dim=%d/rows=%d", name, dim, n), func(b *testing.B) {
					for b.Loop() {
						scan(distances, ids, &q, laid.Blocks, laid.IDs[:cap(laid.IDs)], n, 7, -1e9)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
				})
			}
		}
	}
}
