package linkage

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
)

// NumberValue is a number.
func NumberValue(x float64) Value {
	return Value{Kind: Number, Number: x, Text: strconv.FormatFloat(x, 'g', -1, 64)}
}

// Records are to be compared with one another. All have the same fields.
type Records struct {
	records []record
	workers int
	scale   scale
	ended   func() bool // nobody waits for an answer any more; nil: never
}

// scale is what a comparison needs to know of all records.
type scale struct {
	rarity  []float32 // by term
	spreads []float64 // by field: how far apart numbers usually lie
}

// Prepare reads n records of so many fields, several at once. ended, if not nil, tells that
// nobody waits any more: then this and all that is asked of the records ends soon, and what
// it gives means nothing.
func Prepare(workers, n, fields int, ended func() bool, values func(i int) []Value) *Records {
	r := &Records{records: make([]record, n), workers: max(1, workers), ended: ended}
	r.parallel(n, func(i int) { r.records[i] = counted(values(i)) })
	if r.isEnded() {
		return r // some are missing
	}
	r.scale = scale{r.rarity(), r.spreads(fields)}
	r.parallel(n, func(i int) { r.scale.weigh(&r.records[i]) })
	return r
}

// counted is a record whose terms weigh as often as they occur.
func counted(values []Value) record {
	r := record{fields: make([]field, len(values))}
	for i, v := range values {
		if v.Kind == Missing {
			continue
		}
		f := field{kind: v.Kind, number: v.Number, text: fold(v.Text)}
		eachWord(f.text, func(word string, code bool) {
			w := term{wordSeed.add(word).bucket(), wordCount}
			r.words = append(r.words, w)
			if code {
				r.codes = append(r.codes, w)
			}
			f.terms = appendGrams(append(f.terms, w), word)
		})
		r.all = append(r.all, f.terms...)
		f.terms = distinct(f.terms)
		r.fields[i] = f
	}
	if len(values) == 1 { // one vector serves for both
		r.all = r.fields[0].terms
	} else {
		r.all = distinct(r.all)
	}
	r.words, r.codes = distinct(r.words), distinct(r.codes)
	return r
}

// weigh gives terms their weights.
func (s *scale) weigh(r *record) {
	r.all.weigh(s.rarity)
	if len(r.fields) > 1 {
		for i := range r.fields {
			r.fields[i].terms.weigh(s.rarity)
		}
	}
}

// rarity is, by term, the logarithm of the share of records that have it, negated.
func (r *Records) rarity() []float32 {
	counts := make([]uint32, buckets)
	for i := range r.records {
		for _, t := range r.records[i].all {
			counts[t.id]++
		}
	}
	out := make([]float32, buckets)
	for i, k := range counts {
		out[i] = float32(math.Log((float64(len(r.records)) + 1) / (float64(k) + 0.5)))
	}
	return out
}

// spreads is, by field, how far apart two numbers of records drawn at random lie, in the
// middle.
func (r *Records) spreads(fields int) []float64 {
	const draws = 1001
	out := make([]float64, fields)
	if len(r.records) == 0 {
		return out
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for f := range out {
		var apart []float64
		for range draws {
			a, b := &r.records[rng.IntN(len(r.records))].fields[f], &r.records[rng.IntN(len(r.records))].fields[f]
			if a.kind == Number && b.kind == Number {
				apart = append(apart, math.Abs(a.number-b.number))
			}
		}
		if len(apart) > 0 {
			slices.Sort(apart)
			out[f] = apart[len(apart)/2]
		}
	}
	return out
}

// isEnded tells that what is found is not wanted any more.
func (r *Records) isEnded() bool { return r.ended != nil && r.ended() }

// endedStep is after how many records or pairs a worker looks whether it should go on.
const endedStep = 64

// parallel calls f with 0 to n-1, until it is ended.
func (r *Records) parallel(n int, f func(i int)) {
	r.perWorker(func(w int) {
		for i := w; i < n; i += r.workers {
			if i/r.workers%endedStep == 0 && r.isEnded() {
				return
			}
			f(i)
		}
	})
}

// perWorker calls f once for each worker.
func (r *Records) perWorker(f func(w int)) {
	var wg sync.WaitGroup
	for w := range r.workers {
		wg.Go(func() { f(w) })
	}
	wg.Wait()
}
