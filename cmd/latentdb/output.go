package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
)

// ask sends a request and prints its result.
func ask[T any](ctx context.Context, a *app, c *client.Client, method, path string, body any, print func(T) error) error {
	var raw json.RawMessage
	if err := c.Do(ctx, method, path, body, &raw); err != nil {
		return err
	}
	return printResult(a, path, raw, print)
}

// printResult prints a result of a path: as it came with --json, by print otherwise.
func printResult[T any](a *app, path string, raw json.RawMessage, print func(T) error) error {
	if a.json {
		return a.printJSON(raw)
	}
	var result T
	if err := json.Unmarshal(raw, &result); err != nil {
		return fmt.Errorf("unexpected answer of %s: %w", path, err)
	}
	return print(result)
}

// post is the question that posts body to a route of a collection.
func post[T any](a *app, collection, route string, body any, print func(T) error) question {
	return func(ctx context.Context, c *client.Client) error {
		return ask(ctx, a, c, "POST", client.Collection(collection, route), body, print)
	}
}

// printJSON prints one JSON value on a line.
func (a *app) printJSON(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", data)
	return err
}

// printf prints on the result's stream.
func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stdout, format, args...)
	return err
}

// notef tells something that is not the result.
func (a *app) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
}

// table collects rows and prints them in columns.
type table struct{ rows [][]string }

// row adds one row; floats are printed short.
func (t *table) row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case float64:
			row[i] = short(c)
		default:
			row[i] = fmt.Sprint(c)
		}
	}
	t.rows = append(t.rows, row)
}

func (t *table) print(w io.Writer) error {
	var out bytes.Buffer
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		// Tabs and line ends in a value would break the columns.
		for i := range row {
			row[i] = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(row[i])
		}
		_, _ = fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(out.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// short prints a number with four digits that count.
func short(f float64) string { return fmt.Sprintf("%.4g", f) }

// percent prints a share.
func percent(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) }

// brief is a value as JSON, cut to fit a column.
func brief(v any, most int) string {
	if v == nil {
		return ""
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if runes := []rune(string(data)); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(data)
}
