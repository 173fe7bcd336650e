package store

import (
	"time"

	"github.com/latentdb/latentdb/embed"
)

// Versus is one figure of the model beside PCA's of the same size, on the same
// held-out points.
type Versus struct {
	Model float64 `json:"model"`
	PCA   float64 `json:"pca"`
}

// Report is what a fit learned, in numbers. All errors and recalls are
// measured on held-out points that training never saw.
type Report struct {
	Generation uint64 `json:"generation"`
	Source     string `json:"source"`
	// Features is the width of a feature row, Dim of a latent.
	Features int    `json:"features"`
	Dim      int    `json:"dim"`
	Encoder  string `json:"encoder"`
	// Engine is the index in use after every engine's recall was measured.
	Engine string `json:"engine"`
	Points int    `json:"points"`
	// HeldOut is how many points training never saw, and Examined how many of
	// them, those that chose no checkpoint, errors and recalls are measured on.
	HeldOut  int `json:"held_out"`
	Examined int `json:"examined"`
	// MSE is the mean squared error per feature in standardised space, MSEInput
	// in the record's own units. Both are of the feature row, and PCA's of PCA of that
	// alone, which a model that sees more of a record (pictures by shape) may lose to.
	MSE      Versus `json:"mse"`
	MSEInput Versus `json:"mse_input"`
	// RecallAt10, 50 and 100 are the share of a point's true 10 neighbours in
	// input space, or by all that the model sees where that is more, among its first 10,
	// 50 and 100 in latent space. Of pairs they are the share of points whose one side finds
	// the other among the first 10, 50 and 100, the mean of both ways, and PCA's is canonical
	// correlation's.
	RecallAt10  Versus `json:"recall_at_10"`
	RecallAt50  Versus `json:"recall_at_50"`
	RecallAt100 Versus `json:"recall_at_100"`
	// Decoded is what scoring candidates by decoded rows is worth, where originals are
	// dropped; nil where they stay. Calibration is of such scores there: recall of the
	// neighbours by the original rows.
	Decoded *DecodedRecall `json:"decoded,omitempty"`
	// Hybrid is how latents and terms are weighed in hybrid search; nil where records have
	// no terms.
	Hybrid *HybridReport `json:"hybrid,omitempty"`
	// Int8RecallLoss is how much RecallAt10 loses by storing latents as int8; 0
	// where they are kept as float32 because it would be too much.
	Int8RecallLoss float64 `json:"int8_recall_loss"`
	// BytesPerPoint is measured: RAM of the index, of ids and of rows, where
	// they are in memory, disk of the derived files, and a feature row as float32.
	BytesPerPoint Bytes `json:"bytes_per_point"`
	// Compression is input bytes per byte of latent.
	Compression float64 `json:"compression"`
	FitSeconds  float64 `json:"fit_seconds"`
	// Calibration is what a query's recall buys, cheapest first.
	Calibration []CalibrationPoint `json:"calibration"`
	Engines     []EngineReport     `json:"engines"`
	// Encoders are those that were weighed, where the encoder was to be chosen for a
	// vector collection; settings.encoder_reason tells why one of them serves.
	Encoders []EncoderReport `json:"encoders,omitempty"`
	Settings Settings        `json:"settings"`
}

// DecodedRecall is which share of a held-out point's true 10 neighbours, by the original
// rows, are the 10 nearest: by the rows that latents decode to, and by latents alone.
type DecodedRecall struct {
	RecallAt10 float64 `json:"recall_at_10"`
	LatentAt10 float64 `json:"latent_recall_at_10"`
}

// HybridReport is how much of a hybrid score is the latents', and why.
type HybridReport struct {
	// LatentShare is that of the cosine between latents, 0 to 1; the rest is that between
	// terms. 0 is lexical search.
	LatentShare float64 `json:"latent_share"`
	Reason      string  `json:"reason"`
	// Found is, for each share that was tried, how well halves of held-out records found
	// their other halves: the mean of one by the rank.
	Found []ShareReport `json:"found,omitempty"`
	// RecallAt10 is the share of held-out records' 10 nearest by the exact scan that a
	// hybrid search finds.
	RecallAt10 float64 `json:"recall_at_10,omitempty"`
}

// ShareReport is what was measured of one share of the latents.
type ShareReport struct {
	LatentShare float64 `json:"latent_share"`
	Found       float64 `json:"found"`
}

// Bytes per point, in three places.
type Bytes struct {
	RAM   float64 `json:"ram"`
	Disk  float64 `json:"disk"`
	Input float64 `json:"input"`
}

