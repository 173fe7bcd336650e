package source_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/latentdb/latentdb/embed"
	"github.com/latentdb/latentdb/embed/source"
)

func numeric(t tester, values ...any) (source.Table, source.Fitted, [][]byte) {
	t.Helper()
	spec := source.Table{Columns: []source.Column{{Name: "x", Type: source.NumericColumn}}}
	var stored [][]byte
	for _, v := range values {
		stored = append(stored, marshal(t, spec, map[string]any{"x": v}))
	}
	return spec, fit(t, spec, stored...), stored
}

func decoded(t tester, fitted source.Fitted, row ...float32) map[string]any {
	t.Helper()
	record, err := fitted.Record(row)
	if err != nil {
		t.Fatal(err)
	}
	return record.(map[string]any)
}

// Normal and log-normal columns both become standard normal, and come back.
func TestNumericStandardises(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draws := map[string]func() float64{
		"normal":     func() float64 { return 1e6 + 50*rng.NormFloat64() },
		"log-normal": func() float64 { return 1e-4 * math.Exp(2*rng.NormFloat64()) },
		"negative":   func() float64 { return -math.Exp(rng.NormFloat64()) },
	}
	for name, draw := range draws {
		t.Run(name, func(t *testing.T) {
			values := make([]any, 5000)
			for i := range values {
				values[i] = draw()
			}
			_, fitted, stored := numeric(t, values...)
			var z []float64
			for i, s := range stored {
				row := rowOf(t, fitted, s)
				z = append(z, float64(row[0]))
				want := values[i].(float64)
				if got := decoded(t, fitted, row...)["x"].(float64); math.Abs(got-want) > 1e-4*math.Abs(want) {
					t.Fatalf("%g came back as %g", want, got)
				}
			}
			slices.Sort(z)
			for q, want := range map[float64]float64{0.05: -1.645, 0.25: -0.674, 0.5: 0, 0.75: 0.674, 0.95: 1.645} {
				if got := z[int(q*float64(len(z)))]; math.Abs(got-want) > 0.5 {
					t.Errorf("quantile %g is %g, want about %g", q, got, want)
				}
			}
		})
	}
}

func TestNumericEdges(t *testing.T) {
	t.Run("wild values are tamed, told apart, and shown as they are", func(t *testing.T) {
		spec, fitted, _ := numeric(t, 1, 2, 3, 4, 5)
		last := float32(9)
		for _, x := range []int64{500, 777, 1_000_000} {
			row := rowOf(t, fitted, marshal(t, spec, map[string]any{"x": x}))
			if row[0] <= last || row[0] > 30 {
				t.Errorf("the feature of %d is %g, after %g", x, row[0], last)
			}
			last = row[0]
			part := fitted.Parts([]float64{2}, row, row)[0]
			value, ok := part.Value.(int64)
			if part.Expected != int64(5) || !ok || math.Abs(float64(value-x)) > 1e-4*float64(x) || part.Weight != 2 {
				t.Errorf("%d: part is %+v", x, part)
			}
		}
		tiny, fittedTiny, _ := numeric(t, 1e-38, 2e-38, 3e-38)
		if far := rowOf(t, fittedTiny, marshal(t, tiny, map[string]any{"x": -3e38})); far[0] > -109 || far[0] < -111 {
			t.Errorf("the feature of -3e38 among tiny values is %g", far[0])
		}
		row := rowOf(t, fitted, marshal(t, spec, map[string]any{"x": -1e30}))
		if !(row[0] < -9) || row[0] < -100 {
			t.Errorf("the feature of -1e30 is %g", row[0])
		}
	})
	t.Run("constant", func(t *testing.T) {
		spec, fitted, stored := numeric(t, 4.5, 4.5)
		if row := rowOf(t, fitted, stored[0]); row[0] != 0 {
			t.Errorf("feature is %g, want 0", row[0])
		}
		if got := decoded(t, fitted, 3)["x"]; got != 4.5 {
			t.Errorf("decodes to %v", got)
		}
		if row := rowOf(t, fitted, marshal(t, spec, map[string]any{"x": 9})); row[0] != 1 {
			t.Errorf("twice the constant is %g, want 1", row[0])
		}
	})
	t.Run("rarely other than zero", func(t *testing.T) {
		values := make([]any, 1000)
		for i := range values {
			values[i] = 0
		}
		values[7], values[8] = 3, -2
		_, fitted, stored := numeric(t, values...)
		for i, want := range map[int]int64{6: 0, 7: 3, 8: -2} {
			row := rowOf(t, fitted, stored[i])
			if got := decoded(t, fitted, row...)["x"]; got != want || want == 3 && row[0] < 3 {
				t.Errorf("%d is %g, and decodes to %v", want, row[0], got)
			}
		}
	})
	t.Run("integers stay whole and in range", func(t *testing.T) {
		_, fitted, _ := numeric(t, 1, 2, 10)
		for _, z := range []float32{-99, -0.3, 0, 0.4, 99, float32(math.NaN()), float32(math.Inf(1))} {
			if got := decoded(t, fitted, z)["x"].(int64); got < 1 || got > 10 {
				t.Errorf("%g decodes to %d", z, got)
			}
		}
	})
	t.Run("missing", func(t *testing.T) {
		_, fitted, stored := numeric(t, 1, nil, 3)
		if want := (embed.Layout{{Kind: embed.Numeric, Width: 1}, {Kind: embed.Binary, Width: 1}}); !reflect.DeepEqual(fitted.Layout(), want) {
			t.Errorf("layout is %v", fitted.Layout())
		}
		if row := rowOf(t, fitted, stored[1]); row[0] != 0 || row[1] != 1 {
			t.Errorf("row of a missing value is %v", row)
		}
		if got, ok := decoded(t, fitted, 0, 0.5)["x"]; got != nil || !ok {
			t.Errorf("decodes to %v, %t, want nil, true", got, ok)
		}
		spec, without, _ := numeric(t, 1, 2, 3)
		if row := rowOf(t, without, marshal(t, spec, map[string]any{})); row[0] != 0 {
			t.Errorf("missing without an indicator is %v, want the median", row)
		}
	})
	t.Run("never a value", func(t *testing.T) {
		_, fitted, stored := numeric(t, nil, nil)
		if got := decoded(t, fitted, rowOf(t, fitted, stored[0])...)["x"]; got != nil {
			t.Errorf("decodes to %v", got)
		}
	})
	t.Run("input scale", func(t *testing.T) {
		_, fitted, stored := numeric(t, 10, 20, 30, nil)
		a, b := rowOf(t, fitted, stored[0])[0], rowOf(t, fitted, stored[2])[0]
		scale := fitted.InputScale()
		if got := (b - a) * scale[0]; math.Abs(float64(got)-20) > 1e-4 || scale[1] != 1 {
			t.Errorf("10 and 30 are %g apart, scale %v", got, scale)
		}
	})
}

