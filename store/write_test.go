package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestLastOfOneIDWins(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c,
		Point{ID: NumID(1), Vector: []float32{1, 0}, Payload: Payload{"a": 1}},
		Point{ID: StringID("1"), Vector: []float32{5, 5}},
		Point{ID: NumID(1), Vector: []float32{2, 0}, Payload: Payload{"b": 2}})
	got, err := c.Get(ctx, With{Payload: true, Vector: true}, NumID(1), StringID("1"), NumID(9))
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if got[0].Vector[0] != 2 || got[0].Payload["b"] != int64(2) || got[0].Payload["a"] != nil {
		t.Errorf("the last of two points with one id should replace the first whole: %v", got[0])
	}
	if got[1].ID != StringID("1") || got[1].Vector[0] != 5 {
		t.Errorf("number 1 and string 1 are different points: %v", got[1])
	}
}

// TestGroupsAreAtomic writes at once many batches that pair two points, and
// some that must fail as a whole, whatever they are committed together with.
func TestGroupsAreAtomic(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, Point{ID: StringID("first"), Vector: []float32{0, 0}})
	const batches = 120
	var wg sync.WaitGroup
	errs := make([]error, batches)
	for i := range batches {
		wg.Go(func() {
			b := Batch{Upsert: []Point{
				{ID: NumID(uint64(2 * i)), Vector: []float32{float32(i), 1}},
				{ID: NumID(uint64(2*i + 1)), Vector: []float32{float32(i), 2}},
			}}
			if i%5 == 0 { // refused inside the transaction, after the upserts
				b.Payloads = []PayloadChange{{Op: PayloadSet, IDs: []ID{StringID("nobody")}, Payload: Payload{"x": 1}}}
			}
			_, errs[i] = c.Write(ctx, b, false)
		})
	}
	wg.Wait()
	for i, err := range errs {
		points, getErr := c.Get(ctx, With{}, NumID(uint64(2*i)), NumID(uint64(2*i+1)))
		if getErr != nil {
			t.Fatal(getErr)
		}
		if i%5 == 0 && (!errors.Is(err, ErrNotFound) || len(points) != 0) {
			t.Errorf("batch %d: %v and %d points, want ErrNotFound and none", i, err, len(points))
		}
		if i%5 != 0 && (err != nil || len(points) != 2) {
			t.Errorf("batch %d: %v and %d points, want both", i, err, len(points))
		}
	}
}

