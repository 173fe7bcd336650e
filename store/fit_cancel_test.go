package store

import (
	"context"
	"errors"
	"testing"

	"github.com/latentdb/latentdb/embed"
)

// TestProgressMayCancel ends fits from within Progress, which a fit waits for,
// by calls that wait for the fit.
func TestProgressMayCancel(t *testing.T) {
	for name, end := range map[string]func(*DB, *Collection) error{
		"cancel": func(_ *DB, c *Collection) error {
			if !c.CancelFit() {
				return errors.New("no fit to cancel")
			}
			return nil
		},
		"drop":  func(db *DB, _ *Collection) error { return db.DropCollection(ctx, "test") },
		"close": func(db *DB, _ *Collection) error { return db.Close() },
	} {
		for _, stage := range []string{"train", "index", "calibrate"} {
			db := tempDB(t, quiet())
			c := create(t, db, vectorConfig())
			mustUpsert(t, c, numbered(curved(41, 60, 8))...)
			encoder := embed.PCA
			if stage == "train" {
				encoder = embed.Deep
			}
			var last FitStatus
			ended := false
			_, err := c.Fit(ctx, &FitOptions{Epochs: MaxEpochs, Encoder: encoder, Progress: func(s FitStatus) {
				if last = s; s.Stage == stage && !ended {
					ended = true
					if err := end(db, c); err != nil {
						t.Errorf("%s at %s: %v", name, stage, err)
					}
				}
			}})
			if !errors.Is(err, context.Canceled) || last.State != FitCancelled || c.FitStatus() != last {
				t.Errorf("%s at %s: %v, told %+v, status %+v", name, stage, err, last, c.FitStatus())
			}
		}
	}
}

// expiring is a context whose deadline comes when the test says so.
type expiring struct {
	context.Context
	done chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.done }

func (e expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestFitDeadline ends a fit by its context's deadline: it counts as cancelled.
func TestFitDeadline(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, numbered(curved(42, 60, 8))...)
	soon := expiring{ctx, make(chan struct{})}
	_, err := c.Fit(soon, &FitOptions{Encoder: "pca", Progress: func(s FitStatus) {
		if s.Stage == "index" {
			c.fits.mu.Lock()
			run := c.fits.current
			c.fits.mu.Unlock()
			close(soon.done)
			<-run.cancelled
		}
	}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	if s := c.FitStatus(); s.State != FitCancelled || s.Error != "" {
		t.Errorf("%+v", s)
	}
}
