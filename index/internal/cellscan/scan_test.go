package cellscan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// block lays rows of dim values out for Scan.
func block(rows [][]int8, dim int) Rows {
	whole := Blocks(len(rows)) * Lanes
	r := Rows{
		Codes:   make([]int8, Blocks(len(rows))*BlockSize(dim)),
		Weights: make([]uint32, whole),
		IDs:     make([]uint32, len(rows), whole),
	}
	for i, row := range rows {
		var sum, square int32
		for j, v := range row {
			r.Codes[At(dim, i, j)] = v
			sum += int32(v)
			square += int32(v) * int32(v)
		}
		r.Weights[i] = Weight(sum, square)
		r.IDs[i] = uint32(7 * i)
	}
	return r
}

func squared(a, b []int8) (sum uint64) {
	for i := range a {
		d := int64(a[i]) - int64(b[i])
		sum += uint64(d * d)
	}
	return sum
}

func randomRow(r *rand.Rand, dim int, most int) []int8 {
	row := make([]int8, dim)
	for i := range row {
		row[i] = int8(r.IntN(2*most+1) - most)
	}
	return row
}

// path is one way to scan: those of this machine, and the Go twin.
type path func(distances, ids []uint32, q *Query, codes []int8, weights, slots []uint32, n int, bound uint32) int

func TestScanAgreesWithDifferences(t *testing.T) {
	for name, scan := range paths() {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 0))
			for _, dim := range []int{1, 2, 3, 4, 5, 8, 31, 32, 33, 64, 100, 257} {
				for _, n := range []int{1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200} {
					for _, most := range []int{1, 127} {
						checkScan(t, scan, r, dim, n, most)
					}
				}
			}
		})
	}
}

func checkScan(t *testing.T, scan path, r *rand.Rand, dim, n, most int) {
	t.Helper()
	rows := make([][]int8, n)
	for i := range rows {
		rows[i] = randomRow(r, dim, most)
	}
	laid := block(rows, dim)
	values := randomRow(r, dim, most)
	var q Query
	q.Set(values)
	all := make([]uint64, n)
	for i := range rows {
		all[i] = squared(rows[i], values)
	}
	sorted := slices.Sorted(slices.Values(all))
	for _, bound := range []uint64{0, sorted[0], sorted[n/2], sorted[n-1], math.MaxUint32} {
		var want []string
		for i, d := range all {
			if d <= bound {
				want = append(want, fmt.Sprint(d, 7*i))
			}
		}
		distances, ids := make([]uint32, n+Slack), make([]uint32, n+Slack)
		found := scan(distances, ids, &q, laid.Codes, laid.Weights, laid.IDs[:cap(laid.IDs)], n, uint32(bound))
		var got []string
		for i := range found {
			got = append(got, fmt.Sprint(distances[i], ids[i]))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("dim %d, %d rows, bound %d:\n got %v\nwant %v", dim, n, bound, got, want)
		}
	}
}

// TestScanOfFarthestRows measures the largest sum there is: it needs all 32 bits.
func TestScanOfFarthestRows(t *testing.T) {
	const dim = 1 << 16
	row, values := make([]int8, dim), make([]int8, dim)
	for i := range row {
		row[i], values[i] = 127, -127
	}
	var q Query
	q.Set(values)
	distances, ids := make([]uint32, 1+Slack), make([]uint32, 1+Slack)
	if n := Scan(distances, ids, &q, block([][]int8{row}, dim), 0, 1, math.MaxUint32); n != 1 || distances[0] != dim*254*254 {
		t.Errorf("%d rows, distance %d, want %d", n, distances[0], uint32(dim*254*254))
	}
}

// TestScanFromABlock scans the second of three blocks.
func TestScanFromABlock(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 0))
	rows := make([][]int8, 3*Lanes)
	for i := range rows {
		rows[i] = randomRow(r, 6, 9)
	}
	var q Query
	q.Set(rows[Lanes+3])
	distances, ids := make([]uint32, Lanes+Slack), make([]uint32, Lanes+Slack)
	n := Scan(distances, ids, &q, block(rows, 6), Lanes, Lanes, 0)
	if n != 1 || ids[0] != 7*(Lanes+3) || distances[0] != 0 {
		t.Errorf("%d found: %v at %v", n, ids[:n], distances[:n])
	}
}

func BenchmarkScan(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	for _, dim := range []int{32, 64} {
		for _, n := range []int{256, 65536} {
			rows := make([][]int8, n)
			for i := range rows {
				rows[i] = randomRow(r, dim, 60)
			}
			laid := block(rows, dim)
			var q Query
			q.Set(randomRow(r, dim, 60))
			distances, ids := make([]uint32, n+Slack), make([]uint32, n+Slack)
			for name, scan := range paths() {
				b.Run(fmt.Sprintf("%s/dim=%d/rows=%d", name, dim, n), func(b *testing.B) {
					for b.Loop() {
						scan(distances, ids, &q, laid.Codes, laid.Weights, laid.IDs[:cap(laid.IDs)], n, 0)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
				})
			}
		}
	}
}
