package main

import (
	"context"
	"net/http"

	"github.com/latentdb/latentdb/cmd/latentdb/internal/client"
	"github.com/latentdb/latentdb/store"
)

// leaveOut takes out of the batch what the collection holds already. Ids are the same
// in every run, by name or by the place in the file, so nothing else has to be kept of
// an import that was interrupted, and nothing can be out of date.
func (im *importer) leaveOut(ctx context.Context) error {
	if len(im.batch) == 0 {
		return nil
	}
	ids := make([]any, len(im.batch))
	for i, row := range im.batch {
		ids[i] = row.ID
	}
	var found []struct{ ID store.ID }
	body := map[string]any{"ids": ids, "with_payload": false, "with_vector": false}
	if err := im.client.Do(ctx, http.MethodPost, client.Collection(im.name, "points"), body, &found); err != nil || len(found) == 0 {
		return err
	}
	held := make(map[store.ID]bool, len(found))
	for _, p := range found {
		held[p.ID] = true
	}
	im.keep(func(i int) bool { return !held[pointID(im.batch[i].ID)] })
	return nil
}

// keep keeps some rows of the batch, and their lines.
func (im *importer) keep(wanted func(i int) bool) {
	lines := im.lines.Bytes()
	kept, begin, length := 0, 0, 0
	for i, end := range im.ends {
		if wanted(i) {
			length += copy(lines[length:], lines[begin:end])
			im.batch[kept] = im.batch[i]
			kept++
		}
		begin = end
	}
	im.result.Skipped += len(im.batch) - kept
	im.batch, im.ends = im.batch[:kept], im.ends[:kept] // of which no more is asked
	im.lines.Truncate(length)
}

// pointID is the id that a row's names.
func pointID(id any) store.ID {
	switch id := id.(type) {
	case uint64:
		return store.NumID(id)
	case string:
		return store.ParseID(id)
	}
	return store.ID{}
}
