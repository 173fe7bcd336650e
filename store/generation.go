package store

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"math"
	"sync/atomic"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// mostTextsAnew is how many texts generation 0 fits its front end to anew at most: it
// takes about a second, in which nothing is written.
const mostTextsAnew = 4096

// minFitPoints is the fewest points a collection can be fitted on.
const minFitPoints = embed.MinRows

// engines are the indexes a collection may use.
var engines = []index.Engine{index.HNSW, index.Cells, index.Flat}

func engineByName(name string) *index.Engine {
	for i := range engines {
		if engines[i].Name == name {
			return &engines[i]
		}
	}
	return nil
}

func engineNames() []string {
	names := []string{EngineAuto}
	for _, e := range engines {
		names = append(names, e.Name)
	}
	return names
}

// generation is one trained model of a field with the latents of all points in
// an index. A query pins one generation and asks nothing of another. Model and
// fitted front end never change; index and tail follow the points.
//
// Generation 0 has no model: its index is the exact scan over feature rows.
type generation struct {
	number uint64
	fitted source.Fitted
	model  *embed.Model // nil for generation 0
	// head tells copies of records; nil where there is none.
	head *embed.Head
	// hash is the SHA-256 of model, front end and head: what derived files must name.
	hash   [32]byte
	report *Report
	// fitStats are what answers need of the fit; see fitStats.
	stats fitStats

	// latentOnly tells that answers are made of latents alone: the collection gives its
	// records up. It is so from the first model on.
	latentOnly bool

	// fittedOn is, for generation 0, how many points the front end was fitted on.
	fittedOn int
	// broken is, for generation 0, why it has points but no front end.
	broken error

	index index.Index
	tail  *tail
	// rowsLater tells that rows are to be in memory only once the generation is active.
	rowsLater atomic.Bool
	// offGrid are the slots whose rows cannot be among rows.
	offGrid slotNotes
	// rows are the feature rows that latent candidates are scored by; nil where
	// they are read from the records.
	rows *index.Rows
	// file is what the rows lie in; nil where that is memory.
	file *rowsFile

	indexer indexerState
}

// distanceSpread is how far the 10th neighbour is of half of the held-out points, and of 85 in a
// hundred.
type distanceSpread struct {
	Half float32 `json:"half"`
	Most float32 `json:"most"`
}

// fitStats are measures of a fit kept with the model.
type fitStats struct {
	// HeldOutMSE is the mean error of held-out rows, MaxHeldOutMSE the largest, and
	// UsualMSE that of all but one in a hundred: a record above it is out of
	// distribution. Models made before it was kept have none.
	HeldOutMSE    float64 `json:"held_out_mse"`
	UsualMSE      float64 `json:"usual_mse,omitempty"`
	MaxHeldOutMSE float64 `json:"max_held_out_mse"`
	// Reach is, by space, how far the 10th neighbour is of all but one in a hundred
	// held-out points; a query whose is farther is out of distribution. Models made
	// before it was kept have none.
	Reach map[Space]float32 `json:"reach,omitempty"`
	// Strange is, by space, how far and how badly reconstructed together, in shares of
	// Reach and UsualMSE, all but one in a hundred are.
	Strange map[Space]float64 `json:"strange,omitempty"`
	// Spread is, by space, how far the 10th neighbour is of half and of most held-out
	// points: a query whose is farther is harder, and searched more widely. Models made
	// before it was kept have none.
	Spread map[Space]distanceSpread `json:"spread,omitempty"`
	// ResidualVariance is, per feature, the mean squared residual on held-out rows.
	ResidualVariance []float32 `json:"residual_variance"`
	// Longest is the length of the longest feature row, where the metric is Dot.
	Longest float64 `json:"longest,omitempty"`
	// Points is how many points the collection held.
	Points int `json:"points"`
	// Seq is the last change before training read its rows: a slot whose record
	// changed later holds another point than training saw or held out. Models
	// made before it was kept have 0, and no slot counts.
	Seq uint64 `json:"seq"`
	// HeldOut are the slots that training never saw.
	HeldOut []uint32 `json:"held_out"`
	// Examined are those of them that the report's errors and recalls are of.
	Examined []uint32 `json:"examined,omitempty"`
	// Rows is the form of the rows that are kept; nil where none are.
	Rows *index.RowForm `json:"rows,omitempty"`
	// RowConstants are the features that had one value in all rows of the sample.
	RowConstants []index.Constant `json:"row_constants,omitempty"`
	// Train are slots that training saw, as many as HeldOut.
	Train []uint32 `json:"train"`
}

// width is the length of the rows in the index: a latent, or before any fit a feature
// row or what is compared in its place.
func (g *generation) width() int {
	if g.model != nil {
		return g.model.Dim()
	}
	if width := g.likeWidth(); width > 0 {
		return width
	}
	return g.fitted.Width()
}

// featureRow is the feature row of stored bytes.
func (g *generation) featureRow(record []byte) ([]float32, error) {
	row := make([]float32, g.fitted.Width())
	if err := g.fitted.Row(row, record); err != nil {
		return nil, err
	}
	return row, nil
}

