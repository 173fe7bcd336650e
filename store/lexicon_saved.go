package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/latentdb/latentdb/embed/source"
	"github.com/latentdb/latentdb/index"
	"github.com/latentdb/latentdb/index/lexical"
)

// lexicon.snap is a snapshot of the inverted index, derived as all is but the ground
// state. It holds the index as it was, with what terms weighed, so that answers after an
// open are those before. It is of the collection: where an index of latents names its
// generation and model, it names the source.

// weighing is the version of how terms of a record are weighed; see lexicon.terms.
const weighing = "sublinear 1"

// lexiconPath is where a collection's terms are saved.
func (c *Collection) lexiconPath() string {
	return filepath.Join(c.dir, fieldDir(defaultField), "lexicon.snap")
}

// lexiconHash names all that terms depend on beside the records.
func lexiconHash(spec source.Spec) ([32]byte, error) {
	config, err := source.MarshalSpec(spec)
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256([]byte(source.TermsForm + "\n" + weighing + "\n" + string(config))), nil
}

// openLexicon brings the terms of all records to memory: from the snapshot and the change
// log after it, else from every record. Nobody writes yet.
func (c *Collection) openLexicon() error {
	if c.lexicon == nil {
		return nil
	}
	err := c.loadLexicon()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		if c.points.Load() > 0 {
			c.log.Info("a derived file is missing; rebuilding", "file", filepath.Base(c.lexiconPath()))
		}
	default:
		c.log.Warn("a derived file cannot be used; rebuilding", "file", filepath.Base(c.lexiconPath()), "error", err)
		// It would hold back the change log, and might be taken for good later.
		if err := os.Remove(c.lexiconPath()); err != nil {
			return wrapped(err)
		}
	}
	return c.fillLexicon()
}

// loadLexicon makes the snapshot the index and brings it up to the last change, if the
// change log still reaches back to where it ends. After an error the index is of no use.
func (c *Collection) loadLexicon() error {
	h, x, err := c.readLexicon()
	if err != nil {
		return err
	}
	l := c.lexicon
	l.index, l.applied = x, h.AppliedSeq
	if err := c.view(func(g *ground) error { return g.checkLog(h.AppliedSeq) }); err != nil {
		return err
	}
	for n := replayStep; n == replayStep; {
		if err := c.view(func(g *ground) (err error) {
			n, err = l.replay(g, c.opts.Workers)
			return err
		}); err != nil {
			return err
		}
	}
	if have, want := l.index.Len()+len(l.damaged), c.points.Load(); int64(have) != want {
		return fmt.Errorf("%w: the snapshot of terms holds %d of %d points", ErrCorrupt, have, want)
	}
	if err := c.compareSomeTerms(); err != nil {
		return err
	}
	c.warnOfDamage()
	return nil
}

// comparedTerms is how many records are compared with a snapshot of terms.
const comparedTerms = 4

// compareSomeTerms compares some records with the terms that the index holds of them: the
// snapshot of another collection may be of as many points and changes, and of the same
// source. A record that cannot be read tells nothing.
func (c *Collection) compareSomeTerms() error {
	return c.view(func(g *ground) error {
		cur, slots := g.slots.Cursor(), c.slots.Load()
		var scores []float32
		for i := range int64(comparedTerms) {
			key, _ := cur.Seek(slotKey(uint32(i * slots / comparedTerms)))
			if key == nil {
				return nil
			}
			slot := binary.BigEndian.Uint32(key)
			p, ok, err := g.point(slot)
			if err != nil || !ok {
				continue
			}
			terms, err := c.lexicon.terms(p.data)
			if err != nil || len(terms) == 0 {
				continue
			}
			// The cosine of the same terms is 1, but for the rounding of sums, of long texts
			// of a hundred thousand terms; what is less alike than that is another's.
			if scores = c.lexicon.index.Scores(scores, terms); int(slot) >= len(scores) || scores[slot] < 0.9 {
				return fmt.Errorf("%w: the snapshot of terms has others than the record of id %s", ErrCorrupt, p.id)
			}
		}
		return nil
	})
}

// readLexicon reads the snapshot, if it is of the collection as it is configured and of no
// later state than the points are in.
func (c *Collection) readLexicon() (h index.Header, x *lexical.Index, err error) {
	want, err := lexiconHash(c.Config().Source)
	if err != nil {
		return h, nil, err
	}
	f, err := os.Open(c.lexiconPath())
	if err != nil {
		return h, nil, err
	}
	defer func() { err = errors.Join(err, wrapped(f.Close())) }()
	if h, err = index.ReadHeader(f); err != nil {
		return h, nil, err
	}
	if h.Engine != lexical.Engine || h.ModelHash != want {
		return h, nil, fmt.Errorf("%w: snapshot of terms is of another source or version", ErrCorrupt)
	}
	if last := c.published.Load(); h.AppliedSeq > last {
		return h, nil, fmt.Errorf("%w: snapshot of terms is of change %d, the last one is %d", ErrCorrupt, h.AppliedSeq, last)
	}
	x, err = index.LoadBody(f, h, func(body io.Reader) (*lexical.Index, error) {
		return lexical.Decode(body, int(c.slots.Load()))
	})
	return h, x, err
}

