package source

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
)

const (
	// namedWords is how many words, the most frequent, rows are explained by.
	namedWords = 16_384
	// candidateWords are looked at more closely than by one product.
	candidateWords = 128
	// mostNamed is the most words that explain a row.
	mostNamed = 24
	// leastNamed is the share of the strongest word under which none is named.
	leastNamed = 0.1
)

// named is the rows of words as texts of their own (n×Width), made when the first row is
// explained.
type named struct {
	once sync.Once
	rows blas32.General
	err  error
}

// wordRows are the rows of the lexicon's most frequent words.
func (f *fittedText) wordRows() (blas32.General, error) {
	f.named.once.Do(func() {
		rows := embed.NewMatrix(min(namedWords, len(f.lexicon.words)), f.Width())
		for i := range rows.Rows {
			if err := f.row(embed.Row(rows, i), f.lexicon.words[i]); err != nil {
				f.named.err = err
				return
			}
		}
		f.named.rows = rows
	})
	return f.named.rows, f.named.err
}

// strength is how strongly a row shows a word.
type strength struct {
	word int
	by   float64
}

// explain names the words whose rows add up to a row, as far as a few can (matching
// pursuit; Mallat and Zhang 1993): the word nearest to what is left, time and again.
func (f *fittedText) explain(row []float32) ([]strength, error) {
	rows, err := f.wordRows()
	if err != nil || rows.Rows == 0 {
		return nil, err
	}
	near := candidates(rows, row)
	left := slices.Clone(row)
	var found []strength
	for len(near) > 0 && len(found) < mostNamed {
		best, by := 0, 0.0
		for i, word := range near {
			if d := product(embed.Row(rows, word), left); math.Abs(d) > math.Abs(by) {
				best, by = i, d
			}
		}
		if by == 0 || len(found) > 0 && math.Abs(by) < leastNamed*math.Abs(found[0].by) {
			break
		}
		found = append(found, strength{near[best], by})
		for i, v := range embed.Row(rows, near[best]) {
			left[i] -= float32(by) * v
		}
		near = slices.Delete(near, best, best+1)
	}
	slices.SortStableFunc(found, func(a, b strength) int { return cmp.Compare(math.Abs(b.by), math.Abs(a.by)) })
	return found, nil
}

// candidates are the words whose rows lie most along a row, either way, nearest first.
func candidates(rows blas32.General, row []float32) []int {
	along := embed.NewMatrix(1, rows.Rows)
	gemm(blas.NoTrans, blas.Trans, embed.MatrixOf(row, len(row)), rows, along)
	near := make([]int, rows.Rows)
	for i := range near {
		near[i] = i
	}
	slices.SortStableFunc(near, func(a, b int) int {
		return cmp.Compare(math.Abs(float64(along.Data[b])), math.Abs(float64(along.Data[a])))
	})
	return near[:min(len(near), candidateWords)]
}

func product(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// Record is the words that a decoded row shows, {"terms": [{"term", "weight"}]}, the
// strongest first: a text cannot be read back from a row, but what it is about can. Weight
// is from 0, not at all, to 1, that word and no other. Words are those of the fit, the 16,384 most frequent.
func (f *fittedText) Record(row []float32) (any, error) {
	if err := checkRow(row, f.Width()); err != nil {
		return nil, err
	}
	unit := slices.Clone(row)
	normalise(unit)
	found, err := f.explain(unit)
	if err != nil {
		return nil, err
	}
	terms := make([]any, 0, len(found))
	for _, s := range found {
		if s.by > 0 {
			terms = append(terms, map[string]any{"term": f.lexicon.words[s.word], "weight": min(s.by, 1)})
		}
	}
	return map[string]any{"terms": terms}, nil
}

// Parts are words that tell row and decoded apart. Value is how strongly the row shows
// the word, Expected how strongly the decoded one does. Their weights share the sum of
// contributions as far as words explain the difference. It returns nil where a slice has
// another length than Width.
func (f *fittedText) Parts(contributions []float64, row, decoded []float32) []Part {
	if len(contributions) != f.Width() || len(row) != f.Width() || len(decoded) != f.Width() {
		return nil
	}
	var total, squares float64
	difference := make([]float32, f.Width())
	for i, c := range contributions {
		total += c
		difference[i] = row[i] - decoded[i]
		squares += float64(difference[i]) * float64(difference[i])
	}
	found, err := f.explain(difference)
	if err != nil || squares == 0 {
		return nil
	}
	parts := make([]Part, len(found))
	for i, s := range found {
		word := embed.Row(f.named.rows, s.word)
		parts[i] = Part{
			Name: f.lexicon.words[s.word], Value: float32(product(word, row)), Expected: float32(product(word, decoded)),
			Weight: total * s.by * s.by / squares,
		}
	}
	return ByWeight(parts)
}
