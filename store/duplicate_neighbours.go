package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/latentdb/latentdb/index"
)

// duplicateNeighbours is how many neighbours of each point are compared with it.
const duplicateNeighbours = 16

// neighbourSearch finds the neighbours of points.
type neighbourSearch struct {
	method DuplicateMethod
	metric Metric
	width  int
	// rowsOf are the rows that points are searched by, valid until it is called again.
	rowsOf func(chunk []storedPoint) ([]float32, error)
	// find appends to dst, and is for many goroutines at once.
	find func(dst []index.Hit, row []float32, p index.Params) ([]index.Hit, error)
	// rows is what is searched; own tells that it is no generation's, and decides.
	rows index.Index
	own  bool
}

// order is that of slots in which those that lie near each other come one after another, as
// their positions: what is read for one is at hand for the next.
func (s *neighbourSearch) order(slots []uint32) []uint32 {
	groups := make([]uint32, len(slots))
	if grouped, ok := s.rows.(index.Grouped); ok {
		grouped.Groups(groups, slots)
	}
	keys := make([]uint64, len(slots))
	for i, group := range groups {
		keys[i] = uint64(group)<<32 | uint64(i)
	}
	slices.Sort(keys)
	for i, k := range keys {
		groups[i] = uint32(k)
	}
	return groups
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
	search.metric, search.rows, search.find = Euclid, flat, flat.Search
	return search, c.eachRow(ctx, gen, allow, func(chunk []storedPoint, rows []float32) error {
		return upsertRows(flat, chunk, rows)
	})
}

// generationSearch searches a generation's index.
func (c *Collection) generationSearch(gen *generation) neighbourSearch {
	search := neighbourSearch{method: MethodInput, metric: gen.metric(c.Config()), width: gen.width(), rows: gen.index}
	if (gen.model != nil || gen.likens()) && c.Config().indexedSpace() == SpaceLatent {
		search.method = MethodLatent
	}
	var memory rowsMemory
	search.rowsOf = func(chunk []storedPoint) ([]float32, error) {
		_, z, err := gen.rowsIn(&memory, chunk, c.opts.Workers, false)
		return z, err
	}
	search.find = func(dst []index.Hit, row []float32, p index.Params) ([]index.Hit, error) {
		return gen.nearest(dst, row, p, c)
	}
	return search
}

// scanNeighbours finds every point's nearest neighbours, and the pairs they make.
func (c *Collection) scanNeighbours(ctx context.Context, scan *duplicateScan) error {
	var err error
	if scan.search, err = c.duplicateSearch(ctx, scan.generation, scan.asked.allow); err != nil {
		return err
	}
	anew := scan.generation.model != nil && c.Config().defaultSpace() == SpaceInput
	near := newNearLists(cap(scan.seen), !anew)
	err = c.eachChunk(ctx, scan.asked.allow, scan.progress(stageSearch), func(chunk []storedPoint) error {
		for _, p := range chunk {
			if err := scan.remember(p); err != nil {
				return err
			}
		}
		return c.addNear(ctx, near, scan, scan.search, chunk)
	})
	if err != nil {
		return err
	}
	near.settle(scan.seen)
	scan.reserve(len(near.at))
	add := c.addFound
	if anew {
		add = c.addMeasured
	}
	if err := add(ctx, scan, near); err != nil {
		return err
	}
	return scan.addCopies(ctx)
}

// addNear lists the neighbours of a chunk's points. Where searches are scans, a chunk takes
// seconds, so the context is asked before each of them.
func (c *Collection) addNear(ctx context.Context, near *nearLists, scan *duplicateScan, search neighbourSearch, chunk []storedPoint) error {
	rows, err := search.rowsOf(chunk)
	if err != nil {
		return err
	}
	slots := make([]uint32, len(chunk))
	for i, p := range chunk {
		slots[i] = p.slot
	}
	err = near.add(c.opts.Workers, chunk, search.order(slots), func(dst []index.Hit, i int) ([]index.Hit, error) {
		if ctx.Err() != nil {
			return dst, nil // once is enough to say so
		}
		p := index.Params{K: nearLength, EF: 64, Allow: scan.partners(chunk[i].slot)}
		return search.find(dst, rows[i*search.width:(i+1)*search.width], p)
	})
	return cmp.Or(err, ctx.Err())
}

// addFound adds the near pairs at the distances that the search found.
func (c *Collection) addFound(ctx context.Context, scan *duplicateScan, near *nearLists) error {
	for i, d := range near.distances {
		near.distances[i] = float32(distanceOf(scan.search.metric, d)) // for people, and not squared
	}
	return scan.eachPlaces(ctx, func(places []uint32) error {
		for a, listed := range near.pairs(places) {
			scan.offer(a, near.at[listed], float64(near.distances[listed]))
		}
		for _, a := range places {
			scan.addSpacing(near.distancesOf(a))
		}
		return nil
	})
}

// eachPlaces calls f with the places seen, scanStep at a time, those of points that lie near
// each other one after another, as long as ctx lets it.
func (s *duplicateScan) eachPlaces(ctx context.Context, f func(places []uint32) error) error {
	slots := make([]uint32, len(s.seen))
	for i, p := range s.seen {
		slots[i] = p.slot
	}
	compared := s.progress(stageCompare)
	for places := range slices.Chunk(s.search.order(slots), scanStep) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(places); err != nil {
			return err
		}
		compared(len(places))
	}
	return ctx.Err()
}

// addMeasured adds the near pairs, measured as the collection's space does: a vector
// collection's in input space.
func (c *Collection) addMeasured(ctx context.Context, scan *duplicateScan, near *nearLists) error {
	measure, least := c.measurer(scan), newLeastDistances(len(scan.seen))
	err := scan.eachPlaces(ctx, func(places []uint32) error {
		return c.view(func(g *ground) error {
			for a, listed := range near.pairs(places) {
				b := near.at[listed]
				d, ok, err := measure(g, scan.seen[a].slot, scan.seen[b].slot)
				if err != nil {
					return err
				}
				if ok {
					least.offer(a, float32(d))
					least.offer(b, float32(d))
					scan.offer(a, b, d)
				}
			}
			return nil
		})
	})
	for place := range scan.seen {
		scan.addSpacing(least.of(uint32(place)))
	}
	return err
}
