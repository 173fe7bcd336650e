package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

var payloadKinds = []PayloadKind{KindKeyword, KindUUID, KindInteger, KindFloat, KindBool}

// wildKeys are payload keys of all shapes that a path has.
var wildKeys = []string{"a", "a.b", "a[].b", "l", "l[]"}

// drawWild draws a value that an index of any kind may meet.
func drawWild(t *rapid.T, depth int) any {
	most := 7
	if depth == 0 {
		most = 5
	}
	switch rapid.IntRange(0, most).Draw(t, "wild") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.SampledFrom([]string{"", "x", "xy", "1", "true"}).Draw(t, "text")
	case 3:
		return rapid.Float64Range(-2, 2).Draw(t, "float")
	case 4:
		return rapid.SampledFrom([]any{1<<53 - 1, 1 << 53, 1<<53 + 1, 1.5, uint64(math.MaxUint64), -1}).Draw(t, "large")
	case 5:
		return rapid.IntRange(-2, 2).Draw(t, "int")
	case 6:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "list"))
		for i := range list {
			list[i] = drawWild(t, depth-1)
		}
		return list
	}
	return map[string]any{"b": drawWild(t, depth-1)}
}

func drawWildPayload(t *rapid.T) Payload {
	p := Payload{}
	for _, key := range wildKeys {
		if rapid.Bool().Draw(t, "has "+key) {
			p[key] = drawWild(t, 3)
		}
	}
	return p
}

// drawScalar draws what a Match compares with.
func drawScalar(t *rapid.T) any {
	for {
		if v := drawWild(t, 0); v != nil {
			return v
		}
	}
}

func drawWildCondition(t *rapid.T, depth int) Condition {
	key := rapid.SampledFrom(wildKeys).Draw(t, "key")
	scalars := func() []any {
		out := make([]any, rapid.IntRange(0, 3).Draw(t, "values"))
		for i := range out {
			out[i] = drawScalar(t)
		}
		return out
	}
	most := 7
	if depth == 0 {
		most = 6
	}
	switch rapid.IntRange(0, most).Draw(t, "condition") {
	case 0:
		return Condition{Key: key, Match: &Match{Any: scalars()}}
	case 1:
		return Condition{Key: key, Match: &Match{Except: scalars()}}
	case 2:
		return Condition{Key: key, Match: &Match{Text: rapid.SampledFrom([]string{"x", "y", "1"}).Draw(t, "text")}}
	case 3:
		bound := func() *float64 { return new(float64(rapid.IntRange(-2, 2).Draw(t, "bound"))) }
		return Condition{Key: key, Range: rapid.SampledFrom([]*Range{
			{GT: bound()}, {GTE: bound(), LT: bound()}, {GT: bound(), GTE: bound()}, {LTE: bound()}, {GT: bound(), LTE: new(float64(1 << 53))},
		}).Draw(t, "range")}
	case 4:
		return Condition{IsEmpty: key}
	case 5:
		return Condition{IsNull: key}
	case 6:
		return Condition{Key: key, Match: &Match{Value: drawScalar(t)}}
	}
	return Condition{Filter: drawWildFilter(t, depth-1)}
}

func drawWildFilter(t *rapid.T, depth int) *Filter {
	f := &Filter{}
	for range rapid.SampledFrom([]int{1, 1, 2, 3, 0}).Draw(t, "conditions") {
		clause := rapid.SampledFrom([]*[]Condition{&f.Must, &f.Should, &f.MustNot}).Draw(t, "clause")
		*clause = append(*clause, drawWildCondition(t, depth))
	}
	return f
}

