package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// duplicateNeighbours is how many neighbours of each point are compared with it.
const duplicateNeighbours = 16

// measurerValues bounds the rows that measuring pairs keeps: 64 MiB of them.
const measurerValues = 16 << 20

// scanPair is two points near each other, a < b, and their distance as the
// collection's default space measures it.
type scanPair struct {
	a, b     uint32
	distance float64
	exact    bool
}

// duplicateScan is the neighbour lists of the points compared, from which any
// threshold's groups can be read.
type duplicateScan struct {
	generation *generation
	search     neighbourSearch
	seq        uint64 // the last change before the scan began
	points     int
	pairs      []scanPair
	// usual is what points that are no duplicates of each other show.
	usual []spacing
}

// Duplicates groups points that lie within a threshold of each other, directly
// or through others of the group. Points with the same bytes are always
// grouped. Cost: one search of every point compared.
func (c *Collection) Duplicates(ctx context.Context, q DuplicateQuery) (*Duplicates, error) {
	out, _, err := c.findDuplicates(ctx, q)
	return out, err
}

// Deduplicate removes from each group of duplicates the points within the
// threshold of its kept point; of a group that is a chain, it keeps more than
// one, so that nothing leaves without a near copy that stays. A limit in the
// query leaves the groups after the first ones alone. With dryRun it only tells what it would remove. Points that change while it runs
// are left alone.
func (c *Collection) Deduplicate(ctx context.Context, q DuplicateQuery, dryRun bool) (*Deduplication, error) {
	found, scan, err := c.findDuplicates(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &Deduplication{DryRun: dryRun, Method: found.Method, Threshold: found.Threshold, Points: found.Points}
	if out.Removed, err = c.removals(scan, found); err != nil || dryRun || len(out.Removed) == 0 {
		return out, err
	}
	r := &request{duplicates: out.Removed, notAfter: scan.seq, done: make(chan struct{})}
	if err := c.enqueue(ctx, r); err != nil {
		return nil, err
	}
	<-r.done // it is queued: its outcome must be told, even if the context ends
	if r.err != nil {
		return nil, r.err
	}
	out.Removed = append([]Removed{}, r.removed...)
	return out, nil
}

func (c *Collection) findDuplicates(ctx context.Context, q DuplicateQuery) (*Duplicates, *duplicateScan, error) {
	setDefault(&q.Keep, KeepFirst)
	switch {
	case q.Threshold != nil && !(*q.Threshold >= 0):
		return nil, nil, invalid("threshold", "is %v; it must be 0 or more", *q.Threshold)
	case q.Keep != KeepFirst && q.Keep != KeepNewest:
		return nil, nil, invalid("keep", "%q is not one of %v", q.Keep, []Keep{KeepFirst, KeepNewest})
	case q.Limit < 0:
		return nil, nil, invalid("limit", "is %d; it must be 0 (all) or more", q.Limit)
	}
	if c.stopped() {
		return nil, nil, ErrClosed
	}
	allow, err := c.selection(ctx, q.Filter)
	if err != nil {
		return nil, nil, err
	}
	gen := c.active.Load()
	scan, err := c.scanDuplicates(ctx, gen, allow)
	if now := c.active.Load(); errors.Is(err, ErrNoOriginals) && now != gen { // they went with it
		scan, err = c.scanDuplicates(ctx, now, allow)
	}
	if err != nil {
		return nil, nil, err
	}
	out := &Duplicates{Method: scan.search.method, Points: scan.points, Groups: []DuplicateGroup{}}
	if q.Threshold != nil {
		out.Threshold = *q.Threshold
	} else {
		out.Threshold = suggestThreshold(scan.usual)
	}
	out.Groups, err = c.groups(scan, out.Threshold, q.Keep)
	if q.Limit > 0 {
		out.Groups = out.Groups[:min(q.Limit, len(out.Groups))]
	}
	return out, scan, err
}

// scanDuplicates finds every point's nearest neighbours, and the points whose
// bytes are the same.
func (c *Collection) scanDuplicates(ctx context.Context, gen *generation, allow *index.Bitmap) (*duplicateScan, error) {
	scan := &duplicateScan{generation: gen, search: neighbourSearch{method: MethodInput}, seq: c.published.Load()}
	if gen.fitted == nil {
		return scan, gen.broken
	}
	var err error
	if scan.search, err = c.duplicateSearch(ctx, gen, allow); err != nil {
		return nil, err
	}
	firstWith := make(map[[16]byte]uint32)
	near := make(map[[2]uint32]float64)
	err = c.eachPoint(ctx, allow, func(chunk []storedPoint) error {
		scan.points += len(chunk)
		z, err := scan.search.rowsOf(chunk)
		if err != nil {
			return err
		}
		lists, err := c.neighbourLists(scan.search, allow, z, len(chunk))
		if err != nil {
			return err
		}
		for i, r := range chunk {
			content, err := gen.contentOf(r)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(content)
			key := [16]byte(sum[:16])
			if first, ok := firstWith[key]; ok {
				scan.pairs = append(scan.pairs, scanPair{a: first, b: r.slot, exact: true})
			} else {
				firstWith[key] = r.slot
			}
			own := make([]float64, 0, len(lists[i]))
			for _, h := range lists[i] {
				if h.Slot == r.slot {
					continue
				}
				near[[2]uint32{min(r.slot, h.Slot), max(r.slot, h.Slot)}] = float64(h.Distance)
				own = append(own, float64(h.Distance))
			}
			scan.addSpacing(own)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return scan, c.addPairs(scan, near)
}

// duplicateMetric is how duplicates are measured in input space: by the
// collection's metric, except Dot, in which a vector may be nearer to others
// than to its copy; there it is Euclid.
func (c Config) duplicateMetric() Metric {
	if c.Metric == Dot {
		return Euclid
	}
	return c.Metric
}

// neighbourSearch finds the neighbours of points.
type neighbourSearch struct {
	method DuplicateMethod
	metric Metric
	width  int
	// rowsOf are the rows that points are searched by.
	rowsOf func(chunk []storedPoint) ([]float32, error)
	find   func(row []float32, p index.Params) ([]index.Hit, error)
	// own holds the rows, where they are no generation's and decide; else nil.
	own index.Index
}

// duplicateSearch searches what the head gives or, where there is none, the generation, or
// an exact index of its own where the generation's is by Dot.
func (c *Collection) duplicateSearch(ctx context.Context, gen *generation, allow *index.Bitmap) (neighbourSearch, error) {
	if gen.head != nil && !gen.latentOnly {
		return c.copySearch(ctx, gen, allow)
	}
	search := neighbourSearch{method: MethodInput, metric: gen.metric(c.Config()), width: gen.width()}
	if (gen.model != nil || gen.lifts()) && c.Config().indexedSpace() == SpaceLatent {
		search.method = MethodLatent
	}
	search.rowsOf = func(chunk []storedPoint) ([]float32, error) {
		_, z, err := gen.rowsOf(chunk, c.opts.Workers, false)
		return z, err
	}
	if search.metric != Dot {
		search.find = func(row []float32, p index.Params) ([]index.Hit, error) { return gen.nearest(nil, row, p, c) }
		return search, nil
	}
	flat, err := index.Flat.New(index.Config{Dim: search.width, Metric: Euclid})
	if err != nil {
		return search, err
	}
	search.metric = Euclid
	search.find = func(row []float32, p index.Params) ([]index.Hit, error) { return flat.Search(nil, row, p) }
	return search, c.eachRow(ctx, gen, allow, func(chunk []storedPoint, rows []float32) error {
		return upsertRows(flat, chunk, rows)
	})
}

// neighbourLists searches for the neighbours of a chunk's points by what the
// index holds; distances are for people, not squared.
func (c *Collection) neighbourLists(search neighbourSearch, allow *index.Bitmap, z []float32, n int) ([][]index.Hit, error) {
	d := search.width
	lists, errs := make([][]index.Hit, n), make([]error, n)
	inParallel(c.opts.Workers, n, func(i int) {
		lists[i], errs[i] = search.find(z[i*d:(i+1)*d], index.Params{K: duplicateNeighbours + 1, EF: 64, Allow: allow})
		for j := range lists[i] {
			lists[i][j].Distance = float32(distanceOf(search.metric, lists[i][j].Distance))
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return lists, nil
}

// addPairs adds the near pairs to the scan, measured as the collection's space
// does: a vector collection's in input space.
func (c *Collection) addPairs(scan *duplicateScan, near map[[2]uint32]float64) error {
	keys := make([][2]uint32, 0, len(near))
	for k := range near {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]uint32) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	gen := scan.generation
	remeasure := gen.model != nil && c.Config().defaultSpace() == SpaceInput
	if remeasure {
		scan.usual = scan.usual[:0]
	}
	measure := c.measurer(scan)
	perPoint := make(map[uint32][]float64)
	return c.view(func(g *ground) error {
		for _, k := range keys {
			d := near[k]
			if remeasure {
				var ok bool
				var err error
				if d, ok, err = measure(g, k[0], k[1]); err != nil {
					return err
				} else if !ok {
					continue
				}
				perPoint[k[0]] = append(perPoint[k[0]], d)
				perPoint[k[1]] = append(perPoint[k[1]], d)
			}
			scan.pairs = append(scan.pairs, scanPair{a: k[0], b: k[1], distance: d})
		}
		for _, ds := range perPoint {
			slices.Sort(ds)
			scan.addSpacing(ds)
		}
		return nil
	})
}

// measureFunc measures two slots; ok is false if one of them holds no point.
type measureFunc func(g *ground, a, b uint32) (d float64, ok bool, err error)

// measurer returns a function that measures two slots by the rows of the search, where
// these decide, and else in the collection's default space, latents as encoded rather than
// as rounded to int8: different records may share a code. ok is false if one of them is
// gone. It keeps the rows it has seen last.
func (c *Collection) measurer(scan *duplicateScan) measureFunc {
	gen := scan.generation
	if gen == nil || gen.fitted == nil {
		return nil // there are no points to measure
	}
	if scan.search.own != nil {
		return scan.search.measureOwn
	}
	cfg := c.Config()
	metric := gen.metric(cfg)
	input := gen.model == nil && !gen.lifts() || cfg.defaultSpace() == SpaceInput
	if input {
		metric = cfg.duplicateMetric()
	}
	kernel := metric.Kernel()
	known := make(map[uint32][]float32)
	row := func(g *ground, slot uint32) ([]float32, error) {
		if r, ok := known[slot]; ok {
			return r, nil
		}
		read := gen.featureOfSlot
		if !input && gen.latentOnly {
			read = gen.rowOfSlot
		}
		r, err := read(g, slot)
		if err != nil || r == nil {
			return nil, err
		}
		if !input && !gen.latentOnly {
			r, err = gen.placeOf(r)
		}
		if len(known)*len(r) > measurerValues {
			clear(known)
		}
		known[slot] = r
		return r, err
	}
	return func(g *ground, a, b uint32) (float64, bool, error) {
		x, err := row(g, a)
		if err != nil || x == nil {
			return 0, false, err
		}
		y, err := row(g, b)
		if err != nil || y == nil {
			return 0, false, err
		}
		return distanceOf(metric, kernel(x, y)), true, nil
	}
}

// measureOwn measures two slots by the rows of the search.
func (s *neighbourSearch) measureOwn(_ *ground, a, b uint32) (float64, bool, error) {
	x, y := make([]float32, s.width), make([]float32, s.width)
	if !s.own.Row(x, a) || !s.own.Row(y, b) {
		return 0, false, nil
	}
	return distanceOf(s.metric, s.metric.Kernel()(x, y)), true, nil
}
