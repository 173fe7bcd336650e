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
	if (gen.model != nil || gen.likens()) && c.Config().indexedSpace() == SpaceLatent {
		search.method = MethodLatent
	}
	search.rowsOf = func(chunk []storedPoint) ([]float32, error) {
		_, z, err := gen.rowsOf(chunk, c.opts.Workers, false)
		return z, err
	}
	search.find = func(row []float32, p index.Params) ([]index.Hit, error) { return gen.nearest(nil, row, p, c) }
	return search
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
