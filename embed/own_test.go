package embed

import (
	"context"
	"errors"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
)

// withMade is rows whose features after the first own are made of them.
func withMade(rows blas32.General) blas32.General {
	out := NewMatrix(rows.Rows, rows.Cols+3)
	for i := range rows.Rows {
		r := Row(out, i)
		at := copy(r, Row(rows, i))
		r[at], r[at+1], r[at+2] = r[0]*r[1], 2*r[2], r[3]*r[3]
	}
	return out
}

// meanError is the naive twin of an evaluation's MSEInput.
func meanError(t *testing.T, m *Model, rows blas32.General, at []int, own int) (sum float64) {
	for _, i := range at {
		row := MatrixOf(Row(rows, i), rows.Cols)
		back := mustDecode(t, m, mustEncode(t, m, row))
		for j := range own {
			d := float64(back.Data[j] - row.Data[j])
			sum += d * d / float64(own*len(at))
		}
	}
	return sum
}

// Errors are of the record's own features, beside PCA of those alone; neighbours are
// those by all.
func TestOwnFeatures(t *testing.T) {
	rows := manifold(newRand(3), 400, 6)
	all := withMade(rows)
	r := mustTrain(t, NumericLayout(9), all, Config{Encoder: Deep, Dim: 2, Own: 6, Epochs: 8})
	if got, want := r.Learned.MSEInput, meanError(t, r.Model, all, r.Examined, 6); !agree(got, want, 1e-4) {
		t.Errorf("error of the model is %g, want %g", got, want)
	}
	held := make(map[int]bool)
	for _, i := range r.Held {
		held[i] = true
	}
	train := NewMatrix(0, 6)
	for i := range rows.Rows {
		if !held[i] {
			train.Data, train.Rows = append(train.Data, Row(rows, i)...), train.Rows+1
		}
	}
	pca := mustPCA(t, NumericLayout(6), train, 2)
	if got, want := r.PCA.MSEInput, meanError(t, pca, rows, r.Examined, 6); !agree(got, want, 1e-4) {
		t.Errorf("error of PCA is %g, want %g", got, want)
	}
	if r.Learned.Recall50 < r.PCA.Recall50 {
		t.Errorf("recall@50 is %g, of PCA %g", r.Learned.Recall50, r.PCA.Recall50)
	}
	for _, own := range []int{-1, 10} {
		if _, err := Train(context.Background(), NumericLayout(9), all, Config{Own: own}); !errors.Is(err, ErrConfig) {
			t.Errorf("%d own features: got %v, want ErrConfig", own, err)
		}
	}
	mixedRows := mixed(newRand(4), 50)
	if _, err := Train(context.Background(), mixedLayout, mixedRows, Config{Own: 4}); !errors.Is(err, ErrConfig) {
		t.Errorf("own features that are not numeric: got %v, want ErrConfig", err)
	}
}