// TestIndexedFilterAgainstScan compares what filters select with indexes and by
// reading every payload, as points change.
func TestIndexedFilterAgainstScan(t *testing.T) {
	db := tempDB(t, quiet())
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		cfg := vectorConfig()
		for _, key := range wildKeys {
			if rapid.IntRange(0, 3).Draw(t, "indexes "+key) > 0 {
				cfg.PayloadIndexes = append(cfg.PayloadIndexes, PayloadIndex{key, rapid.SampledFrom(payloadKinds).Draw(t, "kind")})
			}
		}
		name := fmt.Sprint(runs)
		c, err := db.CreateCollection(ctx, name, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WaitPayloadIndexes(ctx); err != nil {
			t.Fatal(err)
		}
		payloads := make(map[ID]Payload)
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			var b Batch
			for range rapid.IntRange(0, 12).Draw(t, "points") {
				id, p := NumID(rapid.Uint64Range(0, 15).Draw(t, "id")), drawWildPayload(t)
				b.Upsert = append(b.Upsert, Point{ID: id, Vector: []float32{1}, Payload: p})
				data, err := p.encode("payload")
				if err != nil {
					t.Fatal(err)
				}
				if payloads[id], err = decodePayload(data); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := c.Write(ctx, b, false); err != nil {
				t.Fatal(err)
			}
			for _, id := range slices.SortedFunc(maps.Keys(payloads), ID.Compare) {
				if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
					delete(payloads, id)
					if _, err := c.Delete(ctx, id); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for range 30 {
			compareWithScan(t, c, payloads)
		}
		mustCheck(t, db)
		if err := db.DropCollection(ctx, name); err != nil {
			t.Fatal(err)
		}
	})
}

func compareWithScan(t *rapid.T, c *Collection, payloads map[ID]Payload) {
	f, err := drawWildFilter(t, 1).prepared()
	if err != nil {
		t.Fatal(err)
	}
	if err := selectsAsScan(c, f, payloads); err != nil {
		t.Fatalf("%v, of %v", err, payloads)
	}
}

// selectsAsScan compares what a collection selects with what a filter matches.
func selectsAsScan(c *Collection, f *Filter, payloads map[ID]Payload) error {
	want := []ID{}
	for id, p := range payloads {
		if f.matches(id, p) {
			want = append(want, id)
		}
	}
	slices.SortFunc(want, ID.Compare)
	got := []ID{}
	for p, err := range c.Scroll(ctx, ScrollQuery{Filter: f}) {
		if err != nil {
			return err
		}
		got = append(got, p.ID)
	}
	text, _ := json.Marshal(f)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s selects %v, want %v", text, got, want)
	}
	if n, err := c.Count(ctx, f); err != nil || n != len(want) {
		return fmt.Errorf("%s counts %d, %w, want %d", text, n, err, len(want))
	}
	return nil
}

// TestEveryConditionOnEveryKind compares indexes of every kind with the scan, for
// conditions of every form on values of every kind.
func TestEveryConditionOnEveryKind(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	scalars := []any{true, false, "", "x", "xy", "1", -1, 0, 1, 2, 0.5, 1 << 53, 1<<53 + 1, math.MaxInt64, uint64(math.MaxUint64), -1e300}
	values := append([]any{nil, []any{}, []any{nil}, []any{1, 2}, []any{"x", "xy"}, []any{1, "x", true, nil}, []any{0.5, 0.5},
		[]any{[]any{2}, []any{}}, map[string]any{}, []any{map[string]any{"k": 1}, 1}}, scalars...)
	points := []Point{{ID: NumID(999), Vector: []float32{0}}}
	payloads := map[ID]Payload{NumID(999): nil}
	for i, v := range values {
		p := Point{ID: NumID(uint64(i)), Vector: []float32{float32(i)}, Payload: Payload{"k": v}}
		data, err := p.Payload.encode("payload")
		if err != nil {
			t.Fatal(err)
		}
		if payloads[p.ID], err = decodePayload(data); err != nil {
			t.Fatal(err)
		}
		points = append(points, p)
	}
	mustUpsert(t, c, points...)
	conditions := []Condition{{IsEmpty: "k"}, {IsNull: "k"}, {Key: "k", Match: &Match{Text: "x"}}, {Key: "k", Match: &Match{Any: []any{}}}, {Key: "k", Match: &Match{Except: []any{}}}}
	for i, v := range scalars {
		next := scalars[(i+1)%len(scalars)]
		conditions = append(conditions, keyEquals("k", v), Condition{Key: "k", Match: &Match{Any: []any{v, next}}},
			Condition{Key: "k", Match: &Match{Except: []any{v}}}, Condition{Key: "k", Match: &Match{Except: []any{v, next}}})
		if x, ok := number(v); ok {
			for _, r := range []Range{{GT: &x}, {GTE: &x}, {LT: &x}, {LTE: &x}, {GT: &x, LTE: new(x + 1)}, {GT: &x, GTE: new(x - 1)}} {
				conditions = append(conditions, Condition{Key: "k", Range: &r})
			}
		}
	}
	for _, kind := range payloadKinds {
		if err := errors.Join(c.CreatePayloadIndex(ctx, "k", kind), c.WaitPayloadIndexes(ctx)); err != nil {
			t.Fatal(err)
		}
		for _, cond := range conditions {
			for _, f := range []*Filter{{Must: []Condition{cond}}, {MustNot: []Condition{cond}}} {
				f, err := f.prepared()
				if err != nil {
					t.Fatal(err)
				}
				if err := selectsAsScan(c, f, payloads); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			}
		}
	}
}

