package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// predictSet is records with labels, the latter part of which is asked about.
type predictSet struct {
	letter, name   string
	spec           source.Spec
	records        []any
	labels         []string
	stored         int    // how many are stored
	positive       string // the label whose F1 is asked for; "" for accuracy
	call, argument string // of the peer, and under which name it takes records
}

// predictions are figures of labels that are predicted by neighbours.
func (a *answers) predictions(ctx context.Context) error {
	var missing error
	for _, read := range []func() (predictSet, error){a.spamToPredict, a.digitsToPredict, a.newsToPredict} {
		set, err := read()
		if err != nil {
			missing = errors.Join(missing, err)
			continue
		}
		if err := a.predictSet(ctx, set); err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
	}
	return missing
}

func (a *answers) spamToPredict() (predictSet, error) {
	set, err := a.messages()
	out := textsToPredict(set, 1000)
	out.letter, out.name, out.positive = "a", "SMS spam, F1", "1"
	return out, err
}

func (a *answers) newsToPredict() (predictSet, error) {
	set, err := a.news()
	out := textsToPredict(set, 1500)
	out.letter, out.name = "c", "AG News, accuracy"
	return out, err
}

// textsToPredict shuffles texts, of which the last n are asked about.
func textsToPredict(set textSet, n int) predictSet {
	out := predictSet{spec: source.Text{}, stored: max(0, len(set.texts)-n), call: "knn_texts", argument: "texts"}
	for _, i := range rand.New(rand.NewPCG(7, 7)).Perm(len(set.texts)) {
		out.records, out.labels = append(out.records, set.texts[i]), append(out.labels, fmt.Sprint(set.labels[i]))
	}
	return out
}

// digitsToPredict are spoken digits, by the set's own split.
func (a *answers) digitsToPredict() (predictSet, error) {
	clips, err := spokenDigits(filepath.Join(a.data, "fsdd", "recordings"))
	stored, asked := parted(clips, clip.official)
	out := predictSet{letter: "b", name: "spoken digits, accuracy", spec: source.Audio{}, stored: len(stored), call: "knn_sounds", argument: "sounds"}
	for _, c := range slices.Concat(stored, asked) {
		out.records, out.labels = append(out.records, c.encoded), append(out.labels, c.digit)
	}
	return out, err
}

// predictSet adds the figure of one set.
func (a *answers) predictSet(ctx context.Context, set predictSet) error {
	predicted, err := set.predict(ctx)
	if err != nil {
		return err
	}
	asked := set.labels[set.stored:]
	values, confidence := make([]string, len(asked)), 0.
	for i, p := range predicted {
		values[i] = fmt.Sprint(p.Value)
		confidence += p.Confidence / float64(len(asked))
	}
	ours := scoreOf(values, asked, set.positive)
	q := predicted[0].Quality
	a.logf("%s: k %d, %.4f; accuracy %.4f, confidence %.4f, stored points left out %.4f", set.name, q.K, ours, scoreOf(values, asked, ""), confidence, *q.Accuracy)
	f := figure{Name: "answers.7" + set.letter, What: set.name + " of what neighbours predict, beside scikit-learn's kNN", Ours: &ours, Better: higher}
	if a.peer != nil {
		var theirs []string
		request := map[string]any{"call": set.call, set.argument: set.records, "labels": set.labels[:set.stored]}
		if err := a.peer.ask(request, &theirs); err != nil {
			return err
		}
		f.Peer = ptr(scoreOf(theirs, asked, set.positive))
	}
	a.add(f)
	return nil
}

// predict stores the former part, fits, and predicts the others' labels.
func (s *predictSet) predict(ctx context.Context) (predicted []store.Prediction, err error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.CreateCollection(ctx, "records", store.Config{Source: s.spec})
	if err != nil {
		return nil, err
	}
	var points []store.Point
	for i, r := range s.records[:s.stored] {
		points = append(points, store.Point{ID: store.NumID(uint64(i)), Record: r, Payload: store.Payload{"label": s.labels[i]}})
	}
	for batch := range slices.Chunk(points, 1000) {
		if err := c.Upsert(ctx, batch...); err != nil {
			return nil, err
		}
	}
	if _, err := c.Fit(ctx, &store.FitOptions{Seed: 1}); err != nil {
		return nil, err
	}
	return c.Predict(ctx, store.PredictQuery{Key: "label", Records: s.records[s.stored:]})
}

// scoreOf is the F1 of a label, or the share that is right where there is none.
func scoreOf(values, truth []string, positive string) float64 {
	var right, called, there, both float64
	for i, v := range values {
		if v == truth[i] {
			right++
		}
		if v == positive {
			called++
		}
		if truth[i] == positive {
			there++
			if v == positive {
				both++
			}
		}
	}
	if positive != "" {
		return 2 * both / (called + there)
	}
	return right / float64(len(truth))
}
