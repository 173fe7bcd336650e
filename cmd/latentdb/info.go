package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/store"
)

// collectionInfo is what is shown of a collection's description.
type collectionInfo struct {
	Status  string `json:"status"`
	Points  int    `json:"points_count"`
	Indexed int    `json:"indexed_vectors_count"`
	Config  struct {
		Params struct {
			Vectors struct {
				Size     int    `json:"size"`
				Distance string `json:"distance"`
			} `json:"vectors"`
		} `json:"params"`
	} `json:"config"`
	PayloadSchema map[string]struct {
		DataType string `json:"data_type"`
	} `json:"payload_schema"`
	Latent struct {
		Source     json.RawMessage `json:"source"`
		Dim        any             `json:"dim"`
		Encoder    string          `json:"encoder"`
		Engine     string          `json:"engine"`
		Rows       string          `json:"rows"`
		Recall     float64         `json:"recall"`
		Generation uint64          `json:"generation"`
		// KeepOriginals tells that records stay, Shedding that some are still to go.
		KeepOriginals *bool `json:"keep_originals"`
		Shedding      bool  `json:"shedding"`
		// Watch is what strange points are marked by; nil where nothing is watched.
		Watch  *store.Watch `json:"watch"`
		Fitted *struct {
			Dim     int    `json:"dim"`
			Encoder string `json:"encoder"`
			Engine  string `json:"engine"`
		} `json:"fitted"`
	} `json:"latent"`
}

// kind is the kind of its records.
func (i collectionInfo) kind() string {
	var spec struct{ Kind string }
	_ = json.Unmarshal(i.Latent.Source, &spec)
	return spec.Kind
}

func (a *app) infoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "info [COLLECTION]",
		Short: "List the collections, or describe one",
		Args:  cobra.MaximumNArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			return func(ctx context.Context, c *client.Client) error {
				if len(args) == 0 {
					return a.listCollections(ctx, c)
				}
				return ask(ctx, a, c, "GET", client.Collection(args[0]), nil, func(i collectionInfo) error {
					return a.describe(args[0], i)
				})
			}, nil
		}),
	}
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) listCollections(ctx context.Context, c *client.Client) error {
	type list struct {
		Collections []struct{ Name string }
	}
	return ask(ctx, a, c, "GET", "/collections", nil, func(l list) error {
		t := &table{}
		t.row("COLLECTION", "KIND", "POINTS", "FEATURES", "LATENT", "GENERATION")
		for _, entry := range l.Collections {
			var i collectionInfo
			if err := c.Do(ctx, "GET", client.Collection(entry.Name), nil, &i); err != nil {
				return err
			}
			t.row(entry.Name, i.kind(), i.Points, i.Config.Params.Vectors.Size, i.latentSize(), i.Latent.Generation)
		}
		return t.print(a.stdout)
	})
}

// latentSize is the size in use, or what is asked of the first fit.
func (i collectionInfo) latentSize() any {
	if i.Latent.Fitted != nil {
		return i.Latent.Fitted.Dim
	}
	return fmt.Sprintf("%v (not fitted)", i.Latent.Dim)
}

// dropsOriginals tells that records do not stay.
func (i collectionInfo) dropsOriginals() bool {
	return i.Latent.KeepOriginals != nil && !*i.Latent.KeepOriginals
}

// originals says what becomes of records that do not stay.
func originals(i collectionInfo) string {
	switch {
	case i.Latent.Generation == 0:
		return "stay until the first fit"
	case i.Latent.Shedding:
		return "are being given up"
	}
	return "given up"
}

// watch says under which payload key points are marked, and from which score on as outliers.
func watch(w store.Watch) string {
	if w.Cut == 0 {
		return w.Field + ", outliers by the suggested cut"
	}
	return fmt.Sprintf("%s, outliers above %v", w.Field, w.Cut)
}

func (a *app) describe(name string, i collectionInfo) error {
	encoder, engine := i.Latent.Encoder, i.Latent.Engine
	if fitted := i.Latent.Fitted; fitted != nil {
		encoder, engine = fitted.Encoder, fitted.Engine
	}
	t := &table{}
	t.row("collection", name)
	t.row("source", string(i.Latent.Source))
	t.row("distance", i.Config.Params.Vectors.Distance)
	t.row("points", i.Points)
	t.row("indexed", i.Indexed)
	t.row("status", i.Status)
	t.row("features", i.Config.Params.Vectors.Size)
	t.row("latent size", i.latentSize())
	t.row("encoder", encoder)
	t.row("engine", engine)
	t.row("recall target", i.Latent.Recall)
	t.row("generation", i.Latent.Generation)
	if i.dropsOriginals() {
		t.row("originals", originals(i))
	}
	if w := i.Latent.Watch; w != nil {
		t.row("watch", watch(*w))
	}
	if len(i.PayloadSchema) > 0 {
		t.row("payload indexes", i.payloadSchema())
	}
	return t.print(a.stdout)
}
