package linkage

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/index"
)

func TestJaroWinkler(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want float64 // as Winkler gives them
	}{
		{"martha", "marhta", .9611}, {"dwayne", "duane", .84}, {"dixon", "dicksonx", .8133},
		{"same", "same", 1}, {"abc", "xyz", 0}, {"", "a", 0},
	} {
		if got := jaroWinkler(test.a, test.b); math.Abs(got-test.want) > 5e-5 {
			t.Errorf("%q, %q: %.4f, want %.4f", test.a, test.b, got, test.want)
		}
	}
}

func TestSimilarity(t *testing.T) {
	value := func(v Value) *field { r := counted([]Value{v}); return &r.fields[0] }
	text := func(s string) *field { return value(Value{Kind: Text, Text: s}) }
	number := func(x float64) *field { return value(NumberValue(x)) }
	for _, test := range []struct {
		name        string
		a, b        *field
		least, most float64
		missing     bool
	}{
		{name: "equal", a: text("A b"), b: text("a B"), least: 1, most: 1},
		{name: "missing", a: text("a"), b: value(Value{}), missing: true},
		{name: "far numbers", a: number(1), b: number(9), least: 0, most: 0},
		{name: "near numbers", a: number(1), b: number(2), least: .74, most: .76},
		{name: "digits swapped", a: number(6988048), b: number(6988084), least: .9, most: .999},
		{name: "nothing shared", a: text("abc"), b: text("xyz"), least: 0, most: 0},
	} {
		got := similarity(test.a, test.b, 4)
		if test.missing != math.IsNaN(got) || !test.missing && (got < test.least || got > test.most) {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// The postings find what the exact scan over all pairs of prefixes would.
func TestCandidatesAreTheNearest(t *testing.T) {
	words := []string{"red", "green", "blue", "lamp", "chair", "table", "x100", "x200"}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		texts := make([]string, 2+rng.IntN(8))
		for i := range texts {
			for range 1 + rng.IntN(5) {
				texts[i] += " " + words[rng.IntN(len(words))]
			}
		}
		r := Prepare(2, len(texts), 1, nil, func(i int) []Value { return []Value{{Kind: Text, Text: texts[i]}} })
		got := r.Candidates(nil, nil)
		for a := range texts {
			for b := a + 1; b < len(texts); b++ {
				share := cosine(sortedByID(prefix(r.records[a].all)), sortedByID(prefix(r.records[b].all)))
				if found := slices.Contains(got, Pair{uint32(a), uint32(b)}); found != (share > 0) {
					t.Fatalf("%q and %q share %v, found %t", texts[a], texts[b], share, found)
				}
			}
		}
	}
}

// Of records that are all alike some are looked at, of both sets where there are two, and
// those that are found lead from each to all the others.
func TestCandidatesOfCommonTerms(t *testing.T) {
	const n = 2*mostPostings + 500
	r := Prepare(2, n, 1, nil, func(int) []Value { return []Value{{Kind: Text, Text: "same thing"}} })
	b := newBlocks(r)
	f := &finder{sums: make([]float32, n), top: index.NewTopK(byTerms)}
	for _, at := range []uint32{0, 1, n / 2, n - 1} {
		if b.nearest(nil, f, at, nil); len(f.touched) != mostPostings {
			t.Errorf("%d: %d were looked at, want %d", at, len(f.touched), mostPostings)
		}
		if slices.Sort(f.touched); len(slices.Compact(f.touched)) != mostPostings || !slices.Contains(f.touched, at) {
			t.Errorf("%d: some were looked at twice, or it was not", at)
		}
	}
	second := func(at uint32) bool { return at >= n/2 }
	for _, goes := range []func(a, b uint32) bool{nil, func(a, b uint32) bool { return second(a) != second(b) }} {
		first := make([]uint32, n) // of what each is led to
		for i := range first {
			first[i] = uint32(i)
		}
		find := func(at uint32) uint32 {
			for first[at] != at {
				at = first[at]
			}
			return at
		}
		for _, p := range r.Candidates(goes, nil) {
			x, y := find(p.A), find(p.B)
			first[max(x, y)] = min(x, y)
		}
		for at := range uint32(n) {
			if find(at) != 0 {
				t.Fatalf("two sets %t: nothing leads from 0 to %d", goes != nil, at)
			}
		}
	}
}

func sortedByID(v vector) vector {
	v = slices.Clone(v)
	slices.SortFunc(v, func(a, b term) int { return int(int64(a.id) - int64(b.id)) })
	return v
}

func TestAscending(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var values, sizes [levels]float64
		var sum, kept float64
		for l := range levels {
			values[l] = rapid.Float64Range(-6, 6).Draw(t, "value")
			sizes[l] = rapid.Float64Range(.1, 10).Draw(t, "size")
			sum += values[l] * sizes[l]
		}
		got := ascending(values, sizes)
		for l := range levels {
			kept += got[l] * sizes[l]
		}
		if !slices.IsSorted(got[:]) || math.Abs(kept-sum) > 1e-6 {
			t.Fatalf("%v of %v", got, values)
		}
	})
}

