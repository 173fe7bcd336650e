package store

import (
	"encoding/json"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
)

// configJSON is a configuration as points.db keeps it.
type configJSON struct {
	Source  json.RawMessage `json:"source"`
	Metric  string          `json:"metric"`
	Dim     int             `json:"dim"`
	Encoder embed.Encoder   `json:"encoder"`
	Engine  string          `json:"engine"`
	Rows    string          `json:"rows,omitempty"`
	// DropOriginals is absent where records stay.
	DropOriginals bool    `json:"drop_originals,omitempty"`
	Recall        float64 `json:"recall"`
	AutoFit       AutoFit `json:"auto_fit"`
	// Watch is absent where nothing is watched, and from older files.
	Watch       Watch `json:"watch,omitzero"`
	M           int   `json:"m"`
	EfConstruct int   `json:"ef_construct"`
	// PayloadIndexes is absent where there are none, and from older files.
	PayloadIndexes []PayloadIndex `json:"payload_indexes,omitempty"`
}

// MarshalJSON writes the form that points.db keeps.
func (c Config) MarshalJSON() ([]byte, error) {
	spec, err := source.MarshalSpec(c.Source)
	if err != nil {
		return nil, err
	}
	return json.Marshal(configJSON{
		Source: spec, Metric: c.Metric.String(), Dim: c.Dim, Encoder: c.Encoder, Engine: c.Engine, Rows: c.Rows,
		DropOriginals: c.DropOriginals,
		Recall:        c.Recall, AutoFit: c.AutoFit, Watch: c.Watch, M: c.M, EfConstruct: c.EfConstruct,
		PayloadIndexes: c.PayloadIndexes,
	})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Config) UnmarshalJSON(data []byte) error {
	var j configJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	spec, err := source.ParseSpec(j.Source)
	if err != nil {
		return err
	}
	metric, err := index.ParseMetric(j.Metric)
	if err != nil {
		return err
	}
	*c = Config{
		Source: spec, Metric: metric, Dim: j.Dim, Encoder: j.Encoder, Engine: j.Engine, Rows: j.Rows,
		DropOriginals: j.DropOriginals,
		Recall:        j.Recall, AutoFit: j.AutoFit, Watch: j.Watch, M: j.M, EfConstruct: j.EfConstruct,
		PayloadIndexes: j.PayloadIndexes,
	}
	setDefault(&c.Rows, RowsAuto) // files of before it was kept
	return validatePayloadIndexes(j.PayloadIndexes)
}
