package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/store"
)

// churn replaces half of a collection of words, then deletes nine tenths of it,
// while it is searched, and compares it with one that is made of what is left.
func (s *searching) churn(ctx context.Context) error {
	replaced := figure{Name: "search.8a", What: "half of 40,000 words replaced: recall more than of a fresh build", Floor: ptr(-.01), Goal: ptr(0.0), Better: higher}
	deleted := figure{Name: "search.8b", What: "then nine tenths deleted: recall more than of a fresh build", Floor: ptr(-.01), Goal: ptr(0.0), Better: higher}
	memory := figure{Name: "search.8c", What: "bytes of memory after both, but for the model, beside a fresh build, the worse", Floor: ptr(1.3), Goal: ptr(1.1), Better: lower}
	stall := figure{Name: "search.8d", What: "longest search meanwhile, ms, beside the longest step of a thread that searches nothing", Floor: ptr(3.0), Goal: ptr(1.5), Better: lower}
	defer func() { s.addAll([]figure{replaced, deleted, memory, stall}) }()
	a, c, err := s.quickest(ctx, "words")
	if c == nil || err != nil {
		return err
	}
	n := 40_000
	if s.quick {
		n = 2000
	}
	rows, fresh := pick(a.set.base, 0, n, 1), pick(a.set.base, n, n/2, 1)
	before := heldBytes()
	db, col, err := a.made(ctx, c.config, rows, 1)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			_ = db.Close() // the error that ended the measurement is what counts
		}
	}()
	copy(rows.Data, fresh.Data)
	type state struct{ recall, bytes float64 }
	var after, anew [2]state
	for i, step := range []func() error{
		func() error { return upsertRows(ctx, col, fresh, 0) },
		func() error { return deleteMost(ctx, col, n) },
	} {
		search, control, err := a.during(ctx, col, step)
		if err != nil {
			return err
		}
		s.logf("the longest of searches took %.1f ms, of steps of a control thread %.1f ms", search, control)
		if stall.Ours == nil || search/control > *stall.Ours / *stall.Peer {
			stall.Ours, stall.Peer = &search, &control
		}
		if after[i].recall, err = a.recallAmong(ctx, col, rows, i == 1); err != nil {
			return err
		}
		settle()
		if after[i].bytes, err = bytesBut(before, col); err != nil {
			return err
		}
	}
	closed = true
	if err := db.Close(); err != nil {
		return err
	}
	for i := range anew {
		step, before := 1+9*i, heldBytes()
		db, col, err := a.made(ctx, c.config, rows, step)
		if err != nil {
			return err
		}
		anew[i].recall, err = a.recallAmong(ctx, col, rows, i == 1)
		settle()
		var e error
		anew[i].bytes, e = bytesBut(before, col)
		if err := errors.Join(err, e, db.Close()); err != nil {
			return err
		}
		s.logf("after %d changes: recall %.4f, %.1f MB; a fresh build: %.4f, %.1f MB", i+1, after[i].recall, after[i].bytes/1e6, anew[i].recall, anew[i].bytes/1e6)
		if memory.Ours == nil || after[i].bytes/anew[i].bytes > *memory.Ours / *memory.Peer {
			memory.Ours, memory.Peer = &after[i].bytes, &anew[i].bytes
		}
	}
	replaced.Ours, deleted.Ours = ptr(after[0].recall-anew[0].recall), ptr(after[1].recall-anew[1].recall)
	return nil
}

// bytesBut is what is held more than before, but for the weights of the model: that of a
// fresh build, fitted to a tenth of the rows, is a smaller one.
func bytesBut(before int64, col *store.Collection) (float64, error) {
	held := float64(heldBytes() - before)
	r, err := col.Quality()
	if err != nil {
		return 0, err
	}
	return held - float64(4*modelWeights(r)), nil
}

func modelWeights(r *store.Report) int {
	n := 2 * r.Features * r.Dim
	if r.Encoder == string(embed.PCA) {
		return n
	}
	sides := 1
	if r.Encoder == string(embed.Deep) {
		sides = 2
	}
	last := r.Features
	for _, h := range append(slices.Clone(r.Settings.Hidden), r.Dim) {
		n += sides * last * h
		last = h
	}
	return n
}

// made is a new collection of every step-th row, fitted; its points are numbered
// as the rows are.
func (a *arena) made(ctx context.Context, cfg store.Config, rows blas32.General, step int) (*store.DB, *store.Collection, error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return nil, nil, err
	}
	col, err := db.CreateCollection(ctx, "churn", cfg)
	for i := 0; i < rows.Rows && err == nil; i += 5000 {
		var points []store.Point
		for j := i; j < min(i+5000, rows.Rows); j++ {
			if j%step == 0 {
				points = append(points, store.Point{ID: store.NumID(uint64(j)), Vector: embed.Row(rows, j)})
			}
		}
		err = col.Upsert(ctx, points...)
	}
	if err == nil {
		_, err = col.Fit(ctx, a.fitOptions())
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, col, nil
}

func deleteMost(ctx context.Context, col *store.Collection, n int) error {
	var ids []store.ID
	for i := range n {
		if i%10 != 0 {
			ids = append(ids, store.NumID(uint64(i)))
		}
	}
	for len(ids) > 0 {
		some := ids[:min(1000, len(ids))]
		if _, err := col.Delete(ctx, some...); err != nil {
			return err
		}
		ids = ids[len(some):]
	}
	return nil
}

// recallAmong is what queries find of the exact answer among all rows or every
// tenth, asking for .95.
func (a *arena) recallAmong(ctx context.Context, col *store.Collection, rows blas32.General, tenth bool) (float64, error) {
	q := queries{rows: a.set.report, rounds: 1}
	step := 1
	if tenth {
		step = 10
	}
	q.truth = exactNeighbours(pick(rows, 0, rows.Rows, step), q.rows, neighbours)
	for _, near := range q.truth {
		for i := range near {
			near[i] *= int32(step)
		}
	}
	ids, _, err := askOurs(ctx, col, store.Query{Recall: .95}, q)
	return recallOf(q.truth, ids, neighbours), err
}

// during carries a step out and waits until all is indexed: how long the longest
// of the searches took meanwhile, in ms, and the longest step of a thread that
// only computes, which waits for processors as they do.
func (a *arena) during(ctx context.Context, col *store.Collection, step func() error) (search, control float64, err error) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	longest := func(out *float64, each func(i int) error) {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				start := time.Now()
				if e := each(i); e != nil {
					err = e
					return
				}
				*out = max(*out, float64(time.Since(start).Microseconds())/1000)
			}
		})
	}
	longest(&search, func(i int) error {
		_, err := col.Search(ctx, store.Query{Vector: embed.Row(a.set.report, i%a.set.report.Rows), Limit: neighbours, OmitPayload: true})
		return err
	})
	sink := uint64(1)
	longest(&control, func(int) error {
		for range 200_000 { // about as long as a search
			sink = sink*6364136223846793005 + 1442695040888963407
		}
		return nil
	})
	failed := step()
	for failed == nil {
		info, e := col.Info(ctx)
		if failed = e; info.Indexed == info.Points {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	return search, control, errors.Join(failed, err)
}