// prepareRows fills in the index rows of prepared points.
func (g *generation) prepareRows(points []preparedPoint) error {
	if g.fitted == nil {
		return nil // the first records fit the front end when they are published
	}
	width := g.fitted.Width()
	rows := make([]float32, width*len(points))
	for i := range points {
		if err := g.fitted.Row(rows[i*width:(i+1)*width], points[i].record); err != nil {
			return invalidCause(fmt.Sprintf("points[%d].record", points[i].at), err)
		}
	}
	out, err := g.indexRows(rows)
	if err != nil {
		return err
	}
	var features []float32
	switch {
	case g.rows == nil:
	case g.latentOnly:
		if features, err = g.decode(out, 1); err != nil {
			return err
		}
	default:
		features = rows
	}
	g.giveRows(points, features, out)
	return nil
}

// giveRows gives points their rows, which are one after another; features is nil where
// none are kept.
func (g *generation) giveRows(points []preparedPoint, features, rows []float32) {
	d, width := g.width(), g.fitted.Width()
	for i := range points {
		points[i].row = rows[i*d : (i+1)*d : (i+1)*d]
		if features != nil {
			points[i].feature = features[i*width : (i+1)*width : (i+1)*width]
		}
	}
}

// rowOfSlot is what the index should hold of a slot: nil if it has no point.
func (g *generation) rowOfSlot(gr *ground, slot uint32) ([]float32, error) {
	_, latent, err := g.rowsOfSlot(gr, slot, false)
	return latent, err
}

// featureOfSlot is the row that a slot is scored by in input space: nil if it has no point.
func (g *generation) featureOfSlot(gr *ground, slot uint32) ([]float32, error) {
	p, ok, err := gr.point(slot)
	if err != nil || !ok {
		return nil, err
	}
	return g.featureRows([]storedPoint{p}, 1)
}

// rowsOfSlot are both, the former where it is wanted.
func (g *generation) rowsOfSlot(gr *ground, slot uint32, wanted bool) (feature, latent []float32, err error) {
	p, ok, err := gr.point(slot)
	if err != nil || !ok {
		return nil, nil, err
	}
	return g.rowsOf([]storedPoint{p}, 1, wanted)
}

// hashOf names a model with its front end and, where it has one, its head.
func hashOf(model, fitted, head []byte) [32]byte {
	h := sha256.New()
	h.Write(model)
	h.Write(fitted)
	h.Write(head)
	return [32]byte(h.Sum(nil))
}

// newGenerationZero fits the front end on records and returns a generation
// without a network and with an empty index. records may be nil.
func newGenerationZero(cfg Config, records iter.Seq2[[]byte, error]) (*generation, error) {
	g := &generation{tail: newTail()}
	if records == nil {
		return g, nil
	}
	var err error
	if g.fitted, err = cfg.Source.Fit(records); err != nil {
		return nil, fmt.Errorf("store: fitting the front end: %w", err)
	}
	state, err := g.fitted.MarshalBinary()
	if err != nil {
		return nil, err
	}
	g.hash = hashOf(nil, state, nil)
	g.index, err = index.Flat.New(index.Config{Dim: g.width(), Metric: cfg.Metric})
	return g, err
}

// brokenGenerationZero stands in where the records cannot be made feature rows.
// They are safe and can be read, replaced and deleted, so this must neither stop
// a write nor keep a database from opening; whoever searches is told.
func brokenGenerationZero(why error) *generation {
	return &generation{broken: why, tail: newTail()}
}

// frontEndIsStale tells whether generation 0 should fit its front end anew: when
// it has none yet and, where scales, levels or words come from the data, when the points
// have doubled: of texts, of which none is needed before a fit, only few.
func (g *generation) frontEndIsStale(points int) bool {
	if g.fitted == nil {
		return points > 0 || g.broken != nil
	}
	switch g.fitted.Spec().Kind() {
	case "vector", "image":
		return false
	case "text":
		return points >= 2*g.fittedOn && points <= mostTextsAnew
	}
	return points >= 2*g.fittedOn
}

// metric is how the index measures: latents by Euclidean distance, feature
// rows by the collection's metric.
func (g *generation) metric(cfg Config) Metric {
	if g.model != nil {
		return Euclid
	}
	return cfg.Metric
}

// scoreOf turns an index distance into a score: the one place that does.
// Qdrant's convention: the similarity for Cosine and Dot, the distance itself
// for Euclid (which the index keeps squared) and Manhattan.
func scoreOf(m Metric, distance float32) float64 {
	switch m {
	case Cosine:
		return 1 - float64(distance)
	case Dot:
		return -float64(distance)
	case Euclid:
		return math.Sqrt(max(0, float64(distance)))
	}
	return float64(distance)
}

// distanceOf is the distance that people are shown: scoreOf's for metrics that
// are distances, 1 - cosine and the negative product for the others.
func distanceOf(m Metric, distance float32) float64 {
	if m == Euclid {
		return math.Sqrt(max(0, float64(distance)))
	}
	return float64(distance)
}

// betterScore tells whether score a is closer than b, or as close.
func betterScore(m Metric, a, b float64) bool {
	if m == Cosine || m == Dot {
		return a >= b
	}
	return a <= b
}
