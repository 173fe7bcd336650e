package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/store"
)

// cores measures two cores beside one, opening, and searches beside a writer.
func (s *searching) cores(ctx context.Context) error {
	batch := figure{Name: "search.10a", What: "words: queries a second on two cores, beside one", Floor: ptr(1.8), Goal: ptr(1.9), Better: higher}
	opening := figure{Name: "search.10b", What: "1,000,000 x 32: opening, MB a second of the index's snapshot", Floor: ptr(500.0), Better: higher}
	tail := figure{Name: "search.10c", What: "words: the 99th percentile of a search beside a writer, ms, beside the median", Floor: ptr(3.0), Better: lower}
	defer func() { s.addAll([]figure{batch, opening, tail}) }()
	a, c, err := s.quickest(ctx, "words")
	if err != nil {
		return err
	}
	if c != nil {
		if err := a.twoCores(ctx, c, &batch); err != nil {
			return err
		}
		if err := a.besideWriter(ctx, c, &tail); err != nil {
			return err
		}
	}
	if a, err = s.arena(ctx, "million"); a == nil || err != nil {
		return err
	}
	mine, err := a.collections(ctx)
	if err == nil && len(mine) > 0 {
		opening.Ours, err = a.openingRate()
	}
	return err
}

func (a *arena) twoCores(ctx context.Context, c *contender, f *figure) error {
	if runtime.NumCPU() < 2 {
		return nil
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	rows := a.set.report
	rate := func(cores int) (float64, error) {
		runtime.GOMAXPROCS(cores)
		errs := make([]error, cores)
		var wg sync.WaitGroup
		start := now()
		for w := range cores {
			wg.Go(func() {
				for i := w; i < rows.Rows && errs[w] == nil; i += cores {
					_, errs[w] = c.collection.Search(ctx, store.Query{Vector: embed.Row(rows, i), Limit: neighbours, OmitPayload: true})
				}
			})
		}
		wg.Wait()
		return float64(rows.Rows) / start.since(), errors.Join(errs...)
	}
	var one, two, spin []float64
	for range a.repeats() {
		v, err := rate(1)
		if err != nil {
			return err
		}
		w, err := rate(2)
		if err != nil {
			return err
		}
		one, two, spin = append(one, v), append(two, w), append(spin, spinRatio())
	}
	a.logf("a spin test gets %.2f cores of 2", median(spin))
	f.Ours, f.Peer = ptr(median(two)), ptr(median(one))
	if median(spin) < 1.8 {
		f.Floor = nil // the machine does not give two cores
	}
	return nil
}

// besideWriter times searches while a thread writes ten points again and again.
func (a *arena) besideWriter(ctx context.Context, c *contender, f *figure) error {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		for i := 0; failed == nil; i = (i + 10) % (a.set.base.Rows - 10) {
			select {
			case <-stop:
				return
			default:
			}
			failed = upsertRows(ctx, c.collection, embed.MatrixOf(a.set.base.Data[i*a.set.base.Cols:(i+10)*a.set.base.Cols], a.set.base.Cols), i)
		}
	})
	var took []float64
	var err error
	for i := 0; i < 5*a.set.report.Rows && err == nil; i++ {
		start := time.Now()
		_, err = c.collection.Search(ctx, store.Query{Vector: embed.Row(a.set.report, i%a.set.report.Rows), Limit: neighbours, OmitPayload: true})
		took = append(took, float64(time.Since(start).Nanoseconds())/1e6)
	}
	close(stop)
	wg.Wait()
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	slices.Sort(took)
	f.Ours, f.Peer = &took[len(took)*99/100], &took[len(took)/2]
	return nil
}

// openingRate opens the first collection of the set again, some times; what was
// known of it is of no use afterwards.
func (a *arena) openingRate() (*float64, error) {
	c := a.ours[0]
	a.ours = a.ours[:0]
	err := c.db.Close()
	size, e := snapshotBytes(c.db.Dir())
	if err = errors.Join(err, e); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	var rates []float64
	for range a.repeats() {
		start := now()
		db, err := store.Open(c.db.Dir(), &store.Options{NoAutoFit: true})
		if err != nil {
			return nil, errors.Join(err, c.remove())
		}
		rates = append(rates, float64(size)/1e6/start.since())
		if err := db.Close(); err != nil {
			return nil, errors.Join(err, c.remove())
		}
	}
	return ptr(median(rates)), c.remove()
}

// snapshotBytes is the size of all snapshots of indexes below a folder.
func snapshotBytes(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".snap") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
