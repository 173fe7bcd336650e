package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/store"
)

func (a *app) outliersCommand() *cobra.Command {
	var records, vectors []string
	var limit int
	var filter string
	cmd := &cobra.Command{
		Use:   "outliers COLLECTION",
		Short: "List the strangest points, or score new records",
		Example: `  latentdb outliers digits --limit 20
  latentdb outliers people --record '{"age": 199, "city": "Oslo"}'`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			body, err := a.readContents(nil, records, vectors)
			if err != nil {
				return nil, err
			}
			switch body.kinds() {
			case 1:
				return post(a, args[0], "points/outliers", body, a.printScores), nil
			case 2:
				return nil, usagef("give either --record or --vector")
			}
			list := listBody{Limit: limit}
			if list.Filter, err = parseFilter(filter); err != nil {
				return nil, err
			}
			return postFollowed(a, "outliers", args[0], "points/outliers", list, a.printOutliers),
				inRange("limit", limit, 1, store.MaxLimit)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", store.DefaultLimit, "how many points")
	cmd.Flags().StringVar(&filter, "filter", "", filterHelp)
	cmd.Flags().StringArrayVar(&records, "record", nil, "score this instead: "+recordHelp+"; may be repeated")
	cmd.Flags().StringArrayVar(&vectors, "vector", nil, "score this instead: "+vectorHelp+"; may be repeated")
	for _, scored := range []string{"record", "vector"} { // all of them, whatever they are
		cmd.MarkFlagsMutuallyExclusive(scored, "limit")
		cmd.MarkFlagsMutuallyExclusive(scored, "filter")
	}
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// listBody asks for some of a collection's points.
type listBody struct {
	Limit  int             `json:"limit,omitempty"`
	Filter json.RawMessage `json:"filter,omitempty"`
}

func (a *app) printOutliers(o store.Outliers) error {
	t := &table{}
	t.row("ID", "SCORE", "P", "BECAUSE OF", "PAYLOAD")
	for _, p := range o.Outliers {
		t.row(p.ID, p.Score, p.PValue, partsText(p.Parts), payloadText(p.Payload))
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	return a.printf("\nsuggested cut: points that score above %s\n", short(o.SuggestedCut))
}

func (a *app) printScores(s store.RecordScores) error {
	t := &table{}
	t.row("RECORD", "SCORE", "P", "OUTLIER", "BECAUSE OF", "NEAREST")
	for i, r := range s.Scores {
		nearest := ""
		if len(r.Nearest) > 0 {
			nearest = r.Nearest[0].ID.String()
		}
		t.row(i+1, r.Score, r.PValue, r.Outlier, partsText(r.Parts), nearest)
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	return a.printf("\nsuggested cut: scores above %s\n", short(s.SuggestedCut))
}

// partsText names the few parts that weigh most.
func partsText(parts []store.Part) string {
	const most = 3
	var texts []string
	for _, p := range parts[:min(most, len(parts))] {
		texts = append(texts, fmt.Sprintf("%s %.0f%%", p.Name, 100*p.Share))
	}
	return strings.Join(texts, ", ")
}