// TestFiltersOfOneBatch gives a batch filters that see what the batch did before.
func TestFiltersOfOneBatch(t *testing.T) {
	cfg := vectorConfig()
	cfg.PayloadIndexes = []PayloadIndex{{"k", KindKeyword}}
	c := create(t, tempDB(t, quiet()), cfg)
	if err := c.WaitPayloadIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, c, Point{ID: NumID(1), Vector: []float32{1}, Payload: Payload{"k": "old"}},
		Point{ID: NumID(2), Vector: []float32{2}, Payload: Payload{"k": "old"}})
	old := &Filter{Must: []Condition{keyEquals("k", "old")}}
	res, err := c.Write(ctx, Batch{
		Delete:      []ID{NumID(2)},
		DeleteWhere: old, // 1
		Upsert:      []Point{{ID: NumID(3), Vector: []float32{3}, Payload: Payload{"k": "old"}}},
		Payloads: []PayloadChange{
			{Op: PayloadSet, Filter: old, Payload: Payload{"k": "new"}},
			{Op: PayloadSet, Filter: old, Payload: Payload{"k": "never"}},
			{Op: PayloadSet, Filter: &Filter{MustNot: old.Must}, Payload: Payload{"seen": true}},
		},
	}, false)
	if err != nil || res.Points != 5 {
		t.Errorf("%+v, %v", res, err)
	}
	got, err := c.Get(ctx, With{Payload: true}, NumID(1), NumID(2), NumID(3))
	if err != nil || len(got) != 1 || fmt.Sprint(got[0].Payload) != "map[k:new seen:true]" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestSelectionBeforeIndexesFollow asks when a commit is done and the indexes do
