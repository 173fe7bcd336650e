package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// shops are products of two shops: 150 of one, and of the first 100 what the other shop
// says of them, as "b" and the same number. Product 149 is listed twice by the first.
func shops() []Point {
	rng := rand.New(rand.NewPCG(11, 4))
	makers := []string{"acme", "zenith", "orion", "vega", "nimbus", "quasar"}
	kinds := []string{"camera", "speaker", "headphones", "printer", "monitor", "router"}
	colours := []string{"black", "white", "silver", "red"}
	var points []Point
	add := func(id, shop string, name string, price any) {
		points = append(points, Point{ID: ParseID(id), Record: map[string]any{"name": name, "price": price},
			Payload: Payload{"shop": shop, "rank": float64(len(points) % 7)}})
	}
	for i := range 150 {
		maker, kind, colour := makers[rng.IntN(6)], kinds[rng.IntN(6)], colours[rng.IntN(4)]
		code := fmt.Sprintf("%c%c%d", 'a'+rng.IntN(26), 'a'+rng.IntN(26), 100+rng.IntN(900))
		price := 20 + rng.Float64()*400
		name := strings.Join([]string{maker, colour, kind, code}, " ")
		add(fmt.Sprintf("a%d", i), "a", name, price)
		if i < 100 {
			add(fmt.Sprintf("b%d", i), "b", strings.Join([]string{maker, code, kind, "new"}, " "), price*1.02)
		}
		if i == 149 {
			add("a149again", "a", name, price)
		}
	}
	return points
}

func shopCollection(t *testing.T) *Collection {
	t.Helper()
	c := create(t, tempDB(t, quiet()), Config{Source: source.Table{}})
	mustUpsert(t, c, shops()...)
	return c
}

func ofShop(shop string) *Filter {
	return &Filter{Must: []Condition{{Key: "shop", Match: &Match{Value: shop}}}}
}

// partners counts the pairs of a product in both shops, and the other pairs.
func partners(groups []DuplicateGroup) (right, wrong int) {
	for _, g := range groups {
		for _, p := range g.Pairs {
			if p.A.String()[1:] == p.B.String()[1:] {
				right++
			} else if !p.Exact {
				wrong++
			}
		}
	}
	return right, wrong
}

