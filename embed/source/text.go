package source

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxTextBytes is the longest text, in bytes of UTF-8: about forty thousand words of
// English. A longer document is several records.
const MaxTextBytes = 1 << 18

// Text is the source of free text in any language. A record is a string of UTF-8
// with at least one character that is not white space.
type Text struct{}

// Kind is "text".
func (t Text) Kind() string { return "text" }

// Resolve leaves nothing open: what a text means is learned by Fit.
func (t Text) Resolve([]any) (Spec, error) { return t, nil }

// Marshal stores a text as it is.
func (t Text) Marshal(record any) ([]byte, error) {
	text, ok := record.(string)
	if !ok {
		return nil, fmt.Errorf("%w: got %s, want a text", ErrRecord, describe(record))
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

// checkRecordText tells why a text is no record.
func checkRecordText(text string) error {
	switch {
	case len(text) > MaxTextBytes:
		return fmt.Errorf("%w: text of %d bytes, the limit is %d", ErrRecord, len(text), MaxTextBytes)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: text is not valid UTF-8", ErrRecord)
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("%w: text is empty", ErrRecord)
	}
	return nil
}
