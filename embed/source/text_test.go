package source_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
)

// textTerms are the terms of a text, which must be one.
func textTerms(t tester, text string) []source.Term {
	t.Helper()
	terms, err := source.Text{}.Terms(nil, marshal(t, source.Text{}, text))
	if err != nil {
		t.Fatal(err)
	}
	return terms
}

func ExampleText_Terms() {
	terms := func(text string) map[uint32]bool {
		ids := map[uint32]bool{}
		stored, _ := source.Text{}.Marshal(text)
		found, _ := source.Text{}.Terms(nil, stored)
		for _, t := range found {
			ids[t.ID] = true
		}
		return ids
	}
	walking, shared := terms("walking"), 0
	for id := range terms("Walked!") {
		if walking[id] {
			shared++
		}
	}
	fmt.Println(len(walking), "terms, of which", shared, "are shared")
	// Output: 19 terms, of which 6 are shared
}

func TestTermsAreWordsAndPiecesOfThem(t *testing.T) {
	// A comma and an exclamation mark. "a": the word, and " a ". "dog", twice: the word, and " do", "dog", "og ",
	// " dog", "dog ", " dog ".
	terms := textTerms(t, "Dog, a DOG!")
	counts := map[float64]int{}
	round := func(x float64) float64 { return math.Round(1e5*x) / 1e5 }
	for _, term := range terms {
		counts[round(float64(term.Count))]++
	}
	twice := 1 + math.Ln2
	want := map[float64]int{0.5: 3, 1: 1, round(twice / 2): 1, round(twice / math.Cbrt(6)): 6}
	if !maps.Equal(counts, want) {
		t.Errorf("counts %v, want %v", counts, want)
	}
	checkTerms(t, terms)
}

// checkTerms tells where terms are not distinct, ascending and positive.
func checkTerms(t tester, terms []source.Term) {
	t.Helper()
	for i, term := range terms {
		if i > 0 && term.ID <= terms[i-1].ID || !(term.Count > 0) || math.IsInf(float64(term.Count), 0) {
			t.Fatalf("term %d is %v after %v", i, term, terms[:i])
		}
	}
}

// sharedTerms is how many terms two texts have in common.
func sharedTerms(t tester, a, b string) int {
	t.Helper()
	n, other := 0, textTerms(t, b)
	for _, term := range textTerms(t, a) {
		if slices.ContainsFunc(other, func(o source.Term) bool { return o.ID == term.ID }) {
			n++
		}
	}
	return n
}

func TestTermsOfNumbers(t *testing.T) {
	for _, of := range []struct {
		a, b string
		want int
	}{{"12345", "67890", 1}, {"12345", "6789", 0}, {"a1", "b2", 0}, {"１２３", "٤٥٦", 1}, {"000", "111", 1}} {
		if got := sharedTerms(t, of.a, of.b); got != of.want {
			t.Errorf("%q and %q share %d terms, want %d", of.a, of.b, got, of.want)
		}
	}
}

func TestTermsDoNotSeeWhatIsInvisible(t *testing.T) {
	if a, b := textTerms(t, "co\u00adoperate"), textTerms(t, "cooperate"); !slices.Equal(a, b) {
		t.Errorf("with a soft hyphen %v, without %v", a, b)
	}
}

func TestTermsNeverChange(t *testing.T) {
	// An index of terms outlives every version of this program. These were
	// made by another program, from the description of the hash.
	for text, want := range map[string][]source.Term{
		"a": {{ID: 0x08ba6a8a, Count: 1}, {ID: 0x42e78891, Count: 0.5}},
		"水": {{ID: 0x14d72f5f, Count: 1}, {ID: 0x3ac66f77, Count: 0.5}},
	} {
		if got := textTerms(t, text); !slices.Equal(got, want) {
			t.Errorf("%q: got %#v, want %v", text, got, want)
		}
	}
}

// TestTermsForm: whoever makes other terms of a text has to give them another form, so
// that what was made of the former is made anew.
func TestTermsForm(t *testing.T) {
	sum := sha256.New()
	for _, text := range []string{
		"Ünïcode & ﬁne prints, 12:45 o'clock!", "漢字かなカナ 한국어", "ภาษาไทย ລາວ", "нет ΐδρα", "नमस्ते السلام", "a1b2 co-operate 🙂", "the the the cat",
	} {
		for _, term := range textTerms(t, text) {
			fmt.Fprintf(sum, "%08x %.5f\n", term.ID, term.Count)
		}
	}
	const want = "70d1aed775663004"
	if got := fmt.Sprintf("%x", sum.Sum(nil)[:8]); got != want {
		t.Errorf("under the form %q the terms come to %s, they were %s", source.TermsForm, got, want)
	}
}

func TestTermsAppend(t *testing.T) {
	first := source.Term{ID: 7, Count: 3}
	terms, err := source.Text{}.Terms([]source.Term{first}, []byte("dog"))
	if err != nil || terms[0] != first || !slices.Equal(terms[1:], textTerms(t, "dog")) {
		t.Errorf("terms %v, error %v", terms, err)
	}
}

