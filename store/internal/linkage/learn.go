package linkage

import (
	"math"
	"slices"
)

const (
	// ofWhole are the comparisons of whole records: their terms, their words, their codes.
	ofWhole = 3
	// learnFrom is how many candidates are learned from at most.
	learnFrom = 200_000
	// likeBest is how alike a pair must be, next to the most alike pair of its records, to
	// be taken for a match while the weights are learned.
	likeBest = 0.9
	// blur is how sharply the search for two classes begins.
	blur = 0.03
	// ofLikeness is what likeness on the whole weighs beside the levels, in nats, when
	// pairs of one record are ranked: levels are coarse.
	ofLikeness = 30
	// textsAlike and recordsAlike are how alike texts and records of one table must be, of
	// 1, to be taken for a match while the weights are learned.
	textsAlike, recordsAlike = 0.7, 0.5
	// slack is how many nats lighter than another pair of its records a pair between two
	// sets may be and not be taken for the worse partner.
	slack = 3
)

// Links says how probable it is that two records match. It is immutable.
type Links struct {
	scale   scale
	weights *mixture
	// between tells that pairs are of two sets, whose records have one partner or none.
	between bool
	// alone are the weights before it was known how pairs stand beside each other, and
	// best is what they made of each record.
	alone *mixture
	best  []standing
	// chance is what agreements are worth that chance brings about as well.
	chance chance
}

// Match is a pair with the probability that it is one and what its fields' values have in
// common, 0 to 1, NaN where one is missing.
type Match struct {
	Pair
	Probability float64
	Fields      []float32
}

// Learn learns from candidates what agreements weigh, and scores them. between tells that
// they are pairs of two sets: then a record matches what is not much lighter than its
// heaviest pair.
func (r *Records) Learn(pairs []Pair, between bool) (*Links, []Match) {
	least := r.leastAlike(between)
	l := &Links{scale: r.scale, between: between}
	c := r.compareAll(l, pairs)
	sample := sampled(len(pairs))
	best := standings(len(r.records), pairs, c.alike)
	may, match := make([]bool, len(sample)), make([]float64, len(sample))
	cut := max(least, gap(mutual(pairs, best, c.alike)))
	for k, i := range sample {
		may[k] = c.alike[i] >= max(least, likeBest*max(best[pairs[i].A].most, best[pairs[i].B].most))
		match[k] = logistic((c.alike[i] - cut) / blur)
	}
	l.alone = learnMixture(c.pick(sample), c.width, match, may, r.isEnded)

	margins := l.stand(len(r.records), pairs, c)
	for k, i := range sample {
		may[k] = c.alike[i] >= least && (!between || margins[i] > -slack)
		match[k] = l.alone.probability(c.of(i)[:c.width-1])
	}
	l.weights = learnMixture(c.pick(sample), c.width, match, may, r.isEnded)
	for i := range c.matches {
		c.matches[i].Probability = l.probability(c.of(i), margins[i])
	}
	if !between {
		l.chance = r.learnChance(l, c.matches)
		for i := range c.matches {
			c.matches[i].Probability = l.chance.left(c.matches[i].Probability)
		}
	}
	return l, c.matches
}

// stand finds each record's best pairs, and how far every pair is ahead of the others of
// its records, which is its last comparison.
func (l *Links) stand(records int, pairs []Pair, c *comparisons) (margins []float64) {
	ranks := make([]float64, len(pairs))
	for i := range pairs {
		ranks[i] = l.rank(c.of(i), c.alike[i])
	}
	l.best = standings(records, pairs, ranks)
	margins = make([]float64, len(pairs))
	for i, p := range pairs {
		margins[i] = l.margin(p, ranks[i])
		c.of(i)[c.width-1] = marginLevel(margins[i])
	}
	return margins
}

// leastAlike is how alike a match is at least while the weights are learned. The two classes
// that are found are those that differ most: without this, among texts without copies, they
// would be one story and another. Only records of two tables that have one partner each are
// told by that, however differently they are described.
func (r *Records) leastAlike(between bool) float64 {
	switch {
	case len(r.scale.spreads) == 1:
		return textsAlike
	case between:
		return 0
	}
	return recordsAlike
}

// comparisons are the levels of pairs, width to a pair: those of whole records, those of
// fields, and that of how the pair stands beside others.
type comparisons struct {
	width   int
	levels  []uint8
	alike   []float64
	matches []Match
}

func (c *comparisons) of(i int) []uint8 { return c.levels[i*c.width : (i+1)*c.width] }

// pick is the levels of some pairs.
func (c *comparisons) pick(sample []int) []uint8 {
	out := make([]uint8, 0, len(sample)*c.width)
	for _, i := range sample {
		out = append(out, c.of(i)...)
	}
	return out
}

