package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/latentdb/latentdb/embed/source"
	bolt "go.etcd.io/bbolt"
)

// Collection is a set of points with one source of records.
type Collection struct {
	name      string
	dir       string
	opts      Options
	log       *slog.Logger
	temporary bool
	db        *bolt.DB

	config atomic.Pointer[Config]
	// configMu guards changes of the configuration: by the first records, which
	// decide the source, and of the payload indexes.
	configMu sync.Mutex

	// active is the generation that new queries pin.
	active atomic.Pointer[generation]
	// published is the last change that searches see, points their number.
	published  atomic.Uint64
	selections selectionCache
	recent     recentChanges
	// showing is odd while a group of changes becomes visible, and higher after.
	showing atomic.Uint64
	ids     pointIDs
	points  atomic.Int64
	// slots is one more than the highest slot ever used.
	slots atomic.Int64
	// readOnly is set once what is on disk is in doubt.
	readOnly atomic.Bool
	// holds counts the generations and snapshots of terms being made, which need the
	// change log whole.
	holds atomic.Int32

	// writeMu is held while a group is committed and published, and by what
	// must see no commit: the last step of a switch of generations.
	writeMu  sync.Mutex
	switchMu sync.Mutex // one switch of generations at a time

	queueMu    sync.RWMutex // held for reading while a batch enters the queue
	closing    atomic.Bool
	queue      chan *request
	writerDone chan struct{}

	indexWake   chan struct{}
	indexerDone chan struct{}
	stop        chan struct{} // closed when background work must end
	fills       sync.WaitGroup
	filling     atomic.Int32 // how many of them bring to memory what searches are quicker by

	payloadIndexes payloadIndexes
	lexicon        *lexicon // nil where records have no terms
	shedding       shedding

	fits         fitState
	outlierCache populationCache
	samplers     samplerCache
	predictors   predictorCache
	lastScan     scanCache
}

func newCollection(db *DB, name, dir string) *Collection {
	c := &Collection{
		name: name, dir: dir, opts: db.opts, temporary: db.temporary,
		log:        db.opts.Logger.With("collection", name),
		queue:      make(chan *request, queueBatches),
		writerDone: make(chan struct{}), indexerDone: make(chan struct{}),
		indexWake: make(chan struct{}, 1), stop: make(chan struct{}),
		shedding: shedding{wake: make(chan struct{}, 1)},
	}
	c.fits.status = FitStatus{State: FitIdle}
	return c
}

// createCollection makes a collection in a new directory, which is marked until
// the catalog names it.
func createCollection(db *DB, name, dir string, cfg Config) (*Collection, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, wrapped(err)
	}
	c := newCollection(db, name, dir)
	err := mark(dir)
	if err == nil {
		err = c.create(cfg)
	}
	if err != nil {
		return nil, errors.Join(err, discard(dir))
	}
	return c, nil
}

func (c *Collection) create(cfg Config) (err error) {
	if c.db, err = openBolt(filepath.Join(c.dir, "points.db"), c.pointsUse()); err != nil {
		return err
	}
	err = c.update(func(tx *bolt.Tx) error { return initGround(tx, cfg) })
	if err == nil {
		err = errors.Join(syncDir(c.dir), syncDir(filepath.Dir(c.dir)))
	}
	if err == nil {
		err = c.start()
	}
	if err != nil {
		return errors.Join(err, wrapped(c.db.Close()))
	}
	return nil
}

func openCollection(db *DB, name, dir string) (*Collection, error) {
	path := filepath.Join(dir, "points.db")
	// bbolt would make a missing file, and the loss would pass unnoticed.
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	c := newCollection(db, name, dir)
	var err error
	if c.db, err = openBolt(path, c.pointsUse()); err != nil {
		return nil, err
	}
	if err := metaDamage(path); err != nil {
		c.log.Warn("opened by the other meta page", "error", err)
	}
	if err := c.start(); err != nil {
		return nil, errors.Join(err, wrapped(c.db.Close()))
	}
	return c, nil
}

// pointsUse leaves the leaves of points.db to Check: they are the whole of it.
func (c *Collection) pointsUse() boltUse {
	return boltUse{noSync: c.temporary, mapping: pointsMapping, look: branchPages}
}

// start reads the ground state, brings the active generation into memory and
// begins background work.
func (c *Collection) start() error {
	var cfg Config
	var active uint64
	var kept []uint64
	if err := c.checkPointsFormat(); err != nil {
		return err
	}
	err := c.view(func(g *ground) error {
		var err error
		kept = g.generations()
		if cfg, err = g.config(); err == nil {
			err = g.checkLatents(cfg)
		}
		c.published.Store(g.number(keySeq))
		c.points.Store(int64(g.number(keyPoints)))
		c.slots.Store(int64(g.number(keyNextSlot)))
		active = g.activeGeneration()
		return err
	})
	if err != nil {
		return err
	}
	c.config.Store(&cfg)
	if err := c.removeStrays(kept); err != nil {
		return err
	}
	c.lexicon = newLexicon(cfg.Source)
	if err := c.openLexicon(); err != nil {
		return err
	}
	if err := c.loadActive(active); err != nil {
		return err
	}
	c.fill("ids", c.fillIDs)
	c.fillRows(c.active.Load())
	c.payloadIndexes.define(cfg.PayloadIndexes, c.published.Load())
	c.buildPayloadIndexes()
	go c.writeLoop()
	go c.indexLoop()
	if c.lexiconIsDue() { // it was made anew, which another open need not do
		c.wakeIndexer()
	}
	if cfg.DropOriginals {
		c.fills.Go(c.shedLoop)
		c.shed()
	}
	if !c.resumeFit() {
		c.maybeAutoFit()
	}
	return nil
}

