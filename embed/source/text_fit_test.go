package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

func ExampleText() {
	spec, _ := source.Text{}.Resolve([]any{"first"})
	var stored [][]byte
	for _, text := range pets(200) {
		b, _ := spec.Marshal(text)
		stored = append(stored, b)
	}
	fitted, _ := spec.Fit(samples(stored))
	row := make([]float32, fitted.Width())
	_ = fitted.Row(row, []byte("my kitten purrs"))
	back, _ := fitted.Record(row)
	for _, term := range back.(map[string]any)["terms"].([]any) {
		fmt.Println(term.(map[string]any)["term"])
	}
	// Unordered output:
	// kitten
	// purrs
	// my
}

// pets are n short texts on cats, dogs and cars: cat and kitten keep the same company,
// and so do dog and puppy, car and van.
func pets(n int) []string {
	kinds := [][2][]string{
		{{"cat", "kitten"}, {"purrs", "meows", "climbs", "hunts mice"}},
		{{"dog", "puppy"}, {"barks", "fetches", "digs", "chases sticks"}},
		{{"car", "van"}, {"brakes", "honks", "rusts", "needs petrol"}},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	texts := make([]string, n)
	for i := range texts {
		kind := kinds[i%len(kinds)]
		texts[i] = fmt.Sprintf("%s %s %s and %s", pick([]string{"my", "the", "a", "her"}), pick(kind[0]), pick(kind[1]), pick(kind[1]))
	}
	return texts
}

func fitTexts(t tester, spec source.Text, texts []string) source.Fitted {
	t.Helper()
	stored := make([][]byte, len(texts))
	for i, text := range texts {
		stored[i] = marshal(t, spec, text)
	}
	return fit(t, spec, stored...)
}

func textRow(t tester, fitted source.Fitted, text string) []float32 {
	t.Helper()
	row := make([]float32, fitted.Width())
	if err := fitted.Row(row, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return row
}

func cosine(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum / lengthOf(a) / lengthOf(b)
}

func TestTextLearnsWhatWordsMean(t *testing.T) {
	fitted := fitTexts(t, source.Text{Meaning: 1}, pets(600))
	for _, of := range [][3]string{{"cat", "kitten", "van"}, {"dog", "puppy", "cat"}, {"car", "van", "puppy"}} {
		row := textRow(t, fitted, of[0])
		alike, other := cosine(row, textRow(t, fitted, of[1])), cosine(row, textRow(t, fitted, of[2]))
		if alike < other+0.3 {
			t.Errorf("%s is as near as %.2f to %s, %.2f to %s", of[0], alike, of[1], other, of[2])
		}
	}
}

func TestTextOfUnknownWords(t *testing.T) {
	fitted := fitTexts(t, source.Text{}, pets(60))
	row := textRow(t, fitted, "zygomorphic")
	if alike, other := cosine(row, textRow(t, fitted, "zygomorphous")), cosine(row, textRow(t, fitted, "kitten")); alike < other+0.3 {
		t.Errorf("spelt alike: %.2f, spelt otherwise: %.2f", alike, other)
	}
}

func TestTextRareWordsWeighMore(t *testing.T) {
	fitted := fitTexts(t, source.Text{Meaning: 0.01}, pets(300))
	both := textRow(t, fitted, "and zebra")
	if rare, common := cosine(both, textRow(t, fitted, "zebra")), cosine(both, textRow(t, fitted, "and")); rare < common+0.2 {
		t.Errorf("the rare word is as near as %.2f, the common one %.2f", rare, common)
	}
}

func TestTextFitsNothing(t *testing.T) {
	for name, texts := range map[string][]string{
		"no text": nil, "one text": {"alone"}, "no common word": {"this", "that"}, "one word": {"same", "same", "same"},
	} {
		fitted := fitTexts(t, source.Text{}, texts)
		back := roundTrip(t, fitted)
		row := textRow(t, back, "this is new")
		shown, err := back.Record(row)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if terms := shown.(map[string]any)["terms"].([]any); len(terms) > 0 && name != "one word" {
			t.Errorf("%s: it knows %v", name, terms)
		}
		if parts := back.Parts(make([]float64, len(row)), row, row); len(parts) != 0 {
			t.Errorf("%s: parts %v of no difference", name, parts)
		}
	}
}

func roundTrip(t tester, fitted source.Fitted) source.Fitted {
	t.Helper()
	data, err := fitted.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	back, err := source.UnmarshalFitted(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.MarshalBinary()
	if err != nil || !bytes.Equal(again, data) {
		t.Fatalf("other bytes after a round trip, error %v", err)
	}
	return back
}

func TestTextRoundTripAndDeterminism(t *testing.T) {
	texts := append(pets(300), "漢字と仮名", "漢字と仮名だ", "Ünïcödé")
	first := fitTexts(t, source.Text{}, texts)
	bytesOf := func(f source.Fitted) []byte {
		data, err := f.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	before := runtime.GOMAXPROCS(1)
	second := fitTexts(t, source.Text{}, texts)
	runtime.GOMAXPROCS(before)
	if !bytes.Equal(bytesOf(first), bytesOf(second)) {
		t.Error("two fits of the same texts differ")
	}
	back := roundTrip(t, first)
	for _, text := range []string{"the cat purrs", "漢字", "never seen"} {
		row := textRow(t, first, text)
		if !slices.Equal(row, textRow(t, back, text)) {
			t.Errorf("%q: another row after a round trip", text)
		}
		direct := make([]float32, len(row))
		if err := first.(source.Direct).RowOf(direct, text); err != nil || !slices.Equal(row, direct) {
			t.Errorf("%q: RowOf gives another row, error %v", text, err)
		}
	}
}

func TestTextVocabularyIsCapped(t *testing.T) {
	small, large := fitTexts(t, source.Text{Vocabulary: 5}, pets(300)), fitTexts(t, source.Text{}, pets(300))
	a, _ := small.MarshalBinary()
	b, _ := large.MarshalBinary()
	if len(a) > len(b)/2 {
		t.Errorf("5 words take %d bytes, all %d", len(a), len(b))
	}
}

func TestTextParts(t *testing.T) {
	fitted := fitTexts(t, source.Text{}, pets(600))
	row, decoded := textRow(t, fitted, "the cat barks"), textRow(t, fitted, "the cat purrs")
	contributions := make([]float64, len(row))
	var total, named float64
	for i := range row {
		contributions[i] = float64(row[i]-decoded[i]) * float64(row[i]-decoded[i])
		total += contributions[i]
	}
	parts := fitted.Parts(contributions, row, decoded)
	if len(parts) < 2 {
		t.Fatalf("parts %v", parts)
	}
	for i, p := range parts {
		named += p.Weight
		if i > 0 && p.Weight > parts[i-1].Weight {
			t.Errorf("%v comes after %v", p, parts[i-1])
		}
		if more := p.Value.(float32) > p.Expected.(float32); p.Name == "barks" && !more || p.Name == "purrs" && more {
			t.Errorf("part %+v", p)
		}
	}
	names := []string{parts[0].Name, parts[1].Name}
	if !slices.Contains(names, "barks") || !slices.Contains(names, "purrs") {
		t.Errorf("parts %v, want barks and purrs first", parts)
	}
	if named > total*1.0001 || named < total/2 {
		t.Errorf("parts weigh %g of %g", named, total)
	}
	if fitted.Parts(contributions[1:], row, decoded) != nil {
		t.Error("parts of slices of another length")
	}
}

func TestTextRefusesBrokenState(t *testing.T) {
	data, err := fitTexts(t, source.Text{}, pets(60)).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	type state struct {
		Texts, Occurrences      int
		Words, Meanings, Shared []byte
	}
	for name, spoil := range map[string]func(s *state){
		"fewer texts":            func(s *state) { s.Texts = 1 },
		"words cut":              func(s *state) { s.Words = s.Words[:len(s.Words)-1] },
		"words twice":            func(s *state) { s.Words = append(s.Words, s.Words...); s.Meanings = append(s.Meanings, s.Meanings...) },
		"a meaning cut":          func(s *state) { s.Meanings = s.Meanings[1:] },
		"shared meaning cut":     func(s *state) { s.Shared = s.Shared[4:] },
		"shared meaning not set": func(s *state) { s.Shared = bytes.Repeat([]byte{0xff}, len(s.Shared)) },
	} {
		var whole struct {
			Format int             `json:"format"`
			Spec   json.RawMessage `json:"spec"`
			State  map[string]any  `json:"state"`
		}
		if err := json.Unmarshal(data, &whole); err != nil {
			t.Fatal(err)
		}
		inner, _ := json.Marshal(whole.State)
		var s state
		if err := json.Unmarshal(inner, &s); err != nil {
			t.Fatal(err)
		}
		spoil(&s)
		whole.State = map[string]any{"texts": s.Texts, "occurrences": s.Occurrences, "words": s.Words, "meanings": s.Meanings, "shared": s.Shared}
		spoilt, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := source.UnmarshalFitted(spoilt); !errors.Is(err, embed.ErrCorrupt) {
			t.Errorf("%s: error %v, want ErrCorrupt", name, err)
		}
	}
}

func TestTextFitReadsOnceAndPassesErrors(t *testing.T) {
	broken := errors.New("broken")
	_, err := source.Text{}.Fit(func(yield func([]byte, error) bool) {
		_ = yield([]byte("fine"), nil) && yield(nil, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if _, err := (source.Text{}).Fit(samples([][]byte{[]byte("\xff")})); !errors.Is(err, source.ErrRecord) {
		t.Errorf("a text that is not UTF-8: error %v", err)
	}
	if _, err := (source.Text{Vocabulary: source.MaxVocabulary + 1}).Fit(nil); !errors.Is(err, source.ErrSpec) {
		t.Errorf("a vocabulary too large: error %v", err)
	}
	if _, err := (source.Text{}).Fit(samples([][]byte{[]byte(strings.Repeat("word ", 10_000))})); err != nil {
		t.Errorf("a long text: error %v", err)
	}
}
