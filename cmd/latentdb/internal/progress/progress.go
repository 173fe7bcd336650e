// Package progress shows how far long work has come: a bar on a terminal,
// plain lines anywhere else.
package progress

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// How long what is shown stays as it is, but for a Step.
const (
	lineEvery = 3 * time.Second
	barEvery  = 80 * time.Millisecond
)

// Progress is one piece of work under way. It is not safe for concurrent use.
type Progress struct {
	w     io.Writer
	label string
	bar   *progressbar.ProgressBar
	start time.Time
	last  time.Time
}

// Start shows the label. A total below 1 means that it is not known.
func Start(w io.Writer, label string, total int64) *Progress {
	now := time.Now()
	p := &Progress{w: w, label: label, start: now, last: now}
	if isTerminal(w) {
		if total < 1 {
			total = -1
		}
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(label),
			progressbar.OptionSetWidth(28), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionSetPredictTime(total > 0))
	}
	return p
}

// Set says how much is done, in the total's unit and in words. A bar takes it
// some times a second, plain output every few seconds.
func (p *Progress) Set(done int64, note string) {
	every := lineEvery
	if p.bar != nil {
		every = barEvery
	}
	if time.Since(p.last) >= every {
		p.Step(done, note)
	}
}

// Step is Set for the steps of note: all of them are shown.
func (p *Progress) Step(done int64, note string) {
	p.last = time.Now()
	if p.bar == nil {
		p.line(note)
		return
	}
	p.bar.Describe(p.label + ": " + note)
	_ = p.bar.Set64(done)
}

// Done takes the bar away and leaves one line with what came of the work and
// how long it took.
func (p *Progress) Done(note string) {
	p.Clear()
	p.line(fmt.Sprintf("%s in %.1f s", note, time.Since(p.start).Seconds()))
}

// Clear takes the bar away and leaves nothing.
func (p *Progress) Clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// line drops a failed write: progress is not worth stopping the work for.
func (p *Progress) line(note string) { _, _ = fmt.Fprintf(p.w, "%s: %s\n", p.label, note) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
