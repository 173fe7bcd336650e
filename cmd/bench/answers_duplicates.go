package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// linked is two tables as one collection's points, and pairs of them that are labelled.
type linked struct {
	points []store.Point
	parts  map[string]*judgedPairs
}

// judgedPairs are pairs labelled the same thing or not.
type judgedPairs struct {
	pairs [][2]store.ID
	same  []bool
}

var linkedParts = []string{"train", "valid", "test"}

// loadLinked reads the records of all parts of a set of pairs, each record once.
func loadLinked(dir string) (*linked, error) {
	out := &linked{parts: map[string]*judgedPairs{}}
	known := map[string]store.ID{}
	var rows [][]string
	var columns []string
	for _, part := range linkedParts {
		lines, err := readTable(filepath.Join(dir, part+".csv"))
		if err != nil {
			return nil, err
		}
		n := (len(lines[0]) - 1) / 2
		columns = columns[:0]
		for _, name := range lines[0][1 : 1+n] {
			columns = append(columns, strings.TrimPrefix(name, "left_"))
		}
		judged := &judgedPairs{}
		for _, line := range lines[1:] {
			var ids [2]store.ID
			for side, name := range []string{"left", "right"} {
				row := line[1+side*n : 1+(side+1)*n]
				key := name + "\x00" + strings.Join(row, "\x00")
				id, ok := known[key]
				if !ok {
					id = store.NumID(uint64(len(rows)))
					known[key] = id
					rows = append(rows, row)
					out.points = append(out.points, store.Point{ID: id, Payload: store.Payload{"table": name}})
				}
				ids[side] = id
			}
			judged.pairs = append(judged.pairs, ids)
			judged.same = append(judged.same, line[0] == "1")
		}
		out.parts[part] = judged
	}
	for i, record := range tableRecords(columns, rows) {
		out.points[i].Record = record
	}
	return out, nil
}

func readTable(path string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(f)
	r.TrimLeadingSpace = true
	lines, err := r.ReadAll()
	if err == nil && len(lines) < 2 {
		err = fmt.Errorf("%s: no rows", path)
	}
	return lines, errors.Join(err, f.Close())
}

// tableRecords are rows as records: cells are numbers where all of a column are, and
// missing where they are empty.
func tableRecords(columns []string, rows [][]string) []any {
	numeric := make([]bool, len(columns))
	for i := range columns {
		numeric[i] = !slices.ContainsFunc(rows, func(row []string) bool {
			_, err := strconv.ParseFloat(row[i], 64)
			return row[i] != "" && err != nil
		})
	}
	out := make([]any, len(rows))
	for k, row := range rows {
		record := map[string]any{}
		for i, cell := range row {
			if cell == "" {
				continue
			}
			record[columns[i]] = cell
			if numeric[i] {
				record[columns[i]], _ = strconv.ParseFloat(cell, 64) // it was one
			}
		}
		out[k] = record
	}
	return out
}

// duplicates are figures of records that are of the same thing.
func (a *answers) duplicates(ctx context.Context) error {
	for _, set := range []struct {
		name, letter string
		floor, goal  float64
	}{{"DBLP-ACM", "a", .93, .96}, {"Abt-Buy", "b", .68, .75}, {"Fodors-Zagats", "c", .97, .99}, {"Beer", "d", .84, .90}} {
		data, err := loadLinked(filepath.Join(a.data, "entity_matching", set.name))
		if err != nil {
			return err
		}
		suggested, chosen, err := data.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		name := "answers.3" + set.letter
		a.add(figure{Name: name, What: set.name + ", F1 of test pairs, no labels used", Ours: &suggested, Floor: &set.floor, Goal: &set.goal, Better: higher})
		a.add(figure{Name: name + "'", What: "the same, the threshold from the validation part", Ours: &chosen, Floor: &set.floor, Goal: &set.goal, Better: higher})
	}
	if err := a.febrl(ctx); err != nil {
		return err
	}
	return a.nearTexts(ctx)
}

