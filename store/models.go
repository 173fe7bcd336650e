package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
	bolt "go.etcd.io/bbolt"
)

// A model is kept in a bucket of its own, named by its generation.
var (
	keyModel  = []byte("model")
	keyFitted = []byte("fitted")
	keyHead   = []byte("head") // absent where there is none
	keyInfo   = []byte("info")
)

// learnedBytes are what a generation has learned, as it is kept.
type learnedBytes struct{ model, fitted, head []byte }

func (g *generation) learned() (b learnedBytes, err error) {
	if b.model, err = g.model.MarshalBinary(); err != nil {
		return b, err
	}
	if b.fitted, err = g.fitted.MarshalBinary(); err != nil || g.head == nil {
		return b, err
	}
	b.head, err = g.head.MarshalBinary()
	return b, err
}

// modelInfo is what is kept beside a model's bytes. It is ground state: the
// report's measurements cannot be made again without training again.
type modelInfo struct {
	Created time.Time `json:"created"`
	SHA256  []byte    `json:"sha256"`
	Stats   fitStats  `json:"stats"`
	Report  *Report   `json:"report"`
}

// putModel writes a generation's model into the ground state.
func (g *ground) putModel(gen *generation) error {
	b, err := g.models.CreateBucket(seqKey(gen.number))
	if err != nil {
		return err
	}
	learned, err := gen.learned()
	if err != nil {
		return err
	}
	info, err := json.Marshal(modelInfo{Created: time.Now().UTC(), SHA256: gen.hash[:], Stats: gen.stats, Report: gen.report})
	if err != nil {
		return err
	}
	if learned.head != nil {
		err = b.Put(keyHead, learned.head)
	}
	return errors.Join(err, b.Put(keyModel, learned.model), b.Put(keyFitted, learned.fitted), b.Put(keyInfo, sealed(info)))
}

func (g *ground) modelInfo(number uint64) (modelInfo, error) {
	var info modelInfo
	b := g.models.Bucket(seqKey(number))
	if b == nil {
		return info, fmt.Errorf("%w: no generation %d", ErrNotFound, number)
	}
	body, err := unseal(fmt.Sprintf("information of generation %d", number), 0, b.Get(keyInfo))
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(body, &info); err != nil || info.Report == nil {
		return info, fmt.Errorf("%w: information of generation %d: %v", ErrCorrupt, number, err)
	}
	return info, nil
}

// generation reads a model; its index is empty and must be loaded.
func (g *ground) generation(number uint64) (*generation, error) {
	info, err := g.modelInfo(number)
	if err != nil {
		return nil, err
	}
	b := g.models.Bucket(seqKey(number))
	model, fitted, head := b.Get(keyModel), b.Get(keyFitted), b.Get(keyHead)
	gen := &generation{number: number, report: info.Report, stats: info.Stats, tail: newTail()}
	if gen.hash = hashOf(model, fitted, head); string(gen.hash[:]) != string(info.SHA256) {
		return nil, fmt.Errorf("%w: model of generation %d fails its checksum", ErrCorrupt, number)
	}
	if gen.model, err = embed.UnmarshalModel(model); err != nil {
		return nil, modelError(number, err)
	}
	if gen.fitted, err = source.UnmarshalFitted(fitted); err != nil {
		return nil, modelError(number, err)
	}
	if head != nil {
		if gen.head, err = embed.UnmarshalHead(head); err != nil {
			return nil, modelError(number, err)
		}
	}
	return gen, nil
}

func modelError(number uint64, err error) error {
	kind := ErrCorrupt
	if errors.Is(err, embed.ErrFormat) {
		kind = ErrFormat
	}
	return fmt.Errorf("%w: model of generation %d: %w", kind, number, err)
}

func (g *ground) activeGeneration() uint64 { return g.number([]byte(keyPrefixActive + defaultField)) }

func (g *ground) setActive(number uint64) error {
	return g.putNumber([]byte(keyPrefixActive+defaultField), number)
}

// generations lists the numbers of the models kept, ascending.
func (g *ground) generations() []uint64 {
	var out []uint64
	c := g.models.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if v == nil && len(k) == 8 {
			out = append(out, binary.BigEndian.Uint64(k))
		}
	}
	return out
}