func (r *Records) compareAll(l *Links, pairs []Pair) *comparisons {
	n, fields := len(pairs), len(r.scale.spreads)
	c := &comparisons{width: ofWhole + fields + 1, alike: make([]float64, n), matches: make([]Match, n)}
	c.levels = make([]uint8, n*c.width)
	similarities := make([]float32, n*fields)
	r.parallel(n, func(i int) {
		c.matches[i] = Match{Pair: pairs[i], Fields: similarities[i*fields : (i+1)*fields : (i+1)*fields]}
		c.alike[i] = l.scale.compare(c.of(i), c.matches[i].Fields, &r.records[pairs[i].A], &r.records[pairs[i].B])
	})
	return c
}

// Record is a record prepared to be scored. It is immutable.
type Record struct{ of record }

// Prepare reads a record that may be none of those learned from.
func (l *Links) Prepare(values []Value) *Record {
	r := &Record{counted(values)}
	l.scale.weigh(&r.of)
	return r
}

// Terms tells how much memory the record takes, some ten bytes a term.
func (r *Record) Terms() int {
	n := len(r.of.all) + len(r.of.words) + len(r.of.codes)
	for _, f := range r.of.fields {
		n += len(f.terms) + len(f.text)/8
	}
	return n
}

// Score scores two records that may be no candidates; the pair says where they were in
// what was learned from, Nowhere for one that was not there.
func (l *Links) Score(p Pair, a, b *Record) Match {
	m := Match{Pair: p, Fields: make([]float32, len(l.scale.spreads))}
	at := make([]uint8, ofWhole+len(m.Fields)+1)
	alike := l.scale.compare(at, m.Fields, &a.of, &b.of)
	margin := l.margin(p, l.rank(at, alike))
	at[len(at)-1] = marginLevel(margin)
	m.Probability = l.chance.left(l.probability(at, margin))
	return m
}

// compare writes the levels of a pair's comparisons and its fields' similarities, and
// returns how alike the records are on the whole.
func (s *scale) compare(at []uint8, fields []float32, a, b *record) float64 {
	for i := range at {
		at[i] = absent
	}
	similar := cosine(a.all, b.all)
	at[0] = level(similar)
	if len(a.words) > 0 && len(b.words) > 0 {
		at[1] = level(overlap(a.words, b.words, s.rarity, true))
	}
	if len(a.codes) > 0 && len(b.codes) > 0 {
		at[2] = level(overlap(a.codes, b.codes, s.rarity, false))
	}
	sum, n := 0.0, 0.0
	for f := range fields {
		x := similarity(&a.fields[f], &b.fields[f], s.spreads[f])
		fields[f] = float32(x)
		if len(fields) > 1 { // a single field's is the whole record's
			at[ofWhole+f] = level(x)
		}
		if !math.IsNaN(x) {
			sum, n = sum+x, n+1
		}
	}
	return (similar + sum/max(n, 1)) / 2
}

// rank is by how much pairs of one record are told better from worse.
func (l *Links) rank(at []uint8, alike float64) float64 {
	return l.alone.weigh(at[:len(at)-1]) + ofLikeness*alike
}

// probability is that of a match. Between two sets a pair's odds fall as far as it is
// worse than another of its records.
func (l *Links) probability(at []uint8, margin float64) float64 {
	x := l.weights.logOdds(at)
	if l.between {
		x += trust * min(0, margin+slack)
	}
	return logistic(x)
}

// mutual are the values of the pairs that are both records' most alike.
func mutual(pairs []Pair, best []standing, alike []float64) []float64 {
	var out []float64
	for i, p := range pairs {
		if a, b := best[p.A].most, best[p.B].most; alike[i] >= a && alike[i] >= b {
			out = append(out, alike[i])
		}
	}
	return out
}

// gap splits values into two groups that vary least within (Otsu, "A threshold selection
// method from gray-level histograms", 1979).
func gap(values []float64) float64 {
	if len(values) == 0 {
		return 1
	}
	slices.Sort(values)
	var sum, below float64
	for _, v := range values {
		sum += v
	}
	cut, most := values[len(values)-1], 0.0
	for i := range values[:len(values)-1] {
		below += values[i]
		n, m := float64(i+1), float64(len(values)-i-1)
		apart := below/n - (sum-below)/m
		if between := n * m * apart * apart; between > most {
			most, cut = between, (values[i]+values[i+1])/2
		}
	}
	return cut
}

// sampled are the places of learnFrom of n pairs at most, evenly spread.
func sampled(n int) []int {
	step := max(1, (n+learnFrom-1)/learnFrom)
	out := make([]int, 0, n/step+1)
	for i := 0; i < n; i += step {
		out = append(out, i)
	}
	return out
}