func (c *Collection) loadActive(number uint64) error {
	var gen *generation
	var err error
	if number == 0 {
		gen, err = c.buildGenerationZero()
		if err != nil && !errors.Is(err, ErrCorrupt) {
			c.log.Error("fitting the front end", "error", err)
			gen, err = brokenGenerationZero(err), nil
		}
	} else {
		if gen, err = c.loadGeneration(context.Background(), number); err == nil {
			err = c.replay(gen) // to the end: nobody writes yet
		}
	}
	if err != nil {
		return err
	}
	c.active.Store(gen)
	return nil
}

// buildGenerationZero fits the front end on all records and indexes their
// feature rows.
func (c *Collection) buildGenerationZero() (*generation, error) {
	if c.points.Load() == 0 {
		return newGenerationZero(c.Config(), nil)
	}
	gen, err := newGenerationZero(c.Config(), c.records(context.Background(), nil))
	if err != nil {
		return nil, err
	}
	gen.fittedOn = int(c.points.Load())
	return gen, c.encodeAll(context.Background(), gen, nil)
}

// close ends all work and closes the files; with save, the index is saved.
func (c *Collection) close(save bool) error {
	// The writer may wait for room in the tail, and gives up once it sees
	// closing: so that is set before the lock, which a batch that waits for
	// room in the queue holds until the writer goes on.
	if c.closing.Swap(true) {
		return nil
	}
	c.queueMu.Lock()
	close(c.queue)
	c.queueMu.Unlock()
	c.CancelFit()
	<-c.writerDone
	c.switchMu.Lock() // a switch under way ends first; none begins after
	defer c.switchMu.Unlock()
	c.writeMu.Lock() // whoever begins to make payload indexes sees closing, or is waited for
	close(c.stop)
	c.writeMu.Unlock()
	<-c.indexerDone
	c.payloadIndexes.builders.Wait()
	c.fits.running.Wait()
	c.fills.Wait()
	c.release(c.active.Load())
	var errs []error
	if l := c.lexicon; save && l != nil && !c.temporary && l.unsavedChanges() > 0 {
		errs = append(errs, c.saveLexicon())
	}
	if gen := c.active.Load(); save && gen.model != nil && !c.temporary {
		if err := gen.drain(); err != nil {
			errs = append(errs, err)
		} else if gen.unsavedChanges() > 0 {
			errs = append(errs, c.persist(gen))
		}
	}
	if save && !c.temporary && !c.readOnly.Load() {
		errs = append(errs, settle(c.db))
	}
	return errors.Join(append(errs, wrapped(c.db.Close()))...)
}

// stopped tells that the collection is closing.
func (c *Collection) stopped() bool { return c.closing.Load() }

// resolveSource lets the first records decide what the configuration leaves
// open, and keeps the decision.
func (c *Collection) resolveSource(points []Point) error {
	if c.active.Load().fitted != nil {
		return nil // decided long ago
	}
	c.configMu.Lock()
	defer c.configMu.Unlock()
	cfg := c.Config()
	spec, err := resolved(cfg.Source, points)
	if err != nil {
		return err
	}
	before, err := source.MarshalSpec(cfg.Source)
	if err != nil {
		return err
	}
	after, err := source.MarshalSpec(spec)
	if err != nil {
		return err
	}
	if string(before) == string(after) {
		return nil
	}
	// Records that their own source then refuses must not decide it.
	for i, p := range points {
		if _, err := spec.Marshal(p.content()); err != nil {
			return invalidCause(contentField(i, p), err)
		}
	}
	cfg.Source = spec
	if err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		return g.putConfig(cfg)
	}); err != nil {
		return err
	}
	c.config.Store(&cfg)
	return nil
}

// resolved is the source with what it leaves open decided by the records of
// points. An error names the first point with which they cannot decide.
func resolved(spec source.Spec, points []Point) (source.Spec, error) {
	records := make([]any, len(points))
	for i, p := range points {
		records[i] = p.content()
	}
	out, err := spec.Resolve(records)
	if err == nil {
		return out, nil
	}
	blamed := sort.Search(len(records)-1, func(i int) bool {
		_, err := spec.Resolve(records[:i+1])
		return err != nil
	})
	if _, first := spec.Resolve(records[:blamed+1]); first != nil {
		err = first
	}
	return nil, invalidCause(contentField(blamed, points[blamed]), err)
}

// contentField is the path of the i-th point's content, whichever way it was given.
func contentField(i int, p Point) string {
	if p.Vector != nil {
		return fmt.Sprintf("points[%d].vector", i)
	}
	return fmt.Sprintf("points[%d].record", i)
}
