package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/latentdb/latentdb/embed/source"
)

var ctx = context.Background()

// TestMain also runs the child processes of the crash tests, which are this
// binary again, and fails when a goroutine outlives its database.
func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(runChild(role))
	}
	flag.Parse()
	if !given("rapid.checks") {
		checks := "25"
		if testing.Short() {
			checks = "8"
		}
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}
	if !given("rapid.seed") {
		if err := flag.Set("rapid.seed", "1"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if err := closeShared(); err != nil {
		fmt.Fprintln(os.Stderr, "closing the shared database:", err)
		code = 1
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func given(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// quiet are the options of most tests: nothing happens by itself.
func quiet() *Options { return &Options{NoAutoFit: true, Workers: 2} }

// openDB opens a database that is checked whole and closed when the test ends.
func openDB(t testing.TB, dir string, opts *Options) *DB {
	t.Helper()
	db, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mustCheck(t, db)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// tempDB is openDB in a directory of its own, unsynced.
func tempDB(t testing.TB, opts *Options) *DB {
	t.Helper()
	db, err := OpenTemp(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mustCheck(t, db)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// mustCheck is the check of the whole database that every test ends in. A
// database that the test closed itself was checked before.
func mustCheck(t interface {
	Helper()
	Errorf(string, ...any)
}, db *DB) {
	t.Helper()
	report, err := db.Check(ctx)
	switch {
	case errors.Is(err, ErrClosed):
	case err != nil:
		t.Errorf("check: %v", err)
	case !report.OK():
		t.Errorf("check: %s", strings.Join(report.Problems, "\n"))
	}
}

// reopen checks and closes a database and opens its directory again.
func reopen(t testing.TB, db *DB, opts *Options) *DB {
	t.Helper()
	mustCheck(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return openDB(t, db.Dir(), opts)
}

func create(t testing.TB, db *DB, cfg Config) *Collection {
	t.Helper()
	c, err := db.CreateCollection(ctx, "test", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func collection(t testing.TB, db *DB, name string) *Collection {
	t.Helper()
	c, err := db.Collection(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func vectorConfig() Config { return Config{Source: source.Vector{}, Dim: 4} }

// smallFit is a fit of a second at most.
func smallFit() *FitOptions { return &FitOptions{Epochs: 2} }

func mustUpsert(t testing.TB, c *Collection, points ...Point) {
	t.Helper()
	if err := c.Upsert(ctx, points...); err != nil {
		t.Fatal(err)
	}
}

func mustFit(t testing.TB, c *Collection) *Report {
	t.Helper()
	report, err := c.Fit(ctx, smallFit())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func mustSearch(t testing.TB, c *Collection, q Query) *SearchResult {
	t.Helper()
	res, err := c.Explain(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// curved draws vectors near a bent surface of four dimensions: a little that a
// line misses, and a little noise.
func curved(seed uint64, n, width int) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	out := make([][]float32, n)
	for i := range out {
		a := [4]float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
		v := make([]float32, width)
		for j := range v {
			v[j] = float32(a[j%4] + 0.6*a[(j+1)%4]*math.Sin(a[j%3]+float64(j)) + 0.05*rng.NormFloat64())
		}
		out[i] = v
	}
	return out
}

// numbered makes points 0, 1, 2, … of vectors, with a payload to filter by.
func numbered(vectors [][]float32) []Point {
	out := make([]Point, len(vectors))
	for i, v := range vectors {
		out[i] = Point{ID: NumID(uint64(i)), Vector: v, Payload: Payload{"mod": i % 10, "even": i%2 == 0, "n": i}}
	}
	return out
}

// shared is a fitted collection that tests only read.
var shared struct {
	once    sync.Once
	db      *DB
	c       *Collection
	vectors [][]float32
	report  *Report
	err     error
}

const sharedWidth = 16

func sharedVectors(t testing.TB) (*Collection, [][]float32, *Report) {
	t.Helper()
	shared.once.Do(func() {
		if shared.db, shared.err = OpenTemp(quiet()); shared.err != nil {
			return
		}
		if shared.c, shared.err = shared.db.CreateCollection(ctx, "shared", Config{Source: source.Vector{}, Dim: 6}); shared.err != nil {
			return
		}
		shared.vectors = curved(1, 1500, sharedWidth)
		if shared.err = shared.c.Upsert(ctx, numbered(shared.vectors)...); shared.err != nil {
			return
		}
		shared.report, shared.err = shared.c.Fit(ctx, &FitOptions{Epochs: 4})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	t.Cleanup(func() { mustCheck(t, shared.db) })
	return shared.c, shared.vectors, shared.report
}

func closeShared() error {
	if shared.db == nil {
		return nil
	}
	return shared.db.Close()
}

// distance is the naive twin of the metrics, in float64, and score what
// Qdrant's convention makes of it.
func trueScore(m Metric, a, b []float32) float64 {
	var dot, na, nb, square, absolute float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, na, nb = dot+x*y, na+x*x, nb+y*y
		square += (x - y) * (x - y)
		absolute += math.Abs(x - y)
	}
	switch m {
	case Cosine:
		if na == 0 || nb == 0 {
			return 0
		}
		return dot / math.Sqrt(na*nb)
	case Dot:
		return dot
	case Manhattan:
		return absolute
	}
	return math.Sqrt(square)
}

// closer tells whether score a is nearer than b.
func closer(m Metric, a, b float64) bool {
	if m == Cosine || m == Dot {
		return a > b
	}
	return a < b
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-4*(1+math.Abs(a)+math.Abs(b)) }

// update writes the golden files anew: go test -run Golden -update.
var update = flag.Bool("update", false, "write the golden files")
