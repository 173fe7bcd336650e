package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/progress"
	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/store"
)

// fitPoll is how often a running fit is asked how far it is.
const fitPoll = 100 * time.Millisecond

// fitOptions is the body of a fit request; dim is a number or "auto".
type fitOptions struct {
	Dim     any           `json:"dim,omitempty"`
	Encoder embed.Encoder `json:"encoder,omitempty"`
	Epochs  int           `json:"epochs,omitempty"`
	Seed    uint64        `json:"seed,omitempty"`
	// FineTune goes on from the active generation's network.
	FineTune bool `json:"fine_tune,omitempty"`
}

func (a *app) fitCommand() *cobra.Command {
	var dim, encoder string
	var opts fitOptions
	cmd := &cobra.Command{
		Use:   "fit COLLECTION",
		Short: "Train a model on a collection and switch to it",
		Long: `Train a model on a collection's points, encode and index them, and switch to
the new generation. At the end the model is set against PCA of the same size,
in numbers measured on points that training never saw.`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			var badDim, badEncoder error
			opts.Dim, badDim = parseDim(dim)
			opts.Encoder, badEncoder = parseEncoder(encoder)
			return func(ctx context.Context, c *client.Client) error {
				return a.fit(ctx, c, args[0], opts)
			}, errors.Join(badDim, badEncoder, inRange("epochs", opts.Epochs, 0, maxEpochs))
		}),
	}
	cmd.Flags().StringVar(&dim, "dim", "", `latent size: a number, or "auto" to choose it (default: the collection's)`)
	cmd.Flags().StringVar(&encoder, "encoder", "", "auto, deep, linear or pca (default: the collection's)")
	cmd.Flags().IntVar(&opts.Epochs, "epochs", 0, "passes over the data (default: by the number of points)")
	cmd.Flags().Uint64Var(&opts.Seed, "seed", 0, "seed of everything that is drawn (default 1)")
	cmd.Flags().BoolVar(&opts.FineTune, "fine-tune", false, "go on from the active generation's network, for points that have changed little")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// fit runs one fit to its end and prints its report. If ctx ends first the fit
// is cancelled.
func (a *app) fit(ctx context.Context, c *client.Client, name string, opts fitOptions) error {
	path := client.Collection(name, "fit")
	if err := c.Do(ctx, "POST", path, opts, nil); err != nil {
		return err
	}
	status, err := a.watchFit(ctx, c, path)
	if err != nil {
		if ctx.Err() != nil {
			// The context that would carry this request has ended.
			err = errors.Join(err, c.Do(context.WithoutCancel(ctx), "DELETE", path, nil, nil))
		}
		return err
	}
	if status.State != store.FitDone {
		return fmt.Errorf("fit %s: %s", status.State, status.Error)
	}
	if _, err := waitShed(ctx, c, name); err != nil {
		return err
	}
	return a.quality(ctx, c, name)
}

// waitShed describes a collection once the records are given up that it does not keep: a
// command's database is closed when the command ends, and only what is open gives them up.
func waitShed(ctx context.Context, c *client.Client, name string) (collectionInfo, error) {
	tick := time.NewTicker(fitPoll)
	defer tick.Stop()
	for {
		var i collectionInfo
		if err := c.Do(ctx, "GET", client.Collection(name), nil, &i); err != nil || !i.Latent.Shedding {
			return i, err
		}
		select {
		case <-ctx.Done():
			return i, ctx.Err()
		case <-tick.C:
		}
	}
}

// watchFit shows a fit's progress until it has ended.
func (a *app) watchFit(ctx context.Context, c *client.Client, path string) (store.FitStatus, error) {
	var status store.FitStatus
	shown := fitProgress{w: a.stderr}
	defer shown.clear()
	tick := time.NewTicker(fitPoll)
	defer tick.Stop()
	for {
		if err := c.Do(ctx, "GET", path, nil, &status); err != nil {
			return status, err
		}
		shown.show(status)
		if status.State != store.FitRunning {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return status, ctx.Err()
		case <-tick.C:
		}
	}
}

// fitProgress shows the epochs and stages of a fit as they begin.
type fitProgress struct {
	w     io.Writer
	bar   *progress.Progress
	total int // epochs the bar was made for, known once training begins
	last  store.FitStatus
}

func (p *fitProgress) show(s store.FitStatus) {
	if s.Epoch == p.last.Epoch && s.Stage == p.last.Stage {
		return
	}
	p.last = s
	note := s.Stage
	if s.Epoch > 0 {
		note = fmt.Sprintf("epoch %d of %d, loss %.4g, recall@50 %s %s",
			s.Epoch, s.Epochs, s.Loss, percent(s.RecallAt50), s.Stage)
	}
	if p.bar == nil || p.total != s.Epochs {
		p.clear()
		// The bar is full when training and what comes after it are done.
		p.bar, p.total = progress.Start(p.w, "fit", int64(s.Epochs)+1), s.Epochs
	}
	p.bar.Step(int64(s.Epoch), strings.TrimSpace(note))
}

func (p *fitProgress) clear() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// parseDim reads --dim: nil for none, "auto", or a number.
func parseDim(text string) (any, error) {
	if text == "" || text == "auto" {
		if text == "" {
			return nil, nil
		}
		return text, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > store.MaxDim {
		return nil, usagef(`--dim %s is neither "auto" nor a number from 1 to %d`, text, store.MaxDim)
	}
	return n, nil
}

func parseEncoder(text string) (embed.Encoder, error) {
	e := embed.Encoder(text)
	if text != "" && !e.Valid() {
		return "", usagef("--encoder %s is not one of %v", text, embed.Encoders())
	}
	return e, nil
}
