package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/mnist"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/progress"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

const (
	demoCollection = "digits"
	demoDim        = 32
	demoBatch      = 1000
)

// demoFlags are a demo as it is typed.
type demoFlags struct {
	data, out, listen string
	noServe           bool
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Learn 10,000 handwritten digits, show what came of it, and serve them",
		Long: `Learn the 10,000 handwritten digits of the MNIST test set, which are part of
this program: load them, fit a model, measure it against PCA and against the raw
pixels, draw one picture of the answers, and serve the collection over REST.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.demo(ctx, f) }),
	}
	cmd.Flags().StringVar(&f.data, "data", "", "directory to keep the database in (default: a temporary one)")
	cmd.Flags().StringVar(&f.out, "out", "latentdb-demo.png", "file for the picture")
	cmd.Flags().StringVar(&f.listen, "listen", listenDefault(), "HOST:PORT to serve on afterwards (env LATENTDB_LISTEN)")
	cmd.Flags().BoolVar(&f.noServe, "no-serve", false, "stop when the picture is drawn")
	a.keyFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) demo(ctx context.Context, f demoFlags) (err error) {
	var ln net.Listener
	if !f.noServe {
		if ln, err = a.listen(ctx, f.listen, false); err != nil {
			return fmt.Errorf("%w (--listen names another address, --no-serve none)", err)
		}
		defer func() { _ = ln.Close() }()
	}
	db, err := openDemo(f.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	digits, err := mnist.Load()
	if err != nil {
		return err
	}
	if err := a.runDemo(ctx, db, digits, 0, f.out); err != nil || f.noServe {
		return err
	}
	a.notef("try: curl -s %s/collections/%s/points/query -H 'Content-Type: application/json' -d '{\"query\": 0, \"with_payload\": true}'",
		localURL(ln.Addr().String()), demoCollection)
	return a.serve(ctx, db, f.listen, ln, slog.New(slog.NewTextHandler(a.stderr, nil)))
}

func openDemo(dir string) (*store.DB, error) {
	opts := &store.Options{NoAutoFit: true}
	if dir == "" {
		return store.OpenTemp(opts)
	}
	return store.Open(dir, opts)
}

// runDemo loads, fits, measures, draws and prints. Epochs may be 0, the
// default.
func (a *app) runDemo(ctx context.Context, db *store.DB, digits []mnist.Digit, epochs int, out string) error {
	start := time.Now()
	coll, err := db.CreateCollection(ctx, demoCollection, store.Config{
		Source: source.Image{Width: mnist.Side, Height: mnist.Side, Channels: 1},
		Dim:    demoDim,
	})
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%s holds a collection %q already: 'latentdb serve --data %[1]s' serves it", db.Dir(), demoCollection)
	}
	if err != nil {
		return err
	}
	if err := a.loadDigits(ctx, coll, digits); err != nil {
		return err
	}
	report, err := a.fitDigits(ctx, coll, epochs)
	if err != nil {
		return err
	}
	result, err := measureDemo(ctx, coll, digits, report)
	if err != nil {
		return err
	}
	if err := drawDemo(ctx, coll, digits, result, out); err != nil {
		return err
	}
	result.Seconds, result.Picture = time.Since(start).Seconds(), out
	return a.printDemo(result)
}

// loadDigits puts the digits in under their numbers, labels in the payload. The
// model never sees a label.
func (a *app) loadDigits(ctx context.Context, coll *store.Collection, digits []mnist.Digit) error {
	bar := progress.Start(a.stderr, "load", int64(len(digits)))
	defer bar.Clear()
	points := make([]store.Point, 0, demoBatch)
	for i, d := range digits {
		var encoded bytes.Buffer
		if err := png.Encode(&encoded, d.Image()); err != nil {
			return err
		}
		points = append(points, store.Point{
			ID: store.NumID(uint64(i)), Record: encoded.Bytes(), Payload: store.Payload{"label": int64(d.Label)},
		})
		if len(points) < demoBatch && i < len(digits)-1 {
			continue
		}
		if err := coll.Upsert(ctx, points...); err != nil {
			return err
		}
		points = points[:0]
		bar.Set(int64(i+1), fmt.Sprintf("%d digits", i+1))
	}
	bar.Done(fmt.Sprintf("%d digits", len(digits)))
	return nil
}

func (a *app) fitDigits(ctx context.Context, coll *store.Collection, epochs int) (*store.Report, error) {
	shown := fitProgress{w: a.stderr}
	defer shown.clear()
	return coll.Fit(ctx, &store.FitOptions{Seed: 1, Epochs: epochs, Progress: shown.show})
}
