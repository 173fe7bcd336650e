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

// scanPair is two points near each other, by their places among those seen, and their
// distance as the collection's default space measures it.
type scanPair struct {
	a, b     uint32
	distance float64
	exact    bool
	fields   []FieldSimilarity // where these decide
}

// scannedPoint is what a scan remembers of a point.
type scannedPoint struct {
	slot    uint32
	size    uint32 // of its content in bytes
	id      ID
	seq     uint64
	content [16]byte // the first half of its content's SHA-256
}

// duplicateScan is the near pairs of the points compared, from which any threshold's
// groups can be read.
type duplicateScan struct {
	generation *generation
	search     neighbourSearch
	seq        uint64 // the last change before the scan began
	// allow selects the points compared, nil for all; where between is not nil, one of a
	// pair is of it and the other of rest.
	allow, between, rest *index.Bitmap

	seen  []scannedPoint // ascending by slot
	byID  []uint32       // their places in order of ids
	pairs []scanPair
	// usual is what points that are no duplicates of each other show.
	usual []spacing
	// matcher compares by fields, where these decide; else nil.
	matcher   *fieldMatcher
	suggested float64 // threshold
}

// place is where a slot's point is among those seen; false for one that was not.
func (s *duplicateScan) place(slot uint32) (uint32, bool) {
	at, ok := slices.BinarySearchFunc(s.seen, slot, func(p scannedPoint, slot uint32) int { return cmp.Compare(p.slot, slot) })
	return uint32(at), ok
}

// settle puts places and pairs in the order that groups list them in: what a threshold
// lets in is then at the beginning, and groups need no sorting.
func (s *duplicateScan) settle() {
	s.byID = make([]uint32, len(s.seen))
	for i := range s.byID {
		s.byID[i] = uint32(i)
	}
	slices.SortFunc(s.byID, func(a, b uint32) int { return s.seen[a].id.Compare(s.seen[b].id) })
	rank := make([]uint32, len(s.seen))
	for i, at := range s.byID {
		rank[at] = uint32(i)
	}
	for i, p := range s.pairs {
		if rank[p.a] > rank[p.b] {
			s.pairs[i].a, s.pairs[i].b = p.b, p.a
		}
	}
	slices.SortFunc(s.pairs, func(p, q scanPair) int {
		if p.distance != q.distance {
			return cmp.Compare(p.distance, q.distance)
		}
		return cmp.Or(cmp.Compare(rank[p.a], rank[q.a]), cmp.Compare(rank[p.b], rank[q.b]))
	})
}

// partners are the points that one may be a pair with; nil for all.
func (s *duplicateScan) partners(slot uint32) *index.Bitmap {
	switch {
	case s.between == nil:
		return s.allow
	case s.between.Has(slot):
		return s.rest
	}
	return s.between
}

// Duplicates groups points that lie within a threshold of each other, directly
// or through others of the group. Points with the same bytes are always
// grouped. Cost: one search of every point compared; another threshold, policy or limit
// costs no more than reading the groups, until something is written.
func (c *Collection) Duplicates(ctx context.Context, q DuplicateQuery) (*Duplicates, error) {
	out, _, err := c.findDuplicates(ctx, q)
	return out, err
}

