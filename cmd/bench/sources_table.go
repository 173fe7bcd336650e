package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
	"github.com/latentdb/latentdb/store/bulk"
)

// tableTask is a table with a column that nearest records are asked for.
type tableTask struct {
	letter, path string
	target       string
	skip         []string // columns that name or give away the target
	// oneHot are columns of numbers that stand for categories, also as parts of a time:
	// what a specialist would give OneHotEncoder.
	oneHot []string
	times  []string // columns of times, which the peer takes as hour, weekday, month and year
	number bool     // the target is a number
	folds  int      // how many parts are held out in turns; of 4
}

var tableTasks = []tableTask{
	{letter: "a", path: "tabular_mixed/titanic.csv", target: "Survived", skip: []string{"PassengerId"},
		oneHot: []string{"Pclass"}, folds: 4},
	{letter: "b", path: "tabular_mixed/bikeshare.csv", target: "count", skip: []string{"casual", "registered"},
		oneHot: []string{"season", "weather"}, times: []string{"datetime"}, number: true, folds: 1},
	{letter: "c", path: "nsl_kdd/train20.csv.gz", target: "attack", skip: []string{"difficulty"}, folds: 1},
}

// tableRows are the records of a task and their targets.
type tableRows struct {
	records []map[string]any
	targets []any
}

// tables is sources.4: what 10 nearest records by latents a quarter as wide as
// standardised one-hot columns tell of a column that is not in the records, and what is
// left of a record after decoding.
func (s *sources) tables(ctx context.Context) error {
	for _, t := range tableTasks {
		all, err := t.read(s.data)
		if err != nil {
			return err
		}
		var ours, peers []float64
		for fold := range t.folds {
			train, test := all.split(fold)
			peer, width, err := s.tablePeer(t, train, test)
			if err != nil {
				return err
			}
			served, err := t.serve(ctx, train, test, width/4)
			if err != nil {
				return err
			}
			score := t.score(served.predicted, test.targets)
			s.logf("sources.4%s fold %d: %d training records, latent %d of %d, %.4f beside %v", t.letter, fold, len(train.records), width/4, width, score, show(peer))
			ours = append(ours, score)
			if peer != nil {
				peers = append(peers, *peer)
			}
			if t.letter == "c" {
				s.tableDecoded(test, served.decoded)
			}
		}
		s.add(t.figure(ours, peers))
	}
	return nil
}

// figure is the shortfall beside the peer, which is none where we are ahead.
func (t tableTask) figure(ours, peers []float64) figure {
	what := "10-NN accuracy"
	if t.number {
		what = "10-NN R² of the logarithm"
	}
	f := figure{Name: "sources.4" + t.letter, Better: higher,
		What: fmt.Sprintf("%s of %s, latent a quarter as wide, less standardised one-hot columns'", what, t.target), Floor: ptr(-.01), Goal: ptr(0.)}
	if len(peers) > 0 {
		f.Ours = ptr(stat.Mean(ours, nil) - stat.Mean(peers, nil))
	}
	return f
}

func (t tableTask) read(data string) (tableRows, error) {
	var out tableRows
	r, err := bulk.Open(filepath.Join(data, filepath.FromSlash(t.path)), bulk.Options{Payload: append([]string{t.target}, t.skip...)})
	if err != nil {
		return out, err
	}
	for row, err := range r.Rows() {
		if err != nil {
			return out, errors.Join(err, r.Close())
		}
		record, _ := row.Record.(map[string]any)
		out.records, out.targets = append(out.records, record), append(out.targets, row.Payload[t.target])
	}
	return out, r.Close()
}

// split holds out one record in four, by a hash of its place.
func (r tableRows) split(fold int) (train, test tableRows) {
	for i := range r.records {
		h := fnv.New32a()
		_, _ = h.Write(strconv.AppendInt(nil, int64(i), 10))
		to := &train
		if int(h.Sum32()>>8)%4 == fold {
			to = &test
		}
		to.records, to.targets = append(to.records, r.records[i]), append(to.targets, r.targets[i])
	}
	return train, test
}

// servedTable is what a fitted collection says of held-out records.
type servedTable struct {
	predicted []any
	decoded   []map[string]any
}

// serve stores and fits the training records, then asks for neighbours and
// reconstructions of the test records.
func (t tableTask) serve(ctx context.Context, train, test tableRows, dim int) (out servedTable, err error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.CreateCollection(ctx, "table", store.Config{Source: t.spec(train)})
	if err != nil {
		return out, err
	}
	var records []any
	for _, r := range train.records {
		records = append(records, r)
	}
	if err := upsertRecords(ctx, c, records); err != nil {
		return out, err
	}
	if _, err := c.Fit(ctx, &store.FitOptions{Dim: dim}); err != nil {
		return out, err
	}
	for _, r := range test.records {
		near, err := nearestTen(ctx, c, r)
		if err != nil {
			return out, err
		}
		out.predicted = append(out.predicted, t.vote(train.targets, near))
		back, err := c.ReconstructRecords(ctx, r)
		if err != nil {
			return out, err
		}
		record, _ := back[0].Record.(map[string]any)
		out.decoded = append(out.decoded, record)
	}
	return out, nil
}

