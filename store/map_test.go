package store

import (
	"errors"
	"math"
	"testing"
)

// Points of two clusters lie apart on the map, each with its own payload.
func TestMapShowsClusters(t *testing.T) {
	c := create(t, tempDB(t, quiet()), vectorConfig())
	if _, err := c.Map(ctx, 0); !errors.Is(err, ErrNotFitted) {
		t.Errorf("a map before any fit: %v", err)
	}
	points := numbered(curved(4, 400, 8))
	for i := range points {
		points[i].Payload = Payload{"side": i % 2}
		for j := range points[i].Vector {
			points[i].Vector[j] += float32(20 * (i % 2))
		}
	}
	mustUpsert(t, c, points...)
	mustFit(t, c)
	m, err := c.Map(ctx, 100)
	if err != nil || len(m.Points) != 100 || m.Generation != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	var sum [2]float64
	var n [2]float64
	for _, p := range m.Points {
		side := int(p.ID.num % 2)
		if got, _ := p.Payload["side"].(int64); int(got) != side {
			t.Fatalf("point %s has payload %v", p.ID, p.Payload)
		}
		sum[side], n[side] = sum[side]+float64(p.X), n[side]+1
	}
	middle := [2]float64{sum[0] / n[0], sum[1] / n[1]}
	for _, p := range m.Points {
		own, other := middle[p.ID.num%2], middle[1-p.ID.num%2]
		if math.Abs(float64(p.X)-own) > math.Abs(float64(p.X)-other) {
			t.Errorf("point %s lies with the others", p.ID)
		}
	}
	if _, err := c.Map(ctx, MaxLimit+1); err == nil {
		t.Error("too large a map is drawn")
	}
}