// CalibrationPoint is one setting of the search and what it measured.
type CalibrationPoint struct {
	Space Space `json:"space"`
	// Recall is the mean over held-out points; Promised is what a query that
	// asks for recall is held to, lower by a margin for queries that are new.
	Recall   float64 `json:"recall"`
	Promised float64 `json:"promised"`
	EF       int     `json:"ef"`
	// Rerank is 0 where answers are not reranked.
	Rerank int `json:"rerank"`
	// Microseconds is what the index took for a query by the clock, and Cost what
	// the whole search takes by the model that choices go by, in about the same
	// unit.
	Microseconds float64 `json:"microseconds"`
	Cost         float64 `json:"cost"`
	// Late is how many of the nearest ten the latter half of such a search has to find
	// for the search to go on: more than for nearly all held-out points. 0 where a
	// search does not go by steps.
	Late int `json:"late,omitempty"`
}

// EngineReport is one engine as it was measured on held-out queries: its recall in
// latent space at the widest search, and what a search costs that meets the
// collection's recall in the space it answers in.
type EngineReport struct {
	Name         string  `json:"name"`
	Recall       float64 `json:"recall"`
	Microseconds float64 `json:"microseconds"`
	// Cost is as CalibrationPoint has it.
	Cost          float64 `json:"cost"`
	BytesPerPoint float64 `json:"bytes_per_point"`
	Chosen        bool    `json:"chosen"`
	Reason        string  `json:"reason"`
}

// Settings are the choices a fit was made under, asked for or chosen.
type Settings struct {
	embed.Settings
	// Recall is the collection's target, which chose Dim when it was auto.
	Recall float64 `json:"recall"`
	// DimReason says why the latent has its size.
	DimReason string `json:"dim_reason"`
	// Code is how latents are stored: "int8", or "float32" and why.
	Code string `json:"code"`
	// SampledRows is how many points training saw, at most.
	SampledRows int `json:"sampled_rows"`
}

// FitOptions override the collection's configuration for one fit; nil and zero
// values mean the collection's own.
type FitOptions struct {
	// Dim is the latent size; 0 means the collection's.
	Dim int
	// AutoDim asks for the size to be chosen even where the collection names one.
	AutoDim bool
	Encoder embed.Encoder
	// Epochs is how often training passes over its rows, 1 to 1,000. Default: by
	// the number of rows.
	Epochs int
	// Seed fixes everything that is drawn. Default 1.
	Seed uint64
	// FineTune goes on from the active generation's network instead of PCA: its
	// front end, size and encoder stay, and a quarter of the epochs is enough.
	// For points that have changed little; it needs a network to go on from.
	FineTune bool
	// Progress, if set, is called after each step of note, one call at a time,
	// and the fit waits for it: it should be quick. It may read, cancel the fit,
	// drop the collection and close the database. It must not call WaitFit, which
	// waits for the fit, nor write, which may. A fit that is cancelled no longer
	// waits for it: its last calls may come after CancelFit or Close returned,
	// but not after Fit did.
	Progress func(FitStatus)
}

// FitState is where a fit stands.
type FitState string

// The states of a fit.
const (
	FitIdle      FitState = "idle"
	FitRunning   FitState = "running"
	FitDone      FitState = "done"
	FitFailed    FitState = "failed"
	FitCancelled FitState = "cancelled"
)

// FitStatus is the last fit of a collection: running, or how it ended.
type FitStatus struct {
	State FitState `json:"state"`
	// Generation is the one being made, or made.
	Generation uint64 `json:"generation"`
	// Stage is what is being done: "train", "encode", "index", "calibrate".
	Stage      string  `json:"stage,omitempty"`
	Epoch      int     `json:"epoch"`
	Epochs     int     `json:"epochs"`
	Loss       float64 `json:"loss"`
	RecallAt50 float64 `json:"recall_at_50"`
	Seconds    float64 `json:"seconds"`
	ETASeconds float64 `json:"eta_seconds"`
	Error      string  `json:"error,omitempty"`
}

// ModelInfo is one generation kept.
type ModelInfo struct {
	Generation uint64    `json:"generation"`
	Active     bool      `json:"active"`
	Created    time.Time `json:"created"`
	Source     string    `json:"source"`
	Dim        int       `json:"dim"`
	Encoder    string    `json:"encoder"`
	Engine     string    `json:"engine"`
	Points     int       `json:"points"`
	SHA256     string    `json:"sha256"`
}
