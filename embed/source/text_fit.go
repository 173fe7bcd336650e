package source

import (
	"iter"
	"math"

	"github.com/latentdb/latentdb/embed"
)

// Fit learns the words of texts: how rare they are and what company they keep. It reads
// the first thousand words of a text and some sixteen million in all. Without texts
// every word is unknown, and rows tell how a text is written and no more.
//
// Cost: some 15 s on one core for 120,000 texts of 40 words.
func (t Text) Fit(samples iter.Seq2[[]byte, error]) (Fitted, error) {
	t, err := t.resolved()
	if err != nil {
		return nil, err
	}
	c, err := readCorpus(samples)
	if err != nil {
		return nil, err
	}
	l := &lexicon{texts: len(c.ends), occurrences: len(c.stream)}
	c.keep(t.Vocabulary)
	l.words, l.inTexts, l.counts = c.words, c.texts, c.counts
	meanings, err := c.company().factors(meaningSize)
	if err != nil {
		return nil, err
	}
	l.meanings = make([]int8, len(meanings.Data))
	for i := range l.words {
		quantise(l.meanings[i*meaningSize:(i+1)*meaningSize], embed.Row(meanings, i))
	}
	l.prepare()
	if l.shared, err = c.sharedMeaning(l); err != nil {
		return nil, err
	}
	return &fittedText{spec: t, lexicon: l}, nil
}

// quantise writes x at the scale that makes its largest value 127; its length is lost.
func quantise(dst []int8, x []float32) {
	var largest float32
	for _, v := range x {
		largest = max(largest, v, -v)
	}
	if largest == 0 {
		return
	}
	for i, v := range x {
		dst[i] = int8(math.RoundToEven(float64(v / largest * math.MaxInt8)))
	}
}

// mostShared is how many texts sharedMeaning looks at.
const mostShared = 20_000

// sharedMeaning is the direction, of length one, that the meanings of texts have in
// common most: their first principal component about zero.
func (c *corpus) sharedMeaning(l *lexicon) ([]float32, error) {
	step := max(1, (len(c.ends)+mostShared-1)/mostShared)
	rows := embed.NewMatrix((len(c.ends)+step-1)/step, meaningSize)
	for i := range rows.Rows {
		start, end := c.bounds(i * step)
		row := embed.Row(rows, i)
		l.meaning(row, append([]int32(nil), c.stream[start:end]...))
		normalise(row)
	}
	return firstComponent(rows)
}
