package source_test

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// textTerms are the terms of a text, which must be one.
func textTerms(t testing.TB, text string) []source.Term {
	t.Helper()
	stored, err := source.Text{}.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	terms, err := source.Text{}.Terms(nil, stored)
	if err != nil {
		t.Fatal(err)
	}
	return terms
}

func TestTermsAreWordsAndPiecesOfThem(t *testing.T) {
	// "a": the word, and " a ". "dog", twice: the word, and " do", "dog", "og ",
	// " dog", "dog ", " dog ".
	terms := textTerms(t, "Dog, a DOG!")
	round := func(x float64) float64 { return math.Round(1e5*x) / 1e5 }
	once := map[float64]int{} // how many terms count so much where they occur once
	twice := 1 + math.Ln2
	for _, term := range terms {
		once[round(float64(term.Count))]++
	}
	want := map[float64]int{0.5: 1, 1: 1, round(twice / 2): 1, round(twice / math.Cbrt(6)): 6}
	if !maps.Equal(once, want) {
		t.Errorf("counts %v, want %v", once, want)
	}
	if !slices.IsSortedFunc(terms, func(a, b source.Term) int { return int(int64(a.ID) - int64(b.ID)) }) {
		t.Error("terms are not sorted by id")
	}
}

func TestTermsAppend(t *testing.T) {
	first := source.Term{ID: 7, Count: 3}
	terms, err := source.Text{}.Terms([]source.Term{first}, []byte("dog"))
	if err != nil || terms[0] != first || !slices.Equal(terms[1:], textTerms(t, "dog")) {
		t.Errorf("terms %v, error %v", terms, err)
	}
}

func TestTextRefuses(t *testing.T) {
	for name, record := range map[string]any{
		"empty":     "",
		"white":     " \n\t ",
		"not UTF-8": "caf\xe9",
		"too long":  strings.Repeat("x", source.MaxTextBytes+1),
		"a number":  7.0,
		"nothing":   nil,
	} {
		if _, err := (source.Text{}).Marshal(record); !errors.Is(err, source.ErrRecord) {
			t.Errorf("%s: error %v, want ErrRecord", name, err)
		}
	}
}
