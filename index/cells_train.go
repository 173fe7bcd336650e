package index

import (
	"context"
	"math"
	"math/rand/v2"
	"sort"
	"sync"
	"sync/atomic"
)

const (
	// sampleFactor is how many rows a cell's centre is learned from, on average.
	sampleFactor = 64
	// sampleValues bounds the sample by its float32 values.
	sampleValues = 1 << 24
	// rounds is how often Lloyd's algorithm goes over the sample.
	rounds = 8
)

// retrainIfDue makes the cells anew where enough rows have changed. Readers use the old ones until the new ones are complete.
func (x *cells) retrainIfDue() {
	p := x.part
	if !p.retrainDue(0, 0) {
		return
	}
	next, err := p.remade(context.Background(), nil, 1)
	if err != nil { // without a deadline and other rows there is none
		return
	}
	x.publish(next)
}

func (x *cells) publish(next *partition) {
	x.mu.Lock()
	x.part = next
	x.mu.Unlock()
}

// retrainDue tells whether the cells are to be made anew when some rows more have
// changed, and some more have come.
func (p *partition) retrainDue(changed, more int) bool {
	if shrinkShare*(p.cellOf.n+more) < (shrinkShare-1)*p.trained {
		return true
	}
	return p.changed+changed >= max(firstCells, p.trained/retrainShare) && (p.trained > 0 || p.cellOf.n+more >= firstCells)
}

// remade is a partition of the rows of p and the rows of fresh, which replace
// those under the same slots. Many workers make the same cells as one. It fails
// only with the context's error.
func (p *partition) remade(ctx context.Context, fresh *freshRows, workers int) (*partition, error) {
	b := newRemake(p, fresh, workers)
	if err := b.make(ctx); err != nil {
		return nil, err
	}
	if err := b.next.makeCoarse(ctx, workers); err != nil {
		return nil, err
	}
	b.next.pack()
	return b.next, nil
}

// remake makes cells of the rows in some lists.
type remake struct {
	next    *partition
	plain   bool // rows need no sketches
	workers int
	lists   []*rowList
	starts  []int  // list -> how many rows stand in the lists before it
	skip    []bool // row -> whether another row replaces it; nil for none
	n       int    // rows that count
	home    []uint32
}

func newRemake(p *partition, fresh *freshRows, workers int) *remake {
	b := &remake{next: newPartition(p.config), workers: workers}
	total := 0
	add := func(l *rowList) {
		b.lists = append(b.lists, l)
		b.starts = append(b.starts, total)
		total += l.len()
	}
	for i := range p.cells {
		add(&p.cells[i])
	}
	if fresh != nil {
		add(&fresh.list)
	}
	b.n, b.home = total, make([]uint32, total)
	if fresh != nil && p.cellOf.n > 0 {
		b.skipReplaced(fresh)
	}
	return b
}

// make makes the cells and puts the rows into them.
func (b *remake) make(ctx context.Context) error {
	if b.n >= firstCells {
		if err := b.train(ctx); err != nil {
			return err
		}
	}
	if err := b.assign(ctx); err != nil {
		return err
	}
	b.fill()
	return nil
}

// skipReplaced skips the rows whose slots fresh has too.
func (b *remake) skipReplaced(fresh *freshRows) {
	b.skip = make([]bool, len(b.home))
	for i, l := range b.lists[:len(b.lists)-1] {
		for j, slot := range l.ids {
			if _, replaced := fresh.at.get(slot); replaced {
				b.skip[b.starts[i]+j] = true
				b.n--
			}
		}
	}
}

// train finds centres by Lloyd's algorithm (1957) over a sample.
func (b *remake) train(ctx context.Context) error {
	next := b.next
	dim := next.rows.dim
	k := cellsFor(b.n)
	random := rand.New(rand.NewPCG(next.config.Seed, uint64(b.n)))
	sample := b.sample(random, max(2*k, min(sampleFactor*k, sampleValues/dim)))
	m := len(sample) / dim
	next.size, next.trained = b.n/k, b.n
	next.cells = make([]rowList, k)
	next.home.reserve(&next.centres, k)
	for i, at := range random.Perm(m)[:k] {
		next.setCentre(uint32(i), rowAt(sample, dim, uint32(at)))
	}
	homes := make([]uint32, m)
	means := newMeans(k, dim)
	centre := make([]float32, dim)
	for range rounds {
		err := b.parallel(ctx, m, func(w *homeSeeker, i int) {
			homes[i] = w.seek(next, rowAt(sample, dim, uint32(i)))
		})
		if err != nil {
			return err
		}
		means.reset()
		for i, h := range homes {
			means.add(int(h), rowAt(sample, dim, uint32(i)))
		}
		for i := range k {
			if means.counts[i] == 0 { // another try elsewhere
				copy(centre, rowAt(sample, dim, random.Uint32N(uint32(m))))
			} else {
				means.into(centre, i)
			}
			next.round(centre)
			next.setCentre(uint32(i), centre)
		}
	}
	if !b.plain {
		next.learnSketcher(sample, func(i int) uint32 { return homes[i] })
	}
	return nil
}

