package store

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// MaxCallRecords is the most records one call of Encode, Decode,
// ReconstructRecords or ScoreRecords takes.
const MaxCallRecords = 10_000

// fittedGeneration pins the active generation, if it has a model.
func (c *Collection) fittedGeneration(ctx context.Context) (*generation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.stopped() {
		return nil, ErrClosed
	}
	gen := c.active.Load()
	if gen.model == nil {
		return nil, fmt.Errorf("%w: fit it first", ErrNotFitted)
	}
	return gen, nil
}

// Quality is the report of the fit that made the active generation.
// ErrNotFitted if there is none.
func (c *Collection) Quality() (*Report, error) {
	gen, err := c.fittedGeneration(context.Background())
	if err != nil {
		return nil, err
	}
	return gen.report, nil
}

// newRows checks new records and makes their feature rows, one after another.
func (c *Collection) newRows(gen *generation, records []any) ([]float32, error) {
	rows, _, err := c.newStored(gen, records)
	return rows, err
}

// newStored is newRows with the bytes that each record would be stored as; nil of those that
// rows are made of without.
func (c *Collection) newStored(gen *generation, records []any) (rows []float32, stored [][]byte, err error) {
	if len(records) > MaxCallRecords {
		return nil, nil, invalid("records", "%d records, more than %d", len(records), MaxCallRecords)
	}
	spec, width := c.Config().Source, gen.fitted.Width()
	rows, stored = make([]float32, width*len(records)), make([][]byte, len(records))
	direct, isDirect := gen.fitted.(source.Direct)
	for i, r := range records {
		row := rows[i*width : (i+1)*width]
		if isDirect {
			err = direct.RowOf(row, r)
		} else if stored[i], err = spec.Marshal(r); err == nil {
			err = gen.fitted.Row(row, stored[i])
		}
		if err != nil {
			return nil, nil, invalidCause(fmt.Sprintf("records[%d]", i), err)
		}
	}
	return rows, stored, nil
}

// Encode maps new records, in the form the source takes ([]float32 for
// vectors), to latents of the active generation. The latents are float32, not
// rounded to the int8 codes that are stored.
func (c *Collection) Encode(ctx context.Context, records ...any) (generation uint64, latents [][]float32, err error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return 0, nil, err
	}
	rows, err := c.newRows(gen, records)
	if err != nil {
		return 0, nil, err
	}
	z, err := gen.encode(rows)
	if err != nil {
		return 0, nil, err
	}
	return gen.number, slices.Collect(slices.Chunk(z, gen.model.Dim())), nil
}

// Decode maps latents of the active generation to records in the source's own
// form ([]float32 for vectors).
func (c *Collection) Decode(ctx context.Context, latents ...[]float32) (generation uint64, records []any, err error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return 0, nil, err
	}
	if len(latents) > MaxCallRecords {
		return 0, nil, invalid("latents", "%d latents, more than %d", len(latents), MaxCallRecords)
	}
	z := embed.NewMatrix(len(latents), gen.model.Dim())
	for i, l := range latents {
		if len(l) != z.Cols {
			return 0, nil, invalid(fmt.Sprintf("latents[%d]", i), "has %d values, the model's latents have %d", len(l), z.Cols)
		}
		copy(embed.Row(z, i), l)
	}
	rows := embed.NewMatrix(len(latents), gen.fitted.Width())
	if err := gen.decodeRows(rows, z); err != nil {
		return 0, nil, invalidCause("latents", err)
	}
	records = make([]any, rows.Rows)
	for i := range records {
		if records[i], err = gen.fitted.Record(embed.Row(rows, i)); err != nil {
			return 0, nil, fmt.Errorf("store: %w", err)
		}
	}
	return gen.number, records, nil
}

// shown are decoded rows in the source's own form, vectors apart from other records.
func (g *generation) shown(rows blas32.General) (records []any, vectors [][]float32, err error) {
	for i := range rows.Rows {
		record, err := g.fitted.Record(embed.Row(rows, i))
		if err != nil {
			return nil, nil, fmt.Errorf("store: %w", err)
		}
		if v, ok := record.([]float32); ok {
			vectors = append(vectors, v)
		} else {
			records = append(records, record)
		}
	}
	return records, vectors, nil
}

