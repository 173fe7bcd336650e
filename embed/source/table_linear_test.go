package source_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// Straight rows lie as far apart as the values do, whatever bends the features, and are
// otherwise the rows.
func TestLinearRowsOfTables(t *testing.T) {
	var records []any
	for i := range 200 {
		records = append(records, map[string]any{"x": math.Exp(float64(i) / 20), "c": fmt.Sprint(i % 3)})
	}
	spec := resolve(t, source.Table{}, records...)
	var stored [][]byte
	for _, r := range records {
		stored = append(stored, marshal(t, spec, r))
	}
	fitted := fit(t, spec, stored...)
	linear, ok := fitted.(source.Linear)
	if !ok {
		t.Fatal("tables give no straight rows")
	}
	row := func(x any) (straight, bent []float32) {
		stored, err := fitted.Spec().Marshal(map[string]any{"x": x, "c": "1"})
		if err != nil {
			t.Fatal(err)
		}
		straight, bent = make([]float32, fitted.Width()), make([]float32, fitted.Width())
		alone, beside := make([]float32, fitted.Width()), slices.Repeat([]float32{7}, fitted.Width())
		if err := errors.Join(linear.LinearRow(straight, beside, stored), linear.LinearRow(alone, nil, stored), fitted.Row(bent, stored)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(alone, straight) || !slices.Equal(beside, bent) {
			t.Errorf("of %v: straight %v and %v, bent %v and %v", x, straight, alone, bent, beside)
		}
		return straight, bent
	}
	at := -1 // the number's feature
	a, bent := row(1000.)
	for j := range a {
		if a[j] != bent[j] {
			if at >= 0 {
				t.Fatalf("straight %v, bent %v", a, bent)
			}
			at = j
		}
	}
	row(nil)
	b, _ := row(2000.)
	c, _ := row(4000.)
	if first, second := float64(b[at]-a[at]), float64(c[at]-b[at]); math.Abs(second/first-2) > 1e-3 {
		t.Errorf("from 1000 to 2000 it is %v, from 2000 to 4000 %v", first, second)
	}
}
