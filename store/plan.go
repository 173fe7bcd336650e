package store

// plan is how a search runs.
type plan struct {
	ef, rerank int
	exact      bool
	expected   float64
	late       int // CalibrationPoint.Late
}

// plan chooses ef and rerank for a query: the cheapest calibrated setting that
// meets its recall, else the exact scan. Calibration is at 10 neighbours; more
// are asked for in proportion.
func (g *generation) plan(q Query) plan {
	if q.Exact || g.model == nil {
		return plan{exact: true, expected: 1}
	}
	if q.EF > 0 || q.Rerank > 0 {
		return g.planAsTold(q)
	}
	for _, p := range g.report.Calibration {
		if p.Space != q.Space || p.Promised < q.Recall {
			continue
		}
		factor := (q.Offset + q.Limit + calibrationK - 1) / calibrationK
		return plan{
			ef: min(p.EF*factor, maxSearchWidth), rerank: min(p.Rerank*factor, maxSearchWidth),
			exact:    g.report.Engine == EngineFlat && p.Rerank == 0,
			expected: p.Recall,
			late:     p.Late,
		}
	}
	return plan{exact: true, expected: 1}
}

// planAsTold follows the query's own ef and rerank; what one leaves open, the
// other sets. What is expected is the best calibrated setting within them.
func (g *generation) planAsTold(q Query) plan {
	p := plan{ef: q.EF, rerank: q.Rerank}
	if q.Space == SpaceLatent {
		p.rerank = 0
	} else if p.rerank == 0 {
		p.rerank = p.ef
	}
	p.ef = max(p.ef, p.rerank)
	for _, cal := range g.report.Calibration {
		if cal.Space == q.Space && cal.EF <= p.ef && cal.Rerank <= p.rerank {
			p.expected = max(p.expected, cal.Recall)
		}
	}
	return p
}
