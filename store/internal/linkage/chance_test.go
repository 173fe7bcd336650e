package linkage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// strangers are rows of an age, one of 20 cities and a day of fourteen years, none of which
// is another's duplicate: some 20 of 2,000 share both city and day.
func strangers(n int) (rows [][]Value) {
	rng := rand.New(rand.NewPCG(1, 4))
	for range n {
		day := rng.IntN(14 * 365)
		rows = append(rows, []Value{
			NumberValue(float64(18 + rng.IntN(60))),
			{Kind: Text, Text: fmt.Sprintf("city%c", 'a'+rng.IntN(20))},
			{Kind: Text, Text: fmt.Sprintf("%d-%02d-%02d", 2008+day/365, 1+day%365/31, 1+day%31)},
		})
	}
	return rows
}

func learned(rows [][]Value) (*Links, []Match) {
	r := Prepare(2, len(rows), len(rows[0]), nil, func(i int) []Value { return rows[i] })
	return r.Learn(r.Candidates(nil, nil), false)
}

// names draws names that nobody else has.
func names() func() Value {
	rng := rand.New(rand.NewPCG(2, 2))
	return func() Value {
		b := make([]byte, 10)
		for i := range b {
			b[i] = byte('a' + rng.IntN(26))
		}
		return Value{Kind: Text, Text: string(b)}
	}
}

// What agrees by chance is no match, and a match is told from it still.
func TestChanceAgreementsAreNoMatches(t *testing.T) {
	rows := strangers(2000)
	_, matches := learned(rows)
	for _, m := range matches {
		if m.Probability > 0.5 {
			t.Errorf("%v and %v match with probability %.2f", rows[m.A], rows[m.B], m.Probability)
		}
	}
	name := names()
	for i := range rows {
		rows[i] = append(rows[i], name())
	}
	const copies = 100
	for i := range copies { // grown older by a year
		row := slices.Clone(rows[i])
		row[0] = NumberValue(row[0].Number + 1)
		rows = append(rows, row)
	}
	links, matches := learned(rows)
	right := 0
	for _, m := range matches {
		isCopy := m.B == m.A+2000
		if m.Probability > 0.5 != isCopy {
			t.Errorf("%v and %v match with probability %.2f", rows[m.A], rows[m.B], m.Probability)
		} else if isCopy {
			right++
		}
		if again := links.Score(m.Pair, links.Prepare(rows[m.A]), links.Prepare(rows[m.B])); again.Probability != m.Probability {
			t.Errorf("probability %v, scored again %v", m.Probability, again.Probability)
		}
	}
	if right != copies {
		t.Errorf("%d of %d copies found", right, copies)
	}
}

// What copies share comes twice for another reason than chance, which nothing but one of
// each is dealt out for.
func TestCopiesAreNoChance(t *testing.T) {
	const n, copies = 1000, 200
	rng, name := rand.New(rand.NewPCG(3, 3)), names()
	var rows [][]Value
	for range n {
		rows = append(rows, []Value{name(), NumberValue(float64(18 + rng.IntN(60)))})
	}
	for _, row := range rows[:copies] {
		rows = append(rows, []Value{row[0], NumberValue(row[1].Number + 1)})
	}
	_, matches := learned(rows)
	right := 0
	for _, m := range matches {
		if m.Probability > 0.5 && m.B == m.A+n {
			right++
		}
	}
	if right != copies {
		t.Errorf("%d of %d copies found", right, copies)
	}
}

// Shares grow as probabilities fall, what is left of probabilities keeps their order, and
// over all there is no more by chance than was counted.
func TestChanceSteps(t *testing.T) {
	draw := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 20), func(n int) float64 { return float64(n) / 20 }), 0, 30)
	rapid.Check(t, func(t *rapid.T) {
		found, byChance := draw.Draw(t, "found"), draw.Draw(t, "by chance")
		c := stepsOf(slices.Clone(found), slices.Clone(byChance), 1)
		sum, before := 0.0, 0.0
		for p := 0.0; p <= 1; p += 0.01 {
			left := c.left(p)
			if left < before || left > p {
				t.Fatalf("%v is left of %v, %v of less", left, p, before)
			}
			before = left
		}
		counted := 0.0
		for _, p := range found {
			if p > 0 {
				sum += 1 - c.left(p)/p
			} else if len(c) > 0 {
				sum += c[len(c)-1].share
			}
		}
		for _, p := range byChance {
			if len(found) > 0 && p >= slices.Min(found) {
				counted++
			}
		}
		if sum > counted+1e-9 {
			t.Fatalf("%v pairs are by chance, of %v", sum, counted)
		}
		if counted == 0 && sum != 0 {
			t.Fatal("there is chance where there was none")
		}
	})
}