// not hold it yet, and in a transaction from before the commit.
func TestSelectionBeforeIndexesFollow(t *testing.T) {
	cfg := vectorConfig()
	cfg.PayloadIndexes = []PayloadIndex{{"n", KindInteger}}
	c := create(t, tempDB(t, quiet()), cfg)
	if err := c.WaitPayloadIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	mustUpsert(t, c, numbered(curved(11, 30, 4))...)
	low := &Filter{Must: []Condition{{Key: "n", Range: &Range{LT: new(10.0)}}}}
	counts := func(want int) {
		t.Helper()
		for f, want := range map[*Filter]int{low: want, {MustNot: low.Must}: int(c.points.Load()) - want} {
			if n, err := c.Count(ctx, f); err != nil || n != want {
				t.Errorf("counted %d, %v, want %d", n, err, want)
			}
		}
	}
	c.writeMu.Lock()
	var w *writer
	if err := c.update(func(tx *bolt.Tx) error {
		g, err := groundOf(tx)
		if err != nil {
			return err
		}
		w = newWriter(g, c.Config().Source, &c.payloadIndexes)
		if _, err := w.remove(NumID(0)); err != nil {
			return err
		}
		if err := w.changePayload(&preparedPayload{PayloadChange{Op: PayloadClear}}, []uint32{5}); err != nil {
			return err
		}
		if err := w.finish(); err != nil {
			return err
		}
		counts(10)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c.points.Store(29)
	counts(8)
	c.payloadIndexes.follow(w.seq)
	c.publish(nil, w)
	c.writeMu.Unlock()
	counts(8)
}

// TestPointsChangeWhileIndexIsMade changes points that it has read and points
// that it has not.
func TestPointsChangeWhileIndexIsMade(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	const n = payloadStep + 100
	mustUpsert(t, c, numbered(curved(12, n, 2))...)
	c.payloadIndexes.building = true // by nobody but this test
	if err := c.CreatePayloadIndex(ctx, "n", KindInteger); err != nil {
		t.Fatal(err)
	}
	low := &Filter{Must: []Condition{{Key: "n", Range: &Range{LT: new(10.0)}}}}
	high := &Filter{Must: []Condition{{Key: "n", Range: &Range{GTE: new(n - 10.0)}}}}
	if !c.buildSome() {
		t.Fatal("nothing to make")
	}
	for i, f := range []*Filter{low, high} {
		if res, err := c.Write(ctx, Batch{Payloads: []PayloadChange{{Op: PayloadSet, Filter: f, Payload: Payload{"n": -i}}}}, false); err != nil || res.Points != 10 {
			t.Errorf("%+v, %v", res, err)
		}
	}
	if _, err := c.Delete(ctx, NumID(3), NumID(n-3)); err != nil {
		t.Error(err)
	}
	for c.buildSome() {
	}
	if n, err := c.Count(ctx, low); err != nil || n != 18 {
		t.Errorf("counted %d, %v", n, err)
	}
	if infos := c.payloadIndexes.infos(); !infos[0].Ready || infos[0].Points != n-2 {
		t.Errorf("%+v", infos)
	}
}

func keyEquals(key string, value any) Condition {
	return Condition{Key: key, Match: &Match{Value: value}}
}

// TestExplainedFilter says what a filter read with an index of each condition,
// of some, and of none.
func TestExplainedFilter(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	points := numbered(curved(5, 4200, 6))
	mustUpsert(t, c, points...)
	explain := func(f *Filter) FilterInfo {
		t.Helper()
		return *mustSearch(t, c, Query{Vector: points[0].Vector, Filter: f}).Info.Filter
	}
	both := &Filter{Must: []Condition{keyEquals("even", true), {Key: "n", Range: &Range{LT: new(100.0)}}}}
	want := func(f *Filter, info FilterInfo) {
		t.Helper()
		if got := explain(f); got != info {
			t.Errorf("%+v, want %+v", got, info)
		}
	}
	want(both, FilterInfo{Matching: 50, Scanned: 4200})
	index := func(key string, kind PayloadKind) {
		t.Helper()
		if err := errors.Join(c.CreatePayloadIndex(ctx, key, kind), c.WaitPayloadIndexes(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	index("n", KindInteger)
	want(both, FilterInfo{Matching: 50, Indexed: true, Scanned: 100})
	index("even", KindBool)
	want(both, FilterInfo{Matching: 50, Indexed: true})
	want(&Filter{MustNot: both.Must}, FilterInfo{Matching: 2050, Indexed: true})
	neither := Condition{Filter: &Filter{Should: []Condition{both.Must[1], keyEquals("mod", 5)}}}
	want(&Filter{MustNot: []Condition{neither}}, FilterInfo{Matching: 3690, Indexed: true, Scanned: 4100})
	few := Condition{HasID: []ID{NumID(2), NumID(3), NumID(2999)}}
	want(&Filter{Must: []Condition{few}}, FilterInfo{Matching: 3})
	want(&Filter{Must: []Condition{keyEquals("mod", 2), few}}, FilterInfo{Matching: 1, Scanned: 3})
	want(&Filter{Must: []Condition{both.Must[1], few}}, FilterInfo{Matching: 2, Indexed: true})
	// Reading three payloads costs less than adding 4,100 slots to a selection.
	want(&Filter{Must: []Condition{{Key: "n", Range: &Range{GT: new(100.0)}}, few}}, FilterInfo{Matching: 1, Scanned: 3})
	// An index of another kind knows of the key's values only that they are there.
	index("n", KindKeyword)
	want(&Filter{Must: []Condition{{IsEmpty: "n"}}}, FilterInfo{Indexed: true})
	want(both, FilterInfo{Matching: 50, Indexed: true, Scanned: 2100})
	if had, err := c.DeletePayloadIndex(ctx, "n"); !had || err != nil {
		t.Errorf("%t, %v", had, err)
	}
	if res := mustSearch(t, c, Query{Vector: points[0].Vector}); res.Info.Filter != nil {
		t.Errorf("a search without a filter explains %+v", res.Info.Filter)
	}
}

func TestBadPayloadIndexes(t *testing.T) {
	db := tempDB(t, quiet())
	c := create(t, db, vectorConfig())
	for _, bad := range []PayloadIndex{
		{"", KindKeyword}, {strings.Repeat("k", MaxPayloadKeyBytes+1), KindKeyword}, {"\xff", KindKeyword},
		{"k", "text"}, {"k", "geo"}, {"k", ""},
	} {
		if err := c.CreatePayloadIndex(ctx, bad.Key, bad.Kind); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.20q of kind %q: %v", bad.Key, bad.Kind, err)
		}
	}
	for i := range MaxPayloadIndexes {
		if err := c.CreatePayloadIndex(ctx, fmt.Sprint(i), KindFloat); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.CreatePayloadIndex(ctx, "one more", KindFloat); !errors.Is(err, ErrInvalid) {
		t.Errorf("one too many: %v", err)
	}
	if had, err := c.DeletePayloadIndex(ctx, "one more"); had || err != nil {
		t.Errorf("%t, %v", had, err)
	}
	cfg := vectorConfig()
	cfg.PayloadIndexes = []PayloadIndex{{"k", KindFloat}, {"k", KindBool}}
	if _, err := db.CreateCollection(ctx, "twice", cfg); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "payload_indexes[1]") {
		t.Errorf("a key twice: %v", err)
	}
}

// TestPayloadIndexOfOlderFile indexes a database that was made before there were
// payload indexes.
func TestPayloadIndexOfOlderFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(goldenDir)); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir, quiet())
	c := collection(t, db, "golden")
	if got := c.Config().PayloadIndexes; len(got) != 0 {
		t.Errorf("it has %v", got)
	}
	if err := c.CreatePayloadIndex(ctx, "nested.list", KindFloat); err != nil {
		t.Fatal(err)
	}
	db = reopen(t, db, quiet())
	c = collection(t, db, "golden")
	if err := c.WaitPayloadIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	q := Query{Vector: goldenPoints()[0].Vector, Filter: &Filter{Must: []Condition{keyEquals("nested.list", 1.5)}}}
	if info := *mustSearch(t, c, q).Info.Filter; info != (FilterInfo{Matching: 1, Indexed: true}) {
		t.Errorf("%+v", info)
	}
}

// TestPayloadIndexesStay opens a database again and again.
func TestPayloadIndexesStay(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, vectorConfig())
	mustUpsert(t, c, numbered(curved(6, 100, 6))...)
	if err := errors.Join(c.CreatePayloadIndex(ctx, "mod", KindInteger), c.CreatePayloadIndex(ctx, "even", KindBool)); err != nil {
		t.Fatal(err)
	}
	want := []PayloadIndex{{"mod", KindInteger}, {"even", KindBool}}
	for range 2 {
		db = reopen(t, db, quiet())
		c = collection(t, db, "test")
		if got := c.Config().PayloadIndexes; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if err := c.WaitPayloadIndexes(ctx); err != nil {
			t.Fatal(err)
		}
		info, err := c.Info(ctx)
		if err != nil || len(info.PayloadIndexes) != len(want) || info.PayloadIndexes[0] != (PayloadIndexInfo{want[0], 100, true}) {
			t.Errorf("%+v, %v", info.PayloadIndexes, err)
		}
		if n, err := c.Count(ctx, &Filter{Must: []Condition{keyEquals("mod", 3)}}); err != nil || n != 10 {
			t.Errorf("counted %d, %v", n, err)
		}
		if _, err := c.DeletePayloadIndex(ctx, "even"); err != nil {
			t.Error(err)
		}
		want = want[:1]
	}
}

