package embed

import (
	"math"
	"testing"
)

// Rows on a plane keep their distances in two dimensions, and the first spreads most.
func TestProjectKeepsAPlane(t *testing.T) {
	rows := NewMatrix(60, 5)
	for i := range rows.Rows {
		x, y := float32(math.Sin(float64(i)))*3, float32(math.Cos(2.3*float64(i)))
		copy(Row(rows, i), []float32{x, y, x, -y, 1})
	}
	got, err := Project(t.Context(), rows, 2)
	if err != nil {
		t.Fatal(err)
	}
	var first, second float64
	scale := math.Sqrt(squaredDistance(Row(rows, 0), Row(rows, 1)) / squaredDistance(Row(got, 0), Row(got, 1)))
	for i := range rows.Rows {
		first, second = first+float64(Row(got, i)[0])*float64(Row(got, i)[0]), second+float64(Row(got, i)[1])*float64(Row(got, i)[1])
		want, is := math.Sqrt(squaredDistance(Row(rows, i), Row(rows, 7))), math.Sqrt(squaredDistance(Row(got, i), Row(got, 7)))*scale
		if math.Abs(want-is) > 1e-3*(1+want) {
			t.Fatalf("rows %d and 7 are %v apart, their projections %v", i, want, is)
		}
	}
	if first <= second {
		t.Errorf("spread %v along the first, %v along the second", first, second)
	}
	line, err := Project(t.Context(), MatrixOf([]float32{1, 2, 4}, 1), 2)
	if err != nil || line.Cols != 2 || Row(line, 2)[1] != 0 {
		t.Errorf("rows of one value: %v, %v", line, err)
	}
	if _, err := Project(t.Context(), NewMatrix(0, 3), 2); err == nil {
		t.Error("no rows are projected")
	}
}