// cellsFor is how many cells are made of n rows, firstCells at least: n^(3/4)/8, or
// one for every 128. Many rows lie in memory, not in a cache, and are better looked at
// in fewer and smaller pieces, at the price of ranking more centres, which makeCoarse
// bounds.
func cellsFor(n int) int {
	root := math.Sqrt(float64(n))
	return max(int(root*math.Sqrt(root)/8), n/128)
}

// setCentre sets the centre of a cell, the next one if it has none.
func (p *partition) setCentre(cell uint32, centre []float32) {
	if int(cell) == p.centres.len() {
		p.home.add(&p.centres, cell, centre)
		return
	}
	p.home.put(&p.centres, int(cell), centre)
}

// round makes a mean of codes codes again.
func (p *partition) round(centre []float32) {
	if p.rows.coded {
		for i, v := range centre {
			centre[i] = float32(math.RoundToEven(float64(v)))
		}
	}
}

// sample copies at most most rows, spread evenly over all and drawn at random
// within each stretch.
func (b *remake) sample(random *rand.Rand, most int) []float32 {
	dim := b.next.rows.dim
	most = min(most, b.n)
	sample := make([]float32, 0, most*dim)
	stretch := float64(len(b.home)) / float64(most)
	for i := range most {
		at := min(int((float64(i)+random.Float64())*stretch), len(b.home)-1)
		sample = sample[:len(sample)+dim]
		b.read(sample[len(sample)-dim:], at)
	}
	return sample
}

// find is the list of row i, and its place there.
func (b *remake) find(i int) (*rowList, int) {
	at := sort.SearchInts(b.starts, i+1) - 1
	return b.lists[at], i - b.starts[at]
}

func (b *remake) read(dst []float32, i int) {
	l, at := b.find(i)
	b.next.rows.get(dst, l, at)
}

// assign finds the cell of every row.
func (b *remake) assign(ctx context.Context) error {
	return b.parallel(ctx, len(b.home), func(w *homeSeeker, i int) {
		b.read(w.row, i)
		b.home[i] = w.seek(b.next, w.row)
	})
}

// fill puts the rows into their cells, which get the room they need.
func (b *remake) fill() {
	next := b.next
	counts := make([]int, len(next.cells))
	for i, h := range b.home {
		if b.skip == nil || !b.skip[i] {
			counts[h]++
		}
	}
	row := make([]float32, next.rows.dim)
	for i, n := range counts {
		next.home.get(row, &next.centres, i)
		next.cells[i] = next.rows.emptyList(row)
		next.rows.reserve(&next.cells[i], n)
	}
	for i, h := range b.home {
		if b.skip == nil || !b.skip[i] {
			l, at := b.find(i)
			next.rows.get(row, l, at)
			next.insert(h, l.ids[at], row)
		}
	}
	for cell := 0; cell < len(next.cells); cell++ {
		for next.tooLarge(uint32(cell)) {
			next.applySplit(uint32(cell), next.halve(&next.cells[cell]))
		}
	}
	for cell := len(next.cells) - 1; cell >= 0 && len(next.cells) > 1; cell-- {
		if next.cells[cell].len() == 0 {
			next.dropCell(uint32(cell), row)
		}
	}
	next.cellOf.settle()
}

// homeSeeker is the memory of one worker that looks for the cells of rows.
type homeSeeker struct {
	query *cellQuery
	row   []float32
}

func newHomeSeeker(dim int) *homeSeeker {
	return &homeSeeker{query: new(cellQuery), row: make([]float32, dim)}
}

func (w *homeSeeker) seek(p *partition, row []float32) uint32 {
	w.query.set(&p.home, row)
	return p.nearest(w.query)
}

// parallelChunk is how many rows a worker takes at a time.
const parallelChunk = 512

// parallel calls work for 0 to n-1, each once.
func (b *remake) parallel(ctx context.Context, n int, work func(w *homeSeeker, i int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(b.workers, (n+parallelChunk-1)/parallelChunk) {
		wg.Go(func() {
			w := newHomeSeeker(b.next.rows.dim)
			for ctx.Err() == nil {
				from := int(next.Add(parallelChunk)) - parallelChunk
				if from >= n {
					return
				}
				for i := from; i < min(from+parallelChunk, n); i++ {
					work(w, i)
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// means sums rows in float64, where no float32 values overflow.
type means struct {
	dim    int
	sums   []float64
	counts []int
}

func newMeans(k, dim int) *means {
	return &means{dim: dim, sums: make([]float64, k*dim), counts: make([]int, k)}
}

func (m *means) reset() {
	clear(m.sums)
	clear(m.counts)
}

func (m *means) add(i int, row []float32) {
	sum := m.sums[i*m.dim:][:m.dim]
	for j, v := range row[:len(sum)] {
		sum[j] += float64(v)
	}
	m.counts[i]++
}

// into writes mean i, of one row at least, to dst.
func (m *means) into(dst []float32, i int) {
	for j := range dst {
		dst[j] = float32(m.sums[i*m.dim+j] / float64(m.counts[i]))
	}
}