// Reconstruct decodes what the model kept of stored points, with the error of
// each. ErrNotFound names an id that is not stored. Where originals are dropped the error
// is the one that was found before, and no parts are told.
func (c *Collection) Reconstruct(ctx context.Context, ids ...ID) ([]Reconstruction, error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return nil, err
	}
	if len(ids) > MaxCallRecords {
		return nil, invalid("ids", "%d ids, more than %d", len(ids), MaxCallRecords)
	}
	var out []Reconstruction
	var rows []float32
	err = c.view(func(g *ground) error {
		slots, err := g.slotsOf(ids)
		if err != nil {
			return err
		}
		points := make([]storedPoint, len(slots))
		for i, slot := range slots {
			if points[i], err = g.content(slot, slotEntry{id: ids[i]}); err != nil {
				return err
			}
		}
		if gen.latentOnly {
			out, err = c.reconstructDropped(gen, points)
		} else {
			rows, err = gen.originals(points, c.opts.Workers)
		}
		return err
	})
	if err == nil && !gen.latentOnly {
		out, err = c.reconstructRows(ctx, gen, rows)
	}
	for i := range out {
		out[i].ID = ids[i]
	}
	return out, err
}

// reconstructDropped decodes points whose records are dropped.
func (c *Collection) reconstructDropped(gen *generation, points []storedPoint) ([]Reconstruction, error) {
	decoded, latents, err := gen.rowsOf(points, c.opts.Workers, true)
	if err != nil {
		return nil, err
	}
	found, err := gen.fidelities(points, latents, c.opts.Workers)
	if err != nil {
		return nil, err
	}
	width := gen.fitted.Width()
	out := make([]Reconstruction, len(points))
	for i := range out {
		out[i] = Reconstruction{Error: float64(found[i].mse), Parts: []PartError{}}
		if err := out[i].show(gen.fitted, decoded[i*width:(i+1)*width]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// show puts what a row decodes to into the fields that are of its kind.
func (r *Reconstruction) show(fitted source.Fitted, decoded []float32) error {
	record, err := fitted.Record(decoded)
	if v, ok := record.([]float32); ok {
		r.Vector = v
	} else {
		r.Record = record
	}
	if p, ok := fitted.(source.Pictured); ok && err == nil {
		r.Spectrogram, err = p.Picture(decoded)
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// ReconstructRecords is Reconstruct for new records.
func (c *Collection) ReconstructRecords(ctx context.Context, records ...any) ([]Reconstruction, error) {
	gen, err := c.fittedGeneration(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := c.newRows(gen, records)
	if err != nil {
		return nil, err
	}
	return c.reconstructRows(ctx, gen, rows)
}

func (c *Collection) reconstructRows(ctx context.Context, gen *generation, rows []float32) ([]Reconstruction, error) {
	width := gen.fitted.Width()
	out := make([]Reconstruction, len(rows)/width)
	var err error
	for i := range out {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if out[i], err = c.reconstruct(gen, rows[i*width:(i+1)*width]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *Collection) reconstruct(gen *generation, row []float32) (Reconstruction, error) {
	decoded, residual, err := gen.residual(row)
	if err != nil {
		return Reconstruction{}, err
	}
	out := Reconstruction{Error: meanSquare(residual), Parts: []PartError{}}
	if err := out.show(gen.fitted, decoded); err != nil {
		return Reconstruction{}, err
	}
	for _, p := range largestParts(gen.fitted.Parts(squares(residual, nil), row, decoded)) {
		out.Parts = append(out.Parts, PartError{p.Name, p.Weight, p.Value, p.Expected})
	}
	return out, nil
}

// squares are squared residuals, each over its variance where those are given.
func squares(residual, variance []float32) []float64 {
	out := make([]float64, len(residual))
	for i, r := range residual {
		out[i] = float64(r) * float64(r)
		if variance != nil {
			out[i] /= float64(variance[i])
		}
	}
	return out
}

func largestParts(parts []source.Part) []source.Part { return parts[:min(len(parts), maxParts)] }
