package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

func TestFitProgress(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, numbered(curved(5, 400, 8))...)
	var seen []FitStatus
	report, err := c.Fit(ctx, &FitOptions{Epochs: 3, Encoder: "deep", Progress: func(s FitStatus) { seen = append(seen, s) }})
	if err != nil {
		t.Fatal(err)
	}
	stages := map[string]bool{}
	epoch := 0
	for i, s := range seen {
		stages[s.Stage] = true
		if s.Generation != 1 || s.Epoch < epoch || s.Epoch > 3 || (s.State == FitRunning) != (i < len(seen)-1) {
			t.Errorf("step %d: %+v", i, s)
		}
		epoch = s.Epoch
	}
	if !stages["train"] || !stages["index"] || !stages["calibrate"] || epoch != 3 {
		t.Errorf("stages %v, %d epochs", stages, epoch)
	}
	if s := c.FitStatus(); s.State != FitDone || s.Generation != 1 || s.Error != "" {
		t.Errorf("afterwards: %+v", s)
	}
	if report.Generation != 1 || report.Points != 400 || report.Settings.Epochs != 3 || report.Dim != 4 {
		t.Errorf("report %+v", report)
	}
}

// TestFitIsReproducible fits the same points twice with one seed.
func TestFitIsReproducible(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, numbered(curved(5, 200, 8))...)
	mustFit(t, c)
	mustFit(t, c)
	models, err := c.Models(ctx)
	if err != nil || len(models) != 2 || models[0].SHA256 != models[1].SHA256 {
		t.Errorf("%+v, %v", models, err)
	}
}

// TestCancelledFit stops fits at every stage and expects the old generation.
func TestCancelledFit(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, vectorConfig())
	points := numbered(curved(6, 500, 8))
	mustUpsert(t, c, points...)
	mustFit(t, c)
	before := c.active.Load()
	for _, stage := range []string{"train", "index", "calibrate"} {
		opts := &FitOptions{Epochs: MaxEpochs, Encoder: "deep"}
		if stage != "train" {
			opts.Encoder = "pca" // which has no epochs to wait for
		}
		fitCtx, cancel := context.WithCancel(ctx)
		opts.Progress = func(s FitStatus) {
			if s.Stage == stage {
				cancel()
			}
		}
		_, err := c.Fit(fitCtx, opts)
		cancel()
		if !errors.Is(err, context.Canceled) || c.FitStatus().State != FitCancelled {
			t.Errorf("%s: %v, %+v", stage, err, c.FitStatus())
		}
	}
	generation, err := c.StartFit(&FitOptions{Epochs: MaxEpochs, Encoder: "deep"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fit(ctx, nil); !errors.Is(err, ErrFitRunning) {
		t.Errorf("a second fit: %v", err)
	}
	if s := c.FitStatus(); s.State != FitRunning || s.Generation != generation {
		t.Errorf("%+v", s)
	}
	if !c.CancelFit() || c.CancelFit() {
		t.Error("CancelFit does not tell whether there was a fit")
	}
	if s, err := c.WaitFit(ctx); err != nil || s.State != FitCancelled {
		t.Errorf("%+v, %v", s, err)
	}
	if c.active.Load() != before {
		t.Error("a cancelled fit changed the active generation")
	}
	dirs, err := filepath.Glob(filepath.Join(c.dir, "default", "*"))
	if err != nil || len(dirs) != 1 {
		t.Errorf("cancelled fits left %v, %v", dirs, err)
	}
	// Close cancels as well.
	if _, err := c.StartFit(&FitOptions{Epochs: MaxEpochs, Encoder: "deep"}); err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, quiet())
	if n := collection(t, db, "test").active.Load().number; n != before.number {
		t.Errorf("generation %d is active, want %d", n, before.number)
	}
}

