package store

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/latentdb/latentdb/embed"
)

// childFitter begins a fit that takes long, says that it trains, and waits to be
// killed.
func childFitter(dir string) error {
	db, err := Open(dir, quiet())
	if err != nil {
		return err
	}
	c, err := db.Collection("test")
	if err != nil {
		return err
	}
	said := false
	_, err = c.Fit(ctx, &FitOptions{Epochs: MaxEpochs, Encoder: embed.Deep, Dim: 2, Seed: 5, Progress: func(s FitStatus) {
		if s.Stage == "train" && !said {
			said = true
			fmt.Println("training")
		}
	}})
	return err
}

// fittedThenKilled is a database of one generation, whose process was killed
// while it made the next.
func fittedThenKilled(t *testing.T) (dir string) {
	dir = t.TempDir()
	db := openDB(t, dir, quiet())
	c := create(t, db, vectorConfig())
	mustUpsert(t, c, numbered(curved(71, 1500, 12))...)
	mustFit(t, c)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	killFitter(t, dir)
	return dir
}

func killFitter(t *testing.T, dir string) {
	t.Helper()
	cmd, out := child(t, "fitter", dir, 0)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "training\n" {
		t.Fatalf("the fitter said %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
}

func TestFitBeginsAgainAfterAKill(t *testing.T) {
	dir := fittedThenKilled(t)
	db := openDB(t, dir, quiet()) // nothing begins by itself
	c := collection(t, db, "test")
	if s := c.FitStatus(); s.State != FitIdle || c.active.Load().number != 1 {
		t.Fatalf("%+v, generation %d: want the old one to serve, and no fit", s, c.active.Load().number)
	}
	db = reopen(t, db, &Options{Workers: 2})
	c = collection(t, db, "test")
	if s := c.FitStatus(); s.State != FitRunning || s.Generation != 3 {
		t.Fatalf("%+v: want the fit to run again, as generation 3", s)
	}
	mustSearch(t, c, Query{ID: NumID(3), Limit: 3}) // the old generation serves
	// A Close is no end of a fit either.
	db = reopen(t, db, &Options{Workers: 2})
	c = collection(t, db, "test")
	if s := c.FitStatus(); s.State != FitRunning || s.Generation != 4 {
		t.Fatalf("%+v: want the fit to run again, as generation 4", s)
	}
	if !c.CancelFit() {
		t.Fatal("no fit to cancel")
	}
	db = reopen(t, db, &Options{Workers: 2})
	if s := collection(t, db, "test").FitStatus(); s.State != FitIdle {
		t.Fatalf("%+v: want no fit after it was cancelled", s)
	}
}

func TestFitIsGivenUpAfterThreeKills(t *testing.T) {
	dir := fittedThenKilled(t)
	db := openDB(t, dir, quiet())
	c := collection(t, db, "test")
	if err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		return g.meta.Put(keyPendingFit, []byte(`{"generation":2,"tries":3}`))
	}); err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, &Options{Workers: 2})
	if s := collection(t, db, "test").FitStatus(); s.State != FitFailed || !strings.Contains(s.Error, "3 tries") {
		t.Errorf("%+v: want it given up", s)
	}
	db = reopen(t, db, &Options{Workers: 2})
	if s := collection(t, db, "test").FitStatus(); s.State != FitIdle {
		t.Errorf("%+v: want it forgotten", s)
	}
}

func TestFineTune(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	all := numbered(curved(72, 3000, 12))
	mustUpsert(t, c, all[:1500]...)
	_, err := c.Fit(ctx, &FitOptions{FineTune: true})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "fine_tune") {
		t.Fatalf("without a network: %v", err)
	}
	first, err := c.Fit(ctx, &FitOptions{Encoder: embed.Deep, Dim: 2, Epochs: 20})
	if err != nil || first.Encoder != "deep" {
		t.Fatalf("%+v, %v", first, err)
	}
	for field, o := range map[string]FitOptions{"dim": {Dim: 3}, "encoder": {Encoder: embed.Linear}} {
		o.FineTune = true
		if _, err := c.Fit(ctx, &o); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("another %s: %v", field, err)
		}
	}
	mustUpsert(t, c, all[1500:]...)
	tuned, err := c.Fit(ctx, &FitOptions{FineTune: true})
	if err != nil || tuned.Encoder != "deep" || tuned.Dim != 2 || tuned.Points != 3000 || tuned.Settings.Epochs >= 20 {
		t.Fatalf("%+v, %v", tuned, err)
	}
	if tuned.MSE.Model > first.MSE.Model*1.2 || tuned.MSE.Model > tuned.MSE.PCA {
		t.Errorf("error %v after %v", tuned.MSE, first.MSE)
	}
}
