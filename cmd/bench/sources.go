package main

import (
	"context"
	"errors"
	"io/fs"
)

// sourcesSuite measures what each kind of source makes of real records, beside the
// front ends that specialists take for them.
func sourcesSuite(ctx context.Context, b *bench) error {
	p, err := b.startPeer(ctx, sourcesPeers)
	if err != nil && !errors.Is(err, errNoPeer) {
		return err
	}
	if p == nil {
		b.logf("%v: figures beside peers are null", err)
	}
	s := &sources{bench: b, peer: p}
	for _, part := range s.parts() {
		if !b.wants(part.number) {
			continue
		}
		if err := part.run(ctx); errors.Is(err, fs.ErrNotExist) {
			b.logf("sources.%s: %v: not measured", part.number, err)
		} else if err != nil {
			return err
		}
	}
	if p != nil {
		return p.stop()
	}
	return nil
}

// sources is one run of the suite.
type sources struct {
	*bench
	peer *peer
}

// sourcesPart measures the figures of one number.
type sourcesPart struct {
	number string
	run    func(context.Context) error
}

func (s *sources) parts() []sourcesPart {
	return []sourcesPart{
		{"1", s.text},
		{"4", s.tables},
		{"3", s.audio},
		{"4", s.tables},
		{"5", s.curve},
		{"2", s.images},
		{"3", s.audio},
		{"4", s.tables},
		{"6", s.pairs},
		{"7", s.importing},
	}
}
