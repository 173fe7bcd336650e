package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// bench is one run of a suite.
type bench struct {
	data, mnist, words, python string
	only                       string
	keep, profile              string
	quick                      bool
	out, log                   io.Writer
	figures                    []figure
}

// figure is one number measured against a floor and a goal.
type figure struct {
	// Name is the suite, a number and perhaps a letter: "train.2a".
	Name string   `json:"figure"`
	What string   `json:"what"`
	Ours *float64 `json:"ours"`
	Peer *float64 `json:"peer"`
	// Ratio is ours to the peer's, so that Better says which way is up.
	Ratio  *float64 `json:"ratio"`
	Floor  *float64 `json:"floor"`
	Goal   *float64 `json:"goal"`
	Better string   `json:"better"`
	// Pass is whether the floor is reached; null where nothing was measured.
	Pass *bool `json:"pass"`
}

// wants tells whether figures of a number are to be measured.
func (b *bench) wants(number string) bool {
	return b.only == "" || slices.Contains(strings.Split(b.only, ","), number)
}

const (
	higher = "higher"
	lower  = "lower"
)

// judged is what a floor is compared with: the ratio where there is a peer.
func (f *figure) judged() *float64 {
	if f.Ratio != nil {
		return f.Ratio
	}
	if f.Peer == nil {
		return f.Ours
	}
	return nil
}

// add completes a figure and prints it.
func (b *bench) add(f figure) {
	if f.Ours != nil && f.Peer != nil && *f.Peer != 0 {
		f.Ratio = ptr(*f.Ours / *f.Peer)
	}
	if v := f.judged(); v != nil && f.Floor != nil {
		pass := *v >= *f.Floor
		if f.Better == lower {
			pass = *v <= *f.Floor
		}
		f.Pass = &pass
	}
	b.figures = append(b.figures, f)
	line, err := json.Marshal(f)
	if err == nil {
		_, err = fmt.Fprintf(b.out, "%s\n", line)
	}
	if err != nil {
		b.logf("figure %s: %v", f.Name, err)
	}
}

// finish prints the table and returns the exit code.
func (b *bench) finish() int {
	w := tabwriter.NewWriter(b.log, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "figure\twhat\tours\tpeer\tratio\tfloor\tgoal\t")
	failed := false
	for _, f := range b.figures {
		mark := ""
		switch {
		case f.Pass == nil:
			mark = "not measured"
		case !*f.Pass:
			mark, failed = "BELOW", true
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.What,
			show(f.Ours), show(f.Peer), show(f.Ratio), show(f.Floor), show(f.Goal), mark)
	}
	_ = w.Flush()
	if failed {
		return 1
	}
	return 0
}

func (b *bench) logf(format string, args ...any) { _, _ = fmt.Fprintf(b.log, format+"\n", args...) }

func show(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.4g", *v)
}

func ptr[T any](v T) *T { return &v }

// median of some measurements; it sorts them.
func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
