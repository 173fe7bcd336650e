package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/store"
)

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read a whole database and verify it",
		Long: `Read everything in a database's directory and verify it: checksums, counts and
what the parts say of each other. The exit code is 1 if there is a problem; what is only
remarked on, such as pairs that all have the same side alone, is none.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			if err := a.exists(); err != nil {
				return err
			}
			return a.openStore(func(db *store.DB) error { return a.check(ctx, db) })
		}),
	}
	a.dataFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) check(ctx context.Context, db *store.DB) error {
	report, err := db.Check(ctx)
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(report)
	} else {
		err = a.printCheck(report)
	}
	if err == nil && !report.OK() {
		err = fmt.Errorf("check found %d problems", len(report.Problems))
	}
	return err
}

func (a *app) printCheck(r *store.CheckReport) error {
	var errs []error
	for _, line := range slices.Concat(r.Problems, r.Remarks) {
		errs = append(errs, a.printf("%s\n", line))
	}
	return errors.Join(append(errs, a.printf("%d collections, %d points, %d problems\n", r.Collections, r.Points, len(r.Problems)))...)
}
