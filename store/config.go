package store

import (
	"log/slog"
	"math"
	"regexp"
	"runtime"
	"slices"
	"unicode/utf8"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// Metric is how distance between input rows is measured.
type Metric = index.Metric

// The metrics by the names REST gives them.
const (
	Euclid    = index.L2
	Cosine    = index.Cosine
	Dot       = index.Dot
	Manhattan = index.Manhattan
)

// Space says what distance and score mean.
type Space string

const (
	// SpaceInput is the collection's metric on input rows: latent candidates
	// are re-scored exactly. Default of vector collections.
	SpaceInput Space = "input"
	// SpaceLatent is Euclidean distance between latents, the learned
	// similarity. Default of image and table collections.
	SpaceLatent Space = "latent"
	// SpaceLexical is the cosine between the TF-IDF vectors of records' terms. Of text.
	SpaceLexical Space = "lexical"
	// SpaceHybrid is the cosine between latents and that between terms together, by the
	// share that the fit found best. Default of text collections; before a fit, and of
	// fewer than a thousand texts, it is the lexical one.
	SpaceHybrid Space = "hybrid"
)

// The engines a collection may ask for.
const (
	EngineAuto  = "auto"
	EngineHNSW  = "hnsw"
	EngineCells = "cells"
	EngineFlat  = "flat"
	EngineCoder = "coder"
)

// Options tune a database; the zero value and nil mean the defaults.
type Options struct {
	// NoAutoFit keeps every collection from fitting by itself, whatever its
	// own setting: for short-lived programs. Default false.
	NoAutoFit bool
	// Workers bounds the goroutines of one fit or one scan. Default
	// runtime.GOMAXPROCS(0). It changes no result.
	Workers int
	// Logger is told of background work: fits, rebuilt indexes, snapshots.
	// Default: silence.
	Logger *slog.Logger
	// SnapshotEvery is how many changes the index may run ahead of its
	// snapshot before one is written; for the terms of texts, and rows in a file, it is a
	// sixteenth of the points where that is more. Default 20,000.
	SnapshotEvery int
}

func (o *Options) withDefaults() Options {
	out := Options{}
	if o != nil {
		out = *o
	}
	if out.Workers < 1 {
		out.Workers = runtime.GOMAXPROCS(0)
	}
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	if out.SnapshotEvery < 1 {
		out.SnapshotEvery = 20_000
	}
	return out
}

// Limits of a collection's configuration.
const (
	// MaxDim is the largest latent size.
	MaxDim = 1024
	// MaxNameBytes is the longest a collection's name may be.
	MaxNameBytes = 255
	// DefaultRecall is the recall a collection aims at when not told.
	DefaultRecall = 0.95
	// DefaultMinPoints is how many points start the first fit by itself.
	DefaultMinPoints = 1000
)

// Config is what a collection is created with. Only Source is required.
type Config struct {
	// Source is the kind of record, with its settings: source.Vector{},
	// source.Image{Width: 28, Height: 28}, source.Table{}. A pointer to one is
	// taken as what it points to.
	Source source.Spec
	// Metric measures input rows. Default Euclid. Cosine makes a vector source
	// scale its rows to length one.
	Metric Metric
	// Dim is the latent size, 1 to MaxDim. Default 0: chosen by Fit as the
	// smallest of 8, 16, 32, 64, 128, 256 that meets Recall.
	Dim int
	// Encoder is the model's kind. Default embed.Auto: Deep, or PCA where that is not
	// beaten; of vectors, whose latents only pick candidates, Linear where it keeps half
	// of what Deep gains over PCA at least, and makes a search a third cheaper.
	Encoder embed.Encoder
	// Engine is the index of the latents. Default "auto".
	Engine string
	// Rows is where the feature rows are kept that candidates are scored by in input
	// space: RowsMemory, RowsHalf, RowsDisk, or RowsAuto, the default.
	Rows string
	// DropOriginals gives the records up once the collection is fitted: of each point
	// only its latent stays, and every answer is made of latents and of what they decode
	// to. Default false: records stay. It cannot be undone, and a collection that drops
	// its originals learns but once, for nothing is left to learn from. So it fits by
	// itself only where AutoFit.MinPoints is given.
	DropOriginals bool
	// Recall is the share of the true nearest neighbours that answers aim at,
	// above 0 and at most 1. Default 0.95.
	Recall float64
	// AutoFit says when the collection fits by itself.
	AutoFit AutoFit
	// Watch marks strange points as they are written. Default: off.
	Watch Watch
	// M and EfConstruct shape the graph. Defaults 16 and 200.
	M           int
	EfConstruct int
	// PayloadIndexes are the payload keys that are indexed from the beginning.
	// CreatePayloadIndex and DeletePayloadIndex change them. What Config and Info
	// give must not be changed.
	PayloadIndexes []PayloadIndex
}

// AutoFit says when a collection fits by itself.
type AutoFit struct {
	// Disabled turns it off.
	Disabled bool `json:"disabled"`
	// MinPoints is how many points start the first fit. Default 1,000. Where originals
	// are dropped no other follows, so there it should be most of the points to come.
	MinPoints int `json:"min_points"`
	// Drift is the ratio of the mean error of points that came since the fit
	// to the fit's own held-out error above which it fits again. Default 1.5;
	// at least 1.
	Drift float64 `json:"drift"`
}

var collectionName = regexp.MustCompile(`^[^/\\\x00-\x1f\x7f]+$`)

func validateName(name string) error {
	switch {
	case name == "":
		return invalid("collection", "name is missing")
	case len(name) > MaxNameBytes:
		return invalid("collection", "name has %d bytes, more than %d", len(name), MaxNameBytes)
	case !utf8.ValidString(name):
		return invalid("collection", "name %q is not valid UTF-8", name)
	case !collectionName.MatchString(name) || name == "." || name == "..":
		return invalid("collection", "name %q has a slash, a control character or only dots", name)
	}
	return nil
}

// resolved checks the configuration and fills in the defaults.
func (c Config) resolved() (Config, error) {
	if c.Source == nil {
		return c, invalid("source", "is missing")
	}
	var err error
	if c.Source, err = source.Plain(c.Source); err != nil {
		return c, invalidCause("source", err)
	}
	if v, ok := c.Source.(source.Vector); ok {
		v.Unit = c.Metric == Cosine
		c.Source = v
	} else if c.Metric != Euclid {
		return c, invalid("distance", "%s goes with vectors; a %s collection measures Euclid", c.Metric, c.Source.Kind())
	}
	if c.Source, err = c.Source.Resolve(nil); err != nil {
		return c, invalidCause("source", err)
	}
	if c.Encoder == "" {
		c.Encoder = embed.Auto
	}
	if c.Engine == "" {
		c.Engine = EngineAuto
	}
	setDefault(&c.Rows, RowsAuto)
	setDefault(&c.Recall, DefaultRecall)
	if c.DropOriginals && c.AutoFit.MinPoints == 0 {
		c.AutoFit.Disabled = true
	}
	setDefault(&c.AutoFit.MinPoints, DefaultMinPoints)
	setDefault(&c.AutoFit.Drift, 1.5)
	setDefault(&c.M, 16)
	setDefault(&c.EfConstruct, max(200, c.M))
	c.PayloadIndexes = slices.Clone(c.PayloadIndexes)
	return c, c.check()
}

func setDefault[T comparable](dst *T, value T) {
	var zero T
	if *dst == zero {
		*dst = value
	}
}

// check tells what of the numbers and names is out of range.
func (c Config) check() error {
	if _, err := index.ParseMetric(c.Metric.String()); err != nil {
		return invalidCause("distance", err)
	}
	switch {
	case c.Dim < 0 || c.Dim > MaxDim:
		return invalid("dim", "is %d; it must be 1 to %d, or 0 (auto)", c.Dim, MaxDim)
	case !c.Encoder.Valid():
		return invalid("encoder", "%q is not one of %v", c.Encoder, embed.Encoders())
	case engineByName(c.Engine) == nil && c.Engine != EngineAuto:
		return invalid("engine", "%q is not one of %v", c.Engine, engineNames())
	case !slices.Contains(rowsPlaces, c.Rows):
		return invalid("rows", "%q is not one of %v", c.Rows, rowsPlaces)
	case c.DropOriginals && c.defaultSpace() == SpaceHybrid:
		return invalid("keep_originals", "cannot be false for records of kind %s, which are also found by their terms", c.Source.Kind())
	case !(c.Recall > 0 && c.Recall <= 1):
		return invalid("recall", "is %v; it must be above 0 and at most 1", c.Recall)
	case c.AutoFit.MinPoints < minFitPoints:
		return invalid("auto_fit.min_points", "is %d; it must be at least %d", c.AutoFit.MinPoints, minFitPoints)
	case !(c.AutoFit.Drift >= 1) || math.IsInf(c.AutoFit.Drift, 1):
		return invalid("auto_fit.drift", "is %v; it must be at least 1, and finite", c.AutoFit.Drift)
	case c.M < 2 || c.M > 256:
		return invalid("m", "is %d; it must be 2 to 256", c.M)
	case c.EfConstruct < c.M || c.EfConstruct > 10_000:
		return invalid("ef_construct", "is %d; it must be %d (m) to 10000", c.EfConstruct, c.M)
	}
	if err := c.Watch.check(); err != nil {
		return err
	}
	return validatePayloadIndexes(c.PayloadIndexes)
}

// defaultSpace is the space a query means when it does not say.
func (c Config) defaultSpace() Space {
	if _, lexical := c.Source.(source.Lexical); lexical {
		return SpaceHybrid
	}
	return c.indexedSpace()
}

// indexedSpace is the one of those by distance that the index mostly serves.
func (c Config) indexedSpace() Space {
	if c.isVector() {
		return SpaceInput
	}
	return SpaceLatent
}

// spaces are all there are.
var spaces = []string{string(SpaceInput), string(SpaceLatent), string(SpaceLexical), string(SpaceHybrid)}

// Spaces are the names of all spaces.
func Spaces() []string { return slices.Clone(spaces) }

func (c Config) isVector() bool { return c.Source.Kind() == "vector" }

func (s Space) validate() error {
	if s == "" || slices.Contains(spaces, string(s)) {
		return nil
	}
	return invalid("space", "%q is not one of %v", string(s), spaces)
}
