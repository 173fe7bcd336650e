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
	commonWord = 1e-3
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

// use is a word of a text, or a run of letters of a script without spaces.
type use struct {
	word   string
	run    bool
	ids    []int32 // what the lexicon calls it, or its parts
	rarity float32 // of the word, or of its parts on average
}

// uses are the words of a folded text, sorted.
func (l *lexicon) uses(folded string) []use {
	var uses []use
	words(folded, func(word string, run bool) {
		u := use{word: word, run: run}
		unitsOf(word, run, func(unit string) {
			id := l.id(unit)
			u.ids = append(u.ids, id)
			u.rarity += l.rarity(id)
		})
		u.rarity /= float32(len(u.ids))
		uses = append(uses, u)
	})
	slices.SortFunc(uses, func(a, b use) int { return cmp.Compare(a.word, b.word) })
	return uses
}

// addSpelling adds the directions of the terms of words, which count as Text.Terms has
// it, times the rarity of the word that they are of.
func addSpelling(dst []float32, uses []use) {
	var terms []Term
	for len(uses) > 0 {
		u, times := uses[0], 0
		for times < len(uses) && uses[times].word == u.word {
			times++
		}
		terms = appendTerms(terms[:0], u.word, u.run)
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
