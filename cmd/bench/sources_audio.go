package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// clip is a spoken digit (Jackson and others, free-spoken-digit-dataset, CC BY-SA 4.0).
type clip struct {
	digit, speaker string
	take           string
	path           string
	encoded        []byte
}

// official tells whether a clip is of the set's own test part: takes 0 to 4.
func (c clip) official() bool { return len(c.take) == 1 && c.take < "5" }

const (
	spokenDim = 32
	// spokenNeighbours is how many vote where no training part chose how many.
	spokenNeighbours = 10
)

// audio measures spoken digits: what the neighbours of served latents say of digits, on
// the set's own test part (3a) and of speakers that were not heard (3b, 3c), and what a
// clip costs (3d). Front end and distance were chosen by takes 5 and on.
func (s *sources) audio(ctx context.Context) error {
	clips, err := spokenDigits(filepath.Join(s.data, "fsdd", "recordings"))
	if err != nil {
		return err
	}
	if err := s.spokenOfficial(ctx, clips); err != nil {
		return err
	}
	return s.spokenSpeakers(ctx, clips)
}

// spokenDigits reads files named digit_speaker_take.wav.
func spokenDigits(dir string) ([]clip, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var clips []clip
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".wav")
		part := strings.Split(name, "_")
		if !ok || len(part) != 3 {
			continue
		}
		c := clip{digit: part[0], speaker: part[1], take: part[2], path: filepath.Join(dir, e.Name())}
		if c.encoded, err = os.ReadFile(c.path); err != nil {
			return nil, err
		}
		clips = append(clips, c)
	}
	return clips, nil
}

// parted splits clips.
func parted(clips []clip, test func(clip) bool) (train, held []clip) {
	for _, c := range clips {
		if test(c) {
			held = append(held, c)
		} else {
			train = append(train, c)
		}
	}
	return train, held
}

// spoken is a fitted collection of clips.
type spoken struct {
	db    *store.DB
	coll  *store.Collection
	clips []clip
}

func fitSpoken(ctx context.Context, clips []clip, encoder embed.Encoder) (*spoken, error) {
	db, err := store.OpenTemp(&store.Options{NoAutoFit: true})
	if err != nil {
		return nil, err
	}
	sp := &spoken{db: db, clips: clips}
	sp.coll, err = db.CreateCollection(ctx, "digits", store.Config{Source: source.Audio{}, Dim: spokenDim, Encoder: encoder})
	if err != nil {
		return nil, err
	}
	points := make([]store.Point, len(clips))
	for i, c := range clips {
		points[i] = store.Point{ID: store.NumID(uint64(i)), Record: c.encoded}
	}
	if err := sp.coll.Upsert(ctx, points...); err != nil {
		return nil, err
	}
	_, err = sp.coll.Fit(ctx, nil)
	return sp, err
}

// neighbours are the digits of the nearest of each query, nearest first.
func (sp *spoken) neighbours(ctx context.Context, queries []store.Query) ([][]string, error) {
	found, err := sp.coll.SearchBatch(ctx, queries)
	out := make([][]string, len(found))
	for i, hits := range found {
		for _, h := range hits {
			out[i] = append(out[i], sp.clips[h.ID.Value().(uint64)].digit)
		}
	}
	return out, err
}

// spokenQueries ask for the neighbours of clips that are not stored.
func spokenQueries(clips []clip, warp bool) []store.Query {
	out := make([]store.Query, len(clips))
	for i, c := range clips {
		out[i] = store.Query{Record: c.encoded, Limit: 2 * spokenNeighbours, OmitPayload: true, Recall: .99, Warp: warp}
	}
	return out
}

// voted is the share of clips that most of their k nearest are digits like; the nearer
// side of a tie wins.
func voted(clips []clip, neighbours [][]string, k int) float64 {
	right := 0
	for i, near := range neighbours {
		votes := map[string]int{}
		best := ""
		for _, d := range near[:min(k, len(near))] {
			votes[d]++
		}
		for _, d := range near[:min(k, len(near))] {
			if best == "" || votes[d] > votes[best] {
				best = d
			}
		}
		if best == clips[i].digit {
			right++
		}
	}
	return float64(right) / float64(len(clips))
}

// spokenOfficial is 3a and 3d: the set's own split.
func (s *sources) spokenOfficial(ctx context.Context, clips []clip) error {
	train, test := parted(clips, clip.official)
	sp, err := fitSpoken(ctx, train, embed.Auto)
	if err != nil {
		return err
	}
	accuracy := map[bool]float64{}
	for _, warp := range []bool{false, true} {
		k, err := sp.chooseK(ctx, warp)
		if err != nil {
			return err
		}
		near, err := sp.neighbours(ctx, spokenQueries(test, warp))
		if err != nil {
			return err
		}
		accuracy[warp] = voted(test, near, k)
		s.logf("spoken digits, warped %t: accuracy %.4f by the %d nearest, which did best in training", warp, accuracy[warp], k)
	}
	s.add(figure{Name: "sources.3a", What: "spoken digits, takes 0-4, by warped neighbours", Ours: ptr(accuracy[true]), Floor: ptr(.97), Goal: ptr(.985), Better: higher})
	beside := figure{Name: "sources.3e", What: "the same beside librosa's MFCC and scikit-learn's neighbours", Ours: ptr(accuracy[true]), Floor: ptr(1.), Better: higher}
	if beside.Peer, err = s.librosa("mfcc", train, test); err != nil {
		return err
	}
	s.add(beside)
	if err := s.spokenCost(ctx, sp, test); err != nil {
		return err
	}
	return sp.db.Close()
}

