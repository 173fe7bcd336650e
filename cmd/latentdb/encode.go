package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"
)

// latents are the answer of encode, and what decode is asked.
type latents struct {
	Generation uint64            `json:"generation,omitempty"`
	Latents    []json.RawMessage `json:"latents"`
}

func (a *app) encodeCommand() *cobra.Command {
	var records, vectors []string
	cmd := &cobra.Command{
		Use:     "encode COLLECTION (--record R… | --vector V…)",
		Short:   "Print the latents of new records, one a line",
		Example: `  latentdb encode digits --record seven.png`,
		Args:    cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			body, err := a.readContents(nil, records, vectors)
			if err == nil && body.kinds() != 1 {
				err = usagef("give either --record or --vector")
			}
			return post(a, args[0], "encode", body, func(l latents) error {
				for _, z := range l.Latents {
					if err := a.printf("%s\n", z); err != nil {
						return err
					}
				}
				return nil
			}), err
		}),
	}
	cmd.Flags().StringArrayVar(&records, "record", nil, recordHelp+"; may be repeated")
	cmd.Flags().StringArrayVar(&vectors, "vector", nil, vectorHelp+"; may be repeated")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) decodeCommand() *cobra.Command {
	var given []string
	var out string
	cmd := &cobra.Command{
		Use:   "decode COLLECTION --latent L…",
		Short: "Print the records that latents stand for",
		Long: `Print the records that latents stand for, which are of the active generation's
size. What encode printed is read from a file, or with - from standard input.`,
		Example: `  latentdb decode digits --latent latents.json -o decoded`,
		Args:    cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			var body latents
			for _, arg := range given {
				some, err := a.readLatents(arg)
				if err != nil {
					return nil, err
				}
				body.Latents = append(body.Latents, some...)
			}
			return postForFiles(a, out, args[0], "decode", body, func(answer struct {
				Records []any       `json:"records"`
				Vectors [][]float32 `json:"vectors"`
			}) error {
				return a.printRecords(answer.Records, answer.Vectors, out, "decoded")
			}), nil
		}),
	}
	cmd.Flags().StringArrayVar(&given, "latent", nil, "a latent: a JSON list, a file of lists, or - for standard input; may be repeated")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write decoded images or recordings into this directory")
	_ = cmd.MarkFlagRequired("latent")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// readLatents reads what --latent names: JSON lists of numbers, one after another.
func (a *app) readLatents(arg string) (all []json.RawMessage, err error) {
	value, err := a.readValue("latent", arg)
	if err != nil {
		return nil, err
	}
	var data []byte
	switch v := value.(type) {
	case json.RawMessage:
		data = v
	case string: // several lists are no JSON
		data = []byte(v)
	}
	for dec := json.NewDecoder(bytes.NewReader(data)); ; {
		var z []float32
		err := dec.Decode(&z)
		if errors.Is(err, io.EOF) && len(all) > 0 {
			return all, nil
		}
		if err != nil || z == nil {
			return nil, usagef("--latent %s is not JSON lists of numbers", arg)
		}
		raw, err := json.Marshal(z)
		if err != nil {
			return nil, err
		}
		all = append(all, raw)
	}
}
