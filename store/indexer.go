package store

import (
	"sync"
	"time"
)

// indexerState is how far a generation's index has come.
type indexerState struct {
	mu sync.Mutex // held while the index is changed or saved
	// applied is the last change that the index holds.
	applied uint64
	// dirty are the latent blocks changed since cleanAt: latents saved as of
	// that change or later need only these.
	dirty   map[uint32]struct{}
	cleanAt uint64
	// unsaved counts changes since the snapshot.
	unsaved int
}

// wakeIndexer tells the indexer that the tail has grown.
func (c *Collection) wakeIndexer() {
	select {
	case c.indexWake <- struct{}{}:
	default:
	}
}

// indexLoop moves tail entries into the index, and now and then saves it.
func (c *Collection) indexLoop() {
	defer close(c.indexerDone)
	for {
		select {
		case <-c.indexWake:
		case <-c.stop:
			return
		}
		gen := c.active.Load()
		if err := gen.drain(); err != nil {
			// The points stay in the tail, where searches find them exactly.
			c.log.Error("indexing", "error", err)
			select {
			case <-time.After(time.Second):
			case <-c.stop:
				return
			}
			continue
		}
		c.saveLexiconIfDue()
		if gen.unsavedChanges() >= c.opts.SnapshotEvery {
			c.trySaving(gen)
		}
		c.saveRowsIfDue(gen)
	}
}

// drain applies what the tail holds to the index.
func (g *generation) drain() error {
	g.indexer.mu.Lock()
	defer g.indexer.mu.Unlock()
	pending, through := g.tail.pending()
	for slot, e := range pending {
		if err := g.applyRow(slot, e.row); err != nil {
			return err
		}
	}
	g.indexer.applied = max(g.indexer.applied, through)
	g.indexer.unsaved += len(pending)
	g.tail.drop(pending)
	return nil
}

// drained drains the tail and tells which change the index now reaches.
func (g *generation) drained() (applied uint64, err error) {
	if err := g.drain(); err != nil {
		return 0, err
	}
	g.indexer.mu.Lock()
	defer g.indexer.mu.Unlock()
	return g.indexer.applied, nil
}

// applyRow puts a row into the index, or takes its slot out. The caller holds
// indexer.mu, or is alone with the generation.
func (g *generation) applyRow(slot uint32, row []float32) error {
	g.indexer.touch([]uint32{slot})
	if row == nil {
		if g.index != nil {
			g.index.Delete(slot)
		}
		return nil
	}
	return g.index.Upsert(slot, row)
}

// touch notes that the latents of slots have changed.
func (s *indexerState) touch(slots []uint32) {
	if s.dirty == nil {
		s.dirty = make(map[uint32]struct{})
	}
	for _, slot := range slots {
		s.dirty[slot/latentBlock] = struct{}{}
	}
}

func (g *generation) unsavedChanges() int {
	g.indexer.mu.Lock()
	defer g.indexer.mu.Unlock()
	return g.indexer.unsaved
}

// replayStep is how many changes one transaction of a replay reads.
const replayStep = 2048

// replay applies the change log after what the index holds, until nothing is
// left. Used where the tail did not follow: on open, and for a generation being
// made or brought back.
func (c *Collection) replay(gen *generation) error {
	for {
		if n, err := c.replaySome(gen); err != nil || n < replayStep {
			return err
		}
	}
}

// replayMost is replay while writers go on: where they write faster than it
// follows it gives up, and leaves the rest to a replay that they wait for.
func (c *Collection) replayMost(gen *generation) error {
	const rounds = 50
	for range rounds {
		if n, err := c.replaySome(gen); err != nil || n < replayStep {
			return err
		}
	}
	return nil
}

// replaySome applies the next changes of the log and tells how many there were.
// Fewer than replayStep means that the index is as the points were just now.
func (c *Collection) replaySome(gen *generation) (int, error) {
	var changes []change
	var seq uint64
	rows := make(map[uint32][]float32)
	err := c.view(func(g *ground) error {
		var err error
		seq = g.number(keySeq)
		if changes, err = g.changesAfter(gen.indexer.applied, replayStep); err != nil {
			return err
		}
		for _, ch := range changes {
			feature, latent, err := gen.rowsOfSlot(g, ch.slot, gen.rows != nil)
			if err != nil {
				return err
			}
			gen.keepRow(ch.slot, feature)
			rows[ch.slot] = latent
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for slot, row := range rows {
		if err := gen.applyRow(slot, row); err != nil {
			return 0, err
		}
	}
	if n := len(changes); n == replayStep {
		seq = changes[n-1].seq
	}
	gen.indexer.applied = max(gen.indexer.applied, seq)
	gen.indexer.unsaved += len(changes)
	gen.tail.close(gen.indexer.applied)
	return len(changes), nil
}
