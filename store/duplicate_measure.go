package store

// measurerValues bounds the rows that measuring pairs keeps: 64 MiB of them.
const measurerValues = 16 << 20

// measureFunc measures two slots; ok is false if one of them holds no point.
type measureFunc func(g *ground, a, b uint32) (d float64, ok bool, err error)

// rowFunc reads the row of a slot, nil where it holds no point; dst may be used for it.
type rowFunc func(dst []float32, g *ground, slot uint32) ([]float32, error)

// measuredRows are the rows that pairs are measured by, and how: those of the search, where
// these decide, and else those of the collection's default space, latents as encoded rather
// than as rounded to int8: different records may share a code. It keeps what it has read
// last, and is not for many goroutines.
type measuredRows struct {
	metric Metric
	width  int
	read   rowFunc
}

func (c *Collection) measuredRows(scan *duplicateScan) measuredRows {
	if s := &scan.search; s.own {
		return measuredRows{s.metric, s.width, s.row}
	}
	gen, cfg := scan.generation, c.Config()
	m := measuredRows{metric: gen.metric(cfg), width: gen.fitted.Width()}
	input := gen.model == nil && !gen.likens() || cfg.defaultSpace() == SpaceInput
	if input {
		m.metric = cfg.duplicateMetric()
	}
	stored := c.rowReader(gen, input)
	m.read = func(dst []float32, g *ground, slot uint32) ([]float32, error) {
		if input && gen.keptRow(dst, slot) {
			return dst, nil
		}
		return stored(g, slot)
	}
	return m
}

// measurer returns a function that measures two slots by their rows.
func (c *Collection) measurer(scan *duplicateScan) measureFunc {
	return c.measuredRows(scan).measurer()
}

// measurer returns a function that measures two slots; ok is false if one of them is gone.
// It is not for many goroutines.
func (m measuredRows) measurer() measureFunc {
	kernel := m.metric.Kernel()
	ofA, ofB := make([]float32, m.width), make([]float32, m.width)
	var x []float32 // the row of last: pairs of one point come one after another
	var last uint32
	return func(g *ground, a, b uint32) (d float64, ok bool, err error) {
		if x == nil || a != last {
			if x, err = m.read(ofA, g, a); err != nil || x == nil {
				return 0, false, err
			}
			last = a
		}
		y, err := m.read(ofB, g, b)
		if err != nil || y == nil {
			return 0, false, err
		}
		return distanceOf(m.metric, kernel(x, y)), true, nil
	}
}

// rowReader reads the rows of slots that are measured in input space or as latents, nil of
// those that have no point, and keeps those it has read last.
func (c *Collection) rowReader(gen *generation, input bool) func(g *ground, slot uint32) ([]float32, error) {
	known := make(map[uint32][]float32)
	return func(g *ground, slot uint32) ([]float32, error) {
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
}

// row reads the row of a slot, which may be none of those that are searched.
func (s *neighbourSearch) row(dst []float32, g *ground, slot uint32) ([]float32, error) {
	if s.rows.Row(dst, slot) {
		return dst, nil
	}
	p, ok, err := g.point(slot)
	if err != nil || !ok {
		return nil, err
	}
	row, err := s.rowsOf([]storedPoint{p})
	copy(dst, row)
	return dst, err
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
