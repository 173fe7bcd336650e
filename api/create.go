package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// plainMinPoints starts the first fit of a collection that was created in
// Qdrant's words alone, and is exact until then.
const plainMinPoints = 10_000

// distances are the metrics by the names Qdrant gives them.
var distances = []struct {
	name   string
	metric store.Metric
}{
	{"Cosine", store.Cosine},
	{"Euclid", store.Euclid},
	{"Dot", store.Dot},
	{"Manhattan", store.Manhattan},
}

func distanceName(m store.Metric) string {
	for _, d := range distances {
		if d.metric == m {
			return d.name
		}
	}
	return m.String()
}

func parseDistance(field, name string) (store.Metric, error) {
	known := make([]string, len(distances))
	for i, d := range distances {
		if d.name == name {
			return d.metric, nil
		}
		known[i] = d.name
	}
	return 0, badRequest("%s: %q is not one of %s", field, name, strings.Join(known, ", "))
}

// createBody is Qdrant's body with our block in it.
type createBody struct {
	Vectors       json.RawMessage `json:"vectors"`
	SparseVectors json.RawMessage `json:"sparse_vectors"`
	HNSW          hnswBody        `json:"hnsw_config"`
	Latent        json.RawMessage `json:"latent"`
}

// hnswBody shapes the graph; zero means the default.
type hnswBody struct {
	M           int `json:"m"`
	EfConstruct int `json:"ef_construct"`
}

// settings are a configuration and the paths in the body of what set it where
// that is not the latent block, for the errors of the store.
type settings struct {
	store.Config
	paths map[string]string
}

// shape sets what is given of the graph's shape and leaves the rest. The place
// is where it stands in the body.
func (s *settings) shape(h hnswBody, place string) {
	if h.M != 0 {
		s.M, s.paths["m"] = h.M, place+".m"
	}
	if h.EfConstruct != 0 {
		s.EfConstruct, s.paths["ef_construct"] = h.EfConstruct, place+".ef_construct"
	}
}

// locate puts the path in the body in the place of the field that an error of
// the store names.
func (s *settings) locate(err error) error {
	var invalid *store.InvalidError
	if !errors.As(err, &invalid) || invalid.Field == "collection" {
		return err // the collection's name stands in the URL
	}
	path := s.paths[invalid.Field]
	if path == "" {
		path = "latent." + invalid.Field
	}
	return &store.InvalidError{Field: path, Reason: invalid.Reason, Err: invalid.Err}
}

// vectorParams are Qdrant's parameters of one vector field. Quantisation is the
// server's own affair: it is ignored.
type vectorParams struct {
	Size        *int            `json:"size"`
	OnDisk      *bool           `json:"on_disk"`
	Distance    string          `json:"distance"`
	HNSW        hnswBody        `json:"hnsw_config"`
	Multivector json.RawMessage `json:"multivector_config"`
}

// settings turns the body into a collection's configuration.
func (b createBody) settings() (settings, error) {
	cfg := settings{paths: map[string]string{}}
	switch {
	case given(b.SparseVectors) && string(b.SparseVectors) != "{}":
		return cfg, badRequest("sparse_vectors: sparse vectors are not supported")
	case !given(b.Vectors) && !given(b.Latent):
		return cfg, badRequest("vectors: is missing: give vectors {size, distance}, or latent {source}")
	}
	cfg.shape(b.HNSW, "hnsw_config")
	if given(b.Vectors) {
		if err := applyVectors(b.Vectors, &cfg); err != nil {
			return cfg, err
		}
	}
	if given(b.Latent) {
		return cfg, applyLatent(b.Latent, &cfg)
	}
	cfg.AutoFit.MinPoints = plainMinPoints
	return cfg, nil
}

func applyVectors(raw json.RawMessage, cfg *settings) error {
	raw, err := defaultVectors(raw)
	if err != nil {
		return err
	}
	var p vectorParams
	if err := parseField("vectors", raw, &p); err != nil {
		return err
	}
	switch {
	case given(p.Multivector):
		return badRequest("vectors.multivector_config: multivectors are not supported")
	case p.Size == nil:
		return badRequest("vectors.size: is missing")
	case *p.Size < 1 || *p.Size > source.MaxFeatures:
		return badRequest("vectors.size: is %d; it must be 1 to %d", *p.Size, source.MaxFeatures)
	case p.Distance == "":
		return badRequest("vectors.distance: is missing")
	}
	cfg.shape(p.HNSW, "vectors.hnsw_config")
	if p.OnDisk != nil {
		if cfg.Rows = store.RowsMemory; *p.OnDisk {
			cfg.Rows = store.RowsDisk
		}
	}
	cfg.Source = source.Vector{Size: *p.Size}
	cfg.Metric, err = parseDistance("vectors.distance", p.Distance)
	return err
}

// defaultVectors finds the default field's parameters: the value itself, or
// what stands under the name "".
func defaultVectors(raw json.RawMessage) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := parseField("vectors", raw, &fields); err != nil {
		return nil, err
	}
	if inner := fields[""]; given(inner) && len(fields) == 1 {
		return inner, nil
	}
	if fields["size"] != nil || fields["distance"] != nil {
		return raw, nil
	}
	for name, value := range fields {
		if value = bytes.TrimSpace(value); value[0] == '{' {
			return nil, badRequest(`vectors: named vectors are not supported: %q must be the default field ""`, name)
		}
	}
	return raw, nil
}
