package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/latentdb/latentdb/embed"
)

// Watch has a collection mark strange points as they are written. Each upserted point is
// scored beside the points that are there, as ScoreRecords does, and gets an object with
// its score and whether it is strange in its payload, {"score": 0.998, "outlier": true},
// in the same transaction. Filters and payload indexes reach both, as in "watch.outlier".
//
// The field is the collection's: what an upsert brings under it is dropped, so that a mark
// is nobody's claim. Payload changes may alter it like any other key, as when a person has
// looked; the next upsert of the point makes it anew. There is no mark, and no field, from
// below 100 points, nor where ScoreRecords has no answer: of kinds that are watched by
// latents before the first fit.
//
// A mark is what was true when the point was written. All points that were there are
// trusted, those of the same batch not yet seen, and none is marked anew because others
// came or another model did: Outliers tells of all points as they are now. A point that is
// written again is not compared with itself.
//
// Cost: that of ScoreRecords without explanations, before the point is queued, so that no
// other write waits for it. What usual points are like is learned again when a tenth of
// the points have changed, by the write that notices, and those at the same time wait for
// it. Should a stored point that is compared be damaged, the write goes on without a mark,
// and the Logger is told.
type Watch struct {
	// Field is the payload key, without dots and brackets, of 1 to 255 bytes. Default "":
	// nothing is watched.
	Field string `json:"field"`
	// Cut is the score above which a point is called an outlier, above 0 and below 1.
	// Default 0: as the collection's own points suggest (RecordScores.SuggestedCut).
	Cut float64 `json:"cut,omitempty"`
}

// watchFrom is how many points there are before new ones are marked.
const watchFrom = 100

func (w Watch) check() error {
	switch {
	case w.Field == "" && w.Cut != 0:
		return invalid("watch.field", "is missing, and there is a cut")
	case len(w.Field) > 255 || !utf8.ValidString(w.Field):
		return invalid("watch.field", "must be 1 to 255 bytes of UTF-8")
	case strings.ContainsAny(w.Field, ".[]"):
		return invalid("watch.field", "%q has a dot or a bracket", w.Field)
	case w.Cut != 0 && !(w.Cut > 0 && w.Cut < 1):
		return invalid("watch.cut", "is %v; it must be above 0 and below 1", w.Cut)
	}
	return nil
}

// verdict is what a point that was upserted is said to be.
type verdict struct {
	score   float64
	outlier bool
}

// markUpserts puts marks into the payloads of prepared points, where the collection watches.
func (c *Collection) markUpserts(ctx context.Context, r *request, points []Point) error {
	field := c.Config().Watch.Field
	if field == "" {
		return nil
	}
	verdicts, err := c.verdicts(ctx, r.upserts)
	if err != nil {
		return err
	}
	for i := range r.upserts {
		p := &r.upserts[i]
		payload := maps.Clone(points[p.at].Payload)
		delete(payload, field)
		if verdicts != nil {
			if payload == nil {
				payload = Payload{}
			}
			payload[field] = map[string]any{"score": verdicts[i].score, "outlier": verdicts[i].outlier}
		}
		data, err := payload.encode(fmt.Sprintf("points[%d].payload", p.at))
		if err != nil {
			return err
		}
		r.size += len(data) - len(p.payload)
		p.payload = data
	}
	return nil
}

// verdicts are those on points; nil where there can be none.
func (c *Collection) verdicts(ctx context.Context, points []preparedPoint) (out []verdict, err error) {
	if c.points.Load() < watchFrom {
		return nil, nil
	}
	err = c.whileOriginals(ctx, func(gen *generation) error {
		out, err = c.scoreUpserts(ctx, gen, points)
		return err
	})
	switch {
	case err == nil:
		return out, ctx.Err()
	case ctx.Err() != nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrInvalid):
		return nil, err
	case !errors.Is(err, ErrNotFitted) && !errors.Is(err, ErrTooFew):
		c.log.Error("points are written without marks", "error", err)
	}
	return nil, nil
}

// upserted is points to be scored beside the collection.
type upserted struct {
	// slots are where points of the same ids are, noSlot for none.
	slots []uint32
	// rows are feature rows, places what the index is asked by, and watched the rows by
	// which the detector measures; one after another.
	rows, places, watched []float32
}

