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
		return plan{exact: true, expected: g.exactRecall(q.Space)}
	}
	if q.Space == SpaceHybrid {
		q.Space, q.Rerank = SpaceLatent, 0 // the latents' part of it
	}
	if q.EF > 0 || q.Rerank > 0 {
		return g.planAsTold(q)
	}
	p, ok := g.setting(g.report.Calibration, q.Space, q.Recall)
	if !ok {
		return plan{exact: true, expected: g.exactRecall(q.Space)}
	}
	factor := (q.Offset + q.Limit + calibrationK - 1) / calibrationK
	return plan{
		ef: min(p.EF*factor, maxSearchWidth), rerank: min(p.Rerank*factor, maxSearchWidth),
		exact:    g.report.Engine == EngineFlat && p.Rerank == 0,
		expected: p.Recall,
		late:     p.Late,
	}
}

// setting is the cheapest of calibrated settings, cheapest first, that promises a recall.
// What decoded rows do not tell apart no search brings back: where none promises it, it is
// the cheapest that finds that share of what the best of them finds.
func (g *generation) setting(points []CalibrationPoint, space Space, recall float64) (CalibrationPoint, bool) {
	best := 0.0
	for _, p := range points {
		if p.Space != space {
			continue
		}
		if p.Promised >= recall {
			return p, true
		}
		best = max(best, p.Recall)
	}
	if !g.latentOnly || space != SpaceInput {
		return CalibrationPoint{}, false
	}
	for _, p := range points {
		if p.Space == space && 1-newQueryShortfall*(1-p.Recall/best) >= recall {
			return p, true
		}
	}
	return CalibrationPoint{}, false
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
