package api

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// latentBody is the block of a collection that learns. Unlike what surrounds it
// it is strict.
type latentBody struct {
	Source json.RawMessage `json:"source"`
	// Distance goes with vectors and may stand within the source as well.
	Distance string        `json:"distance"`
	Dim      dim           `json:"dim"`
	Encoder  embed.Encoder `json:"encoder"`
	Engine   string        `json:"engine"`
	Rows     string        `json:"rows"`
	// KeepOriginals is true where it is not given.
	KeepOriginals *bool       `json:"keep_originals"`
	Recall        *float64    `json:"recall"`
	AutoFit       autoFitBody `json:"auto_fit"`
	Watch         *watchBody  `json:"watch"`
	// M and EfConstruct are ours here: unlike Qdrant's, they may not be 0.
	M           *int `json:"m"`
	EfConstruct *int `json:"ef_construct"`
}

type autoFitBody struct {
	Enabled   *bool    `json:"enabled"`
	MinPoints *int     `json:"min_points"`
	Drift     *float64 `json:"drift"`
}

// watchBody turns marks on; a cut is not 0 here, which means the suggested one to the store.
type watchBody struct {
	Field string   `json:"field"`
	Cut   *float64 `json:"cut"`
}

func (b *watchBody) apply(cfg *store.Config) error {
	switch {
	case b == nil:
		return nil
	case b.Field == "":
		return badRequest("latent.watch.field: is missing")
	case b.Cut != nil && *b.Cut == 0:
		return badRequest("latent.watch.cut: is 0; it must be above 0 and below 1")
	}
	cfg.Watch.Field = b.Field
	if b.Cut != nil {
		cfg.Watch.Cut = *b.Cut
	}
	return nil
}

// dim is a latent size, or "auto".
type dim struct {
	size int
	auto bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *dim) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "null":
		return nil
	case `"auto"`:
		d.auto = true
		return nil
	}
	if err := json.Unmarshal(data, &d.size); err != nil || d.size < 1 || d.size > store.MaxDim {
		return badRequest(`dim: must be a whole number from 1 to %d, or "auto"`, store.MaxDim)
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (d dim) MarshalJSON() ([]byte, error) {
	if d.size == 0 {
		return []byte(`"auto"`), nil
	}
	return json.Marshal(d.size)
}

// applyLatent adds the block to a configuration that vectors may have begun.
// A map from field names to blocks may name the default field, "".
func applyLatent(raw json.RawMessage, cfg *settings) error {
	var named map[string]json.RawMessage
	if json.Unmarshal(raw, &named) == nil && len(named) == 1 && given(named[""]) {
		raw = named[""]
	}
	var b latentBody
	if err := unmarshal("latent", raw, true, &b); err != nil {
		return err
	}
	if err := b.applySource(&cfg.Config); err != nil {
		return err
	}
	cfg.Dim, cfg.Encoder, cfg.Engine = b.Dim.size, b.Encoder, b.Engine
	if b.Rows != "" {
		cfg.Rows = b.Rows
	}
	cfg.DropOriginals = b.KeepOriginals != nil && !*b.KeepOriginals
	if err := b.applyShape(cfg); err != nil {
		return err
	}
	if b.Recall != nil {
		if !(*b.Recall > 0 && *b.Recall <= 1) {
			return badRequest("latent.recall: is %v; it must be above 0 and at most 1", *b.Recall)
		}
		cfg.Recall = *b.Recall
	}
	if err := b.Watch.apply(&cfg.Config); err != nil {
		return err
	}
	return b.AutoFit.apply(&cfg.Config)
}

// applyShape reads the shape of the graph. Zero, which means the default to the
// store, is refused where it is spelt out, as it is for dim.
func (b latentBody) applyShape(cfg *settings) error {
	var shape hnswBody
	for _, f := range []struct {
		name  string
		given *int
		set   *int
	}{{"m", b.M, &shape.M}, {"ef_construct", b.EfConstruct, &shape.EfConstruct}} {
		switch {
		case f.given == nil:
		case *f.given < 1:
			return badRequest("latent.%s: is %d; it must be at least 1", f.name, *f.given)
		default:
			*f.set = *f.given
		}
	}
	cfg.shape(shape, "latent")
	return nil
}

// applySource reads the source and its distance. Beside vectors both may be
// left out, and must not contradict them.
func (b latentBody) applySource(cfg *store.Config) error {
	vectors, beside := cfg.Source.(source.Vector)
	spec, distance, err := b.parseSource()
	switch {
	case err != nil:
		return err
	case spec == nil && !beside:
		return badRequest("latent.source: is missing")
	case !beside:
		cfg.Source = spec
	case spec != nil:
		if inner, ok := spec.(source.Vector); !ok || inner.Size != 0 && inner.Size != vectors.Size {
			return badRequest("latent.source: contradicts vectors, which have size %d", vectors.Size)
		}
	}
	if distance == "" {
		return nil
	}
	metric, err := parseDistance("latent.distance", distance)
	if err == nil && beside && metric != cfg.Metric {
		return badRequest("latent.distance: is %q and vectors.distance %q", distance, distanceName(cfg.Metric))
	}
	cfg.Metric = metric
	return err
}

// parseSource reads the source, nil if there is none, and the distance from
// either of its places.
func (b latentBody) parseSource() (source.Spec, string, error) {
	if !given(b.Source) {
		return nil, b.Distance, nil
	}
	var fields map[string]json.RawMessage
	if err := parseField("latent.source", b.Source, &fields); err != nil {
		return nil, "", err
	}
	distance := b.Distance
	if raw := fields["distance"]; given(raw) {
		if err := parseField("latent.source.distance", raw, &distance); err != nil {
			return nil, "", err
		}
		if b.Distance != "" && b.Distance != distance {
			return nil, "", badRequest("latent.distance: is %q and latent.source.distance %q", b.Distance, distance)
		}
	}
	delete(fields, "distance")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, "", err
	}
	spec, err := source.ParseSpec(rest)
	if err != nil {
		return nil, "", badRequest("latent.source: %s", strings.TrimPrefix(err.Error(), source.ErrSpec.Error()+": "))
	}
	return spec, distance, nil
}

