package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/latentdb/latentdb/store"
)

const hnswlib = "hnswlib"

// libraries are the peers of an arena: a process that holds the same rows.
type libraries struct {
	peer     *peer
	dir      string
	variants []variant
	built    map[string]*contender // by variant; nil where it could not be built
}

// variant is one way to build a library's index.
type variant struct {
	Name    string   `json:"name"`
	Library string   `json:"library"`
	Knobs   []string `json:"knobs"`
}

// startLibraries hands the rows of a set to a new process of peers.
func (a *arena) startLibraries(ctx context.Context) (err error) {
	p, err := a.startPeer(ctx, searchPeers)
	if errors.Is(err, errNoPeer) {
		a.logf("%v: figures beside peers are null", err)
		return nil
	}
	if err != nil {
		return err
	}
	l := &libraries{peer: p, built: make(map[string]*contender)}
	if l.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return errors.Join(err, p.stop())
	}
	a.libraries = l
	base, asked := filepath.Join(l.dir, "base"), filepath.Join(l.dir, "queries")
	if err := errors.Join(writeRows(base, a.set.base), writeRows(asked, a.set.tune, a.set.report)); err != nil {
		return err
	}
	return p.ask(map[string]any{"call": "load", "base": base, "queries": asked,
		"width": a.set.base.Cols, "cosine": a.set.metric == store.Cosine}, &l.variants)
}

// of builds and tunes all variants of a library; none where it cannot be had.
func (l *libraries) of(ctx context.Context, a *arena, library string) ([]*contender, error) {
	if l == nil {
		return nil, nil
	}
	var out []*contender
	for _, v := range l.variants {
		if v.Library != library {
			continue
		}
		c, known := l.built[v.Name]
		if !known {
			var err error
			if c, err = l.build(a, v); err != nil {
				return nil, err
			}
			if l.built[v.Name] = c; c != nil {
				if err := a.tune(ctx, c); err != nil {
					return nil, err
				}
			}
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

func (l *libraries) build(a *arena, v variant) (*contender, error) {
	var got struct {
		Seconds, Bytes  float64
		Version, Reason string
	}
	keep := ""
	if a.keep != "" {
		keep = filepath.Join(a.keep, a.set.name)
	}
	if err := l.peer.ask(map[string]any{"call": "build", "name": v.Name, "keep": keep}, &got); err != nil {
		return nil, err
	}
	if got.Reason != "" {
		a.logf("%s, %s: null: %s", a.set.name, v.Name, got.Reason)
		return nil, nil
	}
	c := &contender{name: v.Name, library: v.Library, knobs: v.Knobs, seconds: got.Seconds, bytes: got.Bytes / float64(a.set.base.Rows)}
	a.logf("%s, %s %s: built in %.1f CPU seconds, %.0f bytes a point", a.set.name, v.Name, got.Version, c.seconds, c.bytes)
	path := filepath.Join(l.dir, "ids")
	c.ask = func(_ context.Context, knob int, q queries) ([]int32, float64, error) {
		var seconds float64
		if err := l.peer.ask(map[string]any{"call": "search", "name": v.Name, "knob": knob,
			"lo": q.lo, "hi": q.lo + q.rows.Rows, "rounds": q.rounds, "out": path}, &seconds); err != nil {
			return nil, 0, err
		}
		ids := make([]int32, q.rows.Rows*neighbours)
		f, err := os.Open(path)
		if err != nil {
			return nil, 0, err
		}
		if err := errors.Join(binary.Read(f, binary.LittleEndian, ids), f.Close()); err != nil {
			return nil, 0, fmt.Errorf("ids: %w", err)
		}
		return ids, seconds, nil
	}
	return c, nil
}

func (l *libraries) stop() error {
	if l == nil {
		return nil
	}
	return errors.Join(l.peer.stop(), os.RemoveAll(l.dir))
}
