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

// part is how a piece of a text is to be taken.
type part uint8

const (
	// word is a word by the boundaries of UAX #29.
	word part = iota
	// run is neighbouring letters of a script that puts no space between words.
	run
	// sign is punctuation: of a text that has words, the least that it says.
	sign
)

// parts yields the parts of a folded text in order.
func parts(folded string, yield func(text string, is part)) {
	var waiting []byte // letters of unspaced scripts that wait for their like
	flush := func() {
		if len(waiting) > 0 {
			yield(string(waiting), run)
		}
		waiting = waiting[:0]
	}
	state := -1
	for len(folded) > 0 {
		var segment string
		segment, folded, state = uniseg.FirstWordInString(folded, state)
		segment = visible(segment)
		if first, _ := utf8.DecodeRuneInString(segment); unspaced(first) {
			waiting = append(waiting, segment...)
			continue
		}
		flush()
		switch {
		case strings.ContainsFunc(segment, isWordRune):
			yield(segment, word)
		case strings.ContainsFunc(segment, isVisible):
			yield(segment, sign)
		}
	}
	flush()
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
