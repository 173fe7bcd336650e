package main

import (
	"context"
	"errors"
	"io/fs"
)

// answersSuite measures the answers that only latents give beside the libraries that
// people use for each of them.
func answersSuite(ctx context.Context, b *bench) error {
	p, err := b.startPeer(ctx, answersPeers)
	if err != nil && !errors.Is(err, errNoPeer) {
		return err
	}
	if p == nil {
		b.logf("%v: figures beside peers are null", err)
	}
	a := &answers{bench: b, peer: p}
	for _, part := range a.parts() {
		if !b.wants(part.number) {
			continue
		}
		if err := part.run(ctx); errors.Is(err, fs.ErrNotExist) {
			b.logf("answers.%s: %v: not measured", part.number, err)
		} else if err != nil {
			return err
		}
	}
	if p != nil {
		return p.stop()
	}
	return nil
}

// answers is one run of the suite.
type answers struct {
	*bench
	peer *peer
}

func (a *answers) parts() []sourcesPart {
	return []sourcesPart{
		{"1", a.outliers},
		{"2", a.scores},
		{"3", a.duplicates},
		{"4", a.samples},
		{"5", a.explained},
		{"6", a.million},
		{"7", a.predictions},
	}
}
