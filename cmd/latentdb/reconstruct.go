package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/store"
)

func (a *app) reconstructCommand() *cobra.Command {
	var records, vectors []string
	var out string
	cmd := &cobra.Command{
		Use:   "reconstruct COLLECTION (ID… | --record R… | --vector V…)",
		Short: "Show what the model kept of points or of new records",
		Example: `  latentdb reconstruct digits 17 18 -o pictures
  latentdb reconstruct people --record '{"age": 41, "city": "Oslo"}'`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			body, err := a.readContents(args[1:], records, vectors)
			if err == nil && body.kinds() != 1 {
				err = usagef("give either ids, --record or --vector")
			}
			return postForFiles(a, out, args[0], "points/reconstruct", body, func(all []store.Reconstruction) error {
				return a.printReconstructions(all, out)
			}), err
		}),
	}
	cmd.Flags().StringArrayVar(&records, "record", nil, recordHelp+"; may be repeated")
	cmd.Flags().StringArrayVar(&vectors, "vector", nil, vectorHelp+"; may be repeated")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write reconstructed images, or recordings and their spectrograms, into this directory")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) printReconstructions(all []store.Reconstruction, out string) error {
	t := &table{}
	t.row("ID", "ERROR", "RECONSTRUCTION")
	for i, r := range all {
		name, id := r.ID.String(), any(r.ID)
		if r.ID.IsZero() {
			name, id = recordName("record", i), fmt.Sprintf("record %d", i+1)
		}
		text, err := showRecord(content(r.Record, r.Vector), out, name)
		if err != nil {
			return err
		}
		if r.Spectrogram != nil && out != "" {
			path, err := file{r.Spectrogram, "image"}.write(out, name)
			if err != nil {
				return err
			}
			text += ", " + path
		}
		t.row(id, r.Error, text)
	}
	return t.print(a.stdout)
}

// content is a record whichever way it came.
func content(record any, vector []float32) any {
	if vector != nil {
		return vector
	}
	return record
}
