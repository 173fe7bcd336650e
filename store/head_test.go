package store

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// scene is a picture of some boxes.
func scene(t *testing.T, rng *rand.Rand) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, strokeSide, strokeSide))
	for range 6 {
		x, y, w, h, light := rng.IntN(strokeSide), rng.IntN(strokeSide), 2+rng.IntN(8), 2+rng.IntN(8), byte(rng.IntN(200))
		for j := y; j < min(y+h, strokeSide); j++ {
			for i := x; i < min(x+w, strokeSide); i++ {
				m.Pix[j*strokeSide+i] = light
			}
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, m); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// edited is a picture moved by a pixel or two and lit otherwise, again encoded.
func edited(t *testing.T, record []byte, rng *rand.Rand) []byte {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(record))
	if err != nil {
		t.Fatal(err)
	}
	dx, dy, light := rng.IntN(3)-1, rng.IntN(3)-1, 0.8+0.4*rng.Float64()
	out := image.NewGray(m.Bounds())
	for i := range out.Pix {
		x, y := max(0, min(strokeSide-1, i%strokeSide+dx)), max(0, min(strokeSide-1, i/strokeSide+dy))
		out.Pix[i] = byte(min(255, light*float64(m.(*image.Gray).Pix[y*strokeSide+x])))
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, out); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// copiesCollection holds n scenes and edited copies of the first of them, number i's
// being number n+i.
func copiesCollection(t *testing.T, db *DB, n, copies int, cfg Config) *Collection {
	t.Helper()
	coll := create(t, db, cfg)
	rng := rand.New(rand.NewPCG(21, 4))
	points := make([]Point, n, n+copies)
	for i := range points {
		points[i] = Point{ID: NumID(uint64(i)), Record: scene(t, rng)}
	}
	for i := range copies {
		points = append(points, Point{ID: NumID(uint64(n + i)), Record: edited(t, points[i].Record.([]byte), rng)})
	}
	mustUpsert(t, coll, points...)
	if _, err := coll.Fit(ctx, &FitOptions{Dim: 16, Epochs: 4}); err != nil {
		t.Fatal(err)
	}
	return coll
}

// nearestCopies is how many of the closest pairs, as many as there are copies, are of a
// picture and its copy.
func nearestCopies(t *testing.T, coll *Collection, n, copies int) (right int, method DuplicateMethod) {
	t.Helper()
	far := 1e9
	all, err := coll.Duplicates(ctx, DuplicateQuery{Threshold: &far})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all.Groups[0].Pairs[:copies] {
		a, _ := p.A.Value().(uint64)
		if b, _ := p.B.Value().(uint64); b == a+uint64(n) {
			right++
		}
	}
	return right, all.Method
}

// The head of an image collection finds edited copies that latents do not tell, and
// stays with the model.
func TestHeadFindsCopies(t *testing.T) {
	const n, copies = 480, 60
	cfg := Config{Source: source.Image{Width: strokeSide, Height: strokeSide}}
	db := openDB(t, t.TempDir(), quiet())
	coll := copiesCollection(t, db, n, copies, cfg)
	right, method := nearestCopies(t, coll, n, copies)
	if method != MethodCopies {
		t.Fatalf("measured by %q", method)
	}
	head := coll.active.Load().head
	coll.active.Load().head = nil // as if there were none
	coll.lastScan.keep(&duplicateScan{})
	plain, method := nearestCopies(t, coll, n, copies)
	coll.lastScan.keep(&duplicateScan{})
	coll.active.Load().head = head
	if method != MethodLatent {
		t.Errorf("without a head measured by %q", method)
	}
	if right < copies*3/4 || right < plain+copies/10 {
		t.Errorf("%d of %d copies are among the closest pairs, %d by latents", right, copies, plain)
	}
	threshold := 0.5
	removed, err := coll.Deduplicate(ctx, DuplicateQuery{Threshold: &threshold}, true)
	if err != nil || removed.Method != MethodCopies || len(removed.Removed) == 0 {
		t.Fatalf("%+v, %v", removed, err)
	}
	for _, r := range removed.Removed {
		if r.Distance > threshold {
			t.Errorf("%v is %v from %v", r.ID, r.Distance, r.Kept)
		}
	}
	found, err := coll.Duplicates(ctx, DuplicateQuery{Threshold: &threshold})
	if err != nil {
		t.Fatal(err)
	}
	// Given pairs are measured that a query does not compare, as they are where it does.
	pairs := [][2]ID{{NumID(1), NumID(n + 1)}, {NumID(2), NumID(300)}}
	all, err := coll.PairScores(ctx, DuplicateQuery{}, pairs)
	if err != nil {
		t.Fatal(err)
	}
	few, err := coll.PairScores(ctx, DuplicateQuery{Filter: &Filter{Must: []Condition{{HasID: []ID{NumID(2), NumID(3), NumID(4)}}}}}, pairs)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range few.Pairs {
		if want := all.Pairs[i].Distance; math.Abs(p.Distance-want) > 1e-5 {
			t.Errorf("%+v, want %v", p, want)
		}
	}
	coll = collection(t, reopen(t, db, quiet()), "test")
	again, err := coll.Duplicates(ctx, DuplicateQuery{Threshold: &threshold})
	if err != nil || len(again.Groups) != len(found.Groups) || again.Method != MethodCopies {
		t.Errorf("opened again: %d groups by %q, %v, were %d", len(again.Groups), again.Method, err, len(found.Groups))
	}
}

// Where a head cannot be, duplicates are told as before, and the answer says so.
func TestNoHead(t *testing.T) {
	cfg := Config{Source: source.Image{Width: strokeSide, Height: strokeSide}}
	few := create(t, tempDB(t, quiet()), cfg)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 30 {
		mustUpsert(t, few, Point{ID: NumID(uint64(i)), Record: stroke(rng, i%4)})
	}
	method := func(c *Collection) DuplicateMethod {
		out, err := c.Duplicates(ctx, DuplicateQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return out.Method
	}
	if got := method(few); got != MethodLatent {
		t.Errorf("before a fit measured by %q", got)
	}
	mustFit(t, few)
	if got := method(few); got != MethodLatent {
		t.Errorf("few points measured by %q", got)
	}
	cfg.DropOriginals = true
	if got := method(copiesCollection(t, tempDB(t, quiet()), 500, 1, cfg)); got != MethodLatent {
		t.Errorf("without originals measured by %q", got)
	}
}
