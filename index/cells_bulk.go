package index

import (
	"context"
	"fmt"
	"sync"
)

// bulkChunk is how many rows find their cells before any of them is put there.
const bulkChunk = 4096

// freshRows are rows on their way into an index, each slot once.
type freshRows struct {
	list rowList
	at   slotTable // slot -> place in the list
}

// UpsertMany implements Bulk: where the cells are due to be made anew, they are
// made with the rows in place; else the workers find a cell for each row.
func (x *cells) UpsertMany(ctx context.Context, slots []uint32, rows []float32, workers int) error {
	if workers < 1 {
		return fmt.Errorf("%w: %d workers, want at least 1", ErrParams, workers)
	}
	if len(rows) != len(slots)*x.config.Dim {
		return fmt.Errorf("%w: %d values for %d rows of %d", ErrDim, len(rows), len(slots), x.config.Dim)
	}
	x.writer.Lock()
	defer x.writer.Unlock()
	fresh, err := x.fresh(slots, rows)
	if err != nil {
		return err
	}
	p := x.part
	more := 0
	for _, slot := range fresh.list.ids {
		if _, held := p.cellOf.get(slot); !held {
			more++
		}
	}
	if !p.retrainDue(fresh.list.len(), more) {
		return x.putMany(ctx, &fresh.list, workers)
	}
	next, err := p.remade(ctx, fresh, workers)
	if err != nil {
		return err
	}
	x.publish(next)
	return nil
}

// fresh checks and prepares rows.
func (x *cells) fresh(slots []uint32, rows []float32) (*freshRows, error) {
	f := new(freshRows)
	y := &x.part.home // without sketches, which are of a cell
	y.reserve(&f.list, len(slots))
	for i, slot := range slots {
		if err := x.config.prepare(x.row, rows[i*x.config.Dim:][:x.config.Dim]); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		if at, twice := f.at.get(slot); twice {
			y.put(&f.list, int(at), x.row)
			continue
		}
		f.at.set(slot, uint32(f.list.len()))
		y.add(&f.list, slot, x.row)
	}
	return f, nil
}

// putMany puts rows into cells that stay.
func (x *cells) putMany(ctx context.Context, l *rowList, workers int) error {
	home := make([]uint32, min(l.len(), bulkChunk))
	for from := 0; from < l.len(); from += bulkChunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(bulkChunk, l.len()-from)
		x.part.findHomes(home[:n], l, from, workers)
		joins := x.joins
		for i := range n {
			x.part.rows.get(x.row, l, from+i)
			if x.joins != joins { // the numbers found are of other cells now
				x.query.set(&x.part.rows, x.row)
				home[i] = x.part.nearest(x.query)
			}
			x.put(l.ids[from+i], x.row, home[i])
		}
	}
	return nil
}

// findHomes sets home[i] to the cell of row from+i of a list.
func (p *partition) findHomes(home []uint32, l *rowList, from, workers int) {
	share := (len(home) + workers - 1) / workers
	var wg sync.WaitGroup
	for start := 0; start < len(home); start += share {
		wg.Go(func() {
			w := newHomeSeeker(p.rows.dim)
			for i := start; i < min(start+share, len(home)); i++ {
				p.rows.get(w.row, l, from+i)
				home[i] = w.seek(p, w.row)
			}
		})
	}
	wg.Wait()
}