// TestDamagedPayload damages one payload before and after it was indexed.
func TestDamagedPayload(t *testing.T) {
	db := openDB(t, t.TempDir(), quiet())
	c := create(t, db, vectorConfig())
	points := numbered(curved(7, 50, 6))
	mustUpsert(t, c, points...)
	damage := func(slot uint32) {
		t.Helper()
		if err := c.update(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketPayloads)
			v := slices.Clone(b.Get(slotKey(slot)))
			v[len(v)-3] ^= 1
			return b.Put(slotKey(slot), v)
		}); err != nil {
			t.Fatal(err)
		}
	}
	damage(3)
	if err := errors.Join(c.CreatePayloadIndex(ctx, "n", KindInteger), c.WaitPayloadIndexes(ctx)); err != nil {
		t.Fatal(err)
	}
	all := &Filter{Must: []Condition{{Key: "n", Range: &Range{GTE: new(0.0)}}}}
	if _, err := c.Count(ctx, all); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a payload that cannot be read: %v", err)
	}
	damage(4)
	if r, err := c.Check(ctx); err != nil || !strings.Contains(fmt.Sprint(r.Problems), `payload index of "n"`) {
		t.Errorf("%v, %v", r, err)
	}
	points[3].Payload, points[4].Payload = Payload{"n": 1000}, Payload{"n": 1000}
	mustUpsert(t, c, points[3:5]...)
	if n, err := c.Count(ctx, all); err != nil || n != 50 {
		t.Errorf("counted %d, %v", n, err)
	}
	if n, err := c.Count(ctx, &Filter{Must: []Condition{{Key: "n", Match: &Match{Any: []any{3, 4, 1000}}}}}); err != nil || n != 2 {
		t.Errorf("counted %d, %v", n, err)
	}
}

