package source_test

import (
	"bytes"
	"iter"
	"math"
	"testing"

	"github.com/latentdb/latentdb/embed/source"
)

// tester is what *testing.T and *rapid.T share.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

var _ tester = (*testing.T)(nil)

func resolve(t tester, spec source.Spec, first ...any) source.Spec {
	t.Helper()
	resolved, err := spec.Resolve(first)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

func marshal(t tester, spec source.Spec, record any) []byte {
	t.Helper()
	stored, err := spec.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func fit(t tester, spec source.Spec, stored ...[]byte) source.Fitted {
	t.Helper()
	fitted, err := spec.Fit(samples(stored))
	if err != nil {
		t.Fatal(err)
	}
	if err := fitted.Layout().Validate(); err != nil {
		t.Fatal(err)
	}
	if w := fitted.Layout().Width(); w != fitted.Width() {
		t.Fatalf("layout has width %d, the source %d", w, fitted.Width())
	}
	return fitted
}

func samples(stored [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, s := range stored {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// rowOf is the feature row, which must be finite.
func rowOf(t tester, fitted source.Fitted, stored []byte) []float32 {
	t.Helper()
	row := make([]float32, fitted.Width())
	for i := range row {
		row[i] = float32(math.NaN()) // Row must write every feature
	}
	if err := fitted.Row(row, stored); err != nil {
		t.Fatal(err)
	}
	for i, x := range row {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			t.Fatalf("feature %d is %g", i, x)
		}
	}
	return row
}

// checkBytes checks that a fitted source survives its bytes.
func checkBytes(t tester, fitted source.Fitted) {
	t.Helper()
	data, err := fitted.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	back, err := source.UnmarshalFitted(data)
	if err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	again, err := back.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Fatalf("bytes differ:\n%s\n%s", data, again)
	}
}
