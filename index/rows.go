package index

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"unsafe"

	"github.com/latentdb/latentdb/index/internal/packed"
)

// RowForm says in how many bytes Rows keeps a value.
type RowForm struct {
	// Kind is RowFloat32, RowFloat16 or RowUint8.
	Kind RowKind `json:"kind"`
	// Offset and Step are the grid of RowUint8: byte k stands for Offset + k·Step.
	Offset float64 `json:"offset,omitempty"`
	Step   float64 `json:"step,omitempty"`
}

// RowKind names a form.
type RowKind string

// The kinds of form: 4, 2 and 1 bytes a value.
const (
	RowFloat32 RowKind = "float32"
	RowFloat16 RowKind = "float16"
	RowUint8   RowKind = "uint8"
)

var rowForms = map[RowKind]packed.Form{RowFloat32: packed.Float32, RowFloat16: packed.Float16, RowUint8: packed.Uint8}

const (
	// gridValues is how many values a byte tells apart.
	gridValues = 256
	// leastStep, greatestStep and farthestOnGrid keep squares of and on a grid within float32.
	leastStep, greatestStep = 1e-15, 1e15
	farthestOnGrid          = 1e15
)

// LosslessRowForm is the form of fewest bytes that keeps each value as it is:
// RowUint8 for values on a grid of 256, as the pixels of pictures are, or
// RowFloat16, or RowFloat32.
func LosslessRowForm(values []float32) RowForm {
	if grid, ok := gridOf(values); ok {
		return grid
	}
	var buf [2]byte
	for _, x := range values {
		if !packed.Put(buf[:], packed.Float16, 0, x) {
			return RowForm{Kind: RowFloat32}
		}
	}
	return RowForm{Kind: RowFloat16}
}

// gridOf finds the grid that values lie on: its step is the least difference of
// two of them, made exact by the largest.
func gridOf(values []float32) (RowForm, bool) {
	seen := make(map[float32]struct{}, gridValues)
	for _, x := range values {
		if _, ok := seen[x]; ok {
			continue
		}
		if len(seen) == gridValues {
			return RowForm{}, false
		}
		seen[x] = struct{}{}
	}
	if len(seen) == 0 {
		return RowForm{}, false
	}
	levels := make([]float64, 0, len(seen))
	for x := range seen {
		levels = append(levels, float64(x))
	}
	slices.Sort(levels)
	low, high := levels[0], levels[len(levels)-1]
	step := 1.0
	for i := 1; i < len(levels); i++ {
		if gap := levels[i] - levels[i-1]; i == 1 || gap < step {
			step = gap
		}
	}
	count := math.Round((high - low) / step)
	if count >= gridValues {
		return RowForm{}, false
	}
	if count > 0 {
		step = (high - low) / count
	}
	form := RowForm{Kind: RowUint8, Offset: low, Step: step}
	if form.Validate() != nil {
		return RowForm{}, false
	}
	for _, x := range levels {
		if !form.holds(float32(x)) {
			return RowForm{}, false
		}
	}
	return form, true
}

// Bytes is what a value takes.
func (f RowForm) Bytes() int { return rowForms[f.Kind].Size() }

// onGrid is where on the grid a value lies.
func (f RowForm) onGrid(x float32) float32 { return float32((float64(x) - f.Offset) / f.Step) }

// holds tells whether a grid gives x back.
func (f RowForm) holds(x float32) bool {
	k := math.RoundToEven((float64(x) - f.Offset) / f.Step)
	return k >= 0 && k < gridValues && float32(f.Offset+k*f.Step) == x
}

// Validate tells what is wrong with a form: ErrParams.
func (f RowForm) Validate() error {
	_, known := rowForms[f.Kind]
	switch {
	case !known:
		return fmt.Errorf("%w: row form %q", ErrParams, f.Kind)
	case f.Kind == RowUint8 && (!(f.Step >= leastStep && f.Step <= greatestStep) || f.Offset-f.Offset != 0):
		return fmt.Errorf("%w: row grid of offset %v and step %v", ErrParams, f.Offset, f.Step)
	}
	return nil
}

// rowPage is memory for as many rows as a page of a slotTable has slots.
type rowPage struct {
	data []byte
	held [pageSize / 64]uint64 // bits of the slots that have a row
	n    int                   // how many are set
}

func (p *rowPage) has(slot uint32) bool {
	i := slot & (pageSize - 1)
	return p.held[i>>6]>>(i&63)&1 != 0
}

func (p *rowPage) set(slot uint32) {
	if !p.has(slot) {
		i := slot & (pageSize - 1)
		p.held[i>>6] |= 1 << (i & 63)
		p.n++
	}
}

func (p *rowPage) clear(slot uint32) {
	if p.has(slot) {
		i := slot & (pageSize - 1)
		p.held[i>>6] &^= 1 << (i & 63)
		p.n--
	}
}

// Rows keeps rows by slot in as few bytes as their form takes, so that candidates
// can be scored exactly at the cost of a memory access. It is for many goroutines
// at once, and for slots without large gaps.
type Rows struct {
	dim    int
	metric Metric
	form   RowForm
	packed packed.Form

	mu    sync.RWMutex
	pages []*rowPage // nil where no slot has come
	pool  sync.Pool  // of *rescoring
}