// TestFitUnderWrites changes points all through fits.
func TestFitUnderWrites(t *testing.T) {
	c := create(t, tempDB(t, &Options{NoAutoFit: true, Workers: 2, SnapshotEvery: 30}), vectorConfig())
	points := numbered(curved(7, 900, 8))
	mustUpsert(t, c, points[:500]...)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			b := Batch{Upsert: []Point{{ID: NumID(uint64(i % 700)), Vector: points[(i*7)%900].Vector}}, Delete: []ID{NumID(uint64((i * 3) % 700))}}
			if _, err := c.Write(ctx, b, false); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 3 {
		mustFit(t, c)
		if r, err := c.Check(ctx); err != nil || !r.OK() {
			t.Errorf("%+v, %v", r, err)
		}
	}
	close(stop)
	wg.Wait()
}

// TestRollback goes back and forth between generations, with changes between,
// some of them forgotten by the log of the one that was away.
func TestRollback(t *testing.T) {
	db := openDB(t, t.TempDir(), &Options{NoAutoFit: true, SnapshotEvery: 10})
	c := create(t, db, vectorConfig())
	points := numbered(curved(8, 400, 8))
	mustUpsert(t, c, points[:200]...)
	mustFit(t, c)
	mustFit(t, c)
	mustFit(t, c) // only 2 and 3 are kept
	if err := c.Activate(ctx, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("activate a dropped generation: %v", err)
	}
	if err := c.Activate(ctx, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("activate generation 0: %v", err)
	}
	for i, damage := range []string{"", "", "*.snap", "latents*", "*"} {
		target := uint64(2 + i%2)
		for at := range 25 {
			mustUpsert(t, c, Point{ID: NumID(uint64(200 + i)), Vector: points[200+25*i+at].Vector})
		}
		if _, err := c.Delete(ctx, NumID(uint64(i))); err != nil {
			t.Fatal(err)
		}
		paths, err := filepath.Glob(filepath.Join(c.generationDir(target), damage))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if err := os.RemoveAll(p); err != nil {
				t.Fatal(err)
			}
		}
		// What the log forgets now, the damaged generation will miss.
		for at := range 25 {
			mustUpsert(t, c, Point{ID: NumID(uint64(100 + i)), Vector: points[at].Vector})
		}
		if err := c.Activate(ctx, target); err != nil {
			t.Fatal(err)
		}
		if n := c.active.Load().number; n != target {
			t.Errorf("generation %d is active, want %d", n, target)
		}
		mustCheck(t, db)
	}
	db = reopen(t, db, quiet())
	c = collection(t, db, "test")
	models, err := c.Models(ctx)
	if err != nil || len(models) != 2 || models[0].Generation != 2 || !models[0].Active || models[1].Active {
		t.Errorf("%+v, %v", models, err)
	}
	info, err := c.Info(ctx)
	if err != nil || info.Generation != 2 || info.Points != 200 || info.Indexed != 200 || info.Features != 8 || info.DiskBytes == 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestAutoFit expects fits at the least number of points, when the points have
// grown fourfold, and when they have drifted; and none where it is turned off.
func TestAutoFit(t *testing.T) {
	db := tempDB(t, &Options{Workers: 2})
	cfg := Config{Source: source.Vector{}, Dim: 2, Encoder: "pca", AutoFit: AutoFit{MinPoints: 100, Drift: 3}}
	c := create(t, db, cfg)
	vectors := curved(12, 2000, 6)
	generation := func(want uint64, when string) {
		t.Helper()
		if s, err := c.WaitFit(ctx); err != nil || s.State == FitFailed {
			t.Fatalf("%s: %+v, %v", when, s, err)
		}
		if n := c.active.Load().number; n != want {
			t.Errorf("%s: generation %d, want %d", when, n, want)
		}
	}
	mustUpsert(t, c, numbered(vectors[:99])...)
	generation(0, "99 points")
	mustUpsert(t, c, numbered(vectors[:100])...)
	generation(1, "100 points")
	mustUpsert(t, c, numbered(vectors[:399])...)
	generation(1, "399 points")
	mustUpsert(t, c, numbered(vectors[:400])...)
	generation(2, "400 points")
	// The same number of points, which no longer are like those of the fit.
	drifted := numbered(curved(13, 400, 6))
	for i := range drifted {
		for j := range drifted[i].Vector {
			drifted[i].Vector[j] *= float32(1 + 9*(j%2))
		}
		mustUpsert(t, c, drifted[i])
		if c.active.Load().number == 3 {
			break
		}
	}
	generation(3, "drift")

	cfg.AutoFit.Disabled = true
	off, err := db.CreateCollection(ctx, "off", cfg)
	if err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, off, numbered(vectors[:500])...)
	if s := off.FitStatus(); s.State != FitIdle {
		t.Errorf("turned off: %+v", s)
	}
	byDefault, err := db.CreateCollection(ctx, "default", Config{Source: source.Vector{}, Dim: 2, Encoder: "pca"})
	if err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, byDefault, numbered(vectors[:999])...)
	if s := byDefault.FitStatus(); s.State != FitIdle {
		t.Errorf("999 points: %+v", s)
	}
	mustUpsert(t, byDefault, numbered(vectors[:1000])...)
	if s, err := byDefault.WaitFit(ctx); err != nil || s.State != FitDone {
		t.Errorf("1000 points: %+v, %v", s, err)
	}
}

