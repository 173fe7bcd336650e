package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/store"
	"github.com/latentdb/latentdb/store/bulk"
)

// predictBody asks for predictions.
type predictBody struct {
	contents
	Key    string          `json:"key"`
	K      int             `json:"k,omitempty"`
	As     string          `json:"as,omitempty"`
	Space  string          `json:"space,omitempty"`
	Filter json.RawMessage `json:"filter,omitempty"`
}

// predictFlags are a prediction as it is typed.
type predictFlags struct {
	predictBody
	records, vectors []string
	filter           string
	quality          bool

	file    string
	format  string
	columns bulk.Options
	// bytes is how long the records of a batch are together.
	bytes int
}

func (a *app) predictCommand() *cobra.Command {
	var f predictFlags
	cmd := &cobra.Command{
		Use:   "predict COLLECTION --key KEY (ID… | --record R… | --vector V… | --file F | --quality)",
		Short: "Tell a payload key's value of records by the nearest points that have one",
		Long: `Tell which value records, or stored points, would have under a payload key, by
the votes of the nearest points that have one. --quality says how well stored
points are predicted so, each by the others.`,
		Example: `  latentdb predict digits --key label --record seven.png
  latentdb predict digits --key label 17 18 --k 5
  latentdb predict people --key notes --file people.csv --payload-columns notes,email
  latentdb predict digits --key label --quality`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			if err := f.read(a, args[1:]); err != nil {
				return nil, err
			}
			switch {
			case f.quality:
				return a.predictQuality(args[0], f.predictBody), nil
			case f.file != "":
				return a.predictFile(args[0], &f), nil
			}
			return post(a, args[0], "points/predict", f.predictBody, func(all []store.Prediction) error {
				return a.printPredictions(all, f.names())
			}), nil
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Key, "key", "", "payload key to predict; a.b reaches into objects")
	flags.StringArrayVar(&f.records, "record", nil, recordHelp+"; may be repeated")
	flags.StringArrayVar(&f.vectors, "vector", nil, vectorHelp+"; may be repeated")
	flags.StringVar(&f.file, "file", "", "a file, a folder or an archive of records, as import reads them")
	flags.BoolVar(&f.quality, "quality", false, "say how well stored points are predicted instead")
	flags.IntVar(&f.K, "k", 0, "how many neighbours vote (default: as many as predict stored points best)")
	flags.StringVar(&f.As, "as", "", "predict a class or a number (default: as the stored values are)")
	flags.StringVar(&f.Space, "space", "", "what near means: input, latent, lexical or hybrid (default: the collection's)")
	flags.StringVar(&f.filter, "filter", "", "only points vote that match, as Qdrant's filter JSON")
	registerColumns(flags, &f.columns, &f.format)
	_ = cmd.MarkFlagRequired("key")
	cmd.MarkFlagsMutuallyExclusive("quality", "filter")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// read checks the flags and reads what they name.
func (f *predictFlags) read(a *app, ids []string) (err error) {
	if f.contents, err = a.readContents(ids, f.records, f.vectors); err != nil {
		return err
	}
	given := f.kinds()
	for _, other := range []bool{f.file != "", f.quality} {
		if other {
			given++
		}
	}
	if given != 1 {
		return usagef("give ids, or one of --record, --vector, --file and --quality")
	}
	if f.Filter, err = parseFilter(f.filter); err != nil {
		return err
	}
	f.columns.Format = bulk.Format(f.format)
	return errors.Join(
		inRange("k", f.K, 0, store.MaxPredictK),
		oneOf("as", f.As, string(store.PredictClass), string(store.PredictNumber)),
		oneOf("space", f.Space, store.Spaces()...),
		oneOf("format", f.format, texts(bulk.Formats())...),
	)
}

// names are what the subjects of a prediction are called.
func (f *predictFlags) names() []string {
	names := make([]string, 0, len(f.IDs))
	for _, id := range f.IDs {
		names = append(names, id.String())
	}
	for i := range len(f.Records) + len(f.Vectors) {
		names = append(names, fmt.Sprintf("record %d", i+1))
	}
	return names
}

func (a *app) predictQuality(collection string, b predictBody) question {
	params := url.Values{"key": {b.Key}}
	for name, value := range map[string]string{"as": b.As, "space": b.Space} {
		if value != "" {
			params.Set(name, value)
		}
	}
	if b.K > 0 {
		params.Set("k", strconv.Itoa(b.K))
	}
	return func(ctx context.Context, c *client.Client) error {
		path := client.Collection(collection, "quality") + "?" + params.Encode()
		return ask(ctx, a, c, http.MethodGet, path, nil, a.printPredictQuality)
	}
}

// predictFile predicts the records of a file, a batch at a time.
func (a *app) predictFile(collection string, f *predictFlags) question {
	return func(ctx context.Context, c *client.Client) (err error) {
		r, err := bulk.Open(f.file, f.columns)
		if errors.Is(err, bulk.ErrOption) {
			return usageError{err}
		}
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		var names []string
		all := []json.RawMessage{}
		send := func() error {
			var some []json.RawMessage
			err := c.Do(ctx, http.MethodPost, client.Collection(collection, "points/predict"), f.predictBody, &some)
			all, f.contents, f.bytes = append(all, some...), contents{}, 0
			return err
		}
		for row, err := range r.Rows() {
			if err == nil {
				err = f.addRow(row)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.file, err)
			}
			names = append(names, rowName(row))
			if len(f.Records)+len(f.Vectors) == defaultBatch || f.bytes >= batchBytes {
				if err := send(); err != nil {
					return err
				}
			}
		}
		if f.kinds() > 0 {
			if err := send(); err != nil {
				return err
			}
		}
		if a.json {
			return a.printJSON(all)
		}
		predictions := make([]store.Prediction, len(all))
		for i, raw := range all {
			if err := json.Unmarshal(raw, &predictions[i]); err != nil {
				return fmt.Errorf("unexpected answer: %w", err)
			}
		}
		return a.printPredictions(predictions, names)
	}
}