// TestSelectionsAreOfOneState moves points between two groups, as many one way
// as the other in each batch, so that a count that is not of one state of the
// points gives itself away. Indexes come and go meanwhile.
func TestSelectionsAreOfOneState(t *testing.T) {
	const n = 400
	c := create(t, tempDB(t, quiet()), vectorConfig())
	points := numbered(curved(8, n, 4))
	for i := range points {
		points[i].Payload = Payload{"group": i % 2, "plain": i % 2}
	}
	mustUpsert(t, c, points...)
	var done atomic.Bool
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for round := range 60 {
				a, b := NumID(uint64(2*round+200*w)), NumID(uint64(2*round+200*w+1))
				if _, err := c.Write(ctx, Batch{Payloads: []PayloadChange{
					{Op: PayloadOverwrite, IDs: []ID{a}, Payload: Payload{"group": 1, "plain": 1}},
					{Op: PayloadOverwrite, IDs: []ID{b}, Payload: Payload{"group": 0, "plain": 0}},
				}}, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Go(func() {
		for range 15 {
			if err := errors.Join(c.CreatePayloadIndex(ctx, "group", KindInteger), c.WaitPayloadIndexes(ctx)); err != nil {
				t.Error(err)
			}
			if _, err := c.DeletePayloadIndex(ctx, "group"); err != nil {
				t.Error(err)
			}
		}
		if err := c.CreatePayloadIndex(ctx, "group", KindInteger); err != nil {
			t.Error(err)
		}
	})
	for _, f := range []*Filter{
		{Must: []Condition{keyEquals("group", 1)}},
		{MustNot: []Condition{keyEquals("group", 1)}},
		{Must: []Condition{keyEquals("plain", 0), {Key: "group", Range: &Range{LT: new(1.0)}}}},
	} {
		readers.Go(func() {
			for !done.Load() {
				if got, err := c.Count(ctx, f); err != nil || got != n/2 {
					t.Errorf("%+v counts %d, %v, want %d", f, got, err, n/2)
					return
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}
