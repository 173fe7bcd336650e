package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

const largeRows, largeWidth = 1_000_000, 128

// large measures the memory of a fit of many rows beside the store's own, and how
// long a cancel takes to return in each stage of a fit.
func (t *training) large(ctx context.Context) error {
	peak := figure{Name: "train.7a", What: "peak memory of a fit of 1,000,000 x 128 beside the store's own, GiB", Floor: ptr(1.5), Better: lower}
	cancel := figure{Name: "train.7b", What: "seconds until a cancelled fit has returned, the worst of its stages", Floor: ptr(1.0), Better: lower}
	defer func() { t.add(peak); t.add(cancel) }()
	if _, err := residentBytes(); err != nil {
		t.logf("%v: its figures are null", err)
		return nil
	}
	db, c, err := t.largeCollection(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.logf("closing: %v", err)
		}
	}()
	debug.FreeOSMemory()
	before, err := residentBytes()
	if err != nil {
		return err
	}
	watch := watchMemory()
	began := time.Now()
	report, err := c.Fit(ctx, nil)
	most := watch()
	if err != nil {
		return err
	}
	t.logf("the store holds %.2f GiB, the fit %.2f GiB more at its peak; %d numbers, recall@50 %.3f, PCA %.3f, %.0f s",
		gib(before), gib(most-before), report.Dim, report.RecallAt50.Model, report.RecallAt50.PCA, time.Since(began).Seconds())
	if t.quick {
		return nil // fewer rows say nothing of these figures
	}
	peak.Ours = ptr(gib(most - before))
	worst, err := t.slowestCancel(ctx, c)
	if err == nil {
		cancel.Ours = &worst
	}
	return err
}

// slowestCancel cancels a fit in each of its stages, a moment after it has begun.
func (t *training) slowestCancel(ctx context.Context, c *store.Collection) (worst float64, err error) {
	for _, stage := range []string{"read", "train", "index", "calibrate"} {
		reached, once := make(chan struct{}), sync.Once{}
		number, err := c.StartFit(&store.FitOptions{Progress: func(s store.FitStatus) {
			if s.Stage == stage {
				once.Do(func() { close(reached) })
			}
		}})
		if err != nil {
			return 0, err
		}
		if stage != "read" { // which is where a fit begins, before it tells of anything
			select {
			case <-reached:
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		time.Sleep(700 * time.Millisecond)
		began := time.Now()
		c.CancelFit()
		seconds := time.Since(began).Seconds()
		if s := c.FitStatus(); s.Generation != number || s.State != store.FitCancelled {
			return 0, fmt.Errorf("a fit cancelled in stage %s ended as %+v", stage, s)
		}
		t.logf("cancelled in stage %q: returned after %.3f s", stage, seconds)
		worst = max(worst, seconds)
	}
	return worst, nil
}

// largeCollection holds rows near a curved surface of 12 dimensions.
func (t *training) largeCollection(ctx context.Context) (*store.DB, *store.Collection, error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return nil, nil, err
	}
	c, err := db.CreateCollection(ctx, "large", store.Config{Source: source.Vector{}, Dim: 32})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	n := largeRows
	if t.quick {
		n /= 20
	}
	rng := rand.New(rand.NewPCG(7, 1))
	const hidden, batch = 12, 5000
	var mix, bend [hidden * largeWidth]float64
	for i := range mix {
		mix[i], bend[i] = rng.NormFloat64(), rng.NormFloat64()
	}
	for lo := 0; lo < n; lo += batch {
		points := make([]store.Point, 0, batch)
		for i := lo; i < min(n, lo+batch); i++ {
			v := make([]float32, largeWidth)
			var h [hidden]float64
			for k := range h {
				h[k] = rng.NormFloat64()
			}
			for j := range v {
				s, b := 0.1*rng.NormFloat64(), 0.0
				for k, x := range h {
					s += x * mix[j*hidden+k]
					b += x * bend[j*hidden+k]
				}
				v[j] = float32(s + math.Sin(b))
			}
			points = append(points, store.Point{ID: store.NumID(uint64(i)), Vector: v})
		}
		if err := c.Upsert(ctx, points...); err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
	}
	return db, c, nil
}

// watchMemory follows the process's resident memory until the function it returns
// is called, which gives the most there was.
func watchMemory() func() int64 {
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var most int64
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			if now, err := residentBytes(); err == nil {
				most = max(most, now)
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	return func() int64 {
		close(stop)
		wg.Wait()
		return most
	}
}

// residentBytes is the process's memory but for what it maps of files, as Linux
// counts it.
func residentBytes() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc/self/status has no RssAnon")
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }
