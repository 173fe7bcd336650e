package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

const (
	// samplerRows is how many records a sampler learns from, at most, and samplerBytes
	// how large their feature rows may be.
	samplerRows  = 4000
	samplerBytes = 64 << 20
	// minSampled is how many records samples must be drawn like: of fewer they would be
	// copies.
	minSampled = 5
	// lenders is how many vectors near a drawn one may lend it what decoding loses.
	lenders = 50
)

// sampler draws feature rows like those of some points.
type sampler struct {
	// chain draws the rows of a table; nil for other kinds, whose latents the mixture
	// draws.
	chain *embed.Chain
	// unnamed are, by row that the chain learned from, the values of its record that the
	// row does not tell.
	unnamed [][]source.ColumnValue
	mixture *embed.Mixture
	// latents and residuals are, of vectors, what decoding lost of each; else empty.
	latents, residuals blas32.General
}

// samplerCache keeps the sampler of a generation as of one change. Samples follow the
// points that are there, whether or not somebody asked before they changed: points that
// were deleted are not sampled like, and a database that is opened again, which has no
// cache, draws the same.
type samplerCache struct {
	mu         sync.Mutex
	generation *generation
	applied    uint64
	sampler    *sampler
}

// of is the sampler of all points of a generation as they are now.
func (m *samplerCache) of(ctx context.Context, c *Collection, gen *generation) (*sampler, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// What is indexed while the sampler learns counts as not in it, so at worst the
	// next call makes it once more.
	applied, err := gen.drained()
	if err != nil {
		return nil, err
	}
	if m.generation == gen && m.applied == applied {
		return m.sampler, nil
	}
	s, err := c.newSampler(ctx, gen, nil)
	if err == nil {
		m.generation, m.applied, m.sampler = gen, applied, s
	}
	return s, err
}

// samplerFor is the sampler that a query draws from.
func (c *Collection) samplerFor(ctx context.Context, gen *generation, q SampleQuery) (*sampler, error) {
	if q.Filter.empty() && len(q.IDs) == 0 {
		return c.samplers.of(ctx, c, gen)
	}
	allow, err := c.selection(ctx, q.Filter)
	if err != nil {
		return nil, err
	}
	if len(q.IDs) > 0 {
		var slots []uint32
		if err := c.view(func(g *ground) error {
			slots, err = g.slotsOf(q.IDs)
			return err
		}); err != nil {
			return nil, err
		}
		named := index.NewBitmap(slots...)
		if allow != nil {
			named.And(allow)
		}
		allow = named
	}
	if _, err := gen.drained(); err != nil { // what was written last counts too
		return nil, err
	}
	return c.newSampler(ctx, gen, allow)
}

// newSampler learns from the points that allow selects, nil for all.
func (c *Collection) newSampler(ctx context.Context, gen *generation, allow *index.Bitmap) (*sampler, error) {
	slots, err := gen.learnable(allow)
	if err != nil {
		return nil, err
	}
	if columned, ok := gen.fitted.(source.Columned); ok {
		return c.newChainSampler(ctx, gen, columned, slots)
	}
	s := &sampler{latents: gen.indexedLatents(slots)}
	if s.mixture, err = embed.FitMixture(ctx, s.latents, c.opts.Workers, 1); err != nil {
		return nil, unlearnable(ctx, err)
	}
	if _, ok := gen.fitted.Spec().(source.Vector); ok {
		err = s.keepResiduals(ctx, c, gen, slots)
	}
	return s, err
}

// unlearnable says that what was selected cannot be learned from, unless nobody waits for it.
func unlearnable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return invalidCause("like", err)
}

// learnable are the slots a sampler learns from: those that allow selects and the fit did
// not hold out, evenly thinned. It refuses too few.
func (g *generation) learnable(allow *index.Bitmap) ([]uint32, error) {
	held := index.NewBitmap(g.stats.HeldOut...)
	var slots []uint32
	for slot := range g.index.Slots() {
		if (allow == nil || allow.Has(slot)) && !held.Has(slot) {
			slots = append(slots, slot)
		}
	}
	if len(slots) < minSampled {
		return nil, invalid("like", "selects %d points that the fit did not hold out, sampling needs at least %d", len(slots), minSampled)
	}
	slices.Sort(slots)
	n := min(len(slots), samplerRows, max(minSampled, samplerBytes/4/g.fitted.Width()))
	for i := range n {
		slots[i] = slots[i*len(slots)/n]
	}
	return slots[:n], nil
}