// storedPoints makes a collection of points, on one core.
func storedPoints(ctx context.Context, cfg store.Config, points []store.Point) (*store.DB, *store.Collection, error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true, Workers: 1})
	if err != nil {
		return nil, nil, err
	}
	c, err := db.CreateCollection(ctx, "rows", cfg)
	for part := range slices.Chunk(points, 10_000) {
		if err == nil {
			err = c.Upsert(ctx, part...)
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, c, nil
}

// measure gives the F1 of the test pairs at the suggested threshold, and at the one that
// serves the validation part best.
func (l *linked) measure(ctx context.Context) (suggested, chosen float64, err error) {
	db, c, err := storedPoints(ctx, store.Config{Source: source.Table{}}, l.points)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	q := store.DuplicateQuery{Between: &store.Filter{Must: []store.Condition{{Key: "table", Match: &store.Match{Value: "right"}}}}}
	scores := map[string]*store.PairScores{}
	for _, part := range linkedParts[1:] {
		if scores[part], err = c.PairScores(ctx, q, l.parts[part].pairs); err != nil {
			return 0, 0, err
		}
	}
	test := l.parts["test"]
	best, threshold := 0.0, 0.0
	for _, p := range scores["valid"].Pairs {
		if f := l.parts["valid"].harmonic(scores["valid"].Pairs, p.Distance); f > best {
			best, threshold = f, p.Distance
		}
	}
	return test.harmonic(scores["test"].Pairs, scores["test"].Threshold), test.harmonic(scores["test"].Pairs, threshold), nil
}

// harmonic is the harmonic mean of precision and recall (F1) of what lies within a
// threshold.
func (j *judgedPairs) harmonic(scored []store.DuplicatePair, threshold float64) float64 {
	var hits, wrong, missed float64
	for i, p := range scored {
		switch within := p.Distance <= threshold; {
		case within && j.same[i]:
			hits++
		case within:
			wrong++
		case j.same[i]:
			missed++
		}
	}
	return 2 * hits / max(1, 2*hits+wrong+missed)
}

// febrl is made-up persons with up to five records each.
func (a *answers) febrl(ctx context.Context) error {
	sum := 0.0
	for n := 1; n <= 3; n++ {
		f, err := a.persons(ctx, filepath.Join(a.data, "febrl", fmt.Sprintf("dataset%d.csv", n)))
		if err != nil {
			return err
		}
		a.logf("febrl %d: F1 %.4f", n, f)
		sum += f / 3
	}
	a.add(figure{Name: "answers.3f", What: "febrl 1 to 3, mean F1 of pairs over the whole file, no labels used", Ours: &sum, Floor: ptr(.98), Goal: ptr(.995), Better: higher})
	return nil
}

func (a *answers) persons(ctx context.Context, path string) (f float64, err error) {
	lines, err := readTable(path)
	if err != nil {
		return 0, err
	}
	var points []store.Point
	var rows [][]string
	records := map[string]int{} // by person
	truth := 0
	for _, line := range lines[1:] {
		for i := range line {
			line[i] = strings.TrimSpace(line[i])
		}
		rows = append(rows, line[1:])
		points = append(points, store.Point{ID: store.StringID(line[0])})
		truth += records[personOf(line[0])]
		records[personOf(line[0])]++
	}
	for i, record := range tableRecords(lines[0][1:], rows) {
		points[i].Record = record
	}
	db, c, err := storedPoints(ctx, store.Config{Source: source.Table{}}, points)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := c.Duplicates(ctx, store.DuplicateQuery{})
	if err != nil {
		return 0, err
	}
	hits, wrong := 0, 0
	for _, g := range found.Groups {
		for _, p := range g.Pairs {
			if personOf(p.A.String()) == personOf(p.B.String()) {
				hits++
			} else {
				wrong++
			}
		}
	}
	return 2 * float64(hits) / float64(hits+wrong+truth), nil
}

// personOf is the person of rec-N-org and rec-N-dup-K.
func personOf(id string) string {
	parts := strings.Split(id, "-")
	return parts[min(1, len(parts)-1)]
}

// nearTexts is how long duplicates among 120,000 short texts take beside semhash, on one
// core: to be found in a collection, with the texts being stored before, and at another
// threshold.
func (a *answers) nearTexts(ctx context.Context) error {
	texts, err := a.shortTexts(120_000)
	if err != nil {
		return err
	}
	points := make([]store.Point, len(texts))
	for i, text := range texts {
		points[i] = store.Point{ID: store.NumID(uint64(i)), Record: text}
	}
	began := cpuTime()
	db, c, err := storedPoints(ctx, store.Config{Source: source.Text{}}, points)
	if err != nil {
		return err
	}
	storing := (cpuTime() - began).Seconds()
	finding, again, err := a.findTexts(ctx, c)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	all := storing + finding
	var theirs struct {
		Seconds float64 `json:"seconds"`
		Kept    int     `json:"kept"`
	}
	var peer, level *float64
	if a.peer != nil {
		words := filepath.Join(a.data, "wordvec_glove100")
		if err := a.peer.ask(map[string]any{"call": "near_texts", "texts": texts, "words": words}, &theirs); err != nil {
			return err
		}
		a.logf("semhash keeps %d", theirs.Kept)
		peer, level = &theirs.Seconds, ptr(1.)
	}
	a.add(figure{Name: "answers.3g", What: "CPU seconds for 120,000 short texts, from texts to groups, beside semhash on GloVe", Ours: &all, Peer: peer, Floor: level, Better: lower})
	a.add(figure{Name: "answers.3g'", What: "of these, finding duplicates among stored texts", Ours: &finding, Peer: peer, Floor: level, Better: lower})
	a.add(figure{Name: "answers.3h", What: "CPU milliseconds for another threshold, of 120,000 texts", Ours: &again, Floor: ptr(50.), Better: lower})
	return nil
}

// findTexts gives the CPU seconds of a first search, and the milliseconds of another.
func (a *answers) findTexts(ctx context.Context, c *store.Collection) (first, again float64, err error) {
	began := cpuTime()
	found, err := c.Duplicates(ctx, store.DuplicateQuery{})
	if err != nil {
		return 0, 0, err
	}
	first = (cpuTime() - began).Seconds()
	a.logf("%d groups within %.3f", len(found.Groups), found.Threshold)
	var times []float64
	for i := range 9 {
		threshold := 0.05 * float64(i+1)
		began := cpuTime()
		if _, err := c.Duplicates(ctx, store.DuplicateQuery{Threshold: &threshold}); err != nil {
			return 0, 0, err
		}
		times = append(times, (cpuTime()-began).Seconds()*1e3)
	}
	return first, median(times), nil
}

// shortTexts are titles and sentences of news, and edits of them: words left out or
// swapped, letters left out.
func (a *answers) shortTexts(n int) ([]string, error) {
	lines, err := readTable(filepath.Join(a.data, "ag_news", "test.csv"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, line := range lines {
		out = append(out, line[1])
		for _, sentence := range strings.Split(line[2], ". ") {
			if words := len(strings.Fields(sentence)); words >= 4 && words <= 40 {
				out = append(out, sentence)
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	rng := rand.New(rand.NewPCG(3, 7))
	for plain := out; len(out) < n; {
		words := strings.Fields(plain[rng.IntN(len(plain))])
		for range 1 + rng.IntN(3) {
			words = editedWords(words, rng)
		}
		out = append(out, strings.Join(words, " "))
	}
	return out[:n], nil
}

func editedWords(words []string, rng *rand.Rand) []string {
	if len(words) < 3 {
		return words
	}
	at := rng.IntN(len(words) - 1)
	switch rng.IntN(3) {
	case 0:
		return slices.Delete(words, at, at+1)
	case 1:
		words[at], words[at+1] = words[at+1], words[at]
	default:
		letters := []rune(words[at])
		cut := rng.IntN(len(letters))
		if len(letters) > 1 {
			words[at] = string(slices.Delete(letters, cut, cut+1))
		}
	}
	return words
}
