package index

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"unsafe"

	"github.com/latentdb/latentdb/index/internal/packed"
)

// Rows keeps rows by slot in as few bytes as their form takes, so that candidates
// can be scored exactly at the cost of a memory access. It is for many goroutines
// at once, and for slots without large gaps.
type Rows struct {
	dim    int
	metric Metric
	form   RowForm
	packed packed.Form
	// kept are the features that a row's bytes are of; constants those they are not.
	kept      []int
	constants []Constant

	mu    sync.RWMutex
	pages []*rowPage // nil where no slot has come
	// reserved is the memory that room was made in.
	reserved [][]byte
	dropped  bool
	pool     sync.Pool // of *rescoring
}

// rescoring is the memory of one Rescore or Scan.
type rescoring struct {
	query     []float32
	shared    float32 // what the constant features add
	slots     []uint32
	at        []*byte
	distances []float32
}

// Constant is a feature that has one value in all rows, and so takes no bytes in
// them: as the corners of pictures do.
type Constant struct {
	Feature int     `json:"feature"`
	Value   float32 `json:"value"`
}

// NewRows makes an empty set of rows of dim values, scored by a metric. Constants go
// by ascending feature, and are not all features.
func NewRows(dim int, metric Metric, form RowForm, constants ...Constant) (*Rows, error) {
	if dim < 1 || dim > MaxDim || !metric.valid() {
		return nil, fmt.Errorf("%w: rows of %d values, %v", ErrParams, dim, metric)
	}
	if err := form.Validate(); err != nil {
		return nil, err
	}
	r := &Rows{dim: dim, metric: metric, form: form, packed: rowForms[form.Kind], constants: constants}
	next := 0
	for i := range dim {
		if next < len(constants) && constants[next].Feature == i {
			next++
		} else {
			r.kept = append(r.kept, i)
		}
	}
	if next < len(constants) || len(r.kept) == 0 {
		return nil, fmt.Errorf("%w: %d constant features of %d, ascending to %d", ErrParams, len(constants), dim, next)
	}
	r.pool.New = func() any { return &rescoring{query: make([]float32, len(r.kept))} }
	return r, nil
}

// Width is how many values of a row take bytes.
func (r *Rows) Width() int { return len(r.kept) }

// Form is how values are kept.
func (r *Rows) Form() RowForm { return r.form }

// Len is the number of rows held.
func (r *Rows) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := 0
	for _, p := range r.pages {
		if p != nil {
			n += p.n
		}
	}
	return n
}

// Bytes is the memory held, without what was given.
func (r *Rows) Bytes() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	total := int64(8 * cap(r.pages))
	for _, p := range r.pages {
		if p != nil {
			total += int64(unsafe.Sizeof(*p))
			if !p.given {
				total += int64(cap(p.data))
			}
		}
	}
	return total
}

func (r *Rows) stride() int { return len(r.kept) * r.packed.Size() }

// Put sets the row of a slot. A row that RowUint8 would change, whose values
// RowFloat16 does not reach, or that differs from a constant, is not kept, and false returned: its slot is then
// one that Rescore does not know.
func (r *Rows) Put(slot uint32, row []float32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.put(slot, row)
}

// Reserve makes room for the slots below n, side by side: what is known to come is
// cheaper to reach there than in the pages that are added one by one.
func (r *Rows) Reserve(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := len(r.pages)
	if r.Size(n) <= r.Size(first<<pageBits) {
		return
	}
	page := r.Size(1)
	for left := r.Size(n) - r.Size(first<<pageBits); left > 0; {
		memory := make([]byte, min(left, max(1, reservedPiece/page)*page))
		left -= len(memory)
		adviseHuge(memory)
		r.reserved = append(r.reserved, memory)
		for _, data := range r.cut(memory) {
			r.pages = append(r.pages, &rowPage{data: data})
		}
	}
}

// reservedPiece is about how much room is made in one piece, which is given back only
// once all its slots are gone.
const reservedPiece = 64 << 20