const noSlot = math.MaxUint32

// scoredStep is how many points are scored at a time: their rows are in memory beside those
// that are written.
const scoredStep = 1024

func (c *Collection) scoreUpserts(ctx context.Context, gen *generation, points []preparedPoint) ([]verdict, error) {
	w, err := c.watch(ctx, gen)
	if err != nil {
		return nil, err
	}
	out, cut := make([]verdict, 0, len(points)), c.Config().Watch.Cut
	for some := range slices.Chunk(points, scoredStep) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		u, err := c.upsertedRows(gen, some)
		if err != nil {
			return nil, err
		}
		found, err := c.measureUpserts(w, u)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			out = append(out, w.verdict(m, cut))
		}
	}
	return out, nil
}

// verdict is that on a point so measured; cut 0 is the suggested one.
func (w *watch) verdict(m measured, cut float64) (v verdict) {
	values := w.noveltyOf(m)
	v.score, _ = w.novelty.score(values)
	if v.outlier = v.score > cut; cut == 0 {
		v.outlier = w.novelty.strange(values)
	}
	return v
}

func (c *Collection) upsertedRows(gen *generation, points []preparedPoint) (*upserted, error) {
	u := &upserted{slots: make([]uint32, len(points))}
	chunk := make([]storedPoint, len(points))
	err := c.view(func(g *ground) error {
		for i, p := range points {
			chunk[i] = storedPoint{id: p.id, data: p.record}
			slot, known, err := g.slotOf(p.id)
			if err != nil {
				return err
			}
			if u.slots[i] = noSlot; known {
				u.slots[i] = slot
			}
		}
		return nil
	})
	if err == nil {
		u.rows, err = gen.originals(chunk, c.opts.Workers)
	}
	if err == nil {
		u.places, err = gen.placeOf(u.rows)
	}
	if u.watched = u.places; err == nil && gen.byRows() {
		u.watched, err = gen.watchedRows(chunk, c.opts.Workers)
	}
	return u, err
}

// measureUpserts measures points as measureNew does, and none beside itself.
func (c *Collection) measureUpserts(w *watch, u *upserted) ([]measured, error) {
	gen := w.generation
	out, errs := make([]measured, len(u.slots)), make([]error, len(u.slots))
	watched := gen.watchedMatrix(u.watched)
	if w.all {
		if err := w.measureAll(out, watched, u.slots, c.opts.Workers); err != nil {
			return nil, err
		}
	}
	inParallel(c.opts.Workers, len(out), func(i int) {
		if !w.all {
			out[i].nearest, errs[i] = c.noveltyBeside(w, u, i, embed.Row(watched, i))
		}
		if errs[i] == nil && !gen.byRows() {
			var residual float64
			_, _, residual, errs[i] = gen.whiten(embed.Row(embed.MatrixOf(u.rows, gen.fitted.Width()), i))
			out[i].residual = bounded(residual)
		}
	})
	return out, errors.Join(errs...)
}

// measureAll measures how near points are to all that are trusted.
func (w *watch) measureAll(out []measured, watched blas32.General, slots []uint32, workers int) error {
	for _, stored := range []bool{false, true} {
		if !slices.ContainsFunc(slots, func(s uint32) bool { return (s != noSlot) == stored }) {
			continue
		}
		near, err := w.detector.Novelty(watched, stored, workers)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		for i, slot := range slots {
			if (slot != noSlot) == stored {
				out[i].nearest = near[i]
			}
		}
	}
	return nil
}

// noveltyBeside is how far the nearest of the stored points are from one.
func (c *Collection) noveltyBeside(w *watch, u *upserted, i int, watched []float32) (near float32, err error) {
	d := len(u.places) / len(u.slots)
	hits, err := c.neighbours(w.generation, u.places[i*d:(i+1)*d], u.slots[i])
	if err != nil {
		return 0, err
	}
	return near, c.view(func(g *ground) error {
		found, err := c.nearbyOf(g, w.generation, hits, true)
		if err != nil {
			return err
		}
		near, err = w.noveltyAmong(watched, found)
		return err
	})
}
