package index

import (
	"context"
	"fmt"
	"slices"
)

// growthSize is how many rows are added at a time: enough to keep several workers
// busy, few enough to be measured against each other and written at once.
const growthSize = 128

// UpsertMany implements Bulk.
func (h *hnsw[T]) UpsertMany(ctx context.Context, slots []uint32, rows []float32, workers int) error {
	dim := h.config.Dim
	if workers < 1 {
		return fmt.Errorf("%w: %d workers, want at least 1", ErrParams, workers)
	}
	if len(rows) != len(slots)*dim {
		return fmt.Errorf("%w: %d values for %d rows of %d", ErrDim, len(rows), len(slots), dim)
	}
	for i, x := range rows {
		if x-x != 0 {
			return fmt.Errorf("%w: row %d, value %d is %v", ErrNotFinite, i/dim, i%dim, x)
		}
	}
	h.writer.Lock()
	defer h.writer.Unlock()
	for part := range slices.Chunk(slots, growthSize) {
		if err := h.upsert(ctx, part, rows[:len(part)*dim], workers); err != nil {
			return err
		}
		rows = rows[len(part)*dim:]
	}
	return nil
}