// TestAskedFitComesFirst asks for a fit while one runs that began by itself.
func TestAskedFitComesFirst(t *testing.T) {
	cfg := Config{Source: source.Vector{}, Dim: 4, Encoder: "deep", AutoFit: AutoFit{MinPoints: 1000}}
	c := create(t, tempDB(t, &Options{Workers: 2}), cfg)
	mustUpsert(t, c, numbered(curved(14, 1000, 16))...)
	report, err := c.Fit(ctx, &FitOptions{Epochs: 1, Encoder: "pca"})
	if err != nil || report.Encoder != "pca" {
		t.Fatalf("%+v, %v", report, err)
	}
}

// TestFewPoints fits on as few points as there may be.
func TestFewPoints(t *testing.T) {
	for n := 3; n <= 12; n++ {
		c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 2})
		points := numbered(curved(15, n, 5))
		mustUpsert(t, c, points...)
		mustFit(t, c)
		if hits := mustSearch(t, c, Query{Vector: points[1].Vector, Limit: n}).Hits; len(hits) != n || hits[0].ID != NumID(1) {
			t.Errorf("%d points: %v", n, hits)
		}
	}
}

func TestOpenTempIsGoneOnClose(t *testing.T) {
	db, err := OpenTemp(quiet())
	if err != nil {
		t.Fatal(err)
	}
	c := create(t, db, vectorConfig())
	mustUpsert(t, c, numbered(curved(1, 20, 4))...)
	mustFit(t, c)
	mustCheck(t, db)
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(db.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", db.Dir(), err)
	}
	if _, err := db.CreateCollection(ctx, "x", vectorConfig()); !errors.Is(err, ErrClosed) {
		t.Errorf("create after Close: %v", err)
	}
	for name, err := range callsWhenClosed(c) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}

func callsWhenClosed(c *Collection) map[string]error {
	errs := callsWithFilter(c, &Filter{})
	_, errs["get"] = c.Get(ctx, With{}, NumID(1))
	_, errs["fit"] = c.Fit(ctx, nil)
	_, errs["info"] = c.Info(ctx)
	_, errs["models"] = c.Models(ctx)
	_, errs["quality"] = c.Quality()
	_, errs["check"] = c.Check(ctx)
	errs["activate"] = c.Activate(ctx, 1)
	return errs
}

// TestFitEveryEngine fits a collection that asks for each engine. One that misses the
// recall gives way to the exact scan.
func TestFitEveryEngine(t *testing.T) {
	for _, name := range engineNames() {
		c := create(t, tempDB(t, quiet()), Config{Source: source.Vector{}, Dim: 4, Engine: name})
		mustUpsert(t, c, numbered(curved(8, 300, 8))...)
		if got := mustFit(t, c).Engine; got != name && got != EngineFlat && name != EngineAuto {
			t.Errorf("%s: %s serves", name, got)
		}
	}
}
