package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/store"
)

// duplicatesBody is the body of both requests about duplicates.
type duplicatesBody struct {
	listBody
	Threshold *float64        `json:"threshold,omitempty"`
	Between   json.RawMessage `json:"between,omitempty"`
	Keep      store.Keep      `json:"keep,omitempty"`
	DryRun    *bool           `json:"dry_run,omitempty"`
	Undo      *bool           `json:"undo,omitempty"`
}

func (a *app) duplicatesCommand() *cobra.Command {
	var body duplicatesBody
	var threshold float64
	var filter, between, keep string
	var remove, dryRun, noUndo bool
	var undo uint64
	cmd := &cobra.Command{
		Use:   "duplicates COLLECTION",
		Short: "Find groups of points that say the same, and remove all but one",
		Long: `Find groups of points that say the same, and remove all but one of each with --delete.
What was removed is kept until the collection is fitted or another generation is active,
or until more is removed: --undo, with the number that --delete tells, puts it back.`,
		Example: `  latentdb duplicates photos
  latentdb duplicates photos --threshold 0.8 --dry-run
  latentdb duplicates photos --threshold 0.8 --delete
  latentdb duplicates people --keep max:updated
  latentdb duplicates photos --between '{"must":[{"key":"split","match":{"value":"test"}}]}' --dry-run`,
		Args: cobra.ExactArgs(1),
	}
	cmd.RunE = a.on(func(args []string) (q question, err error) {
		if cmd.Flags().Changed("undo") {
			return post(a, args[0], "points/deduplicate/undo", map[string]uint64{"undo": undo}, a.printUndone), nil
		}
		if noUndo && !remove {
			return nil, usagef("--no-undo goes with --delete")
		}
		if cmd.Flags().Changed("threshold") {
			if !(threshold >= 0 && threshold <= math.MaxFloat64) {
				return nil, usagef("--threshold is %v; it must be 0 or more, and finite", threshold)
			}
			body.Threshold = &threshold
		}
		if key, byMax := strings.CutPrefix(keep, "max:"); !byMax || key == "" {
			if err := oneOf("keep", keep, string(store.KeepFirst), string(store.KeepNewest), string(store.KeepLongest), string(store.KeepCentral)); err != nil {
				return nil, err
			}
		}
		body.Keep = store.Keep(keep)
		if body.Between, err = parseFilter(between); err != nil {
			return nil, err
		}
		if body.Filter, err = parseFilter(filter); err != nil {
			return nil, err
		}
		if err := inRange("limit", body.Limit, 0, math.MaxInt32); err != nil {
			return nil, err
		}
		if remove || dryRun {
			body.DryRun = &dryRun
			if noUndo {
				body.Undo = new(bool)
			}
			return postFollowed(a, "deduplicate", args[0], "points/deduplicate", body, a.printRemoved), nil
		}
		return postFollowed(a, "duplicates", args[0], "points/duplicates", body, a.printDuplicates), nil
	})
	cmd.Flags().Float64Var(&threshold, "threshold", 0, "largest distance between duplicates (default: suggested by the data)")
	cmd.Flags().BoolVar(&remove, "delete", false, "delete all but the kept point of each group")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what --delete would delete")
	cmd.Flags().BoolVar(&noUndo, "no-undo", false, "of --delete: keep nothing of what is deleted")
	cmd.Flags().Uint64Var(&undo, "undo", 0, "put back what --delete removed: the number it told")
	cmd.Flags().StringVar(&keep, "keep", "", "which point of a group stays: first (lowest id), newest, longest, central or max:KEY, the largest number under a payload key")
	cmd.Flags().StringVar(&between, "between", "", "compare only the points of this filter with the others, and remove none of the others; as --filter")
	cmd.Flags().IntVar(&body.Limit, "limit", 0, "how many groups are listed or emptied, the largest first (default: all)")
	cmd.Flags().StringVar(&filter, "filter", "", filterHelp)
	for _, other := range []string{"delete", "dry-run", "no-undo", "threshold", "keep", "between", "limit", "filter"} {
		cmd.MarkFlagsMutuallyExclusive("undo", other)
	}
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) printDuplicates(d store.Duplicates) error {
	t := &table{}
	t.row("KEEP", "DUPLICATES", "CLOSEST", "EXACT")
	for _, g := range d.Groups {
		closest := math.Inf(1)
		for _, p := range g.Pairs {
			closest = min(closest, p.Distance)
		}
		t.row(g.Keep, othersText(g), closest, g.Exact)
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	return a.printf("\n%d groups among %d points; pairs within %s by %s link them%s\n", len(d.Groups), d.Points, short(d.Threshold), d.Method, expectedText(d.ExpectedPrecision))
}

// expectedText says how many of the pairs are right, where that is known.
func expectedText(precision *float64) string {
	if precision == nil {
		return ""
	}
	return fmt.Sprintf(", some %.0f%% of them rightly", 100**precision)
}

// othersText names the points of a group that would go.
func othersText(g store.DuplicateGroup) string {
	const most = 8
	var names []string
	for _, id := range g.IDs {
		if id == g.Keep {
			continue
		}
		if len(names) == most {
			names = append(names, "…")
			break
		}
		names = append(names, id.String())
	}
	return strings.Join(names, " ")
}

func (a *app) printRemoved(d store.Deduplication) error {
	t := &table{}
	t.row("REMOVED", "KEPT", "DISTANCE", "EXACT")
	for _, r := range d.Removed {
		t.row(r.ID, r.Kept, r.Distance, r.Exact)
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	verb := "removed"
	if d.DryRun {
		verb = "would be removed"
	}
	err := a.printf("\n%d of %d points %s; pairs within %s by %s link the groups%s\n", len(d.Removed), d.Points, verb, short(d.Threshold), d.Method, expectedText(d.ExpectedPrecision))
	if err == nil && d.Undo != 0 {
		err = a.printf("--undo %d puts them back, until the collection is fitted or more is removed\n", d.Undo)
	}
	return err
}

func (a *app) printUndone(u store.Undone) error {
	if len(u.Skipped) > 0 {
		t := &table{}
		t.row("SKIPPED")
		for _, id := range u.Skipped {
			t.row(id)
		}
		if err := t.print(a.stdout); err != nil {
			return err
		}
	}
	return a.printf("%d points put back, %d skipped, whose ids exist again\n", len(u.Restored), len(u.Skipped))
}
