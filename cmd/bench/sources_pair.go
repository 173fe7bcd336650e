package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// pairTask is pairs that are learned from, and others of which one side is to find the
// other.
type pairTask struct {
	name  string
	spec  source.Pair
	train []sidedPair
	// left and right are what is stored apart, and queries say which of the right ones
	// belong to a left one.
	left, right []any
	match       map[int]int
}

type sidedPair struct{ left, right any }

func (p sidedPair) record() map[string]any { return map[string]any{"left": p.left, "right": p.right} }

// heldCaptions is how many of the last captions are found, and not learned from.
const heldCaptions = 1000

// pairs is sources.6: how often one side of a pair that was not learned from finds the
// other among its 10 nearest.
func (s *sources) pairs(ctx context.Context) error {
	return errors.Join(s.captions(ctx), s.publications(ctx))
}

// captions is sources.6a: English and German captions of pictures.
func (s *sources) captions(ctx context.Context) error {
	var texts [2][]any
	for i, name := range []string{"pairs.en", "pairs.de"} {
		var err error
		if texts[i], err = readLines(filepath.Join(s.data, "multi30k_en_de", name)); err != nil {
			return err
		}
	}
	if len(texts[0]) != len(texts[1]) || len(texts[0]) <= heldCaptions {
		return fmt.Errorf("captions: %d and %d lines", len(texts[0]), len(texts[1]))
	}
	t := pairTask{name: "captions", spec: source.Pair{Left: source.Text{}, Right: source.Text{}}, match: map[int]int{}}
	cut := len(texts[0]) - heldCaptions
	for i := range cut {
		t.train = append(t.train, sidedPair{texts[0][i], texts[1][i]})
	}
	t.left, t.right = texts[0][cut:], texts[1][cut:]
	for i := range t.left {
		t.match[i] = i
	}
	ours, peer, err := t.compare(ctx, s)
	if err != nil {
		return err
	}
	s.add(figure{Name: "sources.6a", Better: higher, Floor: ptr(3.), Goal: ptr(6.), Ours: &ours.among, Peer: peer.among(),
		What: "captions of either language that find their translation in the first 10 of both, beside TF-IDF of pieces of words"})
	s.add(figure{Name: "sources.6a other", Better: higher, Ours: &ours.other, Peer: peer.other(),
		What: "the same, in the first 10 of the other language"})
	return nil
}

// publications is sources.6b: records of publications in two libraries.
func (s *sources) publications(ctx context.Context) error {
	t := pairTask{name: "publications", spec: source.Pair{Left: source.Text{}, Right: source.Text{}}, match: map[int]int{}}
	train, err := readMatches(filepath.Join(s.data, "entity_matching", "DBLP-ACM", "train.csv"))
	if err != nil {
		return err
	}
	test, err := readMatches(filepath.Join(s.data, "entity_matching", "DBLP-ACM", "test.csv"))
	if err != nil {
		return err
	}
	for _, m := range train {
		if m.same {
			t.train = append(t.train, m.sidedPair)
		}
	}
	places := [2]map[any]int{{}, {}}
	for _, m := range test {
		for i, side := range []*[]any{&t.left, &t.right} {
			record := []any{m.left, m.right}[i]
			if _, known := places[i][record]; !known {
				places[i][record] = len(*side)
				*side = append(*side, record)
			}
		}
		if m.same {
			t.match[places[0][m.left]] = places[1][m.right]
		}
	}
	ours, peer, err := t.compare(ctx, s)
	if err != nil {
		return err
	}
	s.add(figure{Name: "sources.6b", Better: higher, Floor: ptr(1.), Goal: ptr(1.), Ours: &ours.first, Peer: peer.first(),
		What: "publications whose nearest of the other library is the same one, beside TF-IDF of pieces of words"})
	s.add(figure{Name: "sources.6b ten", Better: higher, Floor: ptr(1.), Goal: ptr(1.), Ours: &ours.other, Peer: peer.other(),
		What: "the same, in the first 10"})
	return nil
}

// crossings are shares of the sides that find the other: in the first 10 of both sides'
// records, in the first 10 of the other side's, and as the first of those.
type crossings struct{ among, other, first float64 }

// pairPeer is a peer's crossings, nil where none was asked.
type pairPeer []float64

func (p pairPeer) at(i int) *float64 {
	if p == nil {
		return nil
	}
	return &p[i]
}

func (p pairPeer) among() *float64 { return p.at(0) }
func (p pairPeer) other() *float64 { return p.at(1) }
func (p pairPeer) first() *float64 { return p.at(2) }

// compare measures ours and the peer.
func (t pairTask) compare(ctx context.Context, s *sources) (ours crossings, peer pairPeer, err error) {
	if ours, err = t.serve(ctx, s.bench); err != nil {
		return ours, nil, err
	}
	peer, err = t.peer(s)
	return ours, peer, err
}

