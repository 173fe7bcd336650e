package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
)

func ExampleVector() {
	spec, _ := source.Vector{Unit: true}.Resolve([]any{[]float32{3, 4}})
	stored, _ := spec.Marshal([]any{json.Number("3"), 4.0}) // as JSON gives it
	fitted, _ := spec.Fit(nil)
	row := make([]float32, fitted.Width())
	_ = fitted.Row(row, stored)
	kept, _ := spec.Unmarshal(stored)
	fmt.Println(row, kept)
	// Output: [0.6 0.8] [3 4]
}

func TestVectorKeepsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float32Range(-2e17, 2e17), 1, 20).Draw(t, "values")
		spec := resolve(t, source.Vector{Unit: rapid.Bool().Draw(t, "unit")}, values)
		stored := marshal(t, spec, values)
		back, err := spec.Unmarshal(stored)
		if err != nil || !slices.Equal(back.([]float32), values) {
			t.Fatalf("got %v, %v, want %v", back, err, values)
		}
		fitted := fit(t, spec)
		row := rowOf(t, fitted, stored)
		var norm float64
		for _, x := range row {
			norm += float64(x) * float64(x)
		}
		zero := !slices.ContainsFunc(values, func(x float32) bool { return x != 0 })
		if spec.(source.Vector).Unit && !zero && math.Abs(norm-1) > 1e-5 {
			t.Fatalf("row %v has squared length %g", row, norm)
		}
		if !spec.(source.Vector).Unit && !slices.Equal(row, values) {
			t.Fatalf("row %v differs from %v", row, values)
		}
		checkBytes(t, fitted)
	})
}

func TestVectorRefuses(t *testing.T) {
	two := source.Vector{Size: 2}
	tests := []struct {
		name   string
		record any
		want   string
	}{
		{"short", []float32{1}, "1 dimensions, want 2"},
		{"NaN", []float32{1, float32(math.NaN())}, "position 1: NaN"},
		{"Inf", []float64{math.Inf(-1), 0}, "position 0"},
		{"float64 beyond float32", []float64{0, 1e39}, "3.4028234663852886e+38"},
		{"too long", []float32{-1e18, 1e18}, "length 1.414e+18, the limit is 1e+18"},
		{"huge", []float32{math.MaxFloat32, 0}, "length 3.403e+38, the limit is 1e+18"},
		{"text", []any{1.0, "2"}, `position 1: got text "2"`},
		{"null", []any{nil, 1.0}, "position 0: got null"},
		{"string", "1,2", "got string, want a vector"},
		{"huge number", []any{json.Number("1e999"), 1}, "position 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := two.Marshal(test.record)
			if !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrRecord with %q", err, test.want)
			}
		})
	}
	for _, spec := range []source.Vector{{Size: -1}, {Size: source.MaxFeatures + 1}} {
		if _, err := spec.Resolve(nil); !errors.Is(err, source.ErrSpec) {
			t.Errorf("%+v: got %v, want ErrSpec", spec, err)
		}
	}
	marshal(t, two, []float32{0, -1e18}) // as long as may be
	if _, err := (source.Vector{}).Marshal([]float32{1}); !errors.Is(err, source.ErrSpec) {
		t.Errorf("unresolved: got %v, want ErrSpec", err)
	}
	if _, err := (source.Vector{}).Resolve([]any{[]float32{}}); !errors.Is(err, source.ErrRecord) {
		t.Errorf("empty first vector: got %v, want ErrRecord", err)
	}
}

func TestVectorParts(t *testing.T) {
	fitted := fit(t, source.Vector{Size: 3})
	parts := fitted.Parts([]float64{1, 5, 1}, []float32{10, 20, 30}, []float32{11, 21, 31})
	want := []source.Part{
		{Name: "1", Value: float32(20), Expected: float32(21), Weight: 5},
		{Name: "0", Value: float32(10), Expected: float32(11), Weight: 1},
		{Name: "2", Value: float32(30), Expected: float32(31), Weight: 1},
	}
	if !slices.Equal(parts, want) {
		t.Errorf("got %v, want %v", parts, want)
	}
	if fitted.Parts(nil, nil, nil) != nil {
		t.Error("parts of slices of the wrong length")
	}
}

// TestVectorRowOf compares the short way to a feature row with the one by way of
// stored bytes.
func TestVectorRowOf(t *testing.T) {
	for _, unit := range []bool{false, true} {
		spec := source.Vector{Size: 3, Unit: unit}
		fitted, err := spec.Fit(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range []any{
			[]float32{1, -2, 3}, []float64{0, 0, 0}, []any{1, 2.5, 3}, []float32{1, 2}, []float32{1, float32(math.NaN()), 2},
			[]float32{float32(math.Inf(-1)), 0, 0}, []float32{3e38, 0, 0}, "text", nil, []any{"1", 2, 3}, []float64{1e300, 0, 0},
		} {
			want, got := make([]float32, 3), make([]float32, 3)
			stored, wantErr := spec.Marshal(record)
			if wantErr == nil {
				wantErr = fitted.Row(want, stored)
			}
			gotErr := fitted.(source.Direct).RowOf(got, record)
			if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
				t.Errorf("%v: %v, want %v", record, gotErr, wantErr)
			}
			if wantErr == nil && !slices.Equal(got, want) {
				t.Errorf("%v: row %v, want %v", record, got, want)
			}
		}
	}
}
