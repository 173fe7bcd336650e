package source

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Term is one term of a record: its hashed id and how often it occurs.
type Term struct {
	ID uint32
	// Count is what an index multiplies by the term's rarity. It is not a whole
	// number: it grows with the logarithm of how often the term occurs, and the parts
	// of a record that overlap share its weight.
	Count float32
}

// Lexical is a Spec (resolved) whose records have terms that an inverted index finds
// them by. Terms depend on the spec alone, never on data, so an index of them outlives
// every model.
type Lexical interface {
	// Terms appends a stored record's terms to dst, distinct, ascending by id.
	Terms(dst []Term, stored []byte) ([]Term, error)
}

// TermsForm names how this version makes terms. What was made of terms under another name
// has to be made anew: so it must change whenever any record's terms do.
const TermsForm = "terms 1, unicode " + unicode.Version + ", normalised by " + norm.Version

const (
	// Lengths in characters of the pieces of words that are terms.
	shortestGram = 3
	longestGram  = 5
	// wordCount is what a word counts beside its pieces.
	wordCount = 0.5
	// shapeCount is what the shape of a number counts: about as much as a whole word.
	shapeCount = 1.5
)

// Terms are a text's words and the pieces of three to five characters of each word,
// which has a space before and after it for that: " in", "ing" and "ng " tell prefix,
// middle and suffix. A number has its shape beside, zeros for its digits, and punctuation
// counts as words without pieces. Where a script puts no space between words, the
// words are the pairs of neighbouring characters.
//
// Each of a word's m pieces counts 1/∛m, for otherwise long words would outweigh the
// short ones by their length, and what occurs k times counts 1 + ln k.
func (t Text) Terms(dst []Term, stored []byte) ([]Term, error) {
	text := string(stored)
	if err := checkRecordText(text); err != nil {
		return dst, err
	}
	before := len(dst)
	parts(fold(text), func(text string, is part) {
		dst = appendTerms(dst, text, is)
		if shape := strings.Map(zeroDigit, text); is == word && strings.ContainsRune(shape, '0') {
			dst = append(dst, Term{shapeSeed.add(shape).id(), shapeCount})
		}
	})
	return append(dst[:before], distinct(dst[before:])...), nil
}

// appendTerms appends the terms of a part, each as often as it occurs.
func appendTerms(dst []Term, text string, is part) []Term {
	unitsOf(text, is, func(unit string) {
		dst = append(dst, Term{wordSeed.add(unit).id(), wordCount})
	})
	if is == sign {
		return dst
	}
	return appendGrams(dst, text)
}

// repeated is what something counts that occurs so often, next to what occurs once.
func repeated(times int) float32 { return float32(1 + math.Log(float64(times))) }

// distinct sorts terms by id and makes one of those that are the same, which counts what
// they do on average, repeated.
func distinct(terms []Term) []Term {
	slices.SortFunc(terms, func(a, b Term) int { return cmp.Compare(a.ID, b.ID) })
	kept := terms[:0]
	for len(terms) > 0 {
		k, sum := 0, 0.0
		for k < len(terms) && terms[k].ID == terms[0].ID {
			sum += float64(terms[k].Count)
			k++
		}
		kept = append(kept, Term{terms[0].ID, float32(sum/float64(k)) * repeated(k)})
		terms = terms[k:]
	}
	return kept
}

// unitsOf yields what counts as a word of a part: itself, or a run's pairs of characters.
func unitsOf(text string, is part, yield func(unit string)) {
	_, first := utf8.DecodeRuneInString(text)
	if is != run || first == len(text) {
		yield(text)
		return
	}
	for rest := text; ; rest = rest[first:] {
		_, first = utf8.DecodeRuneInString(rest)
		if first == len(rest) {
			return
		}
		_, second := utf8.DecodeRuneInString(rest[first:])
		yield(rest[:first+second])
	}
}

func zeroDigit(r rune) rune {
	if unicode.IsDigit(r) {
		return '0'
	}
	return r
}

// appendGrams appends the pieces of a word.
func appendGrams(dst []Term, word string) []Term {
	before := len(dst)
	padded := " " + word + " "
	var ends [longestGram]int // of the characters from start on
	for start := 0; start < len(padded); {
		n, end := 0, start
		for n < longestGram && end < len(padded) {
			_, size := utf8.DecodeRuneInString(padded[end:])
			end += size
			ends[n] = end
			n++
		}
		if n < shortestGram {
			break
		}
		h := gramSeed.add(padded[start:ends[shortestGram-2]])
		for i := shortestGram - 1; i < n; i++ {
			h = h.add(padded[ends[i-1]:ends[i]])
			dst = append(dst, Term{ID: h.id()})
		}
		start = ends[0]
	}
	count := float32(1 / math.Cbrt(float64(len(dst)-before)))
	for i := range dst[before:] {
		dst[before+i].Count = count
	}
	return dst
}

// termHash is the state of the hash of a term: 64-bit FNV-1a. It is part of what is
// stored of a collection and must never change.
type termHash uint64

// The families of terms start from states of their own, so that no piece is taken for a
// word. Both are the FNV offset basis, after one byte more.
const (
	fnvBasis termHash = 0xcbf29ce484222325
	fnvPrime termHash = 0x100000001b3
)

var (
	wordSeed  = fnvBasis.add("w")
	gramSeed  = fnvBasis.add("g")
	shapeSeed = fnvBasis.add("n")
)

func (h termHash) add(s string) termHash {
	for i := range len(s) {
		h = (h ^ termHash(s[i])) * fnvPrime
	}
	return h
}

// id mixes the state, whose high bits the last bytes hardly reach (the finaliser of
// SplitMix64), and keeps 32 bits.
func (h termHash) id() uint32 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return uint32((h ^ h>>31) >> 32)
}
