package store

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// Of killCopies ids each of the first half has a copy in the second.
const killCopies = 80

func copies() []Point {
	var out []Point
	for id := range killCopies {
		p := stamped(id%(killCopies/2), 1)
		p.Vector[0] += float32(id % (killCopies / 2)) // no two of a half are alike
		p.ID, p.Payload = NumID(uint64(id)), Payload{"id": id}
		out = append(out, p)
	}
	return out
}

// undoAck tells a deduplication (Undo 0 before it is done) or an undo.
type undoAck struct {
	Removes bool
	Undo    uint64
	Done    bool
}

// childDeduplicator removes copies and puts them back, a few at a time, and tells each
// before and after, until it is killed.
func childDeduplicator(dir string) error {
	undoStep, shedPause = 7, time.Millisecond
	db, err := Open(dir, &Options{NoAutoFit: true, Workers: 1, SnapshotEvery: 50})
	if err != nil {
		return err
	}
	c, err := db.Collection("test")
	if err != nil {
		return err
	}
	out, zero := json.NewEncoder(os.Stdout), 0.0
	for {
		if err := out.Encode(undoAck{Removes: true}); err != nil {
			return err
		}
		done, err := c.Deduplicate(ctx, DuplicateQuery{Threshold: &zero}, false)
		if err != nil {
			return err
		}
		if err := out.Encode(undoAck{Removes: true, Undo: done.Undo, Done: true}); err != nil {
			return err
		}
		if err := out.Encode(undoAck{Undo: done.Undo}); err != nil {
			return err
		}
		if back, err := c.UndoDeduplicate(ctx, done.Undo); err != nil || len(back.Restored) != len(done.Removed) {
			return fmt.Errorf("%+v, %w", back, err)
		}
		if err := out.Encode(undoAck{Undo: done.Undo, Done: true}); err != nil {
			return err
		}
	}
}

// TestKillUndo kills a process that removes duplicates and puts them back, at random
// moments. Each point must be there or be kept, never both and never neither; what was
// acknowledged must be so; and an undo afterwards must bring everything back.
func TestKillUndo(t *testing.T) {
	for name, cfg := range map[string]Config{
		"records": {Source: source.Vector{}, Dim: 3},
		"latents": {Source: source.Vector{}, Dim: 8, Encoder: embed.PCA, DropOriginals: true},
	} {
		t.Run(name, func(t *testing.T) { testKillUndo(t, cfg) })
	}
}

func testKillUndo(t *testing.T, cfg Config) {
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	c := create(t, db, cfg)
	mustUpsert(t, c, copies()...)
	rng := rand.New(rand.NewPCG(6, 6))
	for round := range rounds {
		if round == rounds/2 {
			mustFit(t, c)
		}
		mustCheck(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		cmd, out := child(t, "deduplicator", dir, 0)
		timer := time.AfterFunc(time.Duration(60+rng.IntN(250))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		last, pending := followUndo(out)
		_ = cmd.Wait() // it was killed
		timer.Stop()
		db = openDB(t, dir, quiet())
		c = collection(t, db, "test")
		mustCheck(t, db)
		compareUndo(t, round, c, last, pending)
		if t.Failed() {
			break
		}
	}
}

// followUndo reads what a child tells until it dies: what it acknowledged last, and what it
// was at.
func followUndo(out io.Reader) (last, pending *undoAck) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var a undoAck
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			break // the last line may be cut short
		}
		if pending = &a; a.Done {
			last, pending = &a, nil
		}
	}
	return last, pending
}

func compareUndo(t *testing.T, round int, c *Collection, last, pending *undoAck) {
	t.Helper()
	kept, undo := map[ID]bool{}, uint64(0)
	if err := c.view(func(g *ground) error {
		if u := g.lastUndo(); u != nil {
			undo = u.id
			each(u.points, func(k, v []byte) {
				p, err := decodeUndo(k, v)
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
				kept[p.id] = true
			})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	all := copies()
	for _, p := range all {
		got, err := c.Get(ctx, With{}, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if (len(got) == 1) == kept[p.ID] {
			t.Errorf("round %d: point %s is there: %t, and kept: %t", round, p.ID, len(got) == 1, kept[p.ID])
		}
	}
	removed := last != nil && last.Removes
	switch most := killCopies / 2; {
	case len(kept) != 0 && len(kept) != most && (pending == nil || pending.Removes):
		t.Errorf("round %d: %d points are kept, and no undo was under way", round, len(kept))
	case removed && undo != last.Undo && (pending == nil || len(kept) > 0):
		t.Errorf("round %d: undo %d, acknowledged was %d", round, undo, last.Undo)
	case !removed && len(kept) > 0 && pending == nil:
		t.Errorf("round %d: %d points are kept after an undo that was acknowledged", round, len(kept))
	}
	if undo != 0 {
		if out := mustUndo(t, c, undo); len(out.Restored) != len(kept) {
			t.Errorf("round %d: %+v, want %d restored", round, out, len(kept))
		}
	}
	for _, p := range all {
		got, err := c.Get(ctx, With{Payload: true, Vector: true}, p.ID)
		if err != nil || len(got) != 1 || got[0].Payload["id"] != int64(p.ID.num) {
			t.Fatalf("round %d: %v, %v", round, got, err)
		}
		twin, err := c.Get(ctx, With{Vector: true}, NumID((p.ID.num+killCopies/2)%killCopies))
		if err != nil || !slices.Equal(twin[0].Vector, got[0].Vector) {
			t.Errorf("round %d: %s came back as %v, its copy is %v", round, p.ID, got, twin)
		}
		if !c.active.Load().latentOnly && !slices.Equal(got[0].Vector, p.Vector) {
			t.Errorf("round %d: %s came back as %v", round, p.ID, got)
		}
	}
}
