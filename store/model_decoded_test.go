package store

import "pgregory.net/rapid"

// decoded tells that points are read back as decoded.
func (m *machine) decoded() bool { return m.c.active.Load().latentOnly }

// vector is a point's vector as it can be read: where it is decoded, what it decodes to must
// be near to what one that is encoded alone does.
func (m *machine) vector(t *rapid.T, id ID) []float32 {
	written := m.points[id].vector
	if !m.decoded() {
		return written
	}
	got, err := m.c.Get(ctx, With{Vector: true}, id)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	gen := m.c.active.Load()
	record, err := m.c.Config().Source.Marshal(written)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := gen.rowsOf([]storedPoint{{data: record}}, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	// Rounding may tip a code over, whose step the decoder of PCA keeps.
	tolerance := 1e-4 + 2*float64(gen.model.CodeStep())
	if m.metric == Cosine {
		tolerance = 1e-4 + 2*float64(gen.model.CodeStep())/max(1e-3, lengthOf(want))
	}
	if d := trueScore(Euclid, got[0].Vector, want); d > tolerance {
		t.Fatalf("%s decodes to %v, want %v", id, got[0].Vector, want)
	}
	return got[0].Vector
}

// shed gives records up, as the background does when it gets to it.
func (m *machine) shed(t *rapid.T) {
	if !m.decoded() {
		return
	}
	if err := m.c.shedAll(); err != nil {
		t.Fatal(err)
	}
}
