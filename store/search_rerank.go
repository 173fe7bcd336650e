package store

import (
	"context"

	"github.com/latentdb/latentdb/index"
)

// rerank scores latent candidates exactly in input space, beside those that were scored
// by steps: by the rows that are kept, and where there are none by the stored records.
func (s *search) rerank(found []index.Hit) ([]index.Hit, error) {
	top := &s.memory.top
	known := s.gen.rescore(found, s.row)
	s.byRow += known
	for _, h := range found[:known] {
		top.Push(h)
	}
	if known < len(found) {
		if err := s.rerankRest(top, found[known:]); err != nil {
			return nil, err
		}
	}
	s.memory.best = top.AppendTo(s.memory.best[:0])
	return s.memory.best, nil
}

// rerankRest scores candidates whose rows are not kept.
func (s *search) rerankRest(top *index.TopK, found []index.Hit) error {
	if s.gen.latentOnly {
		return s.rerankDecoded(top, found)
	}
	return s.rerankStored(top, found)
}

// rerankDecoded scores candidates by what their latents decode to, all of them decoded at once.
func (s *search) rerankDecoded(top *index.TopK, found []index.Hit) error {
	known, rows, err := s.gen.decodeSlots(found, s.c.opts.Workers)
	if err != nil {
		return err
	}
	s.dropped += len(found) - len(known)
	s.byDecoding += len(known)
	distance := s.metric().Kernel()
	for i, h := range known {
		top.Push(index.Hit{Slot: h.Slot, Distance: distance(s.row, rows[i*len(s.row):(i+1)*len(s.row)])})
	}
	return nil
}

// decodeSlots decodes the latents of hits as memory holds them; known are those that it
// holds.
func (g *generation) decodeSlots(hits []index.Hit, workers int) (known []index.Hit, rows []float32, err error) {
	d := g.model.Dim()
	z := make([]float32, 0, d*len(hits))
	for _, h := range hits {
		z = z[:len(z)+d]
		if g.latentInMemory(z[len(z)-d:], h.Slot) {
			known = append(known, h)
		} else {
			z = z[:len(z)-d]
		}
	}
	rows, err = g.decode(z, workers)
	return known, rows, err
}

// rerankStored scores candidates by their stored records.
func (s *search) rerankStored(top *index.TopK, found []index.Hit) error {
	return s.scoreStored(top, found, s.metric().Kernel())
}

// scoreStored scores candidates by their stored records, and by what their latents decode
// to where these are dropped.
func (s *search) scoreStored(top *index.TopK, found []index.Hit, distance func(a, b []float32) float32) error {
	s.readStored = true
	return s.c.view(func(g *ground) error {
		var chunk []storedPoint
		for _, h := range found {
			p, ok, err := g.point(h.Slot)
			if err != nil {
				return err
			}
			if !ok {
				s.dropped++
				continue
			}
			chunk = append(chunk, p)
		}
		rows, err := s.gen.featureRows(chunk, s.c.opts.Workers)
		if err != nil {
			return err
		}
		s.byRecord += len(chunk)
		for i, r := range chunk {
			top.Push(index.Hit{Slot: r.slot, Distance: distance(s.row, rows[i*len(s.row):(i+1)*len(s.row)])})
		}
		return nil
	})
}

// scanInput is the exact scan in input space, by the rows that are kept where all
// are. Cost otherwise: every record decoded.
func (s *search) scanInput(ctx context.Context) ([]index.Hit, error) {
	top := index.NewTopK(s.wanted())
	if !s.gen.lossy() {
		if done, err := s.scanKept(top); done || err != nil {
			return top.AppendTo(nil), err
		}
	}
	s.readStored = true
	top.Reset(s.wanted())
	distance := s.metric().Kernel()
	err := s.c.eachRow(ctx, s.gen, s.allow, func(chunk []storedPoint, rows []float32) error {
		s.byRecord += len(chunk)
		for i, r := range chunk {
			top.Push(index.Hit{Slot: r.slot, Distance: distance(s.row, rows[i*len(s.row):(i+1)*len(s.row)])})
		}
		return nil
	})
	return top.AppendTo(nil), err
}

// scansMatching tells whether so few points match that to score them all costs less
// than to find those that are worth it. Under a filter a search has to look at as many
// more rows as fewer of them match.
func (s *search) scansMatching() bool {
	if s.allow == nil || s.gen.rows == nil {
		return false
	}
	matching, n := s.allow.Len(), s.gen.index.Len()
	found := min(n, rowsPerEF*s.plan.ef*n/max(1, matching))
	return float64(max(0, matching-s.plan.rerank))*s.gen.rescoreCost() < float64(found)*s.gen.sketchCost()
}

// rowsPerEF is about how many rows a search looks at for each of ef.
const rowsPerEF = 32

// scanKept scores all points, or those that are allowed, by the rows that are kept, and
// by the records of the few slots whose rows cannot be: exactly, where rows are not
// lossy. It is not done where others are missing, or a change came between.
func (s *search) scanKept(top *index.TopK) (done bool, err error) {
	top.Reset(s.wanted())
	rows := s.gen.rows
	if rows == nil {
		return false, nil
	}
	rest, off := s.gen.offGrid.hits(s.allow)
	if rows.Len()+off != int(s.c.points.Load()) || !s.gen.scanRows(top, s.row, s.allow) {
		return false, nil
	}
	s.byRow += rows.Len()
	if s.allow != nil {
		s.byRow += min(0, s.allow.Len()-rows.Len())
	}
	if len(rest) > 0 {
		if err := s.rerankRest(top, rest); err != nil {
			return false, err
		}
	}
	return s.unchanged(), nil
}
