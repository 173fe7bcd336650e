package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

func (a *app) qualityCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quality COLLECTION",
		Short: "Show what the last fit learned, against PCA",
		Args:  cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			return func(ctx context.Context, c *client.Client) error {
				return a.quality(ctx, c, args[0])
			}, nil
		}),
	}
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) quality(ctx context.Context, c *client.Client, name string) error {
	return ask(ctx, a, c, "GET", client.Collection(name, "quality"), nil, func(r store.Report) error {
		if err := a.printf("%s, generation %d: %s encoder, %d features to %d, %s index, fitted on %d points in %.1f s\n\n",
			name, r.Generation, r.Encoder, r.Features, r.Dim, r.Engine, r.Points, r.FitSeconds); err != nil {
			return err
		}
		if err := reportTable(&r).print(a.stdout); err != nil {
			return err
		}
		return a.printf("\nmeasured on %d points that neither taught nor chose anything; latent size %d (%s)\n%s\n",
			r.Examined, r.Dim, r.Settings.DimReason, chosen(r.Settings))
	})
}

// chosen says how the network was trained, and why it is what it is.
func chosen(s store.Settings) string {
	if len(s.Hidden) == 0 {
		return "encoder: " + s.Reason
	}
	sizes := make([]string, len(s.Hidden))
	for i, h := range s.Hidden {
		sizes[i] = strconv.Itoa(h)
	}
	return fmt.Sprintf("encoder: hidden layers of %s, batches of %d, rate %v, epoch %d of %d kept, seed %d, %d rows (%s)",
		strings.Join(sizes, " and "), s.Batch, s.LearningRate, s.Kept, s.Epochs, s.Seed, s.SampledRows, s.Reason)
}

// code is the first word of how latents are stored; why comes after it.
func code(text string) string {
	name, _, _ := strings.Cut(text, ":")
	return name
}

// reportTable sets the model against PCA of the same size, or of pairs against canonical
// correlation.
func reportTable(r *store.Report) *table {
	t := &table{}
	start, found := "PCA", "true 10 neighbours"
	if r.Source == (source.Pair{}).Kind() {
		start, found = "linear start", "other side"
	}
	t.row("", "model", start)
	t.row("error per feature", r.MSE.Model, r.MSE.PCA)
	t.row("error in input units", r.MSEInput.Model, r.MSEInput.PCA)
	for _, at := range []struct {
		name  string
		share store.Versus
	}{
		{found + " in top 10", r.RecallAt10},
		{found + " in top 50", r.RecallAt50},
		{found + " in top 100", r.RecallAt100},
	} {
		t.row(at.name, percent(at.share.Model), percent(at.share.PCA))
	}
	if d := r.Decoded; d != nil {
		t.row("true 10 neighbours in top 10, decoded", percent(d.RecallAt10))
	}
	t.row("neighbours in top 10 lost by "+code(r.Settings.Code), percent(r.Int8RecallLoss))
	t.row("bytes per point, input", r.BytesPerPoint.Input)
	t.row("bytes per point, RAM", r.BytesPerPoint.RAM)
	t.row("bytes per point, disk", r.BytesPerPoint.Disk)
	t.row("compression", short(r.Compression)+"x")
	return t
}