// peer asks the shared TF-IDF space.
func (t pairTask) peer(s *sources) (pairPeer, error) {
	if s.peer == nil {
		return nil, nil
	}
	var fit []any
	for _, p := range t.train {
		fit = append(fit, p.left, p.right)
	}
	var from, to []int
	for l, r := range t.match {
		from, to = append(from, l), append(to, r)
	}
	var out pairPeer
	err := s.peer.ask(map[string]any{"call": "crossings", "fit": fit, "left": t.left, "right": t.right, "from_": from, "to": to}, &out)
	return out, err
}

// serve stores and learns the pairs, stores the other sides apart, and asks for each by
// its other side.
func (t pairTask) serve(ctx context.Context, b *bench) (out crossings, err error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.CreateCollection(ctx, t.name, store.Config{Source: t.spec})
	if err != nil {
		return out, err
	}
	var points []store.Point
	for i, p := range t.train {
		points = append(points, store.Point{ID: store.NumID(uint64(i)), Record: p.record()})
	}
	if err := upsertAll(ctx, c, points); err != nil {
		return out, err
	}
	report, err := c.Fit(ctx, nil)
	if err != nil {
		return out, err
	}
	b.logf("%s: %d pairs, latent %d (%s), %s: %s; finds the other side %.3f, the linear start %.3f; %.0f s", t.name, len(t.train),
		report.Dim, report.Settings.DimReason, report.Encoder, report.Settings.Reason, report.RecallAt10.Model, report.RecallAt10.PCA, report.FitSeconds)
	points = nil
	for i, records := range [][]any{t.left, t.right} {
		for at, record := range records {
			side := []string{"left", "right"}[i]
			points = append(points, store.Point{ID: sideID(side, at), Record: map[string]any{side: record}, Payload: store.Payload{"side": side}})
		}
	}
	if err := upsertAll(ctx, c, points); err != nil {
		return out, err
	}
	for l, r := range t.match {
		for _, q := range []struct {
			record map[string]any
			side   string
			want   store.ID
		}{
			{map[string]any{"left": t.left[l]}, "right", sideID("right", r)},
			{map[string]any{"right": t.right[r]}, "left", sideID("left", l)},
		} {
			both, err := rankOf(ctx, c, q.record, q.want, "left", "right")
			if err != nil {
				return out, err
			}
			other, err := rankOf(ctx, c, q.record, q.want, q.side)
			if err != nil {
				return out, err
			}
			if both < 10 {
				out.among++
			}
			if other < 10 {
				out.other++
			}
			if other == 0 {
				out.first++
			}
		}
	}
	for _, count := range []*float64{&out.among, &out.other, &out.first} {
		*count /= float64(2 * len(t.match))
	}
	return out, nil
}

func sideID(side string, at int) store.ID { return store.StringID(fmt.Sprintf("%s %d", side, at)) }

// rankOf is the place of a point among the 10 nearest points of some sides; 10 where it
// is none of them.
func rankOf(ctx context.Context, c *store.Collection, record map[string]any, want store.ID, sides ...any) (int, error) {
	hits, err := c.Search(ctx, store.Query{Record: record, Limit: 10, OmitPayload: true,
		Filter: &store.Filter{Must: []store.Condition{{Key: "side", Match: &store.Match{Any: sides}}}}})
	for i, h := range hits {
		if h.ID == want {
			return i, err
		}
	}
	return 10, err
}

// upsertAll stores points some at a time.
func upsertAll(ctx context.Context, c *store.Collection, points []store.Point) error {
	const batch = 500
	for lo := 0; lo < len(points); lo += batch {
		if err := c.Upsert(ctx, points[lo:min(lo+batch, len(points))]...); err != nil {
			return err
		}
	}
	return nil
}

func readLines(path string) (lines []any, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := bufio.NewScanner(f)
	for in.Scan() {
		lines = append(lines, in.Text())
	}
	return lines, in.Err()
}

// labelledMatch is a pair that may be of one thing or not.
type labelledMatch struct {
	sidedPair
	same bool
}

// readMatches reads a table of labelled pairs; a side is what its columns hold, as text.
func readMatches(path string) (out []labelledMatch, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := csv.NewReader(f)
	head, err := in.Read()
	if err != nil {
		return nil, err
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var m labelledMatch
		sides := map[string][]string{}
		for i, name := range head {
			if name == "label" {
				m.same = row[i] == "1"
			} else if side, _, ok := strings.Cut(name, "_"); ok {
				sides[side] = append(sides[side], row[i])
			}
		}
		m.left, m.right = strings.Join(sides["left"], " "), strings.Join(sides["right"], " ")
		out = append(out, m)
	}
}