// Deduplicate removes from each group of duplicates the points within the
// threshold of its kept point; of a group that is a chain, it keeps more than
// one, so that nothing leaves without a near copy that stays. Where the query compares
// Between some points and the rest, the rest stays. A limit in the query leaves the groups
// after the first ones alone. With dryRun it only tells what it would remove. Points that
// change while it runs are left alone. What was removed cannot be brought back.
func (c *Collection) Deduplicate(ctx context.Context, q DuplicateQuery, dryRun bool) (*Deduplication, error) {
	found, scan, err := c.findDuplicates(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &Deduplication{DryRun: dryRun, Method: found.Method, Threshold: found.Threshold,
		ExpectedPrecision: found.ExpectedPrecision, Points: found.Points}
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
	case q.Limit < 0:
		return nil, nil, invalid("limit", "is %d; it must be 0 (all) or more", q.Limit)
	}
	if err := q.Keep.check(); err != nil {
		return nil, nil, err
	}
	scan, err := c.duplicateScan(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	out := &Duplicates{Method: scan.search.method, Threshold: scan.suggested, Points: len(scan.seen)}
	if q.Threshold != nil {
		out.Threshold = *q.Threshold
	}
	out.ExpectedPrecision = scan.expectedPrecision(out.Threshold)
	out.Groups, err = c.groups(scan, out.Threshold, q.Keep)
	if q.Limit > 0 {
		out.Groups = out.Groups[:min(q.Limit, len(out.Groups))]
	}
	return out, scan, err
}

// duplicateScan is the scan that a query asks for, the last one if nothing has changed.
func (c *Collection) duplicateScan(ctx context.Context, q DuplicateQuery) (*duplicateScan, error) {
	if c.stopped() {
		return nil, ErrClosed
	}
	allow, err := c.selection(ctx, q.Filter)
	if err != nil {
		return nil, err
	}
	var between *index.Bitmap
	if q.Between != nil {
		if between, err = c.selection(ctx, q.Between); err != nil {
			return nil, err
		}
		if between == nil {
			return nil, invalid("between", "selects all points; it must leave some to compare with")
		}
	}
	gen := c.active.Load()
	scan, err := c.scanDuplicates(ctx, gen, allow, between)
	if now := c.active.Load(); errors.Is(err, ErrNoOriginals) && now != gen { // they went with it
		scan, err = c.scanDuplicates(ctx, now, allow, between)
	}
	return scan, err
}

// newScan is a scan that has seen nothing.
func (c *Collection) newScan(gen *generation, allow, between *index.Bitmap) *duplicateScan {
	scan := &duplicateScan{generation: gen, search: neighbourSearch{method: MethodInput}, seq: c.published.Load(), allow: allow}
	if between != nil {
		scan.between, scan.rest = between.Clone(), index.NewBitmap()
		scan.rest.FillTo(int(c.slots.Load()))
		scan.rest.AndNot(between)
		if allow != nil {
			scan.between.And(allow)
			scan.rest.And(allow)
		}
	}
	return scan
}

// scanDuplicates finds the points near each other, and those whose bytes are the same.
func (c *Collection) scanDuplicates(ctx context.Context, gen *generation, allow, between *index.Bitmap) (*duplicateScan, error) {
	scan := c.newScan(gen, allow, between)
	if gen.fitted == nil {
		return scan, gen.broken
	}
	if last := c.lastScan.like(scan); last != nil {
		return last, nil
	}
	var err error
	if form, ok := c.fieldForm(gen); ok {
		err = c.scanFields(ctx, scan, form)
		scan.suggested = suggestProbable(scan.pairs)
	} else {
		err = c.scanNeighbours(ctx, scan)
		scan.suggested = suggestThreshold(scan.usual)
	}
	if err != nil {
		return nil, err
	}
	scan.settle()
	if c.published.Load() == scan.seq {
		c.lastScan.keep(scan)
	}
	return scan, nil
}

// scanNeighbours finds every point's nearest neighbours.
func (c *Collection) scanNeighbours(ctx context.Context, scan *duplicateScan) error {
	var err error
	if scan.search, err = c.duplicateSearch(ctx, scan.generation, scan.allow); err != nil {
		return err
	}
	near := make(map[[2]uint32]float64)
	err = c.eachPoint(ctx, scan.allow, func(chunk []storedPoint) error {
		z, err := scan.search.rowsOf(chunk)
		if err != nil {
			return err
		}
		lists, err := c.neighbourLists(scan, scan.search, chunk, z)
		if err != nil {
			return err
		}
		for i, p := range chunk {
			if err := scan.remember(p); err != nil {
				return err
			}
			own := make([]float64, 0, len(lists[i]))
			for _, h := range lists[i] {
				if h.Slot == p.slot {
					continue
				}
				near[[2]uint32{min(p.slot, h.Slot), max(p.slot, h.Slot)}] = float64(h.Distance)
				own = append(own, float64(h.Distance))
			}
			scan.addSpacing(own)
		}
		return nil
	})
	if err != nil {
		return err
	}
	scan.addCopies()
	return c.addPairs(scan, near)
}

// remember keeps what is needed of a point.
func (s *duplicateScan) remember(p storedPoint) error {
	content, err := s.generation.contentOf(p)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	s.seen = append(s.seen, scannedPoint{slot: p.slot, size: uint32(len(content)), id: p.id, seq: p.seq, content: [16]byte(sum[:16])})
	return nil
}

// addCopies adds a pair of each point and the first whose bytes are the same, of those it
// may go with.
func (s *duplicateScan) addCopies() {
	type first struct{ of, other int } // places on either side of between; -1 for none
	firsts := make(map[[16]byte]first, len(s.seen))
	side := func(p *scannedPoint) bool { return s.between != nil && s.between.Has(p.slot) }
	for i := range s.seen {
		p := &s.seen[i]
		f, ok := firsts[p.content]
		if !ok {
			f = first{-1, -1}
		}
		if side(p) && f.other < 0 {
			f.other = i
		} else if !side(p) && f.of < 0 {
			f.of = i
		}
		firsts[p.content] = f
	}
	known := make(map[[2]uint32]bool) // one pair of two firsts
	for i := range s.seen {
		p := &s.seen[i]
		with := firsts[p.content].of
		if s.between != nil && !side(p) {
			with = firsts[p.content].other
		}
		if with < 0 || with == i {
			continue
		}
		pair := [2]uint32{uint32(min(with, i)), uint32(max(with, i))}
		if !known[pair] {
			known[pair] = true
			s.pairs = append(s.pairs, scanPair{a: pair[0], b: pair[1], exact: true})
		}
	}
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
	search := c.generationSearch(gen)
	if search.metric != Dot {
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

// generationSearch searches a generation's index.
func (c *Collection) generationSearch(gen *generation) neighbourSearch {
	search := neighbourSearch{method: MethodInput, metric: gen.metric(c.Config()), width: gen.width()}
	if (gen.model != nil || gen.lifts()) && c.Config().indexedSpace() == SpaceLatent {
		search.method = MethodLatent
	}
	search.rowsOf = func(chunk []storedPoint) ([]float32, error) {
		_, z, err := gen.rowsOf(chunk, c.opts.Workers, false)
		return z, err
	}
	search.find = func(row []float32, p index.Params) ([]index.Hit, error) { return gen.nearest(nil, row, p, c) }
	return search
}

// neighbourLists searches for the neighbours of a chunk's points by what the
// index holds; distances are for people, not squared.
func (c *Collection) neighbourLists(scan *duplicateScan, search neighbourSearch, chunk []storedPoint, z []float32) ([][]index.Hit, error) {
	d, n := search.width, len(chunk)
	lists, errs := make([][]index.Hit, n), make([]error, n)
	inParallel(c.opts.Workers, n, func(i int) {
		lists[i], errs[i] = search.find(z[i*d:(i+1)*d], index.Params{K: duplicateNeighbours + 1, EF: 64, Allow: scan.partners(chunk[i].slot)})
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
			a, seen := scan.place(k[0])
			b, both := scan.place(k[1])
			if seen && both && scan.seen[a].content != scan.seen[b].content { // copies are pairs already
				scan.pairs = append(scan.pairs, scanPair{a: a, b: b, distance: d})
			}
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
	if scan.matcher != nil {
		return scan.matcher.measure
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
