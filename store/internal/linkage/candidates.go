package linkage

import (
	"cmp"
	"slices"

	"github.com/latentdb/latentdb/index"
)

const (
	// byTerms is how many of the nearest by terms are compared with each record.
	byTerms = 10
	// prefixShare is the share of a record's squared weight that its rarest terms must
	// have for it to be found by them.
	prefixShare = 0.7
	// mostPostings is how many postings are looked at at most for a record, from its rarest
	// term on.
	mostPostings = 2048
)

// Pair is two records, A < B.
type Pair struct{ A, B uint32 }

// prefix is the heaviest terms of a vector that together have prefixShare.
func prefix(v vector) vector {
	heavy := slices.Clone(v)
	slices.SortFunc(heavy, func(a, b term) int {
		if a.weight != b.weight {
			return cmp.Compare(b.weight, a.weight)
		}
		return cmp.Compare(a.id, b.id)
	})
	var share float32
	for i, t := range heavy {
		if share >= prefixShare {
			return heavy[:i]
		}
		share += t.weight * t.weight
	}
	return heavy
}

// blocks finds records by their heaviest terms: those that are alike share some of them
// (after Bayardo, Ma and Srikant, "Scaling up all pairs similarity search", 2007).
type blocks struct {
	starts   []uint32 // by term, the place of its postings
	postings []posting
	prefixes []vector
}

type posting struct {
	at     uint32
	weight float32
}

func newBlocks(r *Records) *blocks {
	b := &blocks{prefixes: make([]vector, len(r.records)), starts: make([]uint32, buckets+1)}
	r.parallel(len(r.records), func(i int) { b.prefixes[i] = prefix(r.records[i].all) })
	for _, p := range b.prefixes {
		for _, t := range p {
			b.starts[t.id+1]++
		}
	}
	for i := range buckets {
		b.starts[i+1] += b.starts[i]
	}
	b.postings = make([]posting, b.starts[buckets])
	next := slices.Clone(b.starts)
	for at, p := range b.prefixes {
		for _, t := range p {
			b.postings[next[t.id]] = posting{uint32(at), t.weight}
			next[t.id]++
		}
	}
	return b
}

// finder is one goroutine's memory for searches.
type finder struct {
	sums    []float32
	touched []uint32
	lists   []list
	some    []posting
	top     *index.TopK
}

// list is a term's postings, and its weight in the record that is searched for.
type list struct {
	postings []posting
	weight   float32
}

// nearest appends the records that share the most with record at, other than itself and
// those that may not go with it.
func (b *blocks) nearest(dst []index.Hit, f *finder, at uint32, goes func(a, b uint32) bool) []index.Hit {
	f.touched, f.lists = f.touched[:0], f.lists[:0]
	for _, t := range b.prefixes[at] {
		f.lists = append(f.lists, list{b.postings[b.starts[t.id]:b.starts[t.id+1]], t.weight})
	}
	slices.SortStableFunc(f.lists, func(x, y list) int { return cmp.Compare(len(x.postings), len(y.postings)) })
	looked := 0
	for i, l := range f.lists {
		if looked += len(l.postings); i > 0 && looked > mostPostings {
			break
		}
		for _, p := range f.someOf(l.postings, at) {
			if f.sums[p.at] == 0 {
				f.touched = append(f.touched, p.at)
			}
			f.sums[p.at] += p.weight * l.weight
		}
	}
	f.top.Reset(byTerms)
	for _, other := range f.touched {
		if other != at && (goes == nil || goes(at, other)) {
			f.top.Push(index.Hit{Slot: other, Distance: 1 - f.sums[other]})
		}
		f.sums[other] = 0
	}
	return f.top.AppendTo(dst)
}

// someOf is mostPostings of a term's where more records have it: half of them those around
// record at, so that what is alike hangs together, and half spread over the others, so that
// some are of the other set where there are two.
func (f *finder) someOf(all []posting, at uint32) []posting {
	const half = mostPostings / 2
	others := len(all) - half
	if others <= half {
		return all
	}
	place, _ := slices.BinarySearchFunc(all, at, func(p posting, at uint32) int { return cmp.Compare(p.at, at) })
	from := min(max(0, place-half/2), others)
	f.some = append(f.some[:0], all[from:from+half]...)
	for i := range half {
		other := i * others / half
		if other >= from {
			other += half
		}
		f.some = append(f.some, all[other])
	}
	return f.some
}

// toldStep is after how many records of a worker it is told of.
const toldStep = 1024

// Candidates are the pairs of each record with those nearest by terms, of those that may
// go together (nil: all). told, if not nil, is told by one goroutine of about how many records
// more. Cost: the postings of a record's rarest terms.
func (r *Records) Candidates(goes func(a, b uint32) bool, told func(more int)) []Pair {
	b := newBlocks(r)
	parts := make([][]Pair, r.workers)
	r.perWorker(func(w int) {
		f := &finder{sums: make([]float32, len(r.records)), top: index.NewTopK(byTerms)}
		var hits []index.Hit
		for at := w; at < len(r.records); at += r.workers {
			if done := at / r.workers; done%endedStep == 0 && r.isEnded() {
				return
			} else if w == 0 && told != nil && done%toldStep == 0 {
				told(min(toldStep*r.workers, len(r.records)-at))
			}
			hits = b.nearest(hits[:0], f, uint32(at), goes)
			for _, h := range hits {
				parts[w] = append(parts[w], PairOf(uint32(at), h.Slot))
			}
		}
	})
	return r.Distinct(slices.Concat(parts...))
}

// PairOf is the pair of two records.
func PairOf(a, b uint32) Pair { return Pair{min(a, b), max(a, b)} }

// Distinct sorts pairs and drops what is there twice. The memory of what is given is used.
func (r *Records) Distinct(pairs []Pair) []Pair {
	starts := make([]uint32, len(r.records)+1) // by A, the place of what goes with it
	for _, p := range pairs {
		starts[p.A+1]++
	}
	for i := range r.records {
		starts[i+1] += starts[i]
	}
	with, next := make([]uint32, len(pairs)), slices.Clone(starts)
	for _, p := range pairs {
		with[next[p.A]] = p.B
		next[p.A]++
	}
	out := pairs[:0]
	for a := range r.records {
		if a%endedStep == 0 && r.isEnded() {
			break
		}
		own := with[starts[a]:starts[a+1]]
		slices.Sort(own)
		for _, b := range slices.Compact(own) {
			out = append(out, Pair{uint32(a), b})
		}
	}
	return out
}
