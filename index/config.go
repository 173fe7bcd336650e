package index

import "fmt"

// Limits of a Config.
const (
	// MaxDim is the largest dimension of an index.
	MaxDim = 1 << 16
	// MinM and MaxM bound Config.M.
	MinM = 2
	// MaxM is the upper bound.
	MaxM = 256
	// MaxEfConstruct bounds Config.EfConstruct.
	MaxEfConstruct = 1 << 14
	// MinStep and MaxStep bound a Config.Step that is not 0: distances between
	// codes are finite.
	MinStep = 1e-15
	// MaxStep is the upper bound.
	MaxStep = 1e14
)

const (
	defaultM           = 16
	defaultEfConstruct = 200
	defaultEF          = 100
)

// Resolve returns c with every default filled in, or an error that wraps
// ErrParams and names the field and its limit. Engines call it first.
func (c Config) Resolve() (Config, error) {
	if c.M == 0 {
		c.M = defaultM
	}
	if c.EfConstruct == 0 {
		c.EfConstruct = max(defaultEfConstruct, c.M)
	}
	switch {
	case c.Step != 0 && (c.Metric != L2 || !(c.Step >= MinStep && c.Step <= MaxStep)):
		return c, fmt.Errorf("%w: Step is %v with %v, want 0, or %v to %v with %v", ErrParams, c.Step, c.Metric, MinStep, MaxStep, L2)
	case c.Dim < 1 || c.Dim > MaxDim:
		return c, fmt.Errorf("%w: Dim is %d, want 1 to %d", ErrParams, c.Dim, MaxDim)
	case !c.Metric.valid():
		return c, fmt.Errorf("%w: Metric is %d, want 0 to %d", ErrParams, c.Metric, Manhattan)
	case c.M < MinM || c.M > MaxM:
		return c, fmt.Errorf("%w: M is %d, want %d to %d", ErrParams, c.M, MinM, MaxM)
	case c.EfConstruct < c.M || c.EfConstruct > MaxEfConstruct:
		return c, fmt.Errorf("%w: EfConstruct is %d, want M (%d) to %d", ErrParams, c.EfConstruct, c.M, MaxEfConstruct)
	}
	return c, nil
}

// Resolve returns p with EF as it will be used (the default 100 for 0, raised
// to K), or an error that wraps ErrParams and names the field and its limit.
// Engines call it first.
func (p Params) Resolve() (Params, error) {
	switch {
	case p.K < 1:
		return p, fmt.Errorf("%w: K is %d, want at least 1", ErrParams, p.K)
	case p.EF < 0:
		return p, fmt.Errorf("%w: EF is %d, want at least 0", ErrParams, p.EF)
	case p.EF == 0:
		p.EF = defaultEF
	}
	p.EF = max(p.EF, p.K)
	return p, nil
}