func TestCategoricalLevels(t *testing.T) {
	spec := source.Table{Columns: []source.Column{{Name: "c", Type: source.CategoricalColumn}}}
	stored := func(v any) []byte { return marshal(t, spec, map[string]any{"c": v}) }
	var sample [][]byte
	for i := range 100 { // level i is there 200−i times: 64 are kept
		for range 200 - i {
			sample = append(sample, stored(fmt.Sprint("level ", i)))
		}
	}
	sample = append(sample, stored(nil))
	fitted := fit(t, spec, sample...)
	if want := source.MaxOpenLevels + 2; fitted.Width() != want {
		t.Fatalf("width is %d, want %d", fitted.Width(), want)
	}
	for _, test := range []struct {
		value, decodes, shown any
	}{
		{"level 0", "level 0", "level 0"},
		{"level 63", "level 63", "level 63"},
		{"level 64", "level 64", source.OtherLevel}, // the most frequent of the pooled
		{"level 99", "level 64", source.OtherLevel},
		{"never seen", "level 64", source.OtherLevel},
		{nil, nil, nil},
	} {
		row := rowOf(t, fitted, stored(test.value))
		if got := decoded(t, fitted, row...)["c"]; got != test.decodes {
			t.Errorf("%v decodes to %v, want %v", test.value, got, test.decodes)
		}
		if got := fitted.Parts(make([]float64, len(row)), row, row)[0].Value; got != test.shown {
			t.Errorf("%v is shown as %v, want %v", test.value, got, test.shown)
		}
	}
	checkBytes(t, fitted)
}

// A column of names, all different, gets no levels, and none of them as noise.
func TestCategoricalNames(t *testing.T) {
	spec := source.Table{Columns: []source.Column{{Name: "c", Type: source.CategoricalColumn}}}
	var sample [][]byte
	for i := range source.MaxOpenLevels + 1 {
		sample = append(sample, marshal(t, spec, map[string]any{"c": i}))
	}
	if got := fit(t, spec, sample...).Width(); got != 1 {
		t.Errorf("width is %d, want 1", got)
	}
	if got := fit(t, spec, sample[1:]...).Width(); got != source.MaxOpenLevels+1 {
		t.Errorf("width of fewer is %d, want %d", got, source.MaxOpenLevels+1)
	}
}

