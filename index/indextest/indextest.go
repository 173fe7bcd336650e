// Package indextest holds the conformance suite of index engines. An engine's
// test calls Run; whatever passes may stand behind index.Index.
//
// Answers are judged by an oracle that keeps the rows in a map and sorts. The
// exact path must agree with it to the bit. An approximate answer must be valid
// (sorted, held and allowed slots, right distances, min(K, matching) of them)
// and, for engines that promise it, near enough to the truth.
package indextest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/index"
)

// Options say what an engine promises beyond validity.
type Options struct {
	// Recall is the least recall@10 at EF 100; 0 promises none.
	Recall float64
	// Deterministic engines give equal bytes for equal operations, and the same
	// approximate answers after a round trip.
	Deterministic bool
	// Codes engines take index.Config.Step; others refuse it.
	Codes bool
}

// Main is the TestMain of a package that calls Run: random operations are the
// same in every run, unless -rapid.seed asks for others.
func Main(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f != nil && f.Value.String() == "0" {
		if err := f.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// Metrics are all metrics there are.
var Metrics = []index.Metric{index.L2, index.Cosine, index.Dot, index.Manhattan}

// A measure is a way to keep and measure rows.
type measure struct {
	metric index.Metric
	step   float32
}

// codes is the step of the suite's rows of codes: most rows lie between -1 and 1.
const codes = 1. / 100

func (m measure) String() string {
	if m.step > 0 {
		return m.metric.String() + " codes"
	}
	return m.metric.String()
}

func (o Options) measures() []measure {
	var all []measure
	for _, m := range Metrics {
		all = append(all, measure{metric: m})
	}
	if o.Codes {
		all = append(all, measure{index.L2, codes})
	}
	return all
}

// steps are the values of Config.Step to try.
func (o Options) steps() []float32 {
	if o.Codes {
		return []float32{0, codes}
	}
	return []float32{0}
}

// Run runs the suite.
func Run(t *testing.T, engine index.Engine, o Options) {
	for _, m := range o.measures() {
		t.Run(m.String(), func(t *testing.T) {
			t.Run("basics", func(t *testing.T) { testBasics(t, engine, m) })
			t.Run("refusals", func(t *testing.T) { testRefusals(t, engine, m) })
			t.Run("extremes", func(t *testing.T) { testExtremes(t, engine, m) })
			t.Run("duplicates", func(t *testing.T) { testDuplicates(t, engine, m) })
			t.Run("filters", func(t *testing.T) { testFilters(t, engine, m) })
			t.Run("roundtrip", func(t *testing.T) { testRoundTrip(t, engine, m, o) })
			t.Run("bulk", func(t *testing.T) { testBulk(t, engine, m, o) })
		})
	}
	t.Run("churn", func(t *testing.T) { testChurn(t, engine, o) })
	t.Run("config", func(t *testing.T) { testConfig(t, engine, o) })
	t.Run("clusters", func(t *testing.T) { testClusters(t, engine, o) })
	t.Run("uniform", func(t *testing.T) { testUniform(t, engine, o) })
	t.Run("concurrent", func(t *testing.T) { testConcurrent(t, engine) })
	for _, step := range o.steps() {
		t.Run(fmt.Sprint("damage, step ", step), func(t *testing.T) { testDamage(t, engine, step) })
	}
	if o.Deterministic {
		t.Run("deterministic", func(t *testing.T) { testDeterministic(t, engine) })
	}
}

func testBasics(t *testing.T, engine index.Engine, m measure) {
	c := newCase(t, engine, index.Config{Dim: 2, Metric: m.metric, Step: m.step})
	if c.idx.Engine() != engine.Name || c.idx.Dim() != 2 || c.idx.Metric() != m.metric {
		t.Fatalf("made %q of dimension %d with %v", c.idx.Engine(), c.idx.Dim(), c.idx.Metric())
	}
	c.check([]float32{1, 1}, index.Params{K: 3}) // nothing held, nothing found
	c.upsert(7, []float32{1, 0})
	c.upsert(3, []float32{0, 2})
	c.upsert(1<<32-1, []float32{-1, 1}) // the highest slot there is
	c.upsert(5, []float32{1, 0})        // equals the row of slot 7
	c.upsert(3, []float32{3, 4})        // replaces
	c.check([]float32{1, 1}, index.Params{K: 3})
	c.check([]float32{1, 1}, index.Params{K: 1 << 30})
	c.delete(7)
	c.delete(7)
	c.delete(8)
	c.check([]float32{1, 1}, index.Params{K: 9})
	c.upsert(7, []float32{2, 2}) // back again, another row
	c.checkAll()
	prefix := []index.Hit{{Slot: 99, Distance: -5}}
	hits, err := c.idx.Search(prefix, []float32{1, 0}, index.Params{K: 1})
	if err != nil || len(hits) != 2 || hits[0] != prefix[0] {
		t.Fatalf("Search appended to %v: %v, %v", prefix, hits, err)
	}
	if c.idx.Bytes() < int64(2*c.idx.Len()) {
		t.Errorf("Bytes is %d, less than the rows", c.idx.Bytes())
	}
}

func testRefusals(t *testing.T, engine index.Engine, m measure) {
	c := newCase(t, engine, index.Config{Dim: 3, Metric: m.metric, Step: m.step})
	c.upsert(1, []float32{1, 2, 3})
	c.upsert(2, []float32{0, -1, 0})
	before := c.encoded()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	bad := []struct {
		row  []float32
		want error
	}{
		{nil, index.ErrDim},
		{[]float32{1, 2}, index.ErrDim},
		{[]float32{1, 2, 3, 4}, index.ErrDim},
		{[]float32{1, nan, 3}, index.ErrNotFinite},
		{[]float32{1, 2, inf}, index.ErrNotFinite},
		{[]float32{-inf, 2, 3}, index.ErrNotFinite},
	}
	for _, b := range bad {
		for _, slot := range []uint32{1, 9} {
			if err := c.idx.Upsert(slot, b.row); !errors.Is(err, b.want) {
				t.Errorf("Upsert(%d, %v) = %v, want %v", slot, b.row, err, b.want)
			}
		}
		for _, exact := range []bool{false, true} {
			hits, err := c.idx.Search(nil, b.row, index.Params{K: 1, Exact: exact})
			if !errors.Is(err, b.want) || len(hits) > 0 {
				t.Errorf("Search(%v) = %v, %v, want %v", b.row, hits, err, b.want)
			}
		}
	}
	for _, p := range []index.Params{{K: 0}, {K: -1}, {K: 1, EF: -1}} {
		if _, err := c.idx.Search(nil, []float32{1, 2, 3}, p); !errors.Is(err, index.ErrParams) {
			t.Errorf("Search with %+v = %v, want ErrParams", p, err)
		}
	}
	if !bytes.Equal(before, c.encoded()) {
		t.Error("what was refused changed the index")
	}
	c.checkAll()
}

// testExtremes holds rows whose distances overflow, vanish or have no direction.
func testExtremes(t *testing.T, engine index.Engine, m measure) {
	c := newCase(t, engine, index.Config{Dim: 2, Metric: m.metric, Step: m.step})
	const big, small = math.MaxFloat32, math.SmallestNonzeroFloat32
	rows := [][]float32{
		{0, 0}, {float32(math.Copysign(0, -1)), 0}, {big, big}, {-big, big}, {big, -big}, {-big, -big},
		{small, small}, {-small, 0}, {1, 1}, {1e20, -1e20}, {1e-30, 1e-30},
	}
	for i, row := range rows {
		c.upsert(uint32(i), row)
	}
	for _, q := range rows {
		for _, k := range []int{1, 4, 20} {
			c.check(q, index.Params{K: k})
			c.check(q, index.Params{K: k, Allow: index.NewBitmap(0, 2, 3, 9, 500)})
		}
	}
	if m.metric == index.Cosine {
		hits, err := c.idx.Search(nil, []float32{0, 0}, index.Params{K: 11})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hits {
			if h.Distance != 1 {
				t.Errorf("a row of zeros is at distance %v of slot %d, want 1", h.Distance, h.Slot)
			}
		}
	}
}

func testConfig(t *testing.T, engine index.Engine, o Options) {
	good := index.Config{Dim: 4}
	bad := map[string]func(*index.Config){
		"no dimension":       func(c *index.Config) { c.Dim = 0 },
		"negative dimension": func(c *index.Config) { c.Dim = -1 },
		"huge dimension":     func(c *index.Config) { c.Dim = index.MaxDim + 1 },
		"unknown metric":     func(c *index.Config) { c.Metric = 99 },
		"small M":            func(c *index.Config) { c.M = 1 },
		"huge M":             func(c *index.Config) { c.M = index.MaxM + 1 },
		"small EfConstruct":  func(c *index.Config) { c.EfConstruct = 3 },
		"negative step":      func(c *index.Config) { c.Step = -1 },
		"tiny step":          func(c *index.Config) { c.Step = index.MinStep / 2 },
		"huge step":          func(c *index.Config) { c.Step = 2 * index.MaxStep },
		"no step":            func(c *index.Config) { c.Step = float32(math.NaN()) },
		"step of cosine":     func(c *index.Config) { c.Step, c.Metric = 1, index.Cosine },
		"huge EfConstruct":   func(c *index.Config) { c.EfConstruct = index.MaxEfConstruct + 1 },
	}
	if _, err := engine.New(good); err != nil {
		t.Fatal(err)
	}
	if !o.Codes {
		bad["a step"] = func(c *index.Config) { c.Step = 1 }
	}
	for name, spoil := range bad {
		c := good
		spoil(&c)
		if idx, err := engine.New(c); !errors.Is(err, index.ErrParams) || idx != nil {
			t.Errorf("%s: New(%+v) = %v, %v, want ErrParams", name, c, idx, err)
		}
	}
}

// testDuplicates asks for more equal rows than a neighbour list can hold, then
// for what lies beyond them.
func testDuplicates(t *testing.T, engine index.Engine, m measure) {
	const same, others, dim = 2000, 200, 4
	c := newCase(t, engine, index.Config{Dim: dim, Metric: m.metric, Step: m.step, EfConstruct: 60, M: 8})
	r := newRand(2)
	row := uniformRow(r, dim)
	for slot := range uint32(same) {
		c.upsert(slot, row)
	}
	for slot := range uint32(others) {
		c.upsert(same+slot, uniformRow(r, dim))
	}
	for _, k := range []int{1, 10, 500, same + 50} {
		c.check(row, index.Params{K: k})
		c.check(uniformRow(r, dim), index.Params{K: k})
	}
	for slot := range uint32(same) {
		if slot%3 != 0 {
			c.delete(slot)
		}
	}
	c.check(row, index.Params{K: 10})
	c.check(uniformRow(r, dim), index.Params{K: 700})
	c.checkSlots()
}

// testFilters asks at shares from none to all, along and against the data.
func testFilters(t *testing.T, engine index.Engine, m measure) {
	const n, dim = 900, 8
	c := newCase(t, engine, index.Config{Dim: dim, Metric: m.metric, Step: m.step, EfConstruct: 60})
	r := newRand(3)
	for slot := range uint32(n) {
		c.upsert(2*slot, uniformRow(r, dim))
	}
	for _, share := range []float64{0, 0.002, 0.05, 0.3, 0.7, 0.95, 1} {
		allow := new(index.Bitmap)
		for slot := range uint32(2*n + 100) { // odd slots and those past the end are not held
			if r.Float64() < share {
				allow.Set(slot)
			}
		}
		for _, k := range []int{1, 10, 100, 2000} {
			c.check(uniformRow(r, dim), index.Params{K: k, EF: k, Allow: allow})
		}
	}
	// Only the rows farthest from the query are allowed.
	query := uniformRow(r, dim)
	byDistance := c.oracle.search(query, index.Params{K: n})
	far := new(index.Bitmap)
	for _, h := range byDistance[n/2:] {
		far.Set(h.Slot)
	}
	c.check(query, index.Params{K: 10, EF: 10, Allow: far})
}

// A case is an index beside its oracle.
type testCase struct {
	t      fataler
	engine index.Engine
	idx    index.Index
	oracle *oracle
}

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newCase(t fataler, engine index.Engine, config index.Config) *testCase {
	t.Helper()
	idx, err := engine.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &testCase{t, engine, idx, newOracle(config)}
}

func (c *testCase) upsert(slot uint32, row []float32) {
	c.t.Helper()
	given := slices.Clone(row)
	if err := c.idx.Upsert(slot, row); err != nil {
		c.t.Fatal(err)
	}
	if !slices.Equal(given, row) {
		c.t.Fatal("Upsert changed the caller's row")
	}
	c.oracle.upsert(slot, row)
}

func (c *testCase) delete(slot uint32) {
	c.t.Helper()
	if got, want := c.idx.Delete(slot), c.oracle.delete(slot); got != want {
		c.t.Fatalf("Delete(%d) = %v, want %v", slot, got, want)
	}
}

func (c *testCase) encoded() []byte {
	c.t.Helper()
	var b bytes.Buffer
	if err := c.idx.Encode(&b); err != nil {
		c.t.Fatal(err)
	}
	return b.Bytes()
}

// check searches exactly, which must give the oracle's answer, and as p says,
// which must give a valid one.
func (c *testCase) check(query []float32, p index.Params) {
	c.t.Helper()
	exact := p
	exact.Exact = true
	want := c.oracle.search(query, p)
	got, err := c.idx.Search(nil, query, exact)
	if err != nil {
		c.t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		c.t.Fatalf("exact search, K %d:\n got %v\nwant %v", p.K, got, want)
	}
	got, err = c.idx.Search(nil, query, p)
	if err != nil {
		c.t.Fatal(err)
	}
	if len(got) != len(want) {
		c.t.Fatalf("K %d gave %d hits, %d match", p.K, len(got), len(want))
	}
	c.oracle.checkValid(c.t, query, got, p.Allow)
}

// checkSlots compares Len, Slots and every Row.
func (c *testCase) checkSlots() {
	c.t.Helper()
	want := c.oracle.slots()
	if got := slices.Collect(c.idx.Slots()); !slices.Equal(got, want) {
		c.t.Fatalf("Slots gave %v, want %v", got, want)
	}
	if c.idx.Len() != len(want) {
		c.t.Fatalf("Len is %d, want %d", c.idx.Len(), len(want))
	}
	row := make([]float32, c.idx.Dim())
	for _, slot := range want {
		if !c.idx.Row(row, slot) || !slices.Equal(row, c.oracle.rows[slot]) {
			c.t.Fatalf("Row(%d) gave %v, want %v", slot, row, c.oracle.rows[slot])
		}
	}
}

// checkAll checks the slots and some searches.
func (c *testCase) checkAll() {
	c.t.Helper()
	c.checkSlots()
	for i := range c.idx.Dim() {
		query := make([]float32, c.idx.Dim())
		query[i] = 1
		for _, k := range []int{1, 3, 1000} {
			c.check(query, index.Params{K: k})
		}
	}
}
