package source

import (
	"cmp"
	"math"
	"slices"

	"github.com/latentdb/latentdb/embed"
)

const (
	spellingSize = 256 // features of how a text is written
	meaningSize  = 128 // features of what it means
	// spellingSpots is how many features of spelling a term adds to.
	spellingSpots = 8
	// commonWord is the share of all words above which one counts less and less for the
	// meaning (smooth inverse frequency; Arora, Liang and Ma 2017).
	commonWord = 3e-3
)

// fittedText maps texts by what a lexicon knows of words.
type fittedText struct {
	spec    Text
	lexicon *lexicon
	named   named
}

func (f *fittedText) Spec() Spec            { return f.spec }
func (f *fittedText) Width() int            { return spellingSize + meaningSize }
func (f *fittedText) Layout() embed.Layout  { return embed.NumericLayout(f.Width()) }
func (f *fittedText) InputScale() []float32 { return nil }

// Row is the text's spelling and meaning, each of length one before they get their
// shares. A text of which one is zero, as it has no word that was learned, is the other.
func (f *fittedText) Row(dst []float32, stored []byte) error { return f.row(dst, string(stored)) }

// RowOf is Row of a string.
func (f *fittedText) RowOf(dst []float32, record any) error {
	text, ok := record.(string)
	if !ok {
		return notText(record)
	}
	return f.row(dst, text)
}

func (f *fittedText) row(dst []float32, text string) error {
	if err := checkRow(dst, f.Width()); err != nil {
		return err
	}
	if err := checkRecordText(text); err != nil {
		return err
	}
	clear(dst)
	spelling, meaning := dst[:spellingSize], dst[spellingSize:]
	uses := f.lexicon.uses(fold(text))
	addSpelling(spelling, uses)
	var ids []int32
	for _, u := range uses {
		ids = append(ids, u.ids...)
	}
	f.lexicon.meaning(meaning, ids)
	scaleTo(spelling, math.Sqrt(1-f.spec.Meaning))
	scaleTo(meaning, math.Sqrt(f.spec.Meaning))
	normalise(dst)
	return nil
}

func scaleTo(x []float32, length float64) {
	normalise(x)
	for i := range x {
		x[i] *= float32(length)
	}
}

// use is a part of a text.
type use struct {
	text   string
	is     part
	ids    []int32 // what the lexicon calls it, or its units
	rarity float32 // of its units on average
}

// uses are the parts of a folded text, sorted: its words and runs, or its punctuation
// where it is nothing else.
func (l *lexicon) uses(folded string) []use {
	var uses, signs []use
	parts(folded, func(text string, is part) {
		u := use{text: text, is: is}
		unitsOf(text, is, func(unit string) {
			id := l.id(unit)
			u.ids = append(u.ids, id)
			u.rarity += l.rarity(id)
		})
		u.rarity /= float32(len(u.ids))
		if is == sign {
			signs = append(signs, u)
		} else {
			uses = append(uses, u)
		}
	})
	if len(uses) == 0 {
		uses = signs
	}
	slices.SortFunc(uses, func(a, b use) int { return cmp.Compare(a.text, b.text) })
	return uses
}

// addSpelling adds the directions of the terms of parts, which count as Text.Terms has
// it, times the rarity of the part that they are of.
func addSpelling(dst []float32, uses []use) {
	var terms []Term
	for len(uses) > 0 {
		u, times := uses[0], 0
		for times < len(uses) && uses[times].text == u.text {
			times++
		}
		terms = appendTerms(terms[:0], u.text, u.is)
		count := u.rarity * repeated(times)
		for _, t := range terms {
			addDirection(dst, t.ID, t.Count*count)
		}
		uses = uses[times:]
	}
}

// addDirection adds a term's direction: a few features, each with a sign, all chosen by
// the term's id (a sparse random projection; Kane and Nelson 2014).
func addDirection(dst []float32, id uint32, count float32) {
	h := termHash(id) * fnvPrime
	for range spellingSpots {
		h += 0x9e3779b97f4a7c15
		bits := h.id()
		signed := count
		if bits&1 == 0 {
			signed = -signed
		}
		dst[uint64(bits>>1)*uint64(len(dst))>>31] += signed
	}
}
