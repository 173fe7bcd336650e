package embed

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas/blas32"
)

// Project gives rows (n×D) as n×d coordinates along their d principal components, largest
// variance first; components that the rows have not are zero. For pictures of latents.
func Project(ctx context.Context, rows blas32.General, dim int) (blas32.General, error) {
	if rows.Rows < 1 || rows.Cols < 1 || dim < 1 || !wellFormed(rows) {
		return rows, fmt.Errorf("%w: %d rows of %d values in %d dimensions", ErrData, rows.Rows, rows.Cols, dim)
	}
	out := NewMatrix(rows.Rows, dim)
	pca, err := fitPCA(ctx, NumericLayout(rows.Cols), rows, min(dim, rows.Cols))
	if err != nil {
		return out, err
	}
	z := NewMatrix(rows.Rows, min(dim, rows.Cols))
	if err := pca.Encode(z, rows); err != nil {
		return out, err
	}
	for i := range z.Rows {
		copy(Row(out, i), Row(z, i))
	}
	return out, nil
}