// people are made up; of the first many, a second record has a slip in two fields.
func people(n, twice int) [][]Value {
	rng := rand.New(rand.NewPCG(7, 7))
	syllables := []string{"ka", "lo", "mi", "ren", "sta", "vor", "ny", "bel", "ter", "gu", "ash", "ol"}
	name := func(k int) string {
		var b strings.Builder
		for range k {
			b.WriteString(syllables[rng.IntN(len(syllables))])
		}
		return b.String()
	}
	out := make([][]Value, n)
	for i := range out {
		out[i] = []Value{
			{Kind: Text, Text: name(3)}, {Kind: Text, Text: name(4)}, NumberValue(float64(1900 + rng.IntN(100))),
			{Kind: Text, Text: fmt.Sprintf("%d %s street", rng.IntN(300), name(3))},
		}
	}
	for i := range twice {
		again := slices.Clone(out[i])
		for range 2 {
			f := rng.IntN(4)
			if f == 2 {
				again[f] = Value{}
				continue
			}
			at := rng.IntN(len(again[f].Text) - 1)
			again[f].Text = again[f].Text[:at] + again[f].Text[at+1:]
		}
		out = append(out, again)
	}
	return out
}

func TestLearn(t *testing.T) {
	const n, twice = 400, 60
	values := people(n, twice)
	learn := func(workers int) (*Links, []Match) {
		r := Prepare(workers, len(values), 4, nil, func(i int) []Value { return values[i] })
		return r.Learn(r.Candidates(nil, nil), false)
	}
	links, matches := learn(1)
	right, wrong := 0, 0
	for _, m := range matches {
		same := m.A < twice && m.B == m.A+n
		if m.Probability >= .5 && same {
			right++
		} else if m.Probability >= .5 {
			wrong++
		}
		again := links.Score(m.Pair, links.Prepare(values[m.A]), links.Prepare(values[m.B]))
		if again.Probability != m.Probability || fmt.Sprint(again.Fields) != fmt.Sprint(m.Fields) {
			t.Fatalf("scored again: %+v, was %+v", again, m)
		}
	}
	if right < twice-2 || wrong > 5 {
		t.Errorf("%d of %d found, and %d that are none", right, twice, wrong)
	}
	if _, others := learn(3); fmt.Sprint(others) != fmt.Sprint(matches) {
		t.Error("the answer depends on the number of workers")
	}
}

// Between two sets a record's better partner takes what speaks for a worse one.
func TestLearnBetween(t *testing.T) {
	const n, twice = 400, 60
	values := people(n, twice)
	worse := slices.Clone(values[0])
	worse[0].Text, worse[3].Text = "quite", "elsewhere"
	values = append(values, worse)
	goes := func(a, b uint32) bool { return (a < n) != (b < n) }
	r := Prepare(2, len(values), 4, nil, func(i int) []Value { return values[i] })
	links, matches := r.Learn(r.Candidates(goes, nil), true)
	for _, m := range matches {
		if !goes(m.A, m.B) {
			t.Fatalf("%v are of one set", m.Pair)
		}
	}
	better := links.Score(Pair{0, n}, links.Prepare(values[0]), links.Prepare(values[n]))
	other := links.Score(Pair{0, uint32(len(values) - 1)}, links.Prepare(values[0]), links.Prepare(worse))
	if better.Probability < .9 || other.Probability > .1 {
		t.Errorf("the partner has %v, another %v", better.Probability, other.Probability)
	}
}

func TestLearnOfNothing(t *testing.T) {
	for n := range 3 {
		r := Prepare(2, n, 2, nil, func(i int) []Value { return make([]Value, 2) })
		if _, matches := r.Learn(r.Candidates(nil, nil), false); len(matches) != 0 {
			t.Errorf("%d records without values: %v", n, matches)
		}
	}
}

// Where nothing is a copy, nothing is taken for one, though some are more alike than others.
func TestLearnOfStrangers(t *testing.T) {
	texts := make([][]Value, 600)
	rng := rand.New(rand.NewPCG(5, 1))
	for i := range texts {
		var b strings.Builder
		for range 10 { // half of the words are the subject's
			fmt.Fprintf(&b, "subject%cword%c other%d ", 'a'+i%20, 'a'+rng.IntN(6), rng.IntN(400))
		}
		texts[i] = []Value{{Kind: Text, Text: b.String()}}
	}
	for name, values := range map[string][][]Value{"people": people(400, 0), "texts": texts} {
		r := Prepare(2, len(values), len(values[0]), nil, func(i int) []Value { return values[i] })
		_, matches := r.Learn(r.Candidates(nil, nil), false)
		likely := 0
		for _, m := range matches {
			if m.Probability >= .5 {
				likely++
			}
		}
		if len(matches) == 0 || likely > 2 {
			t.Errorf("%s: %d of %d pairs are taken for copies", name, likely, len(matches))
		}
	}
}

func TestDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 6
		r := &Records{records: make([]record, n)}
		place := rapid.Uint32Range(0, n-1)
		pairs := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Pair {
			return PairOf(place.Draw(t, "a"), place.Draw(t, "b"))
		})).Draw(t, "pairs")
		want := slices.Clone(pairs)
		slices.SortFunc(want, func(p, q Pair) int { return cmp.Or(cmp.Compare(p.A, q.A), cmp.Compare(p.B, q.B)) })
		want = slices.Compact(want)
		if got := r.Distinct(pairs); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestLearningEnds: where nobody waits, neither the sort nor the rounds go on.
func TestLearningEnds(t *testing.T) {
	ended := func() bool { return true }
	r := &Records{records: make([]record, 3), ended: ended}
	if got := r.Distinct([]Pair{{0, 1}, {1, 2}}); len(got) != 0 {
		t.Errorf("pairs are sorted: %v", got)
	}
	if m := learnMixture([]uint8{1, 2}, 1, []float64{0, 1}, []bool{true, true}, ended); m.weights[0] != [levels]float64{} {
		t.Errorf("weights are learned: %v", m.weights)
	}
}
