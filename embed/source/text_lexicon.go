package source

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// lexicon is what a fit knows of words.
type lexicon struct {
	texts, occurrences int       // of the fit, unknown words too
	words              []string  // most frequent first
	inTexts            []int32   // per word, how many texts have it
	counts             []int32   // per word, how often it occurs
	meanings           []int8    // per word, meaningSize values; their scale says nothing
	shared             []float32 // direction that is taken out of the meanings of texts

	ids      map[string]int32
	rarities []float32 // per word
	weights  []float32 // per word, what a unit of its meanings counts
}

// prepare makes what follows from the rest.
func (l *lexicon) prepare() {
	l.ids = make(map[string]int32, len(l.words))
	l.rarities, l.weights = make([]float32, len(l.words)), make([]float32, len(l.words))
	for i, word := range l.words {
		l.ids[word] = int32(i)
		l.rarities[i] = inverseFrequency(int(l.inTexts[i]), l.texts)
		length := 0.0
		for _, v := range l.meaningOf(int32(i)) {
			length += float64(v) * float64(v)
		}
		if length > 0 {
			share := float64(l.counts[i]) / float64(l.occurrences)
			l.weights[i] = float32(commonWord / (commonWord + share) / math.Sqrt(length))
		}
	}
}

func (l *lexicon) meaningOf(id int32) []int8 {
	return l.meanings[int(id)*meaningSize : (int(id)+1)*meaningSize]
}

// id is the number of a word, -1 if it is unknown.
func (l *lexicon) id(word string) int32 {
	if id, known := l.ids[word]; known {
		return id
	}
	return -1
}

// rarity is what a word counts by how few texts have it: none, for an unknown one.
func (l *lexicon) rarity(id int32) float32 {
	if id < 0 {
		return inverseFrequency(0, l.texts)
	}
	return l.rarities[id]
}

func inverseFrequency(texts, of int) float32 {
	return float32(math.Log(float64(1+of)/float64(1+texts)) + 1)
}

// meaning adds to dst the meanings of words, known or not, which it sorts, and takes out
// what all texts share.
func (l *lexicon) meaning(dst []float32, ids []int32) {
	for id, times := range tally(ids) {
		weight := l.weights[id] * repeated(times)
		for i, v := range l.meaningOf(id) {
			dst[i] += weight * float32(v)
		}
	}
	var along float32
	for i, v := range l.shared {
		along += v * dst[i]
	}
	for i, v := range l.shared {
		dst[i] -= along * v
	}
}

// lexiconState is how a lexicon is stored. Words is, per word, its length in bytes, its
// bytes, how many texts have it and how often it occurs, all numbers as varints; Shared
// is little-endian float32.
type lexiconState struct {
	Texts       int    `json:"texts"`
	Occurrences int    `json:"occurrences"`
	Words       []byte `json:"words"`
	Meanings    []byte `json:"meanings"`
	Shared      []byte `json:"shared"`
}

// MarshalBinary writes the spec and the lexicon: some 140 bytes a word, times 4/3.
func (f *fittedText) MarshalBinary() ([]byte, error) {
	l := f.lexicon
	s := lexiconState{Texts: l.texts, Occurrences: l.occurrences, Meanings: make([]byte, len(l.meanings))}
	for i, word := range l.words {
		s.Words = append(binary.AppendUvarint(s.Words, uint64(len(word))), word...)
		s.Words = binary.AppendUvarint(s.Words, uint64(l.inTexts[i]))
		s.Words = binary.AppendUvarint(s.Words, uint64(l.counts[i]))
	}
	for i, v := range l.meanings {
		s.Meanings[i] = byte(v)
	}
	for _, v := range l.shared {
		s.Shared = binary.LittleEndian.AppendUint32(s.Shared, math.Float32bits(v))
	}
	return marshalFitted(f.spec, s)
}

func restoreText(spec Spec, state json.RawMessage) (Fitted, error) {
	t, ok := spec.(Text)
	if !ok {
		return nil, fmt.Errorf("spec is a %T", spec)
	}
	t, err := t.resolved()
	if err != nil {
		return nil, err
	}
	var s lexiconState
	if err := decodeStrict(state, &s); err != nil {
		return nil, err
	}
	l, err := s.lexicon(t.Vocabulary)
	if err != nil {
		return nil, err
	}
	return &fittedText{spec: t, lexicon: l}, nil
}

// lexicon checks everything that Row relies on.
func (s lexiconState) lexicon(most int) (*lexicon, error) {
	l := &lexicon{texts: s.Texts, occurrences: s.Occurrences}
	if s.Texts < 0 || s.Occurrences < 0 || s.Occurrences > math.MaxInt32 {
		return nil, fmt.Errorf("%d texts of %d words", s.Texts, s.Occurrences)
	}
	if err := l.readWords(s.Words, most); err != nil {
		return nil, err
	}
	if len(s.Meanings) != len(l.words)*meaningSize {
		return nil, fmt.Errorf("meanings of %d bytes for %d words", len(s.Meanings), len(l.words))
	}
	l.meanings = make([]int8, len(s.Meanings))
	for i, b := range s.Meanings {
		l.meanings[i] = int8(b)
	}
	if n := len(s.Shared); n != 0 && n != 4*meaningSize {
		return nil, fmt.Errorf("shared meaning of %d bytes", n)
	}
	for b := s.Shared; len(b) > 0; b = b[4:] {
		v := math.Float32frombits(binary.LittleEndian.Uint32(b))
		if !(v >= -2 && v <= 2) {
			return nil, fmt.Errorf("shared meaning has %g", v)
		}
		l.shared = append(l.shared, v)
	}
	l.prepare()
	if len(l.ids) != len(l.words) {
		return nil, errors.New("a word is there twice")
	}
	return l, nil
}

func (l *lexicon) readWords(b []byte, most int) error {
	for len(b) > 0 {
		var numbers [3]int // length, texts, occurrences
		var word string
		for i := range numbers {
			v, size := binary.Uvarint(b)
			if size <= 0 || v > uint64(l.occurrences)+MaxTextBytes {
				return errors.New("word numbers are broken")
			}
			numbers[i], b = int(v), b[size:]
			if i > 0 {
				continue
			}
			if len(b) < numbers[0] {
				return errors.New("words end early")
			}
			word, b = string(b[:numbers[0]]), b[numbers[0]:]
		}
		if n := numbers; n[0] == 0 || n[1] < 1 || n[1] > l.texts || n[2] < n[1] || n[2] > l.occurrences || !utf8.ValidString(word) {
			return fmt.Errorf("word %q in %d texts, %d times", word, n[1], n[2])
		}
		if len(l.words) == most {
			return fmt.Errorf("more than %d words", most)
		}
		l.words = append(l.words, word)
		l.inTexts, l.counts = append(l.inTexts, int32(numbers[1])), append(l.counts, int32(numbers[2]))
	}
	return nil
}
