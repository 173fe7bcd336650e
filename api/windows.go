package api

import (
	"iter"
	"maps"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/store"
)

// windowsOf are the windows of a recording, where its source has such, each a point whose
// id names the recording and the time, and whose payload has them as "recording", "start"
// and "end" beside what the recording's has. A recording that is one window keeps its id,
// its bytes, and those three keys where it has them: so an export comes back as it was.
// Any other point is given as it is.
func windowsOf(spec source.Spec, p store.Point) iter.Seq2[store.Point, error] {
	return func(yield func(store.Point, error) bool) {
		audio, ok := spec.(source.Audio)
		if !ok || audio.Window == 0 || p.Record == nil {
			yield(p, nil)
			return
		}
		for w, err := range audio.Windows(p.Record) {
			part := store.Point{ID: p.ID, Record: p.Record, Payload: store.Payload{}}
			named := store.Payload{"recording": p.ID.Value(), "start": w.Start, "end": w.End}
			if w.Whole {
				maps.Copy(part.Payload, named)
				maps.Copy(part.Payload, p.Payload)
			} else {
				part.ID, part.Record = store.StringID(w.Name(p.ID.String())), w.Record
				maps.Copy(part.Payload, p.Payload)
				maps.Copy(part.Payload, named)
			}
			if !yield(part, err) {
				return
			}
		}
	}
}