// anyScript draws texts of letters, marks and signs of many scripts.
func anyScript(t *rapid.T) string {
	letters := []rune("abcxyzABCXYZ019 ,.!-'éÉñßøŒçαβγΑΒΓάΐабвАБВёЁاببتאבกขคเแา่漢字かなカナ한국어देवनागरीİıſK①ﬁ２½🙂£")
	return string(rapid.SliceOfN(rapid.SampledFrom(letters), 1, 40).Draw(t, "letters"))
}

func TestTermsAreOneForAllSpellings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := norm.NFC.String("x" + anyScript(t))
		want := textTerms(t, text)
		checkTerms(t, want)
		for name, other := range map[string]string{
			"NFD":         norm.NFD.String(text),
			"folded":      cases.Fold().String(text),
			"full width":  strings.Map(widen, text),
			"white space": "\n " + text + "\t",
		} {
			if got := textTerms(t, other); !slices.Equal(got, want) {
				t.Fatalf("%s: %q has terms %v, %q has %v", name, other, got, text, want)
			}
		}
	})
}

func TestTermsTakeCapitals(t *testing.T) {
	for _, text := range []string{"straße", "ΐδρα", "ёлка", "ﬁne", "ǆ", "éa"} {
		capitals := cases.Upper(language.Und).String(text)
		if !slices.Equal(textTerms(t, text), textTerms(t, capitals)) {
			t.Errorf("%q and %q have other terms", text, capitals)
		}
	}
}

// widen gives a Latin letter in the full width of East Asian typography.
func widen(r rune) rune {
	if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
		return r - 'a' + 'ａ'
	}
	return r
}

func TestTermsOfScriptsWithoutSpaces(t *testing.T) {
	for name, pair := range map[string][2]string{
		"Chinese":  {"北京大学的学生", "他在北京大学读书"},
		"Japanese": {"東京都に住んでいます", "東京都の天気"},
		"Thai":     {"ภาษาไทยง่าย", "ฉันเรียนภาษาไทย"},
		"Khmer":    {"ភាសាខ្មែរ", "រៀនភាសាខ្មែរ"},
	} {
		shared := sharedTerms(t, pair[0], pair[1])
		if shared < 4 {
			t.Errorf("%s: %d shared terms", name, shared)
		}
	}
	if n := sharedTerms(t, "北京", "京北"); n != 0 {
		t.Errorf("the order of characters is lost in %d terms", n)
	}
}

func TestTextRefuses(t *testing.T) {
	for name, record := range map[string]any{
		"empty":     "",
		"white":     " \n\t\u200b\u00ad",
		"not UTF-8": "caf\xe9",
		"too long":  strings.Repeat("x", source.MaxTextBytes+1),
		"a number":  7.0,
		"nothing":   nil,
	} {
		if _, err := (source.Text{}).Marshal(record); !errors.Is(err, source.ErrRecord) {
			t.Errorf("%s: error %v, want ErrRecord", name, err)
		}
	}
	if _, err := (source.Text{}).Marshal(strings.Repeat("x", source.MaxTextBytes)); err != nil {
		t.Errorf("the longest text: %v", err)
	}
}

func FuzzTextTerms(f *testing.F) {
	for _, seed := range []string{"a dog", "…", "\xff", " ", "漢字かな", "\u0301", "a\u00adb", "¨", "👩‍👩‍👧", "ﷺ", "\u0345\u0301α"} {
		f.Add([]byte(seed))
	}
	fitted := fit(f, source.Text{}, []byte("a dog and a cat"), []byte("a dog or a cat"))
	row := make([]float32, fitted.Width())
	f.Fuzz(func(t *testing.T, data []byte) {
		stored, err := source.Text{}.Marshal(string(data))
		terms, errTerms := source.Text{}.Terms(nil, data)
		errRow := fitted.Row(row, data)
		if err != nil {
			if !errors.Is(err, source.ErrRecord) || !errors.Is(errTerms, source.ErrRecord) || !errors.Is(errRow, source.ErrRecord) {
				t.Fatalf("errors %v, %v, %v: want ErrRecord", err, errTerms, errRow)
			}
			return
		}
		if !utf8.Valid(data) {
			t.Fatal("a text that is not UTF-8 is taken")
		}
		if errTerms != nil || errRow != nil || len(terms) == 0 {
			t.Fatalf("%d terms, errors %v and %v", len(terms), errTerms, errRow)
		}
		checkTerms(t, terms)
		if n := lengthOf(row); math.Abs(n-1) > 1e-4 {
			t.Fatalf("row has length %g", n)
		}
		if back, err := (source.Text{}).Unmarshal(stored); err != nil || back != string(data) {
			t.Fatalf("got %q, %v back", back, err)
		}
	})
}

func lengthOf(row []float32) float64 {
	var sum float64
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