// newChainSampler learns how the columns of slots depend on each other.
func (c *Collection) newChainSampler(ctx context.Context, gen *generation, columned source.Columned, slots []uint32) (*sampler, error) {
	s := &sampler{}
	var data, straight []float32 // straight ones have numbers as they are, where records are kept
	err := c.eachRow(ctx, gen, index.NewBitmap(slots...), func(chunk []storedPoint, rows []float32) error {
		data = append(data, rows...)
		if !gen.byRows() {
			return nil
		}
		watched, err := gen.watchedRows(chunk, c.opts.Workers)
		straight = append(straight, watched...)
		for _, p := range chunk {
			if err != nil {
				return err
			}
			var values []source.ColumnValue
			values, err = columned.Unnamed(p.data)
			s.unnamed = append(s.unnamed, values)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	rows := embed.MatrixOf(data, gen.fitted.Width())
	by := rows
	if len(straight) > 0 {
		by = embed.MatrixOf(straight, gen.fitted.Width())
	}
	if s.chain, err = embed.FitChain(ctx, rows, by, columned.ColumnStarts(), c.opts.Workers, 1); err != nil {
		return nil, unlearnable(ctx, err)
	}
	return s, nil
}

// learnedRows are the feature rows of slots, one after another.
func (c *Collection) learnedRows(ctx context.Context, gen *generation, slots []uint32) (blas32.General, error) {
	var data []float32
	err := c.eachRow(ctx, gen, index.NewBitmap(slots...), func(_ []storedPoint, rows []float32) error {
		data = append(data, rows...)
		return nil
	})
	return embed.MatrixOf(data, gen.fitted.Width()), err
}

// indexedLatents are the latents of slots, as the index holds them.
func (g *generation) indexedLatents(slots []uint32) blas32.General {
	z, n := embed.NewMatrix(len(slots), g.model.Dim()), 0
	for _, slot := range slots {
		if g.index.Row(embed.Row(z, n), slot) {
			n++
		}
	}
	z.Rows = n
	z.Data = z.Data[:n*z.Cols]
	return z
}

// keepResiduals notes what decoding loses of each vector.
func (s *sampler) keepResiduals(ctx context.Context, c *Collection, gen *generation, slots []uint32) error {
	rows, err := c.learnedRows(ctx, gen, slots)
	if err != nil {
		return err
	}
	z, err := gen.encode(rows.Data)
	if err != nil {
		return err
	}
	s.latents = embed.MatrixOf(z, gen.model.Dim())
	decoded, err := gen.decode(z, c.opts.Workers)
	if err != nil {
		return err
	}
	for i, v := range decoded {
		rows.Data[i] -= v
	}
	s.residuals = rows
	return nil
}

// sample draws n records, or vectors, and gives their feature rows beside them.
func (s *sampler) sample(ctx context.Context, gen *generation, n, workers int, seed uint64) (out *Samples, rows blas32.General, err error) {
	out = &Samples{Generation: gen.number}
	var lenders [][]int32
	if s.chain != nil {
		var drawn embed.Drawn
		drawn, err = s.chain.Draw(ctx, n, workers, seed)
		rows, lenders = drawn.Rows, drawn.Lenders
	} else {
		rows, err = s.draw(gen, n, seed)
	}
	if err != nil {
		return nil, rows, err
	}
	out.Records, out.Vectors, err = gen.shown(rows)
	s.name(out.Records, lenders)
	return out, rows, err
}

// name gives drawn records the values that their rows do not tell: those of the records
// that lent them the columns.
func (s *sampler) name(records []any, lenders [][]int32) {
	if len(s.unnamed) == 0 {
		return
	}
	for i, by := range lenders {
		record, _ := records[i].(map[string]any)
		for column, row := range by {
			for _, v := range s.unnamed[row] {
				if v.Column == column {
					record[v.Name] = v.Value
				}
			}
		}
	}
}

// draw decodes n latents of the mixture.
func (s *sampler) draw(gen *generation, n int, seed uint64) (blas32.General, error) {
	rows := embed.NewMatrix(n, gen.fitted.Width())
	rng := rand.New(rand.NewPCG(seed, 0x5a4d))
	z := embed.NewMatrix(n, gen.model.Dim())
	for i := range n {
		s.mixture.Draw(embed.Row(z, i), rng)
	}
	if err := gen.decodeRows(rows, z); err != nil {
		return rows, fmt.Errorf("store: %w", err)
	}
	if s.residuals.Rows == 0 {
		return rows, nil
	}
	for i := range n {
		row := embed.Row(rows, i)
		for j, v := range embed.Row(s.residuals, s.lender(embed.Row(z, i), rng)) {
			row[j] += v
		}
		if gen.unit() {
			if err := index.Cosine.Prepare(row, row); err != nil {
				return rows, fmt.Errorf("store: %w", err)
			}
		}
	}
	return rows, nil
}

// lender is one of the vectors whose latents are the nearest, of many: with what the
// nearest itself has beyond its latent, a sample would be its copy.
func (s *sampler) lender(z []float32, rng *rand.Rand) int {
	type near struct {
		distance float32
		at       int
	}
	found := make([]near, 0, lenders+1)
	for i := range s.latents.Rows {
		d := Euclid.Distance(z, embed.Row(s.latents, i))
		if len(found) == lenders && d >= found[lenders-1].distance {
			continue
		}
		at, _ := slices.BinarySearchFunc(found, d, func(n near, d float32) int {
			if n.distance <= d {
				return -1
			}
			return 1
		})
		found = slices.Insert(found, at, near{d, i})
		found = found[:min(len(found), lenders)]
	}
	return found[rng.IntN(len(found))].at
}