// rescoring is the memory of one Rescore.
type rescoring struct {
	query     []float32
	at        []*byte
	distances []float32
}

// NewRows makes an empty set of rows of dim values, scored by a metric.
func NewRows(dim int, metric Metric, form RowForm) (*Rows, error) {
	if dim < 1 || dim > MaxDim || !metric.valid() {
		return nil, fmt.Errorf("%w: rows of %d values, %v", ErrParams, dim, metric)
	}
	if err := form.Validate(); err != nil {
		return nil, err
	}
	r := &Rows{dim: dim, metric: metric, form: form, packed: rowForms[form.Kind]}
	r.pool.New = func() any { return &rescoring{query: make([]float32, dim)} }
	return r, nil
}

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

// Bytes is the memory held.
func (r *Rows) Bytes() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	total := int64(8 * cap(r.pages))
	for _, p := range r.pages {
		if p != nil {
			total += int64(cap(p.data)) + pageSize/8 + 32
		}
	}
	return total
}

func (r *Rows) stride() int { return r.dim * r.packed.Size() }

// Put sets the row of a slot. A row that RowUint8 would change, or whose values
// RowFloat16 does not reach, is not kept, and false returned: its slot is then
// one that Rescore does not know.
func (r *Rows) Put(slot uint32, row []float32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.put(slot, row)
}

// page is where the row of a slot has its place; nil where no row near it came.
func (r *Rows) page(slot uint32) *rowPage {
	if i := int(slot >> pageBits); i < len(r.pages) {
		return r.pages[i]
	}
	return nil
}

func (r *Rows) put(slot uint32, row []float32) bool {
	if !r.keeps(row) {
		r.clear(slot)
		return false
	}
	i := int(slot >> pageBits)
	if i >= len(r.pages) {
		r.pages = append(r.pages, make([]*rowPage, i+1-len(r.pages))...)
	}
	if r.pages[i] == nil {
		r.pages[i] = &rowPage{data: make([]byte, pageSize*r.stride())}
	}
	p := r.pages[i]
	dst := r.at(p, slot)
	for i, x := range row {
		if r.packed == packed.Uint8 {
			x = r.form.onGrid(x)
		}
		packed.Put(dst, r.packed, i, x)
	}
	p.set(slot)
	return true
}

// keeps tells whether a row can be held.
func (r *Rows) keeps(row []float32) bool {
	if len(row) != r.dim {
		return false
	}
	for _, x := range row {
		if r.packed == packed.Uint8 && !r.form.holds(x) || r.packed == packed.Float16 && !(x >= -packed.MaxHalf && x <= packed.MaxHalf) {
			return false
		}
	}
	return true
}

// Delete forgets the row of a slot.
func (r *Rows) Delete(slot uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear(slot)
}

func (r *Rows) clear(slot uint32) {
	if p := r.page(slot); p != nil {
		p.clear(slot)
	}
}

func (r *Rows) at(p *rowPage, slot uint32) []byte {
	stride := r.stride()
	return p.data[int(slot&(pageSize-1))*stride:][:stride]
}

// Rescore sets the distances of hits to a query of Dim values, in place; the
// query is prepared as the rows were. It moves those whose slots have no row to
// the end, with the distances they had, and returns how many have one: none for
// a query that lies too far from the rows' grid to be measured by it.
func (r *Rows) Rescore(hits []Hit, query []float32) int {
	s := r.pool.Get().(*rescoring)
	defer r.pool.Put(s)
	copy(s.query, query)
	if !r.reaches(query) {
		return 0
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	s.at = s.at[:0]
	n := len(hits)
	for i := 0; i < n; {
		slot := hits[i].Slot
		if p := r.page(slot); p != nil && p.has(slot) {
			s.at = append(s.at, &r.at(p, slot)[0])
			i++
			continue
		}
		n--
		hits[i], hits[n] = hits[n], hits[i]
	}
	s.distances = slices.Grow(s.distances[:0], n)[:n]
	r.measure(s)
	for i, d := range s.distances {
		hits[i].Distance = d
	}
	return n
}

func (r *Rows) reaches(query []float32) bool {
	for _, x := range query {
		if r.packed == packed.Uint8 && math.Abs((float64(x)-r.form.Offset)/r.form.Step) > farthestOnGrid {
			return false
		}
	}
	return true
}

// measure fills in the distances of a rescoring. What a row of bytes means is
// Offset + Step·k: for differences the query is put on the grid instead, for
// products the sums are.
func (r *Rows) measure(s *rescoring) {
	isGrid := r.packed == packed.Uint8
	switch r.metric {
	case Cosine, Dot:
		packed.Products(s.distances, s.query, s.at, r.packed)
		if isGrid {
			r.sumsFromGrid(s)
		}
		for i, p := range s.distances {
			s.distances[i] = -p
			if r.metric == Cosine {
				s.distances[i] = max(0, 1-p)
			}
		}
		return
	}
	scale := float32(1)
	if isGrid {
		for i, x := range s.query {
			s.query[i] = r.form.onGrid(x)
		}
		scale = float32(r.form.Step)
	}
	if r.metric == Manhattan {
		r.manhattan(s)
	} else {
		packed.Squares(s.distances, s.query, s.at, r.packed)
		scale *= scale
	}
	if isGrid {
		for i := range s.distances {
			s.distances[i] *= scale
		}
	}
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
