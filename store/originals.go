package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A collection that drops its originals (Config.DropOriginals) learns once. From the
// moment its model is active every answer is made of latents as they are stored, and of
// the rows they decode to, whether or not a point's record is still there. So to give
// the records up, some at a time and in the background (shed.go), changes no answer, and
// a crash in its midst leaves nothing that has to be told apart.

// fidelity is how well a record is reconstructed, which nobody can find out any more once
// it was given up.
type fidelity struct {
	// mse is the mean squared error per feature in standardised space, and whitened that
	// of each feature over what is usual for it.
	mse, whitened float32
}

// fidelityBytes stand before the code of a latent that is kept in a record's place.
const fidelityBytes = 8

func (f fidelity) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, math.Float32bits(f.mse))
	return binary.BigEndian.AppendUint32(dst, math.Float32bits(f.whitened))
}

// storedPoint is what the ground state holds of a slot's point: its record or, in the
// place of that, its latent. Bytes are valid until the transaction ends.
type storedPoint struct {
	slot uint32
	id   ID
	seq  uint64 // the last change of the record
	data []byte // the record; nil where it was given up

	code     []byte // then, the latent as the model of a generation stores it
	latentOf uint64
	fidelity fidelity
}

// findLatents finds the latents that are kept in the place of records.
func (g *ground) findLatents(field []byte) error {
	all := g.tx.Bucket(bucketLatents)
	if all == nil {
		return nil
	}
	if all = all.Bucket(field); all == nil {
		return fmt.Errorf("%w: points.db has no bucket %q", ErrCorrupt, bucketLatents)
	}
	key, _ := all.Cursor().First()
	if key == nil {
		return nil
	}
	if g.latents = all.Bucket(key); g.latents == nil || len(key) != 8 {
		return fmt.Errorf("%w: points.db has latents of no generation", ErrCorrupt)
	}
	g.latents.FillPercent = 0.9
	g.latentOf = binary.BigEndian.Uint64(key)
	return nil
}

// checkLatents verifies that there is a place for latents where records are given up.
func (g *ground) checkLatents(cfg Config) error {
	if cfg.DropOriginals && g.tx.Bucket(bucketLatents) == nil {
		return fmt.Errorf("%w: points.db has no bucket %q", ErrCorrupt, bucketLatents)
	}
	return nil
}

// point reads a slot; ok is false where it holds no point.
func (g *ground) point(slot uint32) (p storedPoint, ok bool, err error) {
	e, ok, err := g.entry(slot)
	if err != nil || !ok {
		return p, false, err
	}
	p, err = g.content(slot, e)
	return p, err == nil, err
}

// content reads what is stored of a slot that holds a point.
func (g *ground) content(slot uint32, e slotEntry) (p storedPoint, err error) {
	p = storedPoint{slot: slot, id: e.id, seq: e.seq}
	if g.latents != nil {
		if v := g.latents.Get(slotKey(slot)); v != nil {
			return p, g.latent(&p, v)
		}
	}
	p.data, err = g.record(slot)
	return p, err
}

func (g *ground) latent(p *storedPoint, v []byte) error {
	body, err := unseal("latent", p.slot, v)
	if err != nil {
		return err
	}
	if len(body) < fidelityBytes {
		return fmt.Errorf("%w: latent of slot %d has %d bytes", ErrCorrupt, p.slot, len(body))
	}
	p.fidelity.mse = math.Float32frombits(binary.BigEndian.Uint32(body))
	p.fidelity.whitened = math.Float32frombits(binary.BigEndian.Uint32(body[4:]))
	p.code, p.latentOf = body[fidelityBytes:], g.latentOf
	return nil
}

// putLatent puts a latent in the place of a slot's record.
func (g *ground) putLatent(gen *generation, slot uint32, z []float32, f fidelity) error {
	if err := g.roomForLatents(gen.number); err != nil {
		return err
	}
	return errors.Join(g.latents.Put(slotKey(slot), gen.sealedLatent(z, f)), g.records.Delete(slotKey(slot)))
}

// roomForLatents makes the place for latents of a generation, if there is none yet.
func (g *ground) roomForLatents(generation uint64) error {
	if g.latents != nil {
		return nil
	}
	b, err := g.tx.Bucket(bucketLatents).Bucket([]byte(fieldBucketPrefix + defaultField)).CreateBucket(seqKey(generation))
	if err != nil {
		return err
	}
	g.latents, g.latentOf, b.FillPercent = b, generation, 0.9
	return nil
}

// sealedLatent is what is stored in a record's place.
func (g *generation) sealedLatent(z []float32, f fidelity) []byte {
	code := make([]byte, g.model.CodeSize())
	g.model.Code(code, z)
	return sealed(f.append(nil), code)
}

// latentValue is what would be stored in the place of a point's record.
func (g *generation) latentValue(p storedPoint) ([]byte, error) {
	z, err := g.latentsOf([]storedPoint{p}, 1)
	if err != nil {
		return nil, err
	}
	f, err := g.fidelities([]storedPoint{p}, z, 1)
	if err != nil {
		return nil, err
	}
	return g.sealedLatent(g.asSearched(p.slot, z), f[0]), nil
}

// asSearched is a slot's latent as searches have it, if that is the one given but for
// rounding. No change may become visible meanwhile.
func (g *generation) asSearched(slot uint32, z []float32) []float32 {
	if have := make([]float32, len(z)); g.latentInMemory(have, slot) && g.sameRow(have, z) {
		return have
	}
	return z
}

