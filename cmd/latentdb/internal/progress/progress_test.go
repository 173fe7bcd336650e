package progress

import (
	"bytes"
	"strings"
	"testing"
)

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	p := Start(&out, "fit", 3)
	p.Step(1, "epoch 1 of 3")
	p.Set(2, "too soon for another line")
	p.Step(3, "epoch 3 of 3")
	p.Done("3 epochs")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || lines[0] != "fit: epoch 1 of 3" || lines[1] != "fit: epoch 3 of 3" ||
		!strings.HasPrefix(lines[2], "fit: 3 epochs in ") {
		t.Errorf("printed %q", lines)
	}
	p.last = p.last.Add(-2 * lineEvery)
	p.Set(3, "later")
	if !strings.HasSuffix(out.String(), "fit: later\n") {
		t.Errorf("a line that was due is missing in %q", out.String())
	}
}

func TestPlainOutputHasNoControlCharacters(t *testing.T) {
	var out bytes.Buffer
	p := Start(&out, "load", 0)
	p.Step(1, "one")
	p.Clear()
	p.Done("done")
	if strings.ContainsAny(out.String(), "\r\x1b") {
		t.Errorf("printed %q", out.String())
	}
}
