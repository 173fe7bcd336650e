package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// Databases of tables, as a version before the cells stored them, by JSON, and as today's
// does. The first cannot be written again.
const (
	goldenTablesByName = "testdata/format-1-tables"
	goldenTables       = "testdata/format-3"
)

// goldenRows are the records of the golden tables, as they are read.
func goldenRows() (points []Point) {
	for i := range 40 {
		record := map[string]any{
			"name": fmt.Sprintf("row %d of <%q>", i, "ä"), "level": []string{"low", "high", "7"}[i%3], "n": int64(i * i),
			"x": float64(i) + 0.25, "ok": i%4 == 0, "when": fmt.Sprintf("2011-01-%02d 08:00:00", 1+i%28),
		}
		switch i {
		case 3:
			delete(record, "ok")
		case 4:
			record["x"], record["level"] = nil, int64(7)
		case 5:
			record = map[string]any{}
		case 6:
			record["x"] = 1.5e18
		}
		points = append(points, Point{ID: NumID(uint64(i)), Record: record})
	}
	return points
}

// goldenSides are pairs of a text and such a record.
func goldenSides() []Point {
	points := goldenRows()[:12]
	for i := range points {
		pair := map[string]any{"left": fmt.Sprintf("the words of %d", i), "right": points[i].Record}
		if i == 7 {
			delete(pair, "right")
		}
		points[i].Record = pair
	}
	return points
}

func TestGoldenTables(t *testing.T) {
	if *update {
		writeGoldenTables(t, goldenTables)
	}
	for golden, format := range map[string]uint32{goldenTablesByName: formatVersion, goldenTables: formatWithCells} {
		t.Run(filepath.Base(golden), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(golden)); err != nil {
				t.Fatal(err)
			}
			db := openDB(t, dir, quiet())
			for name, want := range map[string][]Point{"rows": goldenRows(), "pairs": goldenSides()} {
				c := collection(t, db, name)
				if got := formatOf(t, c); got != format {
					t.Errorf("%s: format %d", name, got)
				}
				checkRows(t, c, want)
				checkRewritten(t, c, want, format)
				checkTableCopies(t, c, want)
				if got := formatOf(t, c); got != formatWithCells {
					t.Errorf("%s: format %d after writing", name, got)
				}
			}
		})
	}
}

func formatOf(t *testing.T, c *Collection) (format uint32) {
	t.Helper()
	if err := c.view(func(g *ground) error {
		format = binary.BigEndian.Uint32(g.meta.Get(keyFormat))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return format
}

func checkRows(t *testing.T, c *Collection, want []Point) {
	t.Helper()
	for _, p := range want {
		got, err := c.Get(ctx, With{Record: true}, p.ID)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0].Record, p.Record) {
			t.Errorf("%s: %v, %v, want %v", p.ID, got, err, p.Record)
		}
	}
	hits := mustSearch(t, c, Query{Record: want[9].Record, Limit: 1}).Hits
	if len(hits) != 1 || hits[0].ID != want[9].ID {
		t.Errorf("nearest to itself is %v", hits)
	}
}

// checkRewritten writes what is there: no record changes by it.
func checkRewritten(t *testing.T, c *Collection, points []Point, format uint32) {
	t.Helper()
	before := c.published.Load()
	mustUpsert(t, c, points...)
	if got := formatOf(t, c); got != format {
		t.Errorf("format %d after writing what was there", got)
	}
	if err := c.view(func(g *ground) error {
		changed, err := g.changesAfter(before, len(points))
		if len(changed) > 0 {
			t.Errorf("%d records changed", len(changed))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// checkTableCopies adds a copy of each point, which is found.
func checkTableCopies(t *testing.T, c *Collection, points []Point) {
	t.Helper()
	copies, pairs := make([]Point, len(points)), make([][2]ID, len(points))
	for i, p := range points {
		copies[i] = Point{ID: NumID(uint64(1000 + i)), Record: p.Record}
		pairs[i] = [2]ID{p.ID, copies[i].ID}
	}
	mustUpsert(t, c, copies...)
	scores, err := c.PairScores(ctx, DuplicateQuery{}, pairs)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range scores.Pairs {
		if !p.Exact {
			t.Errorf("%s and its copy %s are %v", p.A, p.B, p.Distance)
		}
	}
	groups, err := c.Duplicates(ctx, DuplicateQuery{Threshold: new(float64)})
	if err != nil {
		t.Fatal(err)
	}
	exact := 0
	for _, g := range groups.Groups {
		for _, p := range g.Pairs {
			if p.Exact {
				exact++
			}
		}
	}
	if exact != len(points) {
		t.Errorf("%d exact pairs of %d", exact, len(points))
	}
}

// writeGoldenTables makes a golden database: a table with a generation and points after
// it, and pairs before any fit.
func writeGoldenTables(t *testing.T, golden string) {
	t.Helper()
	if err := os.RemoveAll(golden); err != nil {
		t.Fatal(err)
	}
	db, err := Open(golden, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for name, points := range map[string][]Point{"rows": goldenRows(), "pairs": goldenSides()} {
		cfg := Config{Source: source.Table{}, Dim: 2}
		if name == "pairs" {
			cfg = Config{Source: source.Pair{Left: source.Text{}, Right: source.Table{}}}
		}
		c, err := db.CreateCollection(ctx, name, cfg)
		if err != nil {
			t.Fatal(err)
		}
		mustUpsert(t, c, points[:10]...)
		if name == "rows" {
			mustFit(t, c)
		}
		mustUpsert(t, c, points[10:]...)
		mustCheck(t, db)
		if err := errors.Join(c.close(false), os.RemoveAll(filepath.Join(c.dir, "default"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.catalog.Close(); err != nil {
		t.Fatal(err)
	}
}