func (b autoFitBody) apply(cfg *store.Config) error {
	cfg.AutoFit.Disabled = b.Enabled != nil && !*b.Enabled
	if b.MinPoints != nil {
		if *b.MinPoints < 1 {
			return badRequest("latent.auto_fit.min_points: is %d; it must be at least 1", *b.MinPoints)
		}
		cfg.AutoFit.MinPoints = *b.MinPoints
	} else if b.Enabled != nil && *b.Enabled && cfg.AutoFit.MinPoints == 0 {
		cfg.AutoFit.MinPoints = store.DefaultMinPoints // which a collection that drops originals must be told
	}
	if b.Drift != nil {
		if !(*b.Drift >= 1) {
			return badRequest("latent.auto_fit.drift: is %v; it must be at least 1", *b.Drift)
		}
		cfg.AutoFit.Drift = *b.Drift
	}
	return nil
}

// describeLatent is the block as it stands, in the form it can be sent in, with
// the active generation and, after a fit, what that one settled on.
func describeLatent(coll *store.Collection, info store.Info) (any, error) {
	cfg := info.Config
	spec, err := source.MarshalSpec(cfg.Source)
	if err != nil {
		return nil, err
	}
	block := object{
		"source":         json.RawMessage(spec),
		"distance":       distanceName(cfg.Metric),
		"dim":            dim{size: cfg.Dim},
		"encoder":        cfg.Encoder,
		"engine":         cfg.Engine,
		"rows":           cfg.Rows,
		"keep_originals": !cfg.DropOriginals,
		"recall":         cfg.Recall,
		"auto_fit": object{
			"enabled":    !cfg.AutoFit.Disabled,
			"min_points": cfg.AutoFit.MinPoints,
			"drift":      cfg.AutoFit.Drift,
		},
		"generation": info.Generation,
	}
	if cfg.Watch.Field != "" {
		block["watch"] = cfg.Watch
	}
	if cfg.DropOriginals {
		block["shedding"] = info.Shedding
	}
	switch report, err := coll.Quality(); {
	case err == nil:
		block["fitted"] = object{"dim": report.Dim, "encoder": report.Encoder, "engine": report.Engine}
	case !errors.Is(err, store.ErrNotFitted):
		return nil, err
	}
	return block, nil
}