// addRow puts the row of a file among the contents, in the form that REST takes it.
func (f *predictFlags) addRow(row bulk.Row) error {
	if reason := notNumbers(row.Vector); reason != "" {
		return row.Refuse(reason)
	}
	var line strings.Builder
	w, err := bulk.NewWriter(&line, bulk.WriterOptions{Format: bulk.JSONL})
	if err == nil {
		err = errors.Join(w.Write(row), w.Close())
	}
	var point struct {
		Record json.RawMessage `json:"record"`
		Vector json.RawMessage `json:"vector"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(line.String()), &point)
	}
	if f.bytes += line.Len(); point.Vector != nil {
		f.Vectors = append(f.Vectors, point.Vector)
	} else {
		f.Records = append(f.Records, point.Record)
	}
	return err
}

// rowName is what the row of a file is called: its id, or where it stands.
func rowName(row bulk.Row) string {
	switch {
	case row.ID != nil:
		return fmt.Sprint(row.ID)
	case row.File != "":
		return row.File
	}
	return fmt.Sprintf("line %d", row.Line)
}

func (a *app) printPredictions(all []store.Prediction, names []string) error {
	const most = 5 // neighbours that are named
	t := &table{}
	t.row("RECORD", "VALUE", "CONFIDENCE", "NEAREST")
	for i, p := range all {
		value := brief(p.Value, recordWidth)
		if x, ok := p.Value.(float64); ok && p.Spread != nil {
			value = short(x) + " ± " + short(*p.Spread)
		}
		var nearest []string
		for _, v := range p.Neighbours[:min(most, len(p.Neighbours))] {
			nearest = append(nearest, fmt.Sprintf("%s (%s)", v.ID, brief(v.Value, 20)))
		}
		t.row(names[i], value, p.Confidence, strings.Join(nearest, ", "))
	}
	if err := t.print(a.stdout); err != nil || len(all) == 0 || all[0].Quality == nil {
		return err
	}
	if err := a.printf("\n"); err != nil {
		return err
	}
	return a.printPredictQuality(*all[0].Quality)
}

func (a *app) printPredictQuality(q store.PredictQuality) error {
	known := "nothing is known of how well: no stored point could be left out"
	switch {
	case q.Accuracy != nil && q.MostCommon != nil:
		known = fmt.Sprintf("of %d stored points left out %s were right (%s have the most common value)", q.Points, percent(*q.Accuracy), percent(*q.MostCommon))
	case q.R2 != nil && q.MeanError != nil:
		known = fmt.Sprintf("of %d stored points left out R² is %s, the mean error %s", q.Points, short(*q.R2), short(*q.MeanError))
	}
	if q.Skipped > 0 {
		known += fmt.Sprintf("; %d more have a value of another type, or several, and do not vote", q.Skipped)
	}
	return a.printf("%s, a %s, k %d, %s space: %s\n", q.Key, q.As, q.K, q.Space, known)
}
