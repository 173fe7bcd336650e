package source

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold gives a text the one form that its capitals, its compatibility characters
// and its composed and decomposed letters share: NFKC and full case folding. Folding
// can leave what NFKC composes, so that comes last too.
func fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// words yields the words of a folded text in order, by the word boundaries of UAX #29.
// Neighbouring letters of scripts that put no space between words are yielded
// together, as one run. Punctuation is no word, unless the text is nothing else.
func words(folded string, yield func(word string, run bool)) {
	if !segments(folded, isWordRune, yield) {
		segments(folded, isVisible, yield)
	}
}

// segments yields the segments with a rune that counts, and tells whether there was one.
func segments(text string, counts func(rune) bool, yield func(word string, run bool)) (found bool) {
	var run []byte // letters of unspaced scripts that wait for their like
	flush := func() {
		if len(run) > 0 {
			yield(string(run), true)
		}
		run = run[:0]
	}
	state := -1
	for len(text) > 0 {
		var segment string
		segment, text, state = uniseg.FirstWordInString(text, state)
		segment = visible(segment)
		if strings.TrimSpace(segment) == "" || !strings.ContainsFunc(segment, counts) {
			flush()
			continue
		}
		found = true
		if r, _ := utf8.DecodeRuneInString(segment); unspaced(r) {
			run = append(run, segment...)
			continue
		}
		flush()
		yield(segment, false)
	}
	flush()
	return found
}

// visible drops what has no shape of its own: soft hyphens, joiners, marks of direction.
func visible(segment string) string {
	if !strings.ContainsFunc(segment, isFormat) {
		return segment
	}
	return strings.Map(func(r rune) rune {
		if isFormat(r) {
			return -1
		}
		return r
	}, segment)
}

func isFormat(r rune) bool { return r >= 0xAD && unicode.Is(unicode.Cf, r) }

func isVisible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r)
}

// unspaced tells a letter of a script whose words stand without spaces. Katakana and
// Hangul are not among them: there UAX #29 finds words.
func unspaced(r rune) bool {
	const first = 0xE00
	return r >= first && unicode.In(r, unicode.Thai, unicode.Lao, unicode.Tibetan, unicode.Myanmar,
		unicode.Khmer, unicode.Hiragana, unicode.Bopomofo, unicode.Yi, unicode.Han)
}