// deleteLatent removes what is kept in the place of a slot's record, if anything is.
func (g *ground) deleteLatent(slot uint32) error {
	if g.latents == nil {
		return nil
	}
	return g.latents.Delete(slotKey(slot))
}

// rowsMemory is memory for the rows of points.
type rowsMemory struct{ features, latents []float32 }

// originals are the feature rows of points whose records are there.
func (g *generation) originals(chunk []storedPoint, workers int) ([]float32, error) {
	return g.originalsIn(nil, chunk, workers)
}

// originalsIn is originals in the memory of dst, where that is enough.
func (g *generation) originalsIn(dst []float32, chunk []storedPoint, workers int) ([]float32, error) {
	width := g.fitted.Width()
	rows := slices.Grow(dst[:0], width*len(chunk))[:width*len(chunk)]
	clear(rows)
	errs := make([]error, len(chunk))
	inParallel(workers, len(chunk), func(i int) {
		if chunk[i].data == nil {
			errs[i] = ErrNoOriginals
		} else if err := g.fitted.Row(rows[i*width:(i+1)*width], chunk[i].data); err != nil {
			errs[i] = fmt.Errorf("store: record of id %s: %w", chunk[i].id, err)
		}
	})
	return rows, errors.Join(errs...)
}

// rowsOf are the latents of points, as the index holds them, and where they are wanted the
// rows that points are scored by in input space: those of the records or, where these are
// dropped, what the latents decode to. Both are one after another.
func (g *generation) rowsOf(chunk []storedPoint, workers int, wanted bool) (features, latents []float32, err error) {
	return g.rowsIn(new(rowsMemory), chunk, workers, wanted)
}

// rowsIn is rowsOf in memory that is used again, where it can be.
func (g *generation) rowsIn(m *rowsMemory, chunk []storedPoint, workers int, wanted bool) (features, latents []float32, err error) {
	if !g.latentOnly {
		if m.features, err = g.originalsIn(m.features, chunk, workers); err != nil {
			return nil, nil, err
		}
		latents, err = g.indexRowsTo(m.latents, m.features)
		if g.model != nil { // else they may be the features
			m.latents = latents
		}
		return m.features, latents, err
	}
	if latents, err = g.latentsOf(chunk, workers); err == nil && wanted {
		features, err = g.decode(latents, workers)
	}
	return features, latents, err
}

// featureRows are the rows that points are scored by in input space, one after another.
func (g *generation) featureRows(chunk []storedPoint, workers int) ([]float32, error) {
	if !g.latentOnly {
		return g.originals(chunk, workers)
	}
	features, _, err := g.rowsOf(chunk, workers, true)
	return features, err
}

// latentsOf reads the latents of points where they are kept, and encodes the records of
// the others.
func (g *generation) latentsOf(chunk []storedPoint, workers int) ([]float32, error) {
	d := g.model.Dim()
	out := make([]float32, d*len(chunk))
	var there []storedPoint
	var at []int
	for i, p := range chunk {
		switch {
		case p.data != nil:
			there, at = append(there, p), append(at, i)
		case p.latentOf != g.number || len(p.code) != g.model.CodeSize():
			return nil, fmt.Errorf("%w: latent of id %s is of generation %d and has %d bytes", ErrCorrupt, p.id, p.latentOf, len(p.code))
		default:
			g.model.FromCode(out[i*d:(i+1)*d], p.code)
		}
	}
	rows, err := g.originals(there, workers)
	if err != nil {
		return nil, err
	}
	z, err := g.indexRows(rows)
	for i, to := range at {
		copy(out[to*d:(to+1)*d], z[i*d:(i+1)*d])
	}
	return out, err
}

// fidelities are how well points are reconstructed: as was found when their records were
// given up, and else by the records. latents are theirs.
func (g *generation) fidelities(chunk []storedPoint, latents []float32, workers int) ([]fidelity, error) {
	d := g.model.Dim()
	out := make([]fidelity, len(chunk))
	var there []storedPoint
	var at []int
	var z []float32
	for i, p := range chunk {
		if out[i] = p.fidelity; p.data != nil {
			there, at, z = append(there, p), append(at, i), append(z, latents[i*d:(i+1)*d]...)
		}
	}
	rows, err := g.originals(there, workers)
	if err != nil {
		return nil, err
	}
	found, err := g.fidelitiesOf(rows, z, workers)
	for i, to := range at {
		out[to] = found[i]
	}
	return out, err
}

// fidelitiesOf are how well rows are reconstructed from their latents.
func (g *generation) fidelitiesOf(rows, latents []float32, workers int) ([]fidelity, error) {
	decoded, err := g.decodeRaw(latents, workers)
	width := g.fitted.Width()
	out := make([]fidelity, len(rows)/width)
	variance := g.flooredVariance()
	inParallel(workers, len(out), func(i int) {
		var mse, whitened float64
		for j, r := range g.residualOf(rows[i*width:(i+1)*width], decoded[i*width:(i+1)*width]) {
			square := float64(r) * float64(r)
			mse += square
			whitened += square / float64(variance[j])
		}
		out[i] = fidelity{mse: bounded(mse / float64(width)), whitened: bounded(whitened / float64(width))}
	})
	return out, err
}

// bounded is a float32 that is not infinite.
func bounded(x float64) float32 { return float32(min(x, math.MaxFloat32)) }