// spec infers all columns but those that are declared to be categories.
func (t tableTask) spec(train tableRows) source.Table {
	var columns []source.Column
	for _, name := range columnNames(train) {
		c := source.Column{Name: name}
		if slices.Contains(t.oneHot, name) {
			c.Type = source.CategoricalColumn
		}
		columns = append(columns, c)
	}
	return source.Table{Columns: columns}
}

func columnNames(rows tableRows) []string {
	var names []string
	for name := range rows.records[0] {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// upsertRecords stores records under their places, as ids from 0 on.
func upsertRecords(ctx context.Context, c *store.Collection, records []any) error {
	const batch = 1000
	for lo := 0; lo < len(records); lo += batch {
		var points []store.Point
		for i, r := range records[lo:min(lo+batch, len(records))] {
			p := store.Point{ID: store.NumID(uint64(lo + i))}
			if v, ok := r.([]float32); ok {
				p.Vector = v
			} else {
				p.Record = r
			}
			points = append(points, p)
		}
		if err := c.Upsert(ctx, points...); err != nil {
			return err
		}
	}
	return nil
}

// nearestTen are the places of the records nearest to one, as a collection serves them.
func nearestTen(ctx context.Context, c *store.Collection, record any) ([]int, error) {
	q := store.Query{Limit: 10}
	if v, ok := record.([]float32); ok {
		q.Vector = v
	} else {
		q.Record = record
	}
	hits, err := c.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	near := make([]int, len(hits))
	for i, h := range hits {
		n, _ := h.ID.Value().(uint64)
		near[i] = int(n)
	}
	return near, nil
}

// vote is the mean of the neighbours' numbers, or their most frequent label, the first
// in order of equally frequent ones, as scikit-learn has it.
func (t tableTask) vote(targets []any, near []int) any {
	if t.number {
		sum := 0.
		for _, i := range near {
			sum += logOf(targets[i])
		}
		return sum / float64(len(near))
	}
	labels := make([]string, len(near))
	for i, at := range near {
		labels[i] = fmt.Sprint(targets[at])
	}
	return mostFrequent(labels)
}

func mostFrequent(labels []string) string {
	slices.Sort(labels)
	best, most := "", 0
	for i := 0; i < len(labels); {
		end := i
		for end < len(labels) && labels[end] == labels[i] {
			end++
		}
		if end-i > most {
			best, most = labels[i], end-i
		}
		i = end
	}
	return best
}

func logOf(v any) float64 { return math.Log1p(numberOf(v)) }

func numberOf(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

// score is accuracy, or for a number the share of the variance of its logarithm that is
// explained.
func (t tableTask) score(predicted, truth []any) float64 {
	if !t.number {
		right := 0
		for i, p := range predicted {
			if p == fmt.Sprint(truth[i]) {
				right++
			}
		}
		return float64(right) / float64(len(truth))
	}
	var guesses, values []float64
	for i, p := range predicted {
		guess, _ := p.(float64)
		guesses, values = append(guesses, guess), append(values, logOf(truth[i]))
	}
	return stat.RSquaredFrom(guesses, values, nil)
}

// peerColumns are a table as scikit-learn's encoders take it.
type peerColumns struct {
	Numeric  [][]*float64 `json:"numeric"`
	Category [][]string   `json:"category"`
}

// tablePeer asks for the score of 10 nearest neighbours among standardised and one-hot
// columns, and how many of those there are.
func (s *sources) tablePeer(t tableTask, train, test tableRows) (score *float64, width int, err error) {
	if s.peer == nil {
		return nil, 0, errNoPeer
	}
	targets := func(rows tableRows) (out []any) {
		for _, v := range rows.targets {
			if t.number {
				v = logOf(v)
			} else {
				v = fmt.Sprint(v)
			}
			out = append(out, v)
		}
		return out
	}
	var answer struct {
		Score float64
		Width int
	}
	err = s.peer.ask(map[string]any{"call": "table_knn", "train": t.peerColumns(train), "labels": targets(train),
		"test": t.peerColumns(test), "truth": targets(test), "number": t.number}, &answer)
	return &answer.Score, answer.Width, err
}

func (t tableTask) peerColumns(rows tableRows) (out peerColumns) {
	names := columnNames(rows)
	for _, r := range rows.records {
		var numeric []*float64
		var category []string
		for _, name := range names {
			v := r[name]
			switch n := numberOf(v); {
			case slices.Contains(t.times, name):
				at, err := time.Parse(time.DateTime, fmt.Sprint(v))
				if err != nil {
					category = append(category, "", "", "", "")
					continue
				}
				category = append(category, strconv.Itoa(at.Hour()), at.Weekday().String(), at.Month().String(), strconv.Itoa(at.Year()))
			case slices.Contains(t.oneHot, name) || isText(rows, name):
				category = append(category, fmt.Sprint(v))
			case math.IsNaN(n):
				numeric = append(numeric, nil)
			default:
				numeric = append(numeric, &n)
			}
		}
		out.Numeric, out.Category = append(out.Numeric, numeric), append(out.Category, category)
	}
	return out
}

// isText tells whether any of the first values of a column is text.
func isText(rows tableRows, name string) bool {
	for _, r := range rows.records[:min(len(rows.records), 1000)] {
		if _, ok := r[name].(string); ok {
			return true
		}
	}
	return false
}
