package store

// Part is what one named part of a record (a column, a pixel, a dimension)
// adds to an error or a score, as a share of the whole.
type Part struct {
	Name     string  `json:"name"`
	Value    any     `json:"value,omitempty"`
	Expected any     `json:"expected,omitempty"`
	Share    float64 `json:"share"`
}

// PartError is the squared error of one named part of a record, in standardised space,
// with what the part holds and what the model made of it in the record's own units.
type PartError struct {
	Name     string  `json:"name"`
	Error    float64 `json:"error"`
	Value    any     `json:"value,omitempty"`
	Expected any     `json:"expected,omitempty"`
}

// maxParts is how many parts an explanation lists, largest first.
const maxParts = 64

// Reconstruction is what the model kept of a record.
type Reconstruction struct {
	// ID is the stored point's; zero for a new record.
	ID ID `json:"id,omitzero"`
	// Record is the decoded record in its own form; Vector takes its place for
	// vector collections.
	Record any       `json:"record,omitempty"`
	Vector []float32 `json:"vector,omitempty"`
	// Spectrogram is a PNG of what was decoded, of records that have one (audio).
	Spectrogram []byte `json:"spectrogram,omitempty"`
	// Error is the mean squared error per feature in standardised space.
	Error float64 `json:"error"`
	// Parts are the errors of the record's parts, largest first, 64 at most; none of
	// stored points whose originals are dropped.
	Parts []PartError `json:"parts"`
}

// OutlierQuery asks which points of a collection are strange.
type OutlierQuery struct {
	// Limit is how many are returned, 1 to MaxLimit. Default 10.
	Limit int
	// Filter selects the points that may be returned. They are scored against
	// the whole collection.
	Filter *Filter
	// OmitParts leaves out what makes each of them strange, and its neighbours, which
	// take most of the time where many are asked for.
	OmitParts bool
	// Progress, if set, is told how far the points are measured, one call at a time, which
	// is waited for: it should be quick. It must not ask for outliers itself.
	Progress func(Progress)
}

// Outliers are a collection's strangest points.
type Outliers struct {
	// SuggestedCut is the score above which a point may be called an outlier.
	SuggestedCut float64   `json:"suggested_cut"`
	Outliers     []Outlier `json:"outliers"`
}

// Outlier is one stored point, scored. Score is in [0,1]: the share of the collection that
// is less strange.
type Outlier struct {
	ID    ID      `json:"id"`
	Score float64 `json:"score"`
	// PValue is the share of the collection's points that score at least as high.
	PValue  float64 `json:"p_value"`
	Payload Payload `json:"payload,omitempty"`
	// Parts say which parts of the record made it strange, largest share first. Where
	// originals are dropped they are of the decoded record, and say in what it differs
	// from its neighbours.
	Parts []Part `json:"parts"`
	// Nearest are the other points nearest to it, in latent space once there is one.
	Nearest []Neighbour `json:"nearest"`
}

// RecordScores are new records scored against a collection.
type RecordScores struct {
	SuggestedCut float64       `json:"suggested_cut"`
	Scores       []RecordScore `json:"scores"`
}

// RecordScore is one new record, scored as Outlier is.
type RecordScore struct {
	Score   float64 `json:"score"`
	PValue  float64 `json:"p_value"`
	Outlier bool    `json:"outlier"`
	Parts   []Part  `json:"parts"`
	// Nearest are the stored points nearest in latent space.
	Nearest []Neighbour `json:"nearest"`
}

// Neighbour is a stored point near to another.
type Neighbour struct {
	ID    ID      `json:"id"`
	Score float64 `json:"score"`
}

// DuplicateQuery asks for groups of points that say the same thing.
type DuplicateQuery struct {
	// Threshold is the largest distance between two duplicates, as Duplicates.Method
	// measures it. Default: suggested from the collection's own distances to nearest
	// neighbours.
	Threshold *float64
	// Filter selects the points that are compared.
	Filter *Filter
	// Between, if not nil, compares only the points it selects with those it does not: a
	// test set with a training set, or one table with another. Of tables and texts each
	// point is then taken to have one partner on the other side, or several that are as
	// like it, or none. Deduplicate removes from what Between selects.
	Between *Filter
	// Keep is the policy. Default KeepFirst.
	Keep Keep
	// Limit is the most groups returned, largest first. Default: all.
	Limit int
	// NoUndo has Deduplicate keep nothing of what it removes. Default false: it can be undone.
	NoUndo bool
	// Progress, if set, is told how far the points are compared, one call at a time, which
	// is waited for: it should be quick.
	Progress func(Progress)
}

// DuplicateMethod is how the distance between duplicates is measured.
type DuplicateMethod string

const (
	// MethodInput is in input space, by the collection's metric.
	MethodInput DuplicateMethod = "input"
	// MethodLatent is by latents; of pictures before a fit by what a model would see of them.
	MethodLatent DuplicateMethod = "latent"
	// MethodCopies is by the model's head for duplicates, which sees through edits; 0 to 2.
	// Image collections have one from a fit of 500 points on, unless originals are dropped.
	MethodCopies DuplicateMethod = "copies"
	// MethodFields is one less the probability that two records are of the same thing,
	// learned from how their fields agree, without labels: of texts, and of tables with
	// texts or open categories among 256 columns at most, unless originals are dropped.
	MethodFields DuplicateMethod = "fields"
)

