package store

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// TestLargestProducts searches by inner product among rows of very different
// lengths, whose nearest rows are not those of the largest products: the recall
// that is promised must hold without a scan, and for queries of any length.
func TestLargestProducts(t *testing.T) {
	const n, asked = 2000, 50
	for name, set := range map[string]struct {
		rows   [][]float32
		spread float64
	}{"curved": {curved(51, n+asked, 24), 1}, "clusters": {clustered(52, n+asked, 24), 0.25}} {
		rows, rng := set.rows, rand.New(rand.NewPCG(53, 0))
		for i, v := range rows {
			rows[i] = scaled(v, math.Exp(set.spread*rng.NormFloat64())/lengthOf(v))
		}
		for _, engine := range []string{EngineAuto, EngineHNSW} {
			c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Metric: Dot, Engine: engine, Dim: 16, Recall: 0.9})
			mustUpsert(t, c, numbered(rows[:n])...)
			mustFit(t, c)
			var right float64
			for _, row := range rows[n:] {
				got, info := idsOfSearch(t, c, Query{Vector: row})
				want, _ := idsOfSearch(t, c, Query{Vector: row, Exact: true})
				if info.Exact {
					t.Fatalf("%s, %s: the exact scan answered", name, engine)
				}
				for _, id := range got {
					if slices.Contains(want, id) {
						right++
					}
				}
				for _, factor := range []float64{1e-3, 1e3} {
					if same, _ := idsOfSearch(t, c, Query{Vector: scaled(row, factor)}); !slices.Equal(same, got) {
						t.Errorf("%s, %s: %v times the query finds %v, not %v", name, engine, factor, same, got)
					}
				}
			}
			if recall := right / 10 / asked; recall < 0.9 {
				t.Errorf("%s, %s: recall %.3f, promised 0.9", name, engine, recall)
			}
		}
	}
}

func TestWithinReach(t *testing.T) {
	for _, test := range []struct{ z, want []float32 }{
		{[]float32{1, -8, 4}, []float32{0.25, -2, 1}}, {[]float32{2, -1}, []float32{2, -1}}, {[]float32{0, 0}, []float32{0, 0}},
	} {
		if got := withinReach(test.z, 2); !slices.Equal(got, test.want) {
			t.Errorf("%v within 2 is %v, want %v", test.z, got, test.want)
		}
	}
}

func idsOfSearch(t *testing.T, c *Collection, q Query) ([]ID, SearchInfo) {
	t.Helper()
	res := mustSearch(t, c, q)
	ids := make([]ID, len(res.Hits))
	for i, h := range res.Hits {
		ids[i] = h.ID
	}
	return ids, res.Info
}

// clustered draws rows around 40 centres.
func clustered(seed uint64, n, width int) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	normal := func() []float32 {
		v := make([]float32, width)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	centres := make([][]float32, 40)
	for i := range centres {
		centres[i] = normal()
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = normal()
		for j, x := range centres[i%len(centres)] {
			rows[i][j] = x + 0.4*rows[i][j]
		}
	}
	return rows
}
