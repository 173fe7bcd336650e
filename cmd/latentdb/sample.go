package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/store"
)

func (a *app) sampleCommand() *cobra.Command {
	var out string
	var body struct {
		N    int    `json:"n"`
		Seed uint64 `json:"seed"`
	}
	cmd := &cobra.Command{
		Use:   "sample COLLECTION",
		Short: "Draw new records like the collection's",
		Example: `  latentdb sample people -n 3
  latentdb sample digits -n 16 -o samples`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			return postForFiles(a, out, args[0], "points/sample", body, func(s store.Samples) error {
				return a.printSamples(s, out)
			}), inRange("count", body.N, 1, store.MaxLimit)
		}),
	}
	cmd.Flags().IntVarP(&body.N, "count", "n", 10, "how many records")
	cmd.Flags().Uint64Var(&body.Seed, "seed", 1, "seed of the draw; the same seed draws the same records")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write sampled images or recordings into this directory")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// printSamples prints one record a line; files by name.
func (a *app) printSamples(s store.Samples, out string) error {
	if err := a.printRecords(s.Records, s.Vectors, out, "sample"); err != nil {
		return err
	}
	if s.Privacy.Compared == 0 {
		a.notef("generation %d; none of the records that it was fitted on is left to compare the samples with", s.Generation)
		return nil
	}
	a.notef("generation %d; %s of the samples lie closer to a record of training than to any held out (50 %% is ideal)",
		s.Generation, percent(s.Privacy.ShareCloserToTrain))
	return nil
}

// printRecords prints records or vectors, one a line; files by name, which begins with prefix.
func (a *app) printRecords(records []any, vectors [][]float32, out, prefix string) error {
	for _, v := range vectors {
		records = append(records, v)
	}
	for i, record := range records {
		line, err := json.Marshal(record)
		if err != nil {
			return err
		}
		text := string(line)
		if _, isFile := asFile(record); isFile {
			if text, err = showRecord(record, out, recordName(prefix, i)); err != nil {
				return err
			}
		}
		if err := a.printf("%s\n", text); err != nil {
			return err
		}
	}
	return nil
}
