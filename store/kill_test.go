package store

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

// Environment of the child processes.
const (
	childRole = "LATENTDB_TEST_CHILD"
	childDir  = "LATENTDB_TEST_DIR"
	childSeed = "LATENTDB_TEST_SEED"
)

func runChild(role string) int {
	var err error
	switch role {
	case "writer":
		err = childWriter(os.Getenv(childDir), os.Getenv(childSeed))
	case "fitter":
		err = childFitter(os.Getenv(childDir))
	case "shedder":
		err = childShedder(os.Getenv(childDir))
	case "deduplicator":
		err = childDeduplicator(os.Getenv(childDir))
	case "holder":
		err = childHolder(os.Getenv(childDir))
	default:
		err = fmt.Errorf("unknown role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child starts this binary again in a role.
func child(t testing.TB, role, dir string, seed uint64) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, fmt.Sprintf("%s=%d", childSeed, seed))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// childHolder holds a database open until it is killed.
func childHolder(dir string) error {
	if _, err := Open(dir, quiet()); err != nil {
		return err
	}
	fmt.Println("open")
	select {}
}

// stamped is a point whose vector and payload both tell its version.
func stamped(id, version int) Point {
	v := make([]float32, 8)
	for i := range v {
		v[i] = float32(version%97)*0.1 + float32((id*(i+3))%11)
	}
	return Point{ID: NumID(uint64(id)), Vector: v, Payload: Payload{"version": version}}
}

// stampedAs is a point of a collection's kind: a text tells its version too.
func stampedAs(c *Collection, id, version int) Point {
	p := stamped(id, version)
	if c.Config().Source.Kind() == "text" {
		p.Vector, p.Record = nil, fmt.Sprintf("point %d as of version%d, of group%d", id, version, version%7)
	}
	return p
}

// Before a change is sent it is announced with "done" false, after it is
// acknowledged with true; version 0 is a deletion.
type ack struct {
	ID, Version int
	Done        bool
}

const killIDs = 60

// childWriter changes points and tells each change before and after, until it
// is killed.
func childWriter(dir, seed string) error {
	shedPause = time.Millisecond
	db, err := Open(dir, &Options{NoAutoFit: true, Workers: 1, SnapshotEvery: 7})
	if err != nil {
		return err
	}
	c, err := db.Collection("test")
	if err != nil {
		return err
	}
	var s uint64
	if _, err := fmt.Sscan(seed, &s); err != nil {
		return err
	}
	rng, out := rand.New(rand.NewPCG(s, 3)), json.NewEncoder(os.Stdout)
	for version := int(s)*100_000 + 1; ; version++ {
		id := rng.IntN(killIDs)
		change := ack{ID: id, Version: version}
		if rng.IntN(4) == 0 {
			change.Version = 0
		}
		if err := out.Encode(change); err != nil {
			return err
		}
		if change.Version == 0 {
			_, err = c.Delete(ctx, NumID(uint64(id)))
		} else {
			err = c.Upsert(ctx, stampedAs(c, id, version))
		}
		if err != nil {
			return err
		}
		change.Done = true
		if err := out.Encode(change); err != nil {
			return err
		}
	}
}

// TestKill kills a writing process at random moments. Whatever it acknowledged
// must be there, nothing else may be but the one change it was at, and the
// index must agree with the points.
func TestKill(t *testing.T) {
	testKill(t, Config{Source: source.Vector{}, Dim: 3, Rows: RowsDisk}, 20)
}

// TestKillDropping is TestKill where records are given up all along.
func TestKillDropping(t *testing.T) {
	testKill(t, Config{Source: source.Vector{}, Dim: 8, Encoder: embed.PCA, DropOriginals: true}, 20)
}

// TestKillTexts is TestKill with terms that are saved, and found by the change log, all along.
func TestKillTexts(t *testing.T) {
	testKill(t, Config{Source: source.Text{}, Dim: 3, Encoder: embed.PCA}, 10)
}

func testKill(t *testing.T, cfg Config, rounds int) {
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	db := openDB(t, dir, quiet())
	c := create(t, db, cfg)
	want := make(map[int]int)
	var points []Point
	for id := range killIDs {
		points = append(points, stampedAs(c, id, 1))
		want[id] = 1
	}
	mustUpsert(t, c, points...)
	rng := rand.New(rand.NewPCG(5, 5))
	for round := range rounds {
		if round == rounds/2 { // half of the rounds are with a model, its latents and snapshots
			mustFit(t, c)
		}
		mustCheck(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		cmd, out := child(t, "writer", dir, uint64(round+1))
		timer := time.AfterFunc(time.Duration(60+rng.IntN(250))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		pending := follow(t, out, want)
		_ = cmd.Wait() // it was killed
		timer.Stop()
		var err error
		if db, err = Open(dir, quiet()); err != nil {
			t.Fatal(err)
		}
		c = collection(t, db, "test")
		mustCheck(t, db)
		compareKilled(t, round, c, want, pending)
		if t.Failed() {
			break
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// follow reads what a writer tells until it dies, keeps what was acknowledged,
// and returns the change that was not.
func follow(t *testing.T, out io.Reader, want map[int]int) *ack {
	t.Helper()
	var pending *ack
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var a ack
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			break // the last line may be cut short
		}
		if !a.Done {
			pending = &a
			continue
		}
		want[a.ID], pending = a.Version, nil
	}
	return pending
}

func compareKilled(t *testing.T, round int, c *Collection, want map[int]int, pending *ack) {
	t.Helper()
	filled(t, c)
	for id := range killIDs {
		points, err := c.Get(ctx, With{Payload: true, Vector: true, Record: true}, NumID(uint64(id)))
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		if len(points) == 1 {
			got = int(points[0].Payload["version"].(int64))
			want := stampedAs(c, id, got)
			if text, ok := points[0].Record.(string); ok && text != want.Record {
				t.Errorf("round %d: point %d has the payload of version %d and another text", round, id, got)
			}
			v, off := want.Vector, 0.0
			if gen := c.active.Load(); gen.latentOnly {
				kept, err := c.ReconstructRecords(ctx, v)
				if err != nil {
					t.Fatal(err)
				}
				v, off = kept[0].Vector, 1e-4+2*float64(gen.model.CodeStep()) // where rounding tips a code over
			}
			if trueScore(Euclid, v, points[0].Vector) > off {
				t.Errorf("round %d: point %d has the payload of version %d and another vector", round, id, got)
			}
		}
		switch {
		case got == want[id]:
		case pending != nil && pending.ID == id && got == pending.Version:
			want[id] = got
		default:
			t.Errorf("round %d: point %d is of version %d, acknowledged was %d", round, id, got, want[id])
		}
	}
}
