package index

import (
	"math"
	"slices"
)

const (
	// rowsPerEF is how many rows a search scans for each of EF. With it, ef has
	// about the meaning it has for a graph: see BENCHMARKS.md.
	rowsPerEF = 32
	// codesBySlot and valuesBySlot are what measuring one row found by its slot
	// costs, in rows scanned one after another.
	codesBySlot  = 64
	valuesBySlot = 4
	// filterGrowth is the power of n/matching by which a filter makes a search wider.
	filterGrowth = .5
	// spareCells is how many cells more are ranked than cells of the mean size
	// would be needed.
	spareCells = 8
)

// search leaves in s.hits the answer to s.query.
func (p *partition) search(s *cellSearch, a Params) {
	budget, done := p.plan(s, a)
	if done {
		return
	}
	ranked := s.order.sorted()
	budget = p.scanCells(s, ranked, a, budget)
	if len(ranked) < len(p.cells) && (budget > 0 || !s.hits.full()) {
		s.rest.reset(len(p.cells))
		p.rank.scan(&s.rest, s.query, &p.centres, nil)
		p.scanCells(s, slices.DeleteFunc(s.rest.sorted(), func(k key) bool {
			_, done := slices.BinarySearch(ranked, k)
			return done
		}), a, budget)
	}
}

// plan says how many rows of cells are to be scanned and leaves in s.order the
// cells that as a rule have as many; or it answers a search that is done without
// going by cells.
func (p *partition) plan(s *cellSearch, a Params) (budget int, done bool) {
	s.hits.reset(a.K)
	s.estimate = false
	n := p.cellOf.n
	budget = min(n, rowsPerEF*min(a.EF, math.MaxInt32))
	if a.Exact {
		budget = n
	}
	unfiltered := budget
	if a.Allow != nil {
		matching := min(n, a.Allow.Len())
		if matching == 0 {
			return 0, true
		}
		// The 10th neighbour that matches is farther away the fewer do, and more rows are
		// as near; but those that are nearer lie in fewer cells than their number.
		budget = int(min(float64(n), float64(budget)*math.Pow(float64(n)/float64(matching), filterGrowth)))
		bySlot := valuesBySlot
		if p.rows.coded {
			bySlot = codesBySlot
		}
		if matching*bySlot <= budget {
			a.Work.gather(matching)
			p.scanSlots(s, a.Allow)
			return 0, true
		}
	}
	if len(p.cells) == 1 {
		p.scanCell(s, &p.cells[0], a)
		return 0, true
	}
	if s.estimate = unfiltered < n && p.sketched(a); s.estimate {
		s.query.sketched.Set(p.rows.sketcher, s.query.row, p.rows.scale)
	}
	p.rankCells(s, wantedCells(budget, n, len(p.cells)), a.Work)
	return budget, false
}

// scanCells scans cells in their order until a budget of rows is spent and there
// are K hits. It returns what is left of the budget.
func (p *partition) scanCells(s *cellSearch, order []key, a Params, budget int) int {
	fetch := s.estimate && p.cellOf.n*p.rows.dim/2 > cached
	for i, k := range order {
		if budget <= 0 && s.hits.full() {
			break
		}
		if fetch && i+2 < len(order) {
			p.cells[order[i+2].id()].fetchSketches()
		}
		l := &p.cells[k.id()]
		if budget -= l.len(); s.estimate {
			a.Work.sketch(l.len())
			p.rows.scanSketches(&s.hits, s.query, l, k.distance(), a.Allow)
			continue
		}
		p.scanCell(s, l, a)
	}
	return budget
}

func (p *partition) scanCell(s *cellSearch, l *rowList, a Params) {
	a.Work.scan(l.len())
	p.rows.scan(&s.hits, s.query, l, a.Allow)
}

// scanSlots measures the rows of the slots that allow holds, one by one.
func (p *partition) scanSlots(s *cellSearch, allow *Bitmap) {
	for slot := range allow.Slots() {
		if at, held := p.cellOf.get(slot); held {
			l := &p.cells[at]
			s.hits.offer(makeKey(p.rows.distance(s.query, l, l.find(slot)), slot))
		}
	}
}
