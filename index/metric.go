package index

import (
	"fmt"
	"math"

	"github.com/latentdb/latentdb/index/internal/distance"
)

// Metric is how the distance between two rows is measured. Smaller is closer
// for each of them. Its numbers are written in snapshots and never change.
type Metric uint8

const (
	// L2 is the squared Euclidean distance, sum of (a-b)^2: it orders rows as
	// the Euclidean distance does and saves the root.
	L2 Metric = iota
	// Cosine is 1 - cos(a, b), from 0 to 2. Engines keep rows at unit length. A
	// row of zeros has no direction: it is at distance 1 from every row.
	Cosine
	// Dot is the negative inner product, -a·b. It is no metric in the
	// mathematical sense: a row need not be its own nearest neighbour.
	Dot
	// Manhattan is the sum of |a-b|.
	Manhattan
)

var metricNames = [...]string{L2: "l2", Cosine: "cosine", Dot: "dot", Manhattan: "manhattan"}

func (m Metric) valid() bool { return int(m) < len(metricNames) }

// String is the metric's name: "l2", "cosine", "dot" or "manhattan".
func (m Metric) String() string {
	if !m.valid() {
		return fmt.Sprintf("Metric(%d)", uint8(m))
	}
	return metricNames[m]
}

// ParseMetric is the inverse of String. An unknown name gives ErrParams.
func ParseMetric(name string) (Metric, error) {
	for m, known := range metricNames {
		if name == known {
			return Metric(m), nil
		}
	}
	return 0, fmt.Errorf("%w: metric %q, want one of %q", ErrParams, name, metricNames)
}

// Distance measures two rows as they are: for Cosine they need not have unit
// length. Rows of different lengths have no distance: NaN. To measure many
// rows, Prepare each once and use Kernel.
func (m Metric) Distance(a, b []float32) float32 {
	if len(a) != len(b) || !m.valid() {
		return float32(math.NaN())
	}
	if m == Cosine {
		return cosineOf(a, b)
	}
	return m.Kernel()(a, b)
}

// Kernel returns the function that measures prepared rows (see Prepare) of
// equal length; engines and rerankers fetch it once. The function is symmetric
// to the last bit, never returns NaN for finite rows, and costs one pass; it
// panics when b is the shorter row. An unknown metric has the kernel of L2.
func (m Metric) Kernel() func(a, b []float32) float32 {
	kind := m.kind()
	return func(a, b []float32) float32 { return distance.Pair(kind, a, b) }
}

func (m Metric) kind() distance.Kind {
	switch m {
	case Cosine:
		return distance.Cosine
	case Dot:
		return distance.NegativeDot
	case Manhattan:
		return distance.Manhattan
	default:
		return distance.SquaredL2
	}
}

// Prepare checks row and copies it into dst as engines keep it: scaled to unit
// length for Cosine, else unchanged (negative zeros become zeros, so that equal
// rows have equal bits). It returns ErrDim when the lengths differ and
// ErrNotFinite for NaN or an infinity, each with the offending length or
// position. dst may be row itself.
func (m Metric) Prepare(dst, row []float32) error {
	if len(row) != len(dst) {
		return fmt.Errorf("%w: %d values, want %d", ErrDim, len(row), len(dst))
	}
	for i, x := range row {
		if x-x != 0 { // NaN for NaN and for both infinities
			return fmt.Errorf("%w: value %d is %v", ErrNotFinite, i, x)
		}
		dst[i] = x + 0
	}
	if m == Cosine {
		normalise(dst)
	}
	return nil
}

// normalise scales row to unit length and leaves zeros alone. The length is
// summed in float64, where no float32 square overflows or vanishes.
func normalise(row []float32) {
	var sum float64
	for _, x := range row {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return
	}
	length := math.Sqrt(sum)
	for i, x := range row {
		row[i] = float32(float64(x)/length) + 0
	}
}

// cosineOf is the cosine distance of rows of any length.
func cosineOf(a, b []float32) float32 {
	var ab, aa, bb float64
	for i, x := range a {
		x, y := float64(x), float64(b[i])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 1
	}
	return float32(max(0, 1-ab/(math.Sqrt(aa)*math.Sqrt(bb))))
}