// Duplicates are groups of duplicates under a threshold.
type Duplicates struct {
	Method    DuplicateMethod `json:"method"`
	Threshold float64         `json:"threshold"`
	// ExpectedPrecision is the share of the pairs within the threshold that are of the
	// same thing, as far as the probabilities hold. Only MethodFields has it.
	ExpectedPrecision *float64         `json:"expected_precision,omitempty"`
	Groups            []DuplicateGroup `json:"groups"`
	// Points is how many points were compared.
	Points int `json:"points"`
}

// DuplicateGroup is points joined by pairs within the threshold.
type DuplicateGroup struct {
	IDs  []ID `json:"ids"`
	Keep ID   `json:"keep"`
	// Exact tells that all of the group hold the same bytes: of records or, where
	// originals are dropped, of latents, which records that differ little may share.
	Exact bool            `json:"exact"`
	Pairs []DuplicatePair `json:"pairs"`
}

// DuplicatePair is two points within the threshold.
type DuplicatePair struct {
	A        ID      `json:"a"`
	B        ID      `json:"b"`
	Distance float64 `json:"distance"`
	// Exact tells that both hold the same bytes.
	Exact bool `json:"exact"`
	// Fields are what the records have in common, field by field, in the order of the
	// columns; none of those one has no value in, nor of other methods than MethodFields.
	Fields []FieldSimilarity `json:"fields,omitempty"`
}

// FieldSimilarity is how alike two records are in one field, 0 to 1; only equal values
// have 1.
type FieldSimilarity struct {
	Name       string  `json:"name"`
	Similarity float64 `json:"similarity"`
}

// Deduplication is what Deduplicate removed, or would remove.
type Deduplication struct {
	DryRun    bool            `json:"dry_run"`
	Method    DuplicateMethod `json:"method"`
	Threshold float64         `json:"threshold"`
	// ExpectedPrecision is as in Duplicates.
	ExpectedPrecision *float64  `json:"expected_precision,omitempty"`
	Removed           []Removed `json:"removed"`
	// Points is how many points were compared.
	Points int `json:"points"`
	// Undo is what UndoDeduplicate takes; 0 where nothing was removed or kept.
	Undo uint64 `json:"undo,omitempty"`
}

// Removed is one point taken out, and the point that stays for it.
type Removed struct {
	ID       ID      `json:"id"`
	Kept     ID      `json:"kept"`
	Distance float64 `json:"distance"`
	Exact    bool    `json:"exact"`
	// Reason is why.
	Reason Reason `json:"reason"`
	// Fields are as in DuplicatePair.
	Fields []FieldSimilarity `json:"fields,omitempty"`
}

// Reason is why a point was removed.
type Reason string

// The reasons.
const (
	// ReasonExact is that both points hold the same bytes.
	ReasonExact Reason = "exact"
	// ReasonNear is that they are within the threshold.
	ReasonNear Reason = "near"
)

// SampleQuery asks for new records like the collection's.
type SampleQuery struct {
	// N is how many, 1 to MaxLimit.
	N int
	// Seed fixes the draw: the same generation, points, seed and N give the same
	// samples, also after the database was closed and opened. Where derived files
	// were lost and latents made again, these may differ by rounding.
	Seed uint64
	// Filter and IDs restrict the points that samples are drawn like, of which there
	// must be at least 5 that the fit did not hold out.
	Filter *Filter
	IDs    []ID
}

// Samples are synthetic records.
type Samples struct {
	Generation uint64 `json:"generation"`
	// Records are in the source's own form; Vectors take their place for
	// vector collections.
	Records []any       `json:"records,omitempty"`
	Vectors [][]float32 `json:"vectors,omitempty"`
	Privacy Privacy     `json:"privacy"`
}

// Privacy tells whether samples copy the records that training saw. Distances
// are Euclidean between standardised feature rows, means over the samples, to
// equally many training and held-out records that are still stored as they were
// then, or to what their latents decode to where originals are dropped.
type Privacy struct {
	// Compared is how many training and as many held-out records they were; where
	// none is left, it and all figures are 0.
	Compared       int     `json:"compared"`
	ClosestTrain   float64 `json:"closest_train"`
	ClosestHeldOut float64 `json:"closest_held_out"`
	// ShareCloserToTrain is the share of samples closer to a training record
	// than to any held-out one; 0.5 is what fresh records would show.
	ShareCloserToTrain float64 `json:"share_closer_to_train"`
}

// Info describes a collection.
type Info struct {
	Name   string
	Config Config
	// Points is how many points it holds.
	Points int
	// Features is the width of a feature row; 0 until the first record decides it.
	Features int
	// Generation is the active one, 0 before any fit.
	Generation uint64
	// Indexed is how many points are in the index; the others are searched exactly.
	Indexed int
	// Seq is the number of the last change.
	Seq uint64
	Fit FitStatus
	// PayloadIndexes are as the configuration names them.
	PayloadIndexes []PayloadIndexInfo
	// Filling tells that ids or rows are still read in the background, after an open or
	// a switch of generations: searches are slower until that has ended.
	Filling bool
	// Shedding tells that records are still there which are to be given up, in the
	// background: no answer waits for it.
	Shedding bool
	// RAMBytes is the memory of the index, of ids and of rows, where they are in
	// memory; DiskBytes is the size of the collection's files.
	RAMBytes, DiskBytes int64
}

// CheckReport is what Check found.
type CheckReport struct {
	Collections int      `json:"collections"`
	Points      int      `json:"points"`
	Problems    []string `json:"problems"`
	// Remarks are what a reader should know and what no harm is.
	Remarks []string `json:"remarks"`
}

// OK tells that nothing is wrong.
func (r *CheckReport) OK() bool { return len(r.Problems) == 0 }
