// Package index finds nearest neighbours among dense slots. A slot is a
// uint32 that the caller assigns to a row; this package knows nothing of ids,
// files, models or payloads.
//
// Four engines answer behind one interface: flat (an exact scan), hnsw (a
// navigable small-world graph over flat arrays), cells (k-means cells that are
// scanned) and, in the sub-package coder, an adapter over github.com/coder/hnsw.
package index

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Errors that every engine returns for input it refuses. They are wrapped with
// the offending slot, length or position.
var (
	// ErrDim is returned when a row's or a query's length is not the index's dimension.
	ErrDim = errors.New("index: wrong dimension")
	// ErrNotFinite is returned when a row or a query holds NaN or an infinity.
	ErrNotFinite = errors.New("index: value is not finite")
	// ErrParams is returned for search parameters or a configuration out of range.
	ErrParams = errors.New("index: bad parameter")
	// ErrCorrupt is returned when a snapshot is truncated or fails its checksum.
	ErrCorrupt = errors.New("index: snapshot is corrupt")
	// ErrFormat is returned for a snapshot of a newer format or an unknown engine.
	ErrFormat = errors.New("index: snapshot format is not supported")
)

// Hit is one neighbour. Distance is as Metric measures it: smaller is closer.
type Hit struct {
	Slot     uint32
	Distance float32
}

// Params steer one search.
type Params struct {
	// K is how many neighbours are wanted, at least 1.
	K int
	// EF is how wide a search is: more finds more and costs more. A graph keeps
	// that many of the best candidates while walking; cells are scanned until some
	// 32 rows for each of EF are; an exact engine ignores it. It is raised to K
	// where smaller; 0 means 100.
	EF int
	// Allow restricts the answer to the slots it holds; nil allows all.
	Allow *Bitmap
	// Exact asks for the exact scan whatever the engine.
	Exact bool
	// Rough says that the hits are candidates, to be scored anew: an engine may find
	// them by estimates, which are their distances then, and give them in any order.
	// cells does, at half the cost; exact answers stay exact.
	Rough bool
	// Next, if set, lets a rough search without Allow go on for as long as that pays,
	// where the engine can (cells): it is called with the nearest half of K, found
	// among what the first half of EF asks for, then with as many more from the rest;
	// and while it returns true with as many more as it was given in all, each time
	// from twice as much. They come in no order, and Next may keep none and change all.
	// What it was given is not in the answer, nor what is far behind it: beside those
	// of a step only as many are kept for the next.
	Next func(found []Hit) bool
	// Work, if set, is added to by what the search does.
	Work *Work
}

// Work is what searches cost, whatever the clock says: what a model of their cost
// goes by.
type Work struct {
	// Scanned is how many rows were measured that lie one after another, Blocked how
	// many that lie in blocks, several of which one instruction measures, and Sketched
	// how many of such were estimated, by half a byte a value; Gathered how many had
	// each to be fetched from a place of its own.
	Scanned, Blocked, Sketched, Gathered int
}

func (w *Work) scan(rows int) {
	if w != nil {
		w.Scanned += rows
	}
}

func (w *Work) block(rows int) {
	if w != nil {
		w.Blocked += rows
	}
}

func (w *Work) sketch(rows int) {
	if w != nil {
		w.Sketched += rows
	}
}

func (w *Work) gather(rows int) {
	if w != nil {
		w.Gathered += rows
	}
}

// Index is a mutable set of rows, each under a slot, searched by distance.
//
// All methods may be called from many goroutines at once. Rows and queries are
// copied or only read during the call, never kept. No method panics on input.
type Index interface {
	// Engine is the name the index was made under: "flat", "hnsw", "cells" or
	// "coder".
	Engine() string
	// Dim is the length of every row.
	Dim() int
	// Metric is how distance is measured.
	Metric() Metric
	// Len is the number of slots held.
	Len() int
	// Upsert puts a row under a slot, replacing the row that was there. It
	// refuses a row with ErrDim or ErrNotFinite and then changes nothing.
	Upsert(slot uint32, row []float32) error
	// Delete removes a slot and tells whether it was held.
	Delete(slot uint32) bool
	// Row copies the row under a slot into dst and tells whether it is held.
	// For Cosine the row comes back with length one. A dst that is shorter than
	// Dim gets the row's beginning.
	Row(dst []float32, slot uint32) bool
	// Slots yields every slot held, ascending. The index may change meanwhile;
	// a slot upserted or deleted meanwhile may or may not be yielded.
	Slots() iter.Seq[uint32]
	// Search appends to dst the hits nearest to query, closest first, equal
	// distances by ascending slot (but for Params.Rough). It returns min(K, matching) hits, where
	// matching is the number of slots held that Allow holds: an engine that
	// finds fewer than that completes the answer by the exact scan. On an error
	// (ErrParams, ErrDim, ErrNotFinite) dst comes back as it was.
	Search(dst []Hit, query []float32, p Params) ([]Hit, error)
	// Bytes is the memory the index holds, rows included.
	Bytes() int64
	// Encode writes the index's body; Engine.Load reads it back. Changes wait
	// for it, searches do not. Use Save and Load for files: they add a header
	// with generation and checksum.
	Encode(w io.Writer) error
}

// Bulk is implemented by engines that take many rows at once faster than one by
// one.
type Bulk interface {
	// UpsertMany puts row i, rows[i*Dim:][:Dim], under slots[i], as Upsert would;
	// of rows under the same slot the last one stays. The result depends on the
	// number of workers, at least 1, in nothing but time; hnsw makes another graph
	// than it makes of rows that come one by one, as good. A row that is refused (ErrDim,
	// ErrNotFinite) changes nothing; when the context ends, the index may hold
	// some of the rows.
	UpsertMany(ctx context.Context, slots []uint32, rows []float32, workers int) error
}

// Grouped is implemented by engines that keep near rows together.
type Grouped interface {
	// Groups puts into dst[i] the number of the group that the row under slots[i] is in, the
	// largest uint32 for a slot that is not held. Whoever searches for many of the rows held
	// does so group by group: each search then reads what the one before has read, which the
	// processor still has at hand.
	Groups(dst, slots []uint32)
}

// Config is what an engine needs to make an index.
type Config struct {
	// Dim is the length of every row, 1 to MaxDim.
	Dim int
	// Metric is how distance is measured. The zero value is L2.
	Metric Metric
	// M is the number of neighbours a graph node keeps per upper layer (twice
	// that on the bottom layer). Default 16, 2 to 256.
	M int
	// EfConstruct is the width of the search that finds a new node's
	// neighbours. Default 200 (M if that is more), M to MaxEfConstruct.
	EfConstruct int
	// Seed fixes the levels a graph draws, and where cells begin.
	Seed uint64
	// Step > 0: rows are kept as int8 codes of this step; 0: float32. Only with
	// L2. A value x is kept as the code round(x/Step), from -127 to 127, in rows
	// and queries alike; Row gives Step times the code, and distances are those
	// between such rows.
	Step float32
}

// Engine makes and loads indexes of one kind.
type Engine struct {
	Name string
	New  func(Config) (Index, error)
	// Load reads what Encode wrote, to the end of the reader; the configuration
	// is part of the body. A body that is truncated or contradicts itself is
	// ErrCorrupt; one that was altered in values alone only Load of this
	// package, which has its hash, can tell.
	Load func(io.Reader) (Index, error)
}
