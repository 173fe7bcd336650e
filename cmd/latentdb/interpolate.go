package main

import (
	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/store"
)

func (a *app) interpolateCommand() *cobra.Command {
	var from, to, fromRecord, toRecord, out string
	var steps int
	cmd := &cobra.Command{
		Use:   "interpolate COLLECTION (--from ID | --from-record R) (--to ID | --to-record R)",
		Short: "Decode records on the way from one to another",
		Example: `  latentdb interpolate digits --from 17 --to 18 --steps 8 -o path
  latentdb interpolate digits --from 17 --to-record seven.png`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			body := struct {
				From  any `json:"from"`
				To    any `json:"to"`
				Steps int `json:"steps"`
			}{Steps: steps}
			if err := inRange("steps", steps, 2, store.MaxSteps); err != nil {
				return nil, err
			}
			var err error
			if body.From, err = a.pathEnd("from", from, fromRecord); err != nil {
				return nil, err
			}
			if body.To, err = a.pathEnd("to", to, toRecord); err != nil {
				return nil, err
			}
			return postForFiles(a, out, args[0], "points/interpolate", body, func(p store.Path) error {
				return a.printRecords(p.Records, p.Vectors, out, "step")
			}), nil
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", `stored point where it begins: digits are a number, "7" in quotes a string`)
	cmd.Flags().StringVar(&to, "to", "", "stored point where it ends")
	cmd.Flags().StringVar(&fromRecord, "from-record", "", recordHelp+", where it begins")
	cmd.Flags().StringVar(&toRecord, "to-record", "", recordHelp+", where it ends")
	cmd.Flags().IntVar(&steps, "steps", 10, "how many records, the ends included")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write images or recordings into this directory")
	for _, end := range []string{"from", "to"} {
		cmd.MarkFlagsOneRequired(end, end+"-record")
		cmd.MarkFlagsMutuallyExclusive(end, end+"-record")
	}
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// pathEnd is an end of a path as REST takes it.
func (a *app) pathEnd(flag, id, record string) (any, error) {
	if record != "" {
		value, err := a.readValue(flag+"-record", record)
		return map[string]any{"record": value}, err
	}
	parsed, err := parseID(id)
	if err != nil {
		return nil, usagef("--%s %q: %w", flag, id, err)
	}
	return parsed, nil
}