// Settle is for when the rows are there that room was reserved for: it has the memory
// in huge pages, if the system has them.
func (r *Rows) Settle() {
	r.mu.RLock()
	reserved := slices.Clone(r.reserved)
	r.mu.RUnlock()
	for _, memory := range reserved {
		collapseHuge(memory)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reserved = slices.Delete(r.reserved, 0, min(len(reserved), len(r.reserved)))
}

// page is where the row of a slot has its place; nil where no row near it came.
func (r *Rows) page(slot uint32) *rowPage {
	if i := int(slot >> pageBits); i < len(r.pages) {
		return r.pages[i]
	}
	return nil
}

func (r *Rows) put(slot uint32, row []float32) bool {
	if r.dropped || !r.keeps(row) {
		r.clear(slot)
		return false
	}
	i := int(slot >> pageBits)
	r.grow(i + 1)
	if r.pages[i] == nil {
		r.pages[i] = &rowPage{data: make([]byte, pageSize*r.stride())}
	}
	p := r.pages[i]
	dst := p.add(slot, r.stride())
	for i, feature := range r.kept {
		x := row[feature]
		if r.form.gridded() {
			x = r.form.onGrid(x)
		}
		packed.Put(dst, r.packed, i, x)
	}
	return true
}

// keeps tells whether a row can be held.
func (r *Rows) keeps(row []float32) bool {
	if len(row) != r.dim {
		return false
	}
	for _, c := range r.constants {
		if row[c.Feature] != c.Value {
			return false
		}
	}
	for _, feature := range r.kept {
		if !r.keepsValue(row[feature]) {
			return false
		}
	}
	return true
}

func (r *Rows) keepsValue(x float32) bool {
	switch {
	case r.packed == packed.Uint8:
		return r.form.holds(x)
	case r.packed == packed.Float16 && r.form.gridded():
		x = r.form.onGrid(x)
	}
	return r.packed != packed.Float16 || x >= -packed.MaxHalf && x <= packed.MaxHalf
}

// Delete forgets the row of a slot.
func (r *Rows) Delete(slot uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear(slot)
}

func (r *Rows) clear(slot uint32) {
	if p := r.page(slot); p != nil {
		p.clear(slot, r.stride())
	}
}

// Rescore sets the distances of hits to a query of Dim values, in place; the
// query is prepared as the rows were. It moves those whose slots have no row to
// the end, with the distances they had, and returns how many have one: none for
// a query that lies too far from the rows' grid to be measured by it.
func (r *Rows) Rescore(hits []Hit, query []float32) int {
	s := r.pool.Get().(*rescoring)
	defer r.pool.Put(s)
	if !r.ask(s, query) {
		return 0
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	s.at = s.at[:0]
	n, stride := len(hits), r.stride()
	for i := 0; i < n; {
		slot := hits[i].Slot
		if p := r.page(slot); p != nil && p.has(slot) {
			s.at = append(s.at, &p.row(slot, stride)[0])
			i++
			continue
		}
		n--
		hits[i], hits[n] = hits[n], hits[i]
	}
	r.measure(s)
	for i, d := range s.distances {
		hits[i].Distance = d
	}
	return n
}

// shared is what the constant features add to the distance of every row, or, for
// metrics that are of products, to the product.
func (r *Rows) shared(query []float32) float32 {
	var sum float32
	for _, c := range r.constants {
		switch q := query[c.Feature]; r.metric {
		case Cosine, Dot:
			sum += q * c.Value
		case Manhattan:
			sum += abs(q - c.Value)
		default:
			sum += (q - c.Value) * (q - c.Value)
		}
	}
	return sum
}

// ask makes a query that of s: the features that are kept, on the grid where it is
// differences that count. It returns false for one that lies too far from the grid to
// be measured by it.
func (r *Rows) ask(s *rescoring, query []float32) bool {
	for i, feature := range r.kept {
		s.query[i] = query[feature]
	}
	s.shared = r.shared(query)
	if !r.form.gridded() || r.metric == Cosine || r.metric == Dot {
		return true
	}
	farthest := float32(0)
	perStep, offset := 1/r.form.Step, r.form.Offset
	for i, x := range s.query {
		k := float32((float64(x) - offset) * perStep)
		if a := abs(k); a > farthest {
			farthest = a
		}
		s.query[i] = k
	}
	if r.packed == packed.Uint8 {
		for i, k := range s.query {
			s.query[i] = snapped(k)
		}
	}
	return farthest <= farthestOnGrid
}

// measure fills in the distances of the rows that s.at points to. What a row of
// bytes means is Offset + Step·k: for differences the query is on the grid instead,
// for products the sums are put there.
func (r *Rows) measure(s *rescoring) {
	s.distances = slices.Grow(s.distances[:0], len(s.at))[:len(s.at)]
	isGrid := r.form.gridded()
	switch r.metric {
	case Cosine, Dot:
		packed.Products(s.distances, s.query, s.at, r.packed)
		if isGrid {
			r.sumsFromGrid(s)
		}
		for i, p := range s.distances {
			if s.distances[i] = -(p + s.shared); r.metric == Cosine {
				s.distances[i] = max(0, 1-(p+s.shared))
			}
		}
		return
	}
	scale := float32(1)
	if isGrid {
		scale = float32(r.form.Step)
	}
	if r.metric == Manhattan {
		r.manhattan(s)
	} else {
		packed.Squares(s.distances, s.query, s.at, r.packed)
		scale *= scale
	}
	for i, d := range s.distances {
		s.distances[i] = d*scale + s.shared
	}
}

// snapped is a place on a grid as a whole number where it is one but for rounding, so
// that equal rows are at distance 0.
func snapped(k float32) float32 {
	const whole, near = 3 << 22, 1e-3 // the sum rounds what is below 2^22
	if r := k + whole - whole; abs(k-r) < near && abs(k) < 1<<22 {
		return r
	}
	return k
}

func (r *Rows) sumsFromGrid(s *rescoring) {
	var sum float64
	for _, q := range s.query {
		sum += float64(q)
	}
	base, step := float32(sum*r.form.Offset), float32(r.form.Step)
	for i := range s.distances {
		s.distances[i] = base + step*s.distances[i]
	}
}

// manhattan fills in distances value by value: packed rows have no kernel for it.
func (r *Rows) manhattan(s *rescoring) {
	size := r.stride()
	for i, p := range s.at {
		row, sum := unsafe.Slice(p, size), float32(0)
		for j, q := range s.query {
			sum += abs(q - packed.At(row, r.packed, j))
		}
		s.distances[i] = sum
	}
}

// abs clears the sign bit.
func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
