package store

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// electorate is the points that may vote on a key's values.
type electorate struct {
	key    string
	keys   keySet  // of payloads that the path begins with
	filter *Filter // those that have something under it
	space  Space
	// kind is the type of values that count.
	kind valueKind
}

// valueKind is what type a predictable value has.
type valueKind int

const (
	noValue valueKind = iota
	boolValue
	numberValue
	textValue
)

// mostNumber is the largest number that counts: squares of larger ones overflow.
const mostNumber = 1e150

func kindOfValue(v any) valueKind {
	switch v := v.(type) {
	case bool:
		return boolValue
	case int64, uint64:
		return numberValue
	case float64:
		if math.Abs(v) <= mostNumber {
			return numberValue
		}
	case string:
		return textValue
	}
	return noValue
}

// electorate is that of a query, the type of values still open.
func (q *PredictQuery) electorate(cfg Config) electorate {
	e := electorate{key: q.Key, keys: make(keySet), space: q.Space, filter: new(Filter)}
	e.keys.add(q.Key)
	setDefault(&e.space, cfg.defaultSpace())
	if q.Filter != nil {
		*e.filter = *q.Filter
	}
	e.filter.MustNot = append(slices.Clip(e.filter.MustNot), Condition{IsEmpty: q.Key})
	return e
}

// valueOf is what a slot's payload has under the key; nil unless it is one value.
func (e *electorate) valueOf(g *ground, slot uint32) (any, error) {
	p, err := g.payloadKeys(slot, e.keys)
	if err != nil {
		return nil, err
	}
	values := valuesAt(p, e.key)
	if len(values) != 1 || kindOfValue(values[0]) == noValue {
		return nil, nil
	}
	return values[0], nil
}

// nearestVoters are the k points nearest to a query whose value counts, nearest first;
// fewer where there are no more. A search finds points that have something under the key;
// it is asked again, for more, where of those too few have what counts.
func (c *Collection) nearestVoters(ctx context.Context, e electorate, q Query, k int) ([]Voter, error) {
	q.Filter, q.Space, q.OmitPayload = e.filter, e.space, true
	for q.Limit = k; ; q.Limit = min(2*q.Limit, MaxLimit) {
		s, err := c.search(ctx, q, false)
		if err != nil {
			return nil, err
		}
		found, sign := len(s.hits), 1.
		if m := s.metric(); m == Cosine || m == Dot {
			sign = -1 // larger is closer
		}
		voters := make([]Voter, 0, found)
		for _, h := range s.hits {
			voters = append(voters, Voter{ID: h.ID, Score: h.Score, distance: sign * h.Score})
		}
		searchMemories.Put(s.memory)
		if voters, err = c.withValues(e, voters); err != nil {
			return nil, err
		}
		if len(voters) >= k || found < q.Limit || q.Limit == MaxLimit {
			return voters[:min(k, len(voters))], nil
		}
	}
}

// withValues fills in what points have under the key, and leaves those out whose value
// does not count.
func (c *Collection) withValues(e electorate, voters []Voter) (out []Voter, err error) {
	out = voters[:0]
	err = c.view(func(g *ground) error {
		for _, v := range voters {
			slot, ok, err := g.slotOf(v.ID)
			if err != nil {
				return err
			}
			if !ok {
				continue // gone since
			}
			if v.Value, err = e.valueOf(g, slot); err != nil {
				return err
			}
			if kindOfValue(v.Value) == e.kind {
				out = append(out, v)
			}
		}
		return nil
	})
	return out, err
}

// leftOutPoints is how many stored points are predicted at most, to learn how.
const leftOutPoints = 1000

// labelledPoint is a stored point and its value.
type labelledPoint struct {
	id    ID
	value any
}

// labelled are points that have one value under the key, leftOutPoints at most, thinned
// evenly; others is how many of the sample have anything else.
func (c *Collection) labelled(ctx context.Context, e electorate) (points []labelledPoint, others int, err error) {
	selected, err := c.selection(ctx, e.filter)
	if err != nil {
		return nil, 0, err
	}
	slots := thinned(selected, leftOutPoints)
	err = c.view(func(g *ground) error {
		for _, slot := range slots {
			entry, ok, err := g.entry(slot)
			if err != nil {
				return err
			}
			if !ok {
				continue // gone since
			}
			switch v, err := e.valueOf(g, slot); {
			case err != nil:
				return err
			case v == nil:
				others++
			default:
				points = append(points, labelledPoint{entry.id, v})
			}
		}
		return nil
	})
	if err == nil && len(points) == 0 {
		err = invalid("key", "no point that may vote has a string, a boolean or a number under %q (%d have a list or an object there)", e.key, others)
	}
	return points, others, err
}

// thinned are n slots of a bitmap at most, evenly spread.
func thinned(b *index.Bitmap, n int) []uint32 {
	all := b.Len()
	n = min(n, all)
	out := make([]uint32, 0, n)
	at := 0
	for slot := range b.Slots() {
		if len(out) == n {
			break
		}
		if at == len(out)*all/n {
			out = append(out, slot)
		}
		at++
	}
	return out
}

// mostFrequent keeps the points whose values are of the most frequent type, text before
// numbers before booleans where two are as frequent.
func mostFrequent(points []labelledPoint) ([]labelledPoint, valueKind) {
	var counts [textValue + 1]int
	best := noValue
	for _, p := range points {
		counts[kindOfValue(p.value)]++
	}
	for kind, n := range counts {
		if n > 0 && n >= counts[best] {
			best = valueKind(kind)
		}
	}
	var out []labelledPoint
	for _, p := range points {
		if kindOfValue(p.value) == best {
			out = append(out, p)
		}
	}
	return out, best
}

// mostLevels is how many different whole numbers are classes at most.
const mostLevels = 20

// predictedAs decides whether values are classes or numbers: numbers that are whole, of
// few levels, each twice on average, are classes too.
func predictedAs(points []labelledPoint, kind valueKind) PredictAs {
	if kind != numberValue {
		return PredictClass
	}
	levels := make(map[any]bool)
	for _, p := range points {
		if x, isFloat := p.value.(float64); isFloat && x != math.Trunc(x) {
			return PredictNumber
		}
		levels[p.value] = true
	}
	if len(levels) > mostLevels || 2*len(levels) > len(points) {
		return PredictNumber
	}
	return PredictClass
}

// leaveOut finds the neighbours of stored points, themselves left out. Those that are gone
// meanwhile have none.
func (c *Collection) leaveOut(ctx context.Context, e electorate, points []labelledPoint, k int) ([][]Voter, error) {
	queries, near := make([]Query, len(points)), make([][]Voter, len(points))
	for i, p := range points {
		queries[i] = Query{ID: p.id}
	}
	err := c.eachQuery(ctx, queries, func(ctx context.Context, i int) (err error) {
		near[i], err = c.nearestVoters(ctx, e, queries[i], k)
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return err
	})
	return near, err
}