func TestDuplicatesBetween(t *testing.T) {
	c := shopCollection(t)
	q := DuplicateQuery{Between: ofShop("b")}
	found, err := c.Duplicates(ctx, q)
	if err != nil || found.Method != MethodFields || found.Points != 251 {
		t.Fatalf("%+v, %v", found, err)
	}
	right, wrong := partners(found.Groups)
	if right < 97 || wrong > 3 || found.ExpectedPrecision == nil || *found.ExpectedPrecision < .9 || found.Threshold > .5 {
		t.Errorf("%d right, %d wrong within %v, expected precision %v", right, wrong, found.Threshold, found.ExpectedPrecision)
	}
	for _, g := range found.Groups {
		if g.Keep.String()[0] != 'a' {
			t.Errorf("keeps %v, which is of what was asked about", g.Keep)
		}
		for _, p := range g.Pairs {
			if p.A.String()[0] == p.B.String()[0] {
				t.Errorf("%v and %v are of one shop", p.A, p.B)
			}
			if len(p.Fields) != 2 || p.Fields[0].Name != "name" || !(p.Fields[0].Similarity > 0) {
				t.Errorf("fields %+v", p.Fields)
			}
		}
	}
	gone, err := c.Deduplicate(ctx, q, true)
	if err != nil || len(gone.Removed) < 97 {
		t.Fatalf("%+v, %v", gone, err)
	}
	for _, r := range gone.Removed {
		if r.ID.String()[0] != 'b' || r.Kept.String()[0] != 'a' || r.Reason != ReasonNear || len(r.Fields) == 0 {
			t.Errorf("removed %+v", r)
		}
	}
	if _, err := c.Duplicates(ctx, DuplicateQuery{Between: &Filter{}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("all against nothing: %v", err)
	}
}

// What is scored as a given pair is what was found, whatever the threshold, and nothing is
// compared twice.
func TestPairScores(t *testing.T) {
	c := shopCollection(t)
	q := DuplicateQuery{Between: ofShop("b")}
	found, err := c.Duplicates(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	scan := c.lastScan.last
	if scan == nil {
		t.Fatal("the scan was not kept")
	}
	var asked [][2]ID
	var want []DuplicatePair
	for _, g := range found.Groups {
		for _, p := range g.Pairs {
			asked, want = append(asked, [2]ID{p.A, p.B}), append(want, p)
		}
	}
	scores, err := c.PairScores(ctx, q, asked)
	if err != nil || scores.Threshold != found.Threshold || fmt.Sprint(scores.Pairs) != fmt.Sprint(want) {
		t.Errorf("%+v, %v; were %+v", scores, err, want)
	}
	tight := found.Threshold / 1e6
	fewer, err := c.Duplicates(ctx, DuplicateQuery{Between: q.Between, Threshold: &tight})
	if err != nil || len(fewer.Groups) >= len(found.Groups) || c.lastScan.last != scan {
		t.Errorf("within %v: %d groups of %d, %v", tight, len(fewer.Groups), len(found.Groups), err)
	}
	mustUpsert(t, c, Point{ID: ParseID("b0"), Record: map[string]any{"name": "nothing of the kind", "price": 1.0}, Payload: Payload{"shop": "b"}})
	again, err := c.PairScores(ctx, q, [][2]ID{{ParseID("a0"), ParseID("b0")}})
	if err != nil || again.Pairs[0].Distance < .9 || c.lastScan.last == scan {
		t.Errorf("after a change: %+v, %v", again, err)
	}
	if _, err := c.PairScores(ctx, q, [][2]ID{{ParseID("a0"), ParseID("nobody")}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a pair with nobody: %v", err)
	}
	if _, err := c.PairScores(ctx, q, make([][2]ID, MaxPairs+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("too many pairs: %v", err)
	}
}

// The distance of copies is 0, where that between rows is what rounding leaves.
func TestPairScoresOfCopies(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Metric: Cosine})
	vectors := curved(3, 40, 7)
	var pairs [][2]ID
	for i, v := range vectors {
		mustUpsert(t, c, Point{ID: NumID(uint64(i)), Vector: v}, Point{ID: NumID(uint64(100 + i)), Vector: v})
		pairs = append(pairs, [2]ID{NumID(uint64(i)), NumID(uint64(100 + i))}, [2]ID{NumID(uint64(i)), NumID(uint64(i))})
	}
	scores, err := c.PairScores(ctx, DuplicateQuery{}, pairs)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range scores.Pairs {
		if !p.Exact || p.Distance != 0 {
			t.Errorf("%+v", p)
		}
	}
}

func TestKeep(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Text{}})
	rng := rand.New(rand.NewPCG(2, 8))
	var points []Point
	for i := range 60 {
		text := ""
		for range 12 {
			text += fmt.Sprintf("w%d ", rng.IntN(3000))
		}
		points = append(points, Point{ID: NumID(uint64(i)), Record: text, Payload: Payload{"n": i}})
	}
	text := points[0].Record.(string)
	points = append(points,
		Point{ID: NumID(100), Record: text + "and some more", Payload: Payload{"n": 7}},
		Point{ID: NumID(101), Record: text, Payload: Payload{"n": 9}},
		Point{ID: NumID(102), Record: text[:len(text)-4], Payload: Payload{"n": "none"}})
	mustUpsert(t, c, points...)
	mustUpsert(t, c, Point{ID: NumID(101), Record: text + " ", Payload: Payload{"n": 9}})
	for keep, want := range map[Keep]uint64{KeepFirst: 0, KeepNewest: 101, KeepLongest: 100, KeepMax("n"): 9, KeepMax("absent"): 0} {
		if keep == KeepMax("n") {
			want = 101
		}
		threshold := 0.5
		found, err := c.Duplicates(ctx, DuplicateQuery{Keep: keep, Threshold: &threshold})
		if err != nil || len(found.Groups) != 1 || len(found.Groups[0].IDs) != 4 {
			t.Fatalf("%+v, %v", found, err)
		}
		if got := found.Groups[0].Keep; got != NumID(want) {
			t.Errorf("%s keeps %v, want %v", keep, got, want)
		}
	}
	for text, want := range map[string]Keep{`"newest"`: KeepNewest, `{"max":"a.b"}`: KeepMax("a.b")} {
		var got Keep
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want || got.check() != nil {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, k := range []Keep{"best", "max:", ""} {
		if k.check() == nil {
			t.Errorf("%q is a policy", k)
		}
	}
}

// The point in the middle of a chain is central.
func TestKeepCentral(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	for i := range 3 {
		v := make([]float32, 16)
		v[0] = float32([]int{1, 0, 2}[i]) // 0 lies between 1 and 2
		mustUpsert(t, c, Point{ID: NumID(uint64(9 - i)), Vector: v})
	}
	threshold := 1.0
	found, err := c.Duplicates(ctx, DuplicateQuery{Keep: KeepCentral, Threshold: &threshold})
	if err != nil || len(found.Groups) != 1 || found.Groups[0].Keep != NumID(9) {
		t.Errorf("%+v, %v", found, err)
	}
}

// Copies are pairs across the line between two sets, whichever comes first.
func TestCopiesBetween(t *testing.T) {
	c := create(t, tempDB(t, quiet()), Config{Source: source.Text{}})
	var points []Point
	for i, set := range []string{"b", "b", "a", "a", "b"} {
		points = append(points, Point{ID: NumID(uint64(i)), Record: "the same text", Payload: Payload{"shop": set}})
	}
	mustUpsert(t, c, points...)
	gone, err := c.Deduplicate(ctx, DuplicateQuery{Between: ofShop("b")}, false)
	if err != nil || len(gone.Removed) != 3 {
		t.Fatalf("%+v, %v", gone, err)
	}
	for _, r := range gone.Removed {
		if !r.Exact || r.Reason != ReasonExact || r.Distance != 0 || !slices.Contains([]uint64{0, 1, 4}, r.ID.num) {
			t.Errorf("removed %+v", r)
		}
	}
}
