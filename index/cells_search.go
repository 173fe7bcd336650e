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
	filterGrowth = .4
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
	if a.Allow != nil || !s.estimate {
		a.Next = nil
	}
	ranked := s.order.sorted()
	if a.Next != nil {
		p.searchBySteps(s, ranked, a, budget)
		return
	}
	_, budget = p.scanCells(s, ranked, a, budget)
	if len(ranked) < len(p.cells) && (budget > 0 || !s.hits.full()) {
		s.scanned = append(s.scanned[:0], ranked...)
		p.rankAll(s)
		p.scanCells(s, without(s.order.sorted(), s.scanned), a, budget)
	}
}

// searchBySteps gives a.Next what it finds, until Next has enough or all is scanned.
// Beside the candidates of each step as many are kept for the next.
func (p *partition) searchBySteps(s *cellSearch, ranked []key, a Params, budget int) {
	s.scanned = s.scanned[:0]
	k, rows := (a.K+1)/2, (budget+1)/2
	s.hits.reset(2 * k)
	given, scanned := 0, 0
	for step := 1; ; step++ {
		var done int
		ranked, done = p.scanFurther(s, ranked, a, rows)
		scanned += done
		s.found = s.hits.take(s.found[:0], k)
		given += len(s.found)
		more := a.Next(s.found)
		switch {
		case len(s.scanned) == len(p.cells) && len(s.hits.keys) == 0:
			return
		case step == 1:
			k, rows = max(1, a.K-k), budget-scanned
		case more:
			k, rows = given, scanned
		default:
			s.hits.keys = s.hits.keys[:0]
			return
		}
		s.hits.goOn(k)
	}
}

// scanFurther scans some rows more, of the cells ranked and, where those are too few, of
// those behind. It returns the cells that are left, and how many rows it scanned.
func (p *partition) scanFurther(s *cellSearch, ranked []key, a Params, rows int) (rest []key, scanned int) {
	for left := rows; ; {
		var done int
		done, left = p.scanCells(s, ranked, a, left)
		s.scanned = append(s.scanned, ranked[:done]...)
		if ranked = ranked[done:]; left <= 0 || len(s.scanned) == len(p.cells) {
			return ranked, rows - left
		}
		slices.Sort(s.scanned)
		p.rankCells(s, min(len(p.cells), len(s.scanned)+wantedCells(left, p.cellOf.n, len(p.cells))), a.Work)
		if ranked = without(s.order.sorted(), s.scanned); len(ranked) == 0 {
			p.rankAll(s)
			ranked = without(s.order.sorted(), s.scanned)
		}
	}
}

// rankAll leaves in s.order all cells.
func (p *partition) rankAll(s *cellSearch) {
	s.order.reset(len(p.cells))
	p.rank.scan(&s.order, s.query, &p.centres, nil)
}

// without takes keys out, which are sorted as the others are.
func without(from, keys []key) []key {
	return slices.DeleteFunc(from, func(k key) bool {
		_, done := slices.BinarySearch(keys, k)
		return done
	})
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
// are as many hits as are kept, or Next takes what there is. It returns how many cells
// it scanned, and what is left of the budget.
func (p *partition) scanCells(s *cellSearch, order []key, a Params, budget int) (scanned, left int) {
	fetch := s.estimate && p.cellOf.n*p.rows.dim/2 > cached
	for i, k := range order {
		if budget <= 0 && (s.hits.full() || a.Next != nil) {
			return i, budget
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
	return len(order), budget
}

func (p *partition) scanCell(s *cellSearch, l *rowList, a Params) {
	a.Work.block(l.len())
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