// chooseK finds how many neighbours tell digits of training clips best, each among the
// others.
func (sp *spoken) chooseK(ctx context.Context, warp bool) (int, error) {
	const every = 3
	var some []clip
	var queries []store.Query
	for i := 0; i < len(sp.clips); i += every {
		some = append(some, sp.clips[i])
		queries = append(queries, store.Query{ID: store.NumID(uint64(i)), Limit: 2 * spokenNeighbours, OmitPayload: true, Recall: .99, Warp: warp})
	}
	near, err := sp.neighbours(ctx, queries)
	if err != nil {
		return 0, err
	}
	best, most := 0, -1.
	for _, k := range []int{1, 3, 5, 10, 15} {
		if share := voted(some, near, k); share > most {
			best, most = k, share
		}
	}
	return best, nil
}

// spokenCost is 3d: decoding, front end and encoding of a clip.
func (s *sources) spokenCost(ctx context.Context, sp *spoken, test []clip) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var costs []float64
	for range 7 {
		start := mark()
		for _, c := range test {
			if _, _, err := sp.coll.Encode(ctx, c.encoded); err != nil {
				return err
			}
		}
		costs = append(costs, 1000*start.since()/float64(len(test)))
	}
	s.add(figure{Name: "sources.3d", What: "front end and encoding of a spoken digit, ms on one core", Ours: ptr(median(costs)), Floor: ptr(1.), Better: lower})
	return nil
}

// spokenSpeakers is 3b and 3c: each speaker in turn is left out.
func (s *sources) spokenSpeakers(ctx context.Context, clips []clip) error {
	var speakers []string
	for _, c := range clips {
		if !slices.Contains(speakers, c.speaker) {
			speakers = append(speakers, c.speaker)
		}
	}
	share := 1 / float64(len(speakers))
	var ours, warped, pca float64
	var raw *float64
	for _, name := range speakers {
		train, test := parted(clips, func(c clip) bool { return c.speaker == name })
		learned, err := spokenAccuracy(ctx, train, test, embed.Auto, false, true)
		if err != nil {
			return err
		}
		linear, err := spokenAccuracy(ctx, train, test, embed.PCA, false)
		if err != nil {
			return err
		}
		mel, err := s.librosa("logmel", train, test)
		if err != nil {
			return err
		}
		ours, warped, pca = ours+share*learned[0], warped+share*learned[1], pca+share*linear[0]
		if mel != nil {
			if raw == nil {
				raw = ptr(0.)
			}
			*raw += share * *mel
		}
		s.logf("spoken digits without %s: %.4f, warped %.4f, PCA %.4f, log-mel %s", name, learned[0], learned[1], linear[0], show(mel))
	}
	s.logf("spoken digits of speakers not heard: %.4f, warped %.4f, PCA %.4f, log-mel %s", ours, warped, pca, show(raw))
	s.add(figure{Name: "sources.3b", What: fmt.Sprintf("digits of a speaker not heard, by %d neighbours, beside PCA-%d of the same rows", spokenNeighbours, spokenDim),
		Ours: &ours, Peer: &pca, Floor: ptr(1.), Better: higher})
	above := figure{Name: "sources.3c", What: "the same, above raw log-mel (librosa, 40 x 32, trimmed)", Floor: ptr(.03), Goal: ptr(.06), Better: higher}
	if raw != nil {
		above.Ours = ptr(ours - *raw)
	}
	s.add(above)
	return nil
}

// spokenAccuracy fits training clips and asks for test clips' digits, warped or not.
func spokenAccuracy(ctx context.Context, train, test []clip, encoder embed.Encoder, warps ...bool) ([]float64, error) {
	sp, err := fitSpoken(ctx, train, encoder)
	if err != nil {
		return nil, err
	}
	var out []float64
	for _, warp := range warps {
		near, err := sp.neighbours(ctx, spokenQueries(test, warp))
		if err != nil {
			return nil, err
		}
		out = append(out, voted(test, near, spokenNeighbours))
	}
	return out, sp.db.Close()
}

// librosa is the accuracy of its features under scikit-learn's neighbours; nil without Python.
func (s *sources) librosa(features string, train, test []clip) (*float64, error) {
	if s.peer == nil {
		return nil, nil
	}
	split := func(clips []clip) (paths, digits []string) {
		for _, c := range clips {
			paths, digits = append(paths, c.path), append(digits, c.digit)
		}
		return paths, digits
	}
	request := map[string]any{"call": "spoken", "features": features, "k": spokenNeighbours}
	request["train"], request["labels"] = split(train)
	request["test"], request["truth"] = split(test)
	var accuracy float64
	return &accuracy, s.peer.ask(request, &accuracy)
}
