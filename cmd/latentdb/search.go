package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/latentdb/latentdb/store"
)

// searchBody is the body of a query request.
type searchBody struct {
	Query       any             `json:"query"`
	Limit       int             `json:"limit"`
	Filter      json.RawMessage `json:"filter,omitempty"`
	WithPayload bool            `json:"with_payload"`
	Params      searchParams    `json:"params"`
}

type searchParams struct {
	Recall  float64     `json:"recall,omitempty"`
	Space   store.Space `json:"space,omitempty"`
	Warp    bool        `json:"warp,omitempty"`
	Exact   bool        `json:"exact,omitempty"`
	Explain bool        `json:"explain,omitempty"`
}

// searchFlags are a search as it is typed.
type searchFlags struct {
	record, vector, id, filter, space string
	recall                            float64
	limit                             int
	exact, explain, warp              bool
}

func (a *app) searchCommand() *cobra.Command {
	var f searchFlags
	cmd := &cobra.Command{
		Use:   "search COLLECTION (--record R | --vector V | --id ID)",
		Short: "Find the points nearest to a record, a vector or a stored point",
		Example: `  latentdb search digits --record seven.png
  latentdb search people --record '{"age": 41, "city": "Oslo"}' --limit 5
  latentdb search messages --record '"win a big prize"'
  latentdb search texts --vector query.json --recall 0.99 --explain
  latentdb search talks --record yes.wav --warp
  latentdb search digits --id 17 --filter '{"must": {"key": "label", "match": {"value": 7}}}'`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(args []string) (question, error) {
			body, err := a.searchBody(f)
			return post(a, args[0], "points/query", body, a.printHits), err
		}),
	}
	cmd.Flags().StringVar(&f.record, "record", "", recordHelp)
	cmd.Flags().StringVar(&f.vector, "vector", "", vectorHelp)
	cmd.Flags().StringVar(&f.id, "id", "", `a stored point: digits are a number, "7" in quotes a string`)
	cmd.Flags().IntVar(&f.limit, "limit", store.DefaultLimit, "how many hits")
	cmd.Flags().Var((*share)(&f.recall), "recall", "expected share of the true neighbours (default: the collection's)")
	cmd.Flags().StringVar(&f.space, "space", "", "what distance means: input, latent, lexical or hybrid (default: the collection's)")
	cmd.Flags().StringVar(&f.filter, "filter", "", filterHelp)
	cmd.Flags().BoolVar(&f.exact, "exact", false, "scan every point")
	cmd.Flags().BoolVar(&f.warp, "warp", false, "score the nearest anew by a distance that lets recordings run faster or slower")
	cmd.Flags().BoolVar(&f.explain, "explain", false, "say how the answer was found")
	cmd.MarkFlagsOneRequired("record", "vector", "id")
	cmd.MarkFlagsMutuallyExclusive("record", "vector", "id")
	a.targetFlags(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// Help that several commands share.
const (
	recordHelp = "a new record: JSON, a file, or - for standard input"
	vectorHelp = "a new vector: a JSON list, a file that holds one, or - for standard input"
	filterHelp = "only points that match, as Qdrant's filter JSON"
)

func (a *app) searchBody(f searchFlags) (body searchBody, err error) {
	body = searchBody{Limit: f.limit, WithPayload: true,
		Params: searchParams{Recall: f.recall, Space: store.Space(f.space), Exact: f.exact, Warp: f.warp, Explain: f.explain}}
	if err := inRange("limit", f.limit, 1, store.MaxLimit); err != nil {
		return body, err
	}
	if err := oneOf("space", f.space, store.Spaces()...); err != nil {
		return body, err
	}
	if body.Filter, err = parseFilter(f.filter); err != nil {
		return body, err
	}
	body.Query, err = a.searchQuery(f)
	return body, err
}

// searchQuery is what the answer should be near to.
func (a *app) searchQuery(f searchFlags) (any, error) {
	switch {
	case f.vector != "":
		return a.readVector(f.vector)
	case f.record != "":
		record, err := a.readRecord(f.record)
		return map[string]any{"record": record}, err
	}
	id, err := parseID(f.id)
	if err != nil {
		return nil, usagef("--id %q: %w", f.id, err)
	}
	return id, nil
}

// hits are the result of a query request.
type hits struct {
	Points []store.Hit       `json:"points"`
	Search *store.SearchInfo `json:"search"`
}

func (a *app) printHits(h hits) error {
	t := &table{}
	t.row("ID", "SCORE", "PAYLOAD")
	for _, p := range h.Points {
		t.row(p.ID, p.Score, payloadText(p.Payload))
	}
	if err := t.print(a.stdout); err != nil || h.Search == nil {
		return err
	}
	s := h.Search
	if f := s.Filter; f != nil {
		if err := a.printf("\nfilter: %d points match, by payload indexes %t, %d payloads read", f.Matching, f.Indexed, f.Scanned); err != nil {
			return err
		}
	}
	if s.Decoded {
		if err := a.printf("\ncandidates scored by what their latents decode to"); err != nil {
			return err
		}
	}
	if s.Warped > 0 {
		if err := a.printf("\n%d candidates scored by warped distance", s.Warped); err != nil {
			return err
		}
	}
	return a.printf("\ngeneration %d, %s space, %s index, exact %t, expected recall %s, ef %d, rerank %d, out of distribution %t\n",
		s.Generation, s.Space, s.Engine, s.Exact, percent(s.ExpectedRecall), s.EF, s.Rerank, s.OutOfDistribution)
}

// payloadText is a payload in one column.
func payloadText(p store.Payload) string {
	if len(p) == 0 {
		return ""
	}
	return brief(p, 80)
}
