package embed

import (
	"context"

	"gonum.org/v1/gonum/blas/blas32"
)

// scoreViews evaluates a model of rows of two views: how often the one view of a query
// finds the other, among the other views of all queries and references.
func (e *examiner) scoreViews(ctx context.Context, m *Model, int8 bool) (Evaluation, error) {
	out := Evaluation{viewed: true}
	both := NewMatrix(e.queries.Rows, m.dim)
	if err := encodeParallel(ctx, m, both, e.queries, e.workers); err != nil {
		return out, err
	}
	var of [2]blas32.General // latents of either view of the queries, then of the references
	for i := range of {
		var err error
		if of[i], err = e.encodeView(ctx, m, i); err != nil {
			return out, err
		}
		if int8 {
			m.Round(of[i].Data)
		}
	}
	if int8 {
		m.Round(both.Data)
	}
	if err := e.measureError(m, both, &out); err != nil {
		return out, err
	}
	for i := range of {
		if err := out.addCrossing(ctx, rowsOf(of[i], 0, e.queries.Rows), of[1-i]); err != nil {
			return out, err
		}
	}
	return out, nil
}

// addCrossing adds how well queries find the first of the references, row by row: half
// of what an evaluation of both ways is.
func (e *Evaluation) addCrossing(ctx context.Context, queries, references blas32.General) error {
	lists, err := nearest(ctx, queries, references.Rows, 100, func(lo, hi int) blas32.General { return rowsOf(references, lo, hi) })
	if err != nil {
		return err
	}
	share := 1 / float64(2*len(lists))
	for i, list := range lists {
		for at, r := range list {
			if r != uint32(i) {
				continue
			}
			e.rank += share / float64(at+1)
			if at < 10 {
				e.Recall10 += share
			}
			if at < 50 {
				e.Recall50 += share
			}
			e.Recall100 += share
		}
	}
	return nil
}

// encodeView gives the latents that queries and references have by one view alone.
func (e *examiner) encodeView(ctx context.Context, m *Model, view int) (blas32.General, error) {
	z := NewMatrix(e.queries.Rows+e.references.Rows, m.dim)
	at := 0
	for _, rows := range []blas32.General{e.queries, e.references} {
		alone := NewMatrix(min(scanChunk, rows.Rows), rows.Cols)
		for lo := 0; lo < rows.Rows; lo += scanChunk {
			hi := min(lo+scanChunk, rows.Rows)
			part := rowsOf(alone, 0, hi-lo)
			for i := range part.Rows {
				row := Row(part, i)
				copy(row, Row(rows, lo+i))
				row[m.views[1-view].at] = 0
			}
			if err := encodeParallel(ctx, m, rowsOf(z, at, at+part.Rows), part, e.workers); err != nil {
				return z, err
			}
			at += part.Rows
		}
	}
	return z, nil
}
