package store

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// batchPiece is how many queries of a batch a core takes at a time: starting a
// goroutine costs a good part of a search.
const batchPiece = 16

// SearchBatch answers many queries as Search does, on as many cores as
// Options.Workers, in the order of the queries. If one of them fails the batch
// fails, with an error that names it. Each query is answered as of some moment of
// its own.
func (c *Collection) SearchBatch(ctx context.Context, queries []Query) ([][]Hit, error) {
	hits := make([][]Hit, len(queries))
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(c.opts.Workers)
	for from := 0; from < len(queries); from += batchPiece {
		group.Go(func() (err error) {
			for i := from; i < min(from+batchPiece, len(queries)); i++ {
				if hits[i], err = c.Search(each, queries[i]); err != nil {
					return fmt.Errorf("queries[%d]: %w", i, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return hits, ctx.Err()
}
