package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/cmd/latentdb/internal/progress"
	"github.com/latentdb/latentdb/store"
)

// postFollowed is post for a question about all points, whose progress is shown.
func postFollowed[T any](a *app, label, collection, route string, body any, print func(T) error) question {
	return func(ctx context.Context, c *client.Client) error {
		path := client.Collection(collection, route)
		shown := stages{w: a.stderr, label: label}
		var raw json.RawMessage
		err := follow(ctx, c, "POST", path, body, &raw, shown.show)
		shown.clear()
		if err != nil {
			return err
		}
		return printResult(a, path, raw, print)
	}
}

// follow asks as Do does; told gets the progress of a question about all points.
func follow(ctx context.Context, c *client.Client, method, path string, body, result any, told func(store.Progress)) error {
	return c.Follow(ctx, method, path, body, result, func(data json.RawMessage) {
		var p store.Progress
		if json.Unmarshal(data, &p) == nil { // else it is news of a later server
			told(p)
		}
	})
}

func noteOf(p store.Progress) string {
	return fmt.Sprintf("%s, %d of %d points", p.Stage, p.Done, p.Total)
}

// stages shows the stages of a question about all points as they begin, and how far each is.
type stages struct {
	w     io.Writer
	label string
	bar   *progress.Progress
	stage string
}

func (s *stages) show(p store.Progress) {
	if s.bar != nil && p.Stage == s.stage {
		s.bar.Set(int64(p.Done), noteOf(p))
		return
	}
	s.clear()
	s.bar, s.stage = progress.Start(s.w, s.label, int64(p.Total)), p.Stage
	s.bar.Step(int64(p.Done), noteOf(p))
}

func (s *stages) clear() {
	if s.bar != nil {
		s.bar.Clear()
	}
}
