package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store/bulk"
)

// dryRecords is how many records a dry run shows.
const dryRecords = 10

// dryResult is what a dry run found.
type dryResult struct {
	// Source is the collection's, or what the first records would make it.
	Source json.RawMessage `json:"source"`
	// Exists tells that the collection is there.
	Exists bool `json:"exists"`
	// Read is how many records were looked at: as many as the first batch.
	Read    int             `json:"read"`
	Records []dryRecord     `json:"records"`
	Failed  int             `json:"failed"`
	Errors  []importFailure `json:"errors"`
}

// dryRecord is a record as it was parsed.
type dryRecord struct {
	File    string         `json:"file"`
	Line    int            `json:"line"`
	ID      any            `json:"id"`
	Record  any            `json:"record,omitempty"`
	Vector  []float32      `json:"vector,omitempty"`
	Payload map[string]any `json:"payload,omitempty"`
}

// dryRun reads the first batch of an import and shows what would become of it. It
// writes nothing: where there is no database, none is made.
func (a *app) dryRun(ctx context.Context, name string, files []string, f importFlags) error {
	run := func(c *client.Client) error {
		d := dry{importer: importer{flags: f, client: c, name: name, ids: &bulk.IDs{First: f.firstID}}}
		if err := d.look(ctx, files); err != nil {
			return err
		}
		return d.print(a)
	}
	if a.exists() != nil {
		return run(nil)
	}
	return a.connect(run)
}

// dry is an import that stops before its first batch is sent.
type dry struct {
	importer
	found dryResult
	rows  []dryRecord // of the batch
}

func (d *dry) look(ctx context.Context, files []string) error {
	if d.client != nil {
		if err := d.findSource(ctx); err != nil {
			return err
		}
	}
	for _, in := range d.flags.inputs(files) {
		if len(d.rows) == d.flags.batch {
			break
		}
		if err := d.readFirst(in); err != nil {
			return fmt.Errorf("%s: %w", in.name, err)
		}
	}
	d.found.Read = len(d.rows) + d.result.Failed
	if err := d.resolve(); err != nil {
		return err
	}
	d.found.Failed, d.found.Errors = d.result.Failed, d.result.Errors
	return nil
}

// findSource is the source of the collection if it is there.
func (d *dry) findSource(ctx context.Context) error {
	var info collectionInfo
	err := d.client.Do(ctx, http.MethodGet, client.Collection(d.name), nil, &info)
	if client.IsStatus(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d.found.Source, d.found.Exists = info.Latent.Source, true
	return d.flags.agreeWith(d.name, info)
}

// readFirst adds rows of a file to the batch until it is full.
func (d *dry) readFirst(in input) error {
	d.file = in.name
	r, err := in.open()
	if errors.Is(err, bulk.ErrOption) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	for row, err := range d.ids.Rows(r.Rows()) {
		var bad *bulk.LineError
		switch {
		case errors.As(err, &bad):
			if err := d.fail(bad); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if d.found.Source == nil {
			spec, err := d.flags.sourceFor(row, r.Format())
			if err != nil {
				return err
			}
			if d.found.Source, err = json.Marshal(spec); err != nil {
				return err
			}
		}
		d.rows = append(d.rows, dryRecord{in.name, row.Line, row.ID, row.Record, row.Vector, row.Payload})
		if len(d.rows) == d.flags.batch {
			return nil
		}
	}
	return nil
}

// resolve has the source decide what it leaves open by the records that it takes.
func (d *dry) resolve() error {
	if len(d.rows) == 0 {
		return nil
	}
	spec, err := source.ParseSpec(d.found.Source)
	if err != nil {
		return err
	}
	var taken []any
	for _, row := range d.rows {
		record, err := row.content(spec)
		if err == nil {
			err = takes(spec, record)
		}
		if err != nil {
			if err := d.fail(&bulk.LineError{Line: row.Line, Reason: err.Error()}); err != nil {
				return err
			}
			continue
		}
		if taken = append(taken, record); len(d.found.Records) < dryRecords {
			d.found.Records = append(d.found.Records, row)
		}
	}
	if len(taken) == 0 {
		return nil
	}
	if spec, err = spec.Resolve(taken); err != nil {
		return err
	}
	d.found.Source, err = source.MarshalSpec(spec)
	return err
}

// takes tells why a source does not take a record by itself.
func takes(spec source.Spec, record any) error {
	alone, err := spec.Resolve([]any{record})
	if err == nil {
		_, err = alone.Marshal(record)
	}
	return err
}

// content is the record as its source takes it.
func (r dryRecord) content(spec source.Spec) (any, error) {
	if r.Vector != nil {
		return r.Vector, nil
	}
	pair, isPair := spec.(source.Pair)
	record, isObject := r.Record.(map[string]any)
	if !isPair || !isObject {
		return unpacked(spec, r.Record)
	}
	record = maps.Clone(record)
	for i, of := range []source.Spec{pair.Left, pair.Right} {
		side := pairSides[i]
		if record[side] == nil {
			continue
		}
		var err error
		if record[side], err = unpacked(of, record[side]); err != nil {
			return nil, fmt.Errorf("%s: %w", side, err)
		}
	}
	return record, nil
}

// unpacked is a record out of the base64 that lines of text have it in.
func unpacked(spec source.Spec, record any) (any, error) {
	text, isText := record.(string)
	switch kind := spec.Kind(); {
	case !isText || kind == "text":
		return record, nil
	case kind == "vector":
		return bulk.DecodeVector(text)
	}
	return base64.StdEncoding.DecodeString(text)
}

func (d *dry) print(a *app) error {
	r := d.found
	if a.json {
		if r.Records == nil {
			r.Records = []dryRecord{}
		}
		if r.Errors == nil {
			r.Errors = []importFailure{}
		}
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else if err := d.printTable(a); err != nil {
		return err
	}
	if len(r.Records) == 0 {
		return errors.New("no record would be imported")
	}
	return nil
}

func (d *dry) printTable(a *app) error {
	r := d.found
	for _, f := range r.Errors[:min(printedFailures, len(r.Errors))] {
		a.notef("%s, line %d: %s", f.File, f.Line, f.Reason)
	}
	whose := "new collection"
	if r.Exists {
		whose = "collection"
	}
	if err := a.printf("%s %s, source %s\n", whose, d.name, r.Source); err != nil {
		return err
	}
	t := &table{}
	t.row("line", "id", "record", "payload")
	for _, row := range r.Records {
		record := row.Record
		switch v := record.(type) {
		case nil:
			record = row.Vector
		case []byte:
			record = fmt.Sprintf("%d bytes", len(v))
		}
		t.row(row.Line, fmt.Sprint(row.ID), brief(record, 60), brief(row.Payload, 40))
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	return a.printf("of the first %d records %d failed; nothing was imported\n", r.Read, r.Failed)
}