// loadGeneration brings a model and its index into memory, as of the ground
// state's last change: from its snapshot; else from its latents; else by
// encoding every point again.
func (c *Collection) loadGeneration(ctx context.Context, number uint64) (*generation, error) {
	var gen *generation
	if err := c.view(func(g *ground) (err error) {
		gen, err = g.generation(number)
		return err
	}); err != nil {
		return nil, err
	}
	gen.latentOnly = c.Config().DropOriginals
	if gen.stats.Rows != nil { // there are none to serve before they are filled anyway
		gen.rowsLater.Store(c.rowsPlace(gen, *gen.stats.Rows) == RowsMemory)
	}
	if err := c.emptyRows(gen); err != nil {
		return nil, err
	}
	dir := c.generationDir(number)
	for i, saved := range []struct {
		what string
		load func(*generation, string) error
	}{{"index snapshot", loadSnapshot}, {"latents", c.loadLatents}} {
		if err := c.freshIndex(gen, gen.report.Engine); err != nil {
			return nil, err
		}
		err := saved.load(gen, dir)
		if err == nil {
			err = c.catchUp(gen)
		}
		switch {
		case err == nil:
			if i > 0 {
				gen.indexer.unsaved += gen.index.Len() // there is no snapshot of it
			}
			return gen, nil
		case errors.Is(err, os.ErrNotExist):
			c.log.Info("a derived file is missing; rebuilding", "generation", number, "file", saved.what)
		default:
			c.log.Warn("a derived file cannot be used; rebuilding", "generation", number, "file", saved.what, "error", err)
		}
	}
	if err := errors.Join(os.RemoveAll(dir), c.freshIndex(gen, gen.report.Engine)); err != nil {
		return nil, err
	}
	err := c.encodeAll(ctx, gen, nil)
	gen.indexer.unsaved += gen.index.Len()
	return gen, err
}

// catchUp brings an index that was loaded up to the last change, if the change
// log still reaches back to where the index ends, and counts what it then holds.
func (c *Collection) catchUp(gen *generation) error {
	if err := c.view(func(g *ground) error { return g.checkLog(gen.indexer.applied) }); err != nil {
		return err
	}
	if err := c.replayMost(gen); err != nil {
		return err
	}
	return c.verifyCount(gen)
}

// verifyCount compares the number of points with what an index holds, unless
// changes came after it.
func (c *Collection) verifyCount(gen *generation) error {
	return c.view(func(g *ground) error {
		have, want := gen.index.Len(), g.number(keyPoints)
		if gen.indexer.applied == g.number(keySeq) && uint64(have) != want {
			return fmt.Errorf("%w: the index of generation %d holds %d of %d points", ErrCorrupt, gen.number, have, want)
		}
		return nil
	})
}

// freshIndex gives a generation an empty index.
func (c *Collection) freshIndex(gen *generation, engine string) error {
	e := engineByName(engine)
	if e == nil {
		return fmt.Errorf("%w: unknown engine %q", ErrFormat, engine)
	}
	idx, err := c.newIndex(gen, *e)
	if err != nil {
		return err
	}
	gen.index, gen.indexer.applied, gen.indexer.dirty, gen.indexer.cleanAt = idx, 0, nil, 0
	return nil
}

// newIndex makes an empty index for what a generation's index holds: int8 codes,
// where latents are stored as such and the engine knows them.
func (c *Collection) newIndex(gen *generation, engine index.Engine) (index.Index, error) {
	cfg := c.Config()
	ic := index.Config{Dim: gen.width(), Metric: gen.metric(cfg), M: cfg.M, EfConstruct: cfg.EfConstruct, Seed: gen.number}
	if gen.model != nil && engine.Name != EngineCoder && gen.model.CodeStep() >= index.MinStep && gen.model.CodeStep() <= index.MaxStep {
		ic.Step = gen.model.CodeStep()
	}
	idx, err := engine.New(ic)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return idx, nil
}

// forgetChanges trims the change log to what some kept generation, or the snapshot of
// terms, still needs.
// The caller holds gen.indexer.mu.
func (c *Collection) forgetChanges(gen *generation) error {
	if c.holds.Load() > 0 {
		return nil
	}
	keep := gen.indexer.applied
	if applied, ok := savedSeq(c.lexiconPath()); ok {
		keep = min(keep, applied)
	}
	if err := c.view(func(g *ground) error {
		for _, n := range g.generations() {
			if n == gen.number {
				continue
			}
			if applied, ok := savedSeq(snapshotPath(c.generationDir(n))); ok {
				keep = min(keep, applied)
			}
			// Without a snapshot it will be encoded anew and needs no log.
		}
		return nil
	}); err != nil {
		return err
	}
	for more := true; more; {
		if err := c.update(func(tx *bolt.Tx) error {
			g, err := groundOf(tx)
			if err != nil {
				return err
			}
			more, err = g.trimChanges(keep, 10_000)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// savedSeq is the last change that a snapshot holds.
func savedSeq(path string) (uint64, bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	h, err := index.ReadHeader(f)
	if errors.Join(err, f.Close()) != nil {
		return 0, false
	}
	return h.AppliedSeq, true
}

// Models lists the generations kept, oldest first: the active one and the one
// before it.
func (c *Collection) Models(ctx context.Context) ([]ModelInfo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := []ModelInfo{}
	err := c.view(func(g *ground) error {
		for _, n := range g.generations() {
			info, err := g.modelInfo(n)
			if err != nil {
				return err
			}
			out = append(out, ModelInfo{
				Generation: n, Active: n == g.activeGeneration(), Created: info.Created, Source: info.Report.Source,
				Dim: info.Report.Dim, Encoder: info.Report.Encoder, Engine: info.Report.Engine,
				Points: info.Report.Points, SHA256: fmt.Sprintf("%x", info.SHA256),
			})
		}
		return nil
	})
	return out, err
}