// replay enters the next changes of the log and tells how many there were: fewer than
// replayStep where the index is then as the points are.
func (l *lexicon) replay(g *ground, workers int) (int, error) {
	changes, err := g.changesAfter(l.applied, replayStep)
	if err != nil {
		return 0, err
	}
	var slots, gone []uint32
	for _, ch := range changes {
		slots = append(slots, ch.slot)
	}
	slices.Sort(slots)
	slots = slices.Compact(slots)
	points, seq := slots[:0], g.number(keySeq)
	var entries []slotEntry
	for _, slot := range slots {
		switch e, ok, err := g.entry(slot); {
		case err != nil:
			return 0, err
		case ok:
			points, entries = append(points, slot), append(entries, e)
		default:
			gone = append(gone, slot)
		}
	}
	if n := len(changes); n == replayStep {
		seq = changes[n-1].seq
	}
	l.enterPoints(g, points, entries, gone, workers, seq)
	return len(changes), nil
}

// enterPoints enters the terms of slots that hold a point, and that others hold none. A
// record that is damaged must not keep the database from opening: whoever searches by
// terms is told.
func (l *lexicon) enterPoints(g *ground, slots []uint32, entries []slotEntry, gone []uint32, workers int, seq uint64) {
	records, errs := make([]storedPoint, len(slots)), make([]error, len(slots))
	for i := range slots {
		records[i], errs[i] = g.content(slots[i], entries[i])
	}
	documents := make([]lexical.Document, len(slots))
	inParallel(workers, len(slots), func(i int) {
		documents[i].Slot = slots[i]
		if errs[i] == nil {
			documents[i].Terms, errs[i] = l.terms(records[i].data)
		}
	})
	whole, failed := documents[:0], make(map[uint32]error)
	for i, err := range errs {
		if err == nil {
			whole = append(whole, documents[i])
			continue
		}
		gone = append(gone, slots[i])
		failed[slots[i]] = fmt.Errorf("%w: terms of id %s: %v", ErrCorrupt, entries[i].id, err)
	}
	l.enter(whole, gone, failed, seq)
}

// fillLexicon enters the terms of all records into a new index. Cost: 0.15 ms a text of
// forty words.
func (c *Collection) fillLexicon() error {
	l := c.lexicon
	l.index, l.damaged, l.unsaved = lexical.New(), make(map[uint32]error), 0
	next := []byte{0, 0, 0, 0}
	for next != nil {
		if err := c.view(func(g *ground) (err error) {
			var slots []uint32
			var entries []slotEntry
			next, err = g.entriesFrom(next, func(slot uint32, e slotEntry) {
				slots, entries = append(slots, slot), append(entries, e)
			})
			l.enterPoints(g, slots, entries, nil, c.opts.Workers, c.published.Load())
			return err
		}); err != nil {
			return err
		}
	}
	l.index.Compact() // so that the records alone decide, not the steps they were read in
	c.warnOfDamage()
	return nil
}

func (c *Collection) warnOfDamage() {
	for slot, err := range c.lexicon.damaged {
		c.log.Warn("a record has no terms", "slot", slot, "error", err)
	}
}

// lexiconIsDue tells whether so many records changed since the snapshot that a new one is
// worth it.
func (c *Collection) lexiconIsDue() bool {
	return c.lexicon != nil && !c.temporary && c.worthWriting(int64(c.lexicon.unsavedChanges()))
}

func (l *lexicon) unsavedChanges() int {
	l.following.Lock()
	defer l.following.Unlock()
	return l.unsaved
}

// state is the index as of the last change, and how many it has not saved.
func (l *lexicon) state() (state lexical.State, applied uint64, unsaved int) {
	l.following.Lock()
	defer l.following.Unlock()
	return l.index.State(), l.applied, l.unsaved
}

// saveLexicon writes a snapshot.
func (c *Collection) saveLexicon() error {
	hash, err := lexiconHash(c.Config().Source)
	if err != nil {
		return err
	}
	path := c.lexiconPath()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return wrapped(err)
	}
	c.holds.Add(1) // until the snapshot is there, nothing tells how far back the log is needed
	defer c.holds.Add(-1)
	state, applied, unsaved := c.lexicon.state()
	if err := writeFile(path, func(f *os.File) error {
		return index.Save(f, index.Header{ModelHash: hash, AppliedSeq: applied}, state)
	}); err != nil {
		return err
	}
	c.lexicon.following.Lock()
	defer c.lexicon.following.Unlock()
	c.lexicon.unsaved -= unsaved
	return nil
}

// saveLexiconIfDue writes a snapshot in the background: no point waits for it, and a
// failure costs only time on the next open.
func (c *Collection) saveLexiconIfDue() {
	if !c.lexiconIsDue() || !c.lexicon.saving.CompareAndSwap(false, true) {
		return
	}
	c.fills.Go(func() {
		defer c.lexicon.saving.Store(false)
		if err := c.saveLexicon(); err != nil {
			c.log.Error("saving terms", "error", err)
		}
	})
}