// TestOneRefusedOfAGroup commits a group of its own making, since what the
// queue groups is a matter of timing.
func TestOneRefusedOfAGroup(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	mustUpsert(t, c, Point{ID: NumID(0), Vector: []float32{0, 0}})
	var group []*request
	for i := 1; i <= 3; i++ {
		b := Batch{Upsert: []Point{{ID: NumID(uint64(i)), Vector: []float32{1, 1}}}, Delete: []ID{NumID(0)}}
		if i == 2 {
			b.Payloads = []PayloadChange{{Op: PayloadClear, IDs: []ID{NumID(99)}}}
		}
		r, err := c.prepare(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		group = append(group, r)
	}
	c.commitGroup(group)
	if group[0].err != nil || group[2].err != nil || !errors.Is(group[1].err, ErrNotFound) {
		t.Fatalf("errors %v, %v, %v", group[0].err, group[1].err, group[2].err)
	}
	if r := group[1].result; r != (WriteResult{}) {
		t.Errorf("a refused batch tells of %+v", r)
	}
	if got := []int{group[0].result.Points, group[2].result.Points}; !slices.Equal(got, []int{2, 1}) {
		t.Errorf("the others changed %v points, want 2 (one deleted) and 1", got)
	}
	if n, err := c.Count(ctx, nil); err != nil || n != 2 {
		t.Errorf("%d points, %v, want 1 and 3", n, err)
	}
}

// TestPayloadLeavesLatentsAlone writes the same records with other payloads,
// and payload changes, and looks for any trace of them in the index.
func TestPayloadLeavesLatentsAlone(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	points := numbered(curved(3, 200, 8))
	mustUpsert(t, c, points...)
	mustFit(t, c)
	gen := c.active.Load()
	before := c.published.Load()
	for i := range points {
		points[i].Payload = Payload{"changed": true}
	}
	mustUpsert(t, c, points...)
	for _, ch := range []PayloadChange{
		{Op: PayloadSet, IDs: []ID{NumID(1)}, Payload: Payload{"set": 1}},
		{Op: PayloadOverwrite, IDs: []ID{NumID(2)}, Payload: Payload{"over": 1}},
		{Op: PayloadDelete, IDs: []ID{NumID(3)}, Keys: []string{"changed", "missing"}},
		{Op: PayloadClear, Filter: &Filter{Must: []Condition{{HasID: []ID{NumID(4)}}}}},
	} {
		if res, err := c.Write(ctx, Batch{Payloads: []PayloadChange{ch}}, false); err != nil || res.Points != 1 {
			t.Fatalf("%s: %+v, %v", ch.Op, res, err)
		}
	}
	if err := c.view(func(g *ground) error {
		logged, err := g.changesAfter(before, 1000)
		if len(logged) != 0 || gen.tail.size() != 0 {
			t.Errorf("payloads made %d entries of the change log and %d of the tail, want none", len(logged), gen.tail.size())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(ctx, With{Payload: true}, NumID(1), NumID(2), NumID(3), NumID(4))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"map[changed:true set:1]", "map[over:1]", "map[]", "map[]"}
	for i, p := range got {
		if s := fmt.Sprint(map[string]any(p.Payload)); s != want[i] {
			t.Errorf("payload of %s is %s, want %s", p.ID, s, want[i])
		}
	}
}

// TestSlotsAreReused deletes and inserts until every slot had several points.
func TestSlotsAreReused(t *testing.T) {
	for _, fitted := range []bool{false, true} {
		t.Run(fmt.Sprintf("fitted=%t", fitted), func(t *testing.T) {
			c := create(t, tempDB(t, quiet()), vectorConfig())
			vectors := curved(4, 300, 6)
			mustUpsert(t, c, numbered(vectors[:60])...)
			if fitted {
				mustFit(t, c)
			}
			for round := 1; round <= 4; round++ {
				from := uint64(60 * (round - 1))
				var b Batch
				for i := range uint64(60) {
					b.Delete = append(b.Delete, NumID(from+i))
					b.Upsert = append(b.Upsert, Point{ID: NumID(from + 60 + i), Vector: vectors[from+60+i]})
				}
				if _, err := c.Write(ctx, b, false); err != nil {
					t.Fatal(err)
				}
				hits := mustSearch(t, c, Query{Vector: vectors[from+70], Limit: 1, Exact: true}).Hits
				if len(hits) != 1 || hits[0].ID != NumID(from+70) {
					t.Fatalf("round %d: %v", round, hits)
				}
			}
			if n := c.slots.Load(); n != 60 {
				t.Errorf("%d slots for 60 points", n)
			}
		})
	}
}

func TestWriteWithoutWaiting(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	ids := []ID{NumID(3)}
	payload := Payload{"a": 1}
	for i := range 50 {
		if _, err := c.Write(ctx, Batch{Upsert: []Point{{ID: NumID(uint64(i)), Vector: []float32{1, float32(i)}}}}, true); err != nil {
			t.Fatal(err)
		}
	}
	b := Batch{Delete: ids, Payloads: []PayloadChange{{Op: PayloadSet, IDs: []ID{NumID(4)}, Payload: payload}}}
	if _, err := c.Write(ctx, b, true); err != nil {
		t.Fatal(err)
	}
	ids[0], payload["a"] = NumID(5), 2 // the caller's again
	if _, err := c.Write(ctx, Batch{}, false); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(ctx, With{Payload: true}, NumID(3), NumID(4), NumID(5))
	if err != nil || len(got) != 2 || got[0].Payload["a"] != int64(1) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestCloseUnderLoad closes and drops while many write: every write ends, and
// those that were acknowledged are kept.
func TestCloseUnderLoad(t *testing.T) {
	db := openDB(t, t.TempDir(), &Options{Workers: 2, SnapshotEvery: 20})
	cfg := vectorConfig()
	cfg.AutoFit.MinPoints = 40
	c := create(t, db, cfg)
	var mu sync.Mutex
	var kept []ID
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := StringID(fmt.Sprintf("%d-%d", w, i))
				err := c.Upsert(ctx, Point{ID: id, Vector: []float32{float32(w), float32(i), 1}})
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				kept = append(kept, id)
				mu.Unlock()
				if i == 15 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := c.Upsert(ctx, Point{ID: NumID(1), Vector: []float32{1, 1, 1}}); !errors.Is(err, ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	db = openDB(t, db.Dir(), quiet())
	got, err := collection(t, db, "test").Get(ctx, With{}, kept...)
	if err != nil || len(got) != len(kept) {
		t.Errorf("%d of %d acknowledged points, %v", len(got), len(kept), err)
	}
	if err := db.DropCollection(ctx, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Collection("test"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after the drop: %v", err)
	}
}

// TestCloseWithAFullQueue closes while the queue is full and the writer waits
// for the indexer.
func TestCloseWithAFullQueue(t *testing.T) {
	db := tempDB(t, quiet())
	c := create(t, db, vectorConfig())
	mustUpsert(t, c, Point{ID: StringID("first"), Vector: []float32{0, 0}})
	gen := c.active.Load()
	gen.indexer.mu.Lock() // the indexer stands still
	var points []Point
	for i := range maxTail + 10 {
		points = append(points, Point{ID: NumID(uint64(i)), Vector: []float32{1, float32(i)}})
	}
	if _, err := c.Write(ctx, Batch{Upsert: points}, true); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range queueBatches + 20 {
		wg.Go(func() {
			if _, err := c.Delete(ctx, NumID(1)); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
	}
	for len(c.queue) < queueBatches {
		// Nothing but the queue tells that it is full.
	}
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	for !c.stopped() {
	}
	gen.indexer.mu.Unlock()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
}