// Decoded numbers read as they were written.
func TestNumericDecimals(t *testing.T) {
	values := []float64{0.07, 0.1, 31.25, 7.2292, 80, 1e-3, 512.3292, 12.5, 19.99, 3.333}
	for _, offset := range []float64{0, 1e6} {
		given := make([]any, len(values))
		for i, v := range values {
			given[i] = math.Round((offset+v)*1e4) / 1e4
		}
		_, fitted, stored := numeric(t, given...)
		for i, s := range stored {
			got := decoded(t, fitted, rowOf(t, fitted, s)...)["x"].(float64)
			if math.Abs(got-given[i].(float64)) > 1e-3 || len(strconv.FormatFloat(got, 'f', -1, 64)) > 13 {
				t.Errorf("%f reads %f", given[i], got)
			}
		}
	}
}

func TestCategoricalForms(t *testing.T) {
	stored := func(v any) []byte { return marshal(t, mixed, map[string]any{"closed": v, "open": v}) }
	fitted := fit(t, mixed, stored(7), stored("7"), stored("red"))
	for _, v := range []any{"7", 7, 7.0} { // one level, decoded as first seen
		record := decoded(t, fitted, rowOf(t, fitted, stored(v))...)
		if record["closed"] != int64(7) || record["open"] != int64(7) {
			t.Errorf("%#v decodes to %v", v, record)
		}
	}
	// A missing value where the fit had none counts as the most frequent one.
	record := decoded(t, fitted, rowOf(t, fitted, marshal(t, mixed, map[string]any{}))...)
	if record["closed"] != int64(7) || record["open"] != int64(7) {
		t.Errorf("missing decodes to %v", record)
	}
}

func TestBooleanMissing(t *testing.T) {
	spec := source.Table{Columns: []source.Column{{Name: "b", Type: source.BooleanColumn}}}
	stored := func(v any) []byte { return marshal(t, spec, map[string]any{"b": v}) }
	fitted := fit(t, spec, stored(true), stored(true), stored(false))
	if row := rowOf(t, fitted, stored(nil)); row[0] != 1 || len(row) != 1 {
		t.Errorf("missing where none was is %v, want the more frequent value", row)
	}
	fitted = fit(t, spec, stored(false), stored(nil))
	if row := rowOf(t, fitted, stored(nil)); row[0] != 0 || row[1] != 1 || decoded(t, fitted, row...)["b"] != nil {
		t.Errorf("missing is %v", row)
	}
}

func TestTablePartsSumColumns(t *testing.T) {
	records := []map[string]any{
		{"n": 1.5, "open": "a", "closed": "red", "b": true},
		{"n": 2.5, "open": "b", "closed": "green", "b": false},
		{"open": nil},
	}
	var stored [][]byte
	for _, r := range records {
		stored = append(stored, marshal(t, mixed, r))
	}
	fitted := fit(t, mixed, stored...)
	wantLayout := embed.Layout{
		{Kind: embed.Numeric, Width: 1}, {Kind: embed.Binary, Width: 1}, // n
		{Kind: embed.OneHot, Width: 4}, {Kind: embed.OneHot, Width: 4}, // open, closed
		{Kind: embed.Binary, Width: 2}, // b
	}
	if !reflect.DeepEqual(fitted.Layout(), wantLayout) {
		t.Errorf("layout is %v, want %v", fitted.Layout(), wantLayout)
	}
	weights := make([]float64, fitted.Width())
	for i := range weights {
		weights[i] = 1
	}
	parts := fitted.Parts(weights, rowOf(t, fitted, stored[0]), rowOf(t, fitted, stored[1]))
	// open: a, b, other, missing; closed: red, green, 7, missing; n and b: value, missing.
	want := []source.Part{
		{Name: "open", Value: "a", Expected: "b", Weight: 4},
		{Name: "closed", Value: "red", Expected: "green", Weight: 4},
		{Name: "n", Value: 1.5, Expected: 2.5, Weight: 2},
		{Name: "b", Value: true, Expected: false, Weight: 2},
	}
	for i, p := range parts {
		if p.Name == "n" { // to float32
			p.Value, p.Expected = math.Round(p.Value.(float64)*1e4)/1e4, math.Round(p.Expected.(float64)*1e4)/1e4
		}
		if p != want[i] {
			t.Errorf("part %d is %+v, want %+v", i, p, want[i])
		}
	}
}

func TestTableFitErrors(t *testing.T) {
	if _, err := mixed.Fit(samples(nil)); !errors.Is(err, source.ErrRecord) {
		t.Errorf("no samples: %v", err)
	}
	broken := errors.New("broken")
	_, err := mixed.Fit(func(yield func([]byte, error) bool) { yield(nil, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("failing samples: %v", err)
	}
	var wide source.Table
	for i := range source.MaxColumns {
		wide.Columns = append(wide.Columns, source.Column{
			Name: fmt.Sprint(i), Type: source.CategoricalColumn, Levels: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"},
		})
	}
	if _, err := wide.Fit(samples([][]byte{[]byte("{}")})); !errors.Is(err, source.ErrSpec) {
		t.Errorf("too many features: %v", err)
	}
}
