package source

// Linear is a Fitted whose rows bend numbers, which serves likeness, and which can give
// them straight as well: how far out a value lies is told by the value itself.
type Linear interface {
	// LinearRow writes into dst, which has length Width, the row of stored bytes with
	// every number on a linear scale, and into bent, unless it is nil, what Row writes.
	LinearRow(dst, bent []float32, stored []byte) error
}

// LinearRow is Row, with a number's feature the standard deviations that it lies above
// the least of the fit.
func (f *fittedTable) LinearRow(dst, bent []float32, stored []byte) error {
	if err := checkRow(dst, f.Width()); err != nil {
		return err
	}
	if bent != nil {
		if err := checkRow(bent, f.Width()); err != nil {
			return err
		}
	}
	return f.form.eachValue(stored, func(i int, v any) {
		run := f.run(dst, i)
		clear(run)
		if bent != nil {
			clear(f.run(bent, i))
			f.columns[i].encode(f.run(bent, i), v)
		}
		numeric, ok := f.columns[i].(*numericFeatures)
		switch {
		case !ok:
			f.columns[i].encode(run, v)
		case v == nil: // the column's middle
			numeric.encode(run, v)
			run[0] = numeric.linear(numeric.inverse(0))
		default:
			run[0] = numeric.linear(toFloat(v))
		}
	})
}

// linear is how many standard deviations x lies above the least value of the fit.
func (f *numericFeatures) linear(x float64) float32 {
	deviation := f.Deviation
	if deviation == 0 {
		deviation = 1
	}
	return float32((x - f.Min) / deviation)
}
