package source

import "fmt"

// Linear is a Fitted whose rows bend numbers, which serves likeness, and which can give
// them straight as well: how far out a value lies is told by the value itself.
type Linear interface {
	// LinearRow writes into dst, which has length Width, the row of stored bytes with
	// every number on a linear scale.
	LinearRow(dst []float32, stored []byte) error
}

// LinearRow is Row, with a number's feature the standard deviations that it lies above
// the least of the fit.
func (f *fittedTable) LinearRow(dst []float32, stored []byte) error {
	if err := f.Row(dst, stored); err != nil {
		return err
	}
	record, err := decodeTableRecord(stored)
	if err != nil {
		return err
	}
	for i, features := range f.columns {
		numeric, ok := features.(*numericFeatures)
		if !ok {
			continue
		}
		c := &f.spec.Columns[i]
		v, err := c.normal(record[c.Name])
		if err != nil {
			return fmt.Errorf("%w: column %q: %w", ErrRecord, c.Name, err)
		}
		if v != nil {
			f.run(dst, i)[0] = numeric.linear(toFloat(v))
		} else {
			f.run(dst, i)[0] = numeric.linear(numeric.inverse(0))
		}
	}
	return nil
}

// linear is how many standard deviations x lies above the least value of the fit.
func (f *numericFeatures) linear(x float64) float32 {
	deviation := f.Deviation
	if deviation == 0 {
		deviation = 1
	}
	return float32((x - f.Min) / deviation)
}
