package store

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
)

// naiveRemovals compares each point of a group with all that stay, in order.
func naiveRemovals(t *testing.T, c *Collection, scan *duplicateScan, found *Duplicates) (out []Removed) {
	scorer := c.pairScorer(scan)
	removal := func(g *ground, id ID, stays []ID) *Removed {
		for _, k := range stays {
			slots, err := g.slotsOf([]ID{id, k})
			if err != nil {
				t.Fatal(err)
			}
			if between := scan.between; between != nil && (!between.Has(slots[0]) || between.Has(slots[1])) {
				continue
			}
			pair, err := scorer.score(g, [2]ID{id, k}, [2]uint32(slots))
			if err != nil {
				t.Fatal(err)
			}
			if pair.Exact {
				return &Removed{ID: id, Kept: k, Exact: true, Reason: ReasonExact, Fields: pair.Fields}
			}
			if pair.Distance <= found.Threshold {
				return &Removed{ID: id, Kept: k, Distance: pair.Distance, Reason: ReasonNear, Fields: pair.Fields}
			}
		}
		return nil
	}
	err := c.view(func(g *ground) error {
		for _, group := range found.Groups {
			var stays []ID
			for _, id := range slices.Concat([]ID{group.Keep}, group.IDs) {
				if id == group.Keep && len(stays) > 0 {
					continue
				}
				if r := removal(g, id, stays); r != nil {
					out = append(out, *r)
				} else {
					stays = append(stays, id)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pathVectors are points along a path through some dimensions that turns now and then, not
// in order of ids; some come twice, or on the spot.
func pathVectors(seed uint64, n, dims int, step float64) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	out, at := make([][]float32, n), make([]float32, 8)
	at[7] = 9
	for _, place := range rng.Perm(n) {
		switch rng.IntN(6) {
		case 0: // to the byte
		case 1:
			for d := range dims {
				at[d] += float32(step * 0.1 * rng.NormFloat64())
			}
		default:
			at[rng.IntN(dims)] += float32(step * float64(1+rng.IntN(2)) / 2)
		}
		out[place] = slices.Clone(at)
	}
	return out
}

// TestRemovalsAreThoseOfComparingAll is of groups beyond fewMembers.
func TestRemovalsAreThoseOfComparingAll(t *testing.T) {
	db := tempDB(t, quiet())
	removed := 0
	rapid.Check(t, func(rt *rapid.T) {
		cfg := vectorConfig()
		cfg.Source = source.Vector{Size: 8}
		cfg.Metric = rapid.SampledFrom([]Metric{Euclid, Cosine, Manhattan, Dot}).Draw(rt, "metric")
		latent := cfg.Metric == Euclid && rapid.Bool().Draw(rt, "latent")
		if latent {
			cfg.Source = source.Table{}
		}
		c := create(t, db, cfg)
		defer func() {
			if err := db.DropCollection(ctx, "test"); err != nil {
				t.Error(err)
			}
		}()
		n := rapid.IntRange(fewMembers, 200).Draw(rt, "points")
		dims := rapid.IntRange(1, 7).Draw(rt, "dims")
		points := numbered(pathVectors(rapid.Uint64().Draw(rt, "seed"), n, dims, 1))
		for i := range points {
			points[i].Payload = Payload{"side": i % 3, "worth": (i * 7) % 11}
			if v := points[i].Vector; latent {
				points[i].Vector, points[i].Record = nil, map[string]any{"a": v[0], "b": v[1], "c": v[2], "d": v[3]}
			}
		}
		mustUpsert(t, c, points...)
		if latent || rapid.Bool().Draw(rt, "fitted") {
			mustFit(t, c)
		}
		threshold := rapid.SampledFrom([]float64{0, 0.2, 0.5, 1, 1.7, 4}).Draw(rt, "threshold")
		if cfg.Metric == Cosine {
			threshold *= 0.01
		}
		q := DuplicateQuery{Threshold: &threshold, Keep: rapid.SampledFrom([]Keep{KeepFirst, KeepCentral, KeepMax("worth")}).Draw(rt, "keep")}
		if rapid.Bool().Draw(rt, "between") {
			q.Between = &Filter{Must: []Condition{{Key: "side", Match: &Match{Value: 1}}}}
		}
		found, scan, err := c.findDuplicates(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.removals(ctx, scan, found)
		if want := naiveRemovals(t, c, scan, found); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("%d removed, %v, want %d\n%v\n%v", len(got), err, len(want), got, want)
		}
		removed += len(got)
	})
	if removed == 0 {
		t.Error("nothing was ever removed")
	}
}

// TestRemovalsFromAChain counts what is measured: a long chain costs no square of its length.
func TestRemovalsFromAChain(t *testing.T) {
	const n = 4096
	members, measured := make([]int, n), 0
	for i := range members {
		members[i] = i
	}
	tree, err := growTree(members, 1e-6, func(a, b int) (float64, error) {
		measured++
		return math.Abs(float64(a*5%n - b*5%n)), nil // along the chain they are in another order
	})
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for i := range members {
		tree.drop(i)
		if found, err = tree.within(found[:0], i, 1); err != nil {
			t.Fatal(err)
		}
		var want []int
		for k := i + 1; k < n; k++ {
			if d := k*5%n - i*5%n; d == 1 || d == -1 {
				want = append(want, k)
			}
		}
		if slices.Sort(found); !slices.Equal(found, want) {
			t.Fatalf("near %d lie %v, want %v", i, found, want)
		}
	}
	if most := 2 * n * 12; measured > most {
		t.Errorf("%d measured, more than %d", measured, most)
	}
}

func TestTreesEndWithAnError(t *testing.T) {
	fails, asked := errors.New("no"), 0
	distance := func(a, b int) (float64, error) {
		if asked++; asked > 20 {
			return 0, fails
		}
		return float64(a - b), nil
	}
	members := []int{0, 1, 2, 3, 4, 5, 6, 7}
	tree, err := growTree(members, 0, distance)
	if err != nil {
		t.Fatal(err)
	}
	asked = 20
	if _, err := tree.within(nil, 3, 1); !errors.Is(err, fails) {
		t.Errorf("%v", err)
	}
	if _, err := growTree(members, 0, distance); !errors.Is(err, fails) {
		t.Errorf("%v", err)
	}
}

// TestCopiesLeaveHoweverTheyAreMeasured: rows that were made apart may differ by rounding.
func TestCopiesLeaveHoweverTheyAreMeasured(t *testing.T) {
	tree, err := growTree([]int{1, 2}, 0, func(a, b int) (float64, error) { return 1, nil })
	if err != nil {
		t.Fatal(err)
	}
	copied, other := [16]byte{1}, [16]byte{2}
	near := &nearLeft{tree: tree, content: [][16]byte{copied, other, copied}, copies: map[[16]byte][]int{copied: {2}, other: {1}}}
	if got, err := near.of(nil, 0); err != nil || !slices.Equal(got, []int{2}) {
		t.Errorf("%v, %v, want the copy", got, err)
	}
}

// chainOfTexts are texts of ten words, each of which has most of the words of the next.
func chainOfTexts(n int) []Point {
	out := make([]Point, n)
	for i := range out {
		var words []string
		for k := range 10 {
			words = append(words, fmt.Sprintf("word%dx", (i*3+k)*7919))
		}
		out[i] = Point{ID: NumID(uint64(i)), Record: strings.Join(words, " ")}
	}
	return out
}

// TestRemovalsByFields: what a scorer remembers changes nothing.
func TestRemovalsByFields(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Text{}})
	mustUpsert(t, c, chainOfTexts(80)...)
	threshold := 0.999
	found, scan, err := c.findDuplicates(ctx, DuplicateQuery{Threshold: &threshold})
	if err != nil || scan.matcher == nil || len(found.Groups) == 0 || len(found.Groups[0].IDs) <= fewMembers {
		t.Fatalf("%+v, %v", found, err)
	}
	got, err := c.removals(ctx, scan, found)
	if want := naiveRemovals(t, c, scan, found); err != nil || len(got) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%d removed, %v, want %d\n%v\n%v", len(got), err, len(want), got, want)
	}
	err = c.view(func(g *ground) error {
		for _, pair := range found.Groups[0].Pairs[:20] {
			full := c.pairScorer(scan)
			full.terms = scorerTerms // it forgets what it has
			slots, err := g.slotsOf([]ID{pair.A, pair.B})
			if err != nil {
				return err
			}
			for range 2 {
				again, err := full.score(g, [2]ID{pair.A, pair.B}, [2]uint32(slots))
				if err != nil || fmt.Sprint(again) != fmt.Sprint(pair) || full.terms > scorerTerms {
					t.Errorf("%+v, %v, want %+v; %d terms are kept", again, err, pair, full.terms)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
