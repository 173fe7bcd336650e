package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/store"
)

func (a *app) pairsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pairs COLLECTION ID ID [ID ID…]",
		Short: "Tell how near pairs of points are to being duplicates",
		Long: `Tell how near pairs of points are, as the command duplicates measures them, whether or not
it finds them: of texts and tables by the probability that both are of one thing, and
field by field.`,
		Example: `  latentdb pairs digits 17 18
  latentdb pairs digits 17 18 17 19`,
		Args: cobra.MinimumNArgs(3),
		RunE: a.on(func(args []string) (question, error) {
			ids, err := parseIDs(args[1:])
			if err != nil {
				return nil, err
			}
			if len(ids)%2 != 0 {
				return nil, usagef("%d ids are no pairs: give two for each", len(ids))
			}
			var body struct {
				Pairs [][2]store.ID `json:"pairs"`
			}
			for i := 0; i < len(ids); i += 2 {
				body.Pairs = append(body.Pairs, [2]store.ID{ids[i], ids[i+1]})
			}
			return post(a, args[0], "points/pairs", body, a.printPairs), nil
		}),
	}
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) printPairs(s store.PairScores) error {
	t := &table{}
	t.row("A", "B", "DISTANCE", "EXACT", "WITHIN", "FIELDS")
	for _, p := range s.Pairs {
		t.row(p.A, p.B, p.Distance, p.Exact, p.Exact || p.Distance <= s.Threshold, fieldsText(p.Fields))
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	return a.printf("\nduplicates are within %s by %s\n", short(s.Threshold), s.Method)
}

func fieldsText(fields []store.FieldSimilarity) string {
	var texts []string
	for _, f := range fields {
		texts = append(texts, fmt.Sprintf("%s %.2f", f.Name, f.Similarity))
	}
	return strings.Join(texts, ", ")
}
