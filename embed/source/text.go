package source

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of texts.
const (
	// MaxTextBytes is the longest text, in bytes of UTF-8: about forty thousand words of
	// English. A longer document is several records.
	MaxTextBytes = 1 << 18
	// MaxVocabulary is the most words that a fit learns.
	MaxVocabulary = 200_000
)

// Defaults of Text.
const (
	defaultVocabulary = 50_000
	defaultMeaning    = 0.5
)

// Text is the source of free text in any language. A record is a string of UTF-8
// with at least one character that shows.
//
// A feature row is of length one and has two parts. The first, 256 features, is how the
// text is written: the sum of random directions that belong to its words and to pieces of
// three to five characters of them, weighed by how rare the words are. So a word that no
// fit has met counts as well, and words that are spelt alike lie near each other. The
// second, 128 features, is what its words mean, by the company they keep in the texts of
// the fit; it is zero where no word is known.
type Text struct {
	// Vocabulary is the most words whose meaning and rarity a fit learns, those that
	// occur most often in at least two texts. Default 50,000, at most MaxVocabulary;
	// each takes about 140 bytes.
	Vocabulary int `json:"vocabulary,omitempty"`
	// Meaning is the share that meaning has in the similarity of two texts, over 0 and
	// at most 1; how they are written has the rest. Default 0.5. Less of it tells
	// near copies apart, more of it finds what is on the same subject.
	Meaning float64 `json:"meaning,omitempty"`
}

// Kind is "text".
func (t Text) Kind() string { return "text" }

// Resolve sets the defaults once there are records, which decide nothing.
func (t Text) Resolve(first []any) (Spec, error) {
	resolved, err := t.resolved()
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return t, nil
	}
	return resolved, nil
}

func (t Text) resolved() (Text, error) {
	if t.Vocabulary < 0 || t.Vocabulary > MaxVocabulary {
		return t, fmt.Errorf("%w: text vocabulary %d, want 1..%d, or 0 for %d", ErrSpec, t.Vocabulary, MaxVocabulary, defaultVocabulary)
	}
	if !(t.Meaning >= 0 && t.Meaning <= 1) {
		return t, fmt.Errorf("%w: text meaning %g, want a share over 0 and at most 1, or 0 for %g", ErrSpec, t.Meaning, defaultMeaning)
	}
	if t.Vocabulary == 0 {
		t.Vocabulary = defaultVocabulary
	}
	if t.Meaning == 0 {
		t.Meaning = defaultMeaning
	}
	return t, nil
}

// Marshal stores a text as it is.
func (t Text) Marshal(record any) ([]byte, error) {
	text, ok := record.(string)
	if !ok {
		return nil, notText(record)
	}
	if err := checkRecordText(text); err != nil {
		return nil, err
	}
	return []byte(text), nil
}

// Unmarshal returns a string.
func (t Text) Unmarshal(stored []byte) (any, error) {
	text := string(stored)
	if err := checkRecordText(text); err != nil {
		return nil, err
	}
	return text, nil
}

func notText(record any) error {
	return fmt.Errorf("%w: got %s, want a text", ErrRecord, describe(record))
}

// checkRecordText tells why a text is no record.
func checkRecordText(text string) error {
	switch {
	case len(text) > MaxTextBytes:
		return fmt.Errorf("%w: text of %d bytes, the limit is %d", ErrRecord, len(text), MaxTextBytes)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: text is not valid UTF-8", ErrRecord)
	case !strings.ContainsFunc(text, isVisible):
		return fmt.Errorf("%w: text is empty", ErrRecord)
	}
	return nil
}
