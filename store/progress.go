package store

// Progress is how far a question about all points is.
type Progress struct {
	// Stage is what is being done: of duplicates "gather", "search", "compare", of outliers
	// "learn", "measure".
	Stage string `json:"stage"`
	// Done is how many of the Total points that has been done of.
	Done  int `json:"done"`
	Total int `json:"total"`
}

// The stages; not all questions have all of them.
const (
	stageGather  = "gather"
	stageSearch  = "search"
	stageCompare = "compare"
	stageLearn   = "learn"
	stageMeasure = "measure"
)

// counted returns a function that tells how much of a stage is done as it is told of more;
// nobody is told where told is nil.
func counted(told func(Progress), stage string, total int) func(more int) {
	p := Progress{Stage: stage, Total: total}
	if told == nil {
		return func(int) {}
	}
	told(p)
	return func(more int) {
		p.Done += more
		p.Total = max(p.Total, p.Done) // points may come meanwhile
		told(p)
	}
}
