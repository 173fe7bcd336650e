package source

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// Bounds of what a fit reads. Words that are first met when it knows maxSeenWords are
// not counted.
const (
	maxFitWords  = 1 << 24 // of all texts together; what comes later is not read
	maxTextWords = 1 << 10 // of one text, its first
	maxSeenWords = 1 << 20 // different ones
)

// corpus is the texts of a fit as word numbers, one text after the other.
type corpus struct {
	stream []int32
	ends   []int // of each text in stream
	words  []string
	texts  []int32 // per word, how many texts have it
	counts []int32 // per word, how often it occurs
}

// readCorpus reads every text once.
func readCorpus(samples iter.Seq2[[]byte, error]) (*corpus, error) {
	c := &corpus{}
	if samples == nil {
		return c, nil
	}
	ids := map[string]int32{}
	for stored, err := range samples {
		if err != nil {
			return nil, err
		}
		text := string(stored)
		if err := checkRecordText(text); err != nil {
			return nil, err
		}
		c.add(text, ids)
		if len(c.stream) > maxFitWords-maxTextWords {
			break
		}
	}
	return c, nil
}

// add reads one text; ids are the numbers of the words that were met before.
func (c *corpus) add(text string, ids map[string]int32) {
	start := len(c.stream)
	eachUnit(fold(text), func(unit string) {
		if len(c.stream) == start+maxTextWords {
			return
		}
		id, known := ids[unit]
		switch {
		case known:
		case len(c.words) < maxSeenWords:
			id, unit = int32(len(c.words)), strings.Clone(unit)
			ids[unit] = id
			c.words, c.texts, c.counts = append(c.words, unit), append(c.texts, 0), append(c.counts, 0)
		default:
			id = -1
		}
		c.stream = append(c.stream, id)
	})
	c.ends = append(c.ends, len(c.stream))
	for id, times := range tally(slices.Clone(c.stream[start:])) {
		c.texts[id]++
		c.counts[id] += int32(times)
	}
}

// tally sorts words and yields each known one with how often it is there.
func tally(ids []int32) iter.Seq2[int32, int] {
	return func(yield func(int32, int) bool) {
		slices.Sort(ids)
		for len(ids) > 0 {
			times := 1
			for times < len(ids) && ids[times] == ids[0] {
				times++
			}
			if ids[0] >= 0 && !yield(ids[0], times) {
				return
			}
			ids = ids[times:]
		}
	}
}

// eachUnit yields what counts as a word of a folded text, in order, punctuation aside.
func eachUnit(folded string, yield func(unit string)) {
	parts(folded, func(text string, is part) {
		if is != sign {
			unitsOf(text, is, yield)
		}
	})
}

// keep renumbers the words: those that at least two texts have, the most frequent first,
// most of them at most. All others become -1.
func (c *corpus) keep(most int) {
	order := make([]int32, 0, len(c.words))
	for id, n := range c.texts {
		if n > 1 {
			order = append(order, int32(id))
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(c.counts[b], c.counts[a]), cmp.Compare(c.words[a], c.words[b]))
	})
	order = order[:min(len(order), most)]
	renumbered := slices.Repeat([]int32{-1}, len(c.words))
	words, texts, counts := make([]string, len(order)), make([]int32, len(order)), make([]int32, len(order))
	for rank, id := range order {
		renumbered[id] = int32(rank)
		words[rank], texts[rank], counts[rank] = c.words[id], c.texts[id], c.counts[id]
	}
	for i, id := range c.stream {
		if id >= 0 {
			c.stream[i] = renumbered[id]
		}
	}
	c.words, c.texts, c.counts = words, texts, counts
}

// bounds are where text i begins and ends in the stream.
func (c *corpus) bounds(i int) (start, end int) {
	if i > 0 {
		start = c.ends[i-1]
	}
	return start, c.ends[i]
}
