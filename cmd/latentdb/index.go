package main

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/store"
)

var payloadKinds = []string{
	string(store.KindKeyword), string(store.KindInteger), string(store.KindFloat), string(store.KindBool), string(store.KindUUID),
}

func (a *app) indexCommand() *cobra.Command {
	var kind string
	var remove bool
	cmd := &cobra.Command{
		Use:   "index COLLECTION KEY (--kind KIND | --delete)",
		Short: "Index a payload key, so that filters on it read no payloads",
		Example: `  latentdb index people city --kind keyword
  latentdb index people 'orders[].price' --kind float
  latentdb index people city --delete`,
		Args: cobra.ExactArgs(2),
		RunE: a.on(func(args []string) (question, error) {
			if err := oneOf("kind", kind, payloadKinds...); err != nil {
				return nil, err
			}
			return func(ctx context.Context, c *client.Client) error {
				if remove {
					return ask(ctx, a, c, "DELETE", client.Collection(args[0], "index", url.PathEscape(args[1])), nil, func(any) error {
						return a.printf("%s has no index of %s\n", args[0], args[1])
					})
				}
				body := map[string]string{"field_name": args[1], "field_schema": kind}
				return ask(ctx, a, c, "PUT", client.Collection(args[0], "index"), body, func(any) error {
					return a.printf("%s is indexed by %s as %s\n", args[0], args[1], kind)
				})
			}, nil
		}),
	}
	cmd.Flags().StringVar(&kind, "kind", "", "what its values are: "+strings.Join(payloadKinds, ", "))
	cmd.Flags().BoolVar(&remove, "delete", false, "give the index up")
	cmd.MarkFlagsOneRequired("kind", "delete")
	cmd.MarkFlagsMutuallyExclusive("kind", "delete")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// payloadSchema is a collection's payload indexes in one column.
func (i collectionInfo) payloadSchema() string {
	var keys []string
	for key, x := range i.PayloadSchema {
		keys = append(keys, key+" ("+x.DataType+")")
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}
