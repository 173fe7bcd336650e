// Package store is LatentDB's database, and the package to import for embedded
// use: collections of points that learn their own embeddings.
//
// A point is an id, a record and a payload. Records are vectors, table rows or
// images, as the collection's source says. A fit trains an autoencoder on them,
// on the CPU; each record then becomes a small latent, kept as int8 and
// indexed. From the latents the collection answers nearest-neighbour search at
// a stated recall, outliers, duplicates, reconstruction and sampling. Before any
// fit search is exact on feature rows, and what needs a model returns
// ErrNotFitted. Unless told otherwise a collection fits by itself, in the
// background, at 1,000 points, whenever the points have grown fourfold, and when
// new points fit badly. One that drops its originals (Config.DropOriginals) learns
// but once, and from then on holds only what its latents decode to.
//
//	db, err := store.Open("data", nil) // a directory; nil means the defaults
//	digits, err := db.CreateCollection(ctx, "digits", store.Config{Source: source.Image{Width: 28, Height: 28}})
//	err = digits.Upsert(ctx, store.Point{ID: store.StringID("a7"), Record: png})
//	report, err := digits.Fit(ctx, nil)
//	hits, err := digits.Search(ctx, store.Query{Record: png, Recall: 0.95})
//	err = db.Close()
//
// # Guarantees
//
//   - A write that returned is on disk, synced, and seen by every later search.
//     A batch is carried out whole or not at all.
//   - One process has the database open; any number of its goroutines use it.
//   - A search asks one generation, that is one model with its latents and
//     index: never two of them mixed. It returns min(limit, matching) hits, each
//     with the score of the record it comes with. Hits that a write overtakes
//     while the search runs are scored anew or dropped, so that an answer under
//     constant change may miss a neighbour or come short.
//   - Points and models are ground state, under checksums. Latents and indexes
//     are derived: whatever of them is missing, damaged or of another version
//     is rebuilt when the database is opened. FORMAT.md gives the bytes. Where
//     originals are dropped, latents are what the points are.
//   - Input that cannot be taken returns an error that matches ErrInvalid and
//     names the field.
//
// # Cost
//
// A write costs one sync of the disk, shared by all that wait for it at the same
// time, so many goroutines or large batches write far more per second than one
// goroutine with single points. A search costs the encoder and a walk of the
// graph, and in input space the reading of a few dozen records. RAM holds the
// index, about Dim*4 + 200 bytes per point, and of points.db what the
// operating system caches. Opening reads the index's snapshot, and of texts that of
// their terms, and what changed after them; without the one, every record is encoded
// again, without the other every text is cut into terms again. Before a fit the feature
// rows, or of pictures what they are compared by, are in RAM, at 4 bytes a feature, and
// are made on every open.
//
// A filter is answered from its ids and from the payload indexes that
// CreatePayloadIndex made, in tens of microseconds on 100,000 points; what these
// leave open costs the reading of a payload for each point they leave. Without
// any, a filter reads every payload. A payload index is in RAM, and is made anew,
// in the background, from the payloads on every open.
package store
