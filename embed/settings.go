package embed

import "slices"

// Encoder is how a model maps rows to latents.
type Encoder string

// The encoders.
const (
	// Auto chooses: Deep, or PCA where there is too little data for more or
	// where training did not beat PCA on held-out rows; or Linear, where Config.Weigh
	// is set.
	Auto Encoder = "auto"
	// PCA is the projection on the first principal components, and back.
	PCA Encoder = "pca"
	// Linear encodes by one matrix, learned with the model's own loss.
	Linear Encoder = "linear"
	// Deep adds a multilayer perceptron to the projection.
	Deep Encoder = "deep"
)

// Encoders lists the encoders.
func Encoders() []Encoder { return []Encoder{Auto, Deep, Linear, PCA} }

// Valid tells whether it is one of Encoders.
func (e Encoder) Valid() bool { return slices.Contains(Encoders(), e) }

// Settings are what one training ran under.
type Settings struct {
	Hidden       []int   `json:"hidden"`
	Batch        int     `json:"batch"`
	Epochs       int     `json:"epochs"`
	LearningRate float64 `json:"learning_rate"`
	Seed         uint64  `json:"seed"`
	// Kept is the epoch whose weights are served; 0 is PCA.
	Kept int `json:"kept_epoch"`
	// Reason says why the encoder was chosen.
	Reason string `json:"encoder_reason"`
}
