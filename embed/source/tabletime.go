package source

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/latentdb/latentdb/embed"
)

const day = 24 * 60 * 60 // seconds

// cycle is one of the turns that times go through.
type cycle struct {
	name string
	// turn is where a time stands in it, from 0 to 1, by the clock of its zone, and part
	// is what times must differ in for the cycle to be a feature.
	turn func(t time.Time) float64
	part func(t time.Time) float64
}

var cycles = []cycle{
	{"hour", func(t time.Time) float64 { return secondOfDay(t) / day }, secondOfDay},
	{"weekday", func(t time.Time) float64 { return float64(t.Weekday()) / 7 },
		func(t time.Time) float64 { return float64(t.Weekday()) }},
	{"month", func(t time.Time) float64 { return (float64(t.Month()-1) + float64(t.Day()-1)/31) / 12 },
		func(t time.Time) float64 { return float64(t.Month()) }},
}

// maxTimeFeatures are the trend and a sine and cosine of every cycle.
var maxTimeFeatures = 1 + 2*len(cycles)

func secondOfDay(t time.Time) float64 {
	h, m, s := t.Clock()
	return float64(h*3600+m*60+s) + float64(t.Nanosecond())/1e9
}

// timeFeatures is a time column: the trend, (t − Center) / Scale, then sine and cosine
// of those cycles in which times of the fit differ, then the sign of a missing value.
type timeFeatures struct {
	Center float64  `json:"center"` // median, in seconds since 1970
	Scale  float64  `json:"scale"`  // robust standard deviation, in seconds
	Min    float64  `json:"min"`
	Max    float64  `json:"max"`
	Grain  float64  `json:"grain"` // seconds that all times of the day are multiples of
	Cycles []string `json:"cycles"`
	// Layout and Zone are how most values are written, and their seconds east of UTC.
	Layout  string `json:"layout,omitempty"`
	Zone    int    `json:"zone,omitempty"`
	Missing bool   `json:"missing,omitempty"`

	format TimeFormat // the spec's
	cycles []cycle
}

// grains are what times of the day may be multiples of, in seconds.
var grains = []float64{day, 3600, 900, 60, 1}

func (f *timeFeatures) indicator() int { return 1 + 2*len(f.cycles) }

func (f *timeFeatures) layout() embed.Layout {
	l := embed.Layout{{Kind: embed.Numeric, Width: f.indicator()}}
	return withIndicator(l, f.Missing)
}

func (f *timeFeatures) encode(dst []float32, v any) {
	if v != nil {
		f.place(dst, momentOf(v, f.format).Time)
		return
	}
	f.place(dst, f.at(f.Center))
	if f.Missing {
		clear(dst)
		dst[f.indicator()] = 1
	}
}

func (f *timeFeatures) place(dst []float32, t time.Time) {
	dst[0] = float32(f.trend(t))
	for i, c := range f.cycles {
		sin, cos := math.Sincos(2 * math.Pi * c.turn(t))
		dst[1+2*i], dst[2+2*i] = float32(sin), float32(cos)
	}
}

func (f *timeFeatures) trend(t time.Time) float64 { return squash((secondsOf(t) - f.Center) / f.Scale) }

// at is a time in the column's zone, within the years that can be written.
func (f *timeFeatures) at(seconds float64) time.Time {
	seconds = clamp(seconds, earliest, latest)
	if f.Zone == 0 {
		return timeAt(seconds)
	}
	return timeAt(seconds).In(time.FixedZone("", f.Zone))
}

var (
	earliest = secondsOf(time.Date(firstYear, 1, 2, 0, 0, 0, 0, time.UTC))
	latest   = secondsOf(time.Date(lastYear, 12, 30, 0, 0, 0, 0, time.UTC))
)

func (f *timeFeatures) decode(src []float32) any { return f.read(src, f.Min, f.Max) }
func (f *timeFeatures) show(src []float32) any   { return f.read(src, earliest, latest) }

func (f *timeFeatures) read(src []float32, low, high float64) any {
	if f.Missing && says(src[f.indicator()]) {
		return nil
	}
	return written(f.closest(src, low, high), f.Layout, f.format)
}

// searchDays is how many days before and after the trend's are looked at: so far a
// wrong trend may be mended by the time of year.
const searchDays = 183

// closest is the time, of those that the column may have between two seconds, whose
// features are the closest. The time of day, where there is a cycle of it, is the
// cycle's, and the day any about that of the trend.
func (f *timeFeatures) closest(src []float32, low, high float64) time.Time {
	around := f.at(clamp(unsquash(feature(src))*f.Scale+f.Center, low, high))
	if len(f.cycles) == 0 {
		return f.rounded(around)
	}
	second := 0.
	if f.cycles[0].name == "hour" {
		turn := math.Atan2(finite(src[1]), finite(src[2])) / (2 * math.Pi)
		second = math.Mod(math.Round((turn+1)*day/f.Grain)*f.Grain, day)
	}
	year, month, date := around.Date()
	candidate := make([]float32, len(src))
	best, least := around, math.Inf(1)
	for d := -searchDays; d <= searchDays; d++ {
		t := time.Date(year, month, date+d, 0, 0, 0, 0, around.Location()).Add(time.Duration(math.Round(second*1e3)) * time.Millisecond)
		if s := secondsOf(t); s < low || s > high {
			continue
		}
		f.place(candidate, t)
		if distance := gapTo(candidate[:f.indicator()], src); distance < least {
			best, least = t, distance
		}
	}
	return best
}

// rounded is t on the column's grain.
func (f *timeFeatures) rounded(t time.Time) time.Time {
	return f.at(math.Round((secondsOf(t)+float64(f.Zone))/f.Grain)*f.Grain - float64(f.Zone))
}

func finite(v float32) float64 {
	if x := float64(v); !math.IsNaN(x) && !math.IsInf(x, 0) {
		return x
	}
	return 0
}

// gapTo is the squared distance of b, whatever it holds, from a.
func gapTo(a, b []float32) float64 {
	var sum float64
	for i, x := range a {
		d := float64(x) - finite(b[i])
		sum += d * d
	}
	return sum
}

func (f *timeFeatures) inputScale() float32 { return float32(f.Scale) }

func (f *timeFeatures) restore() error {
	for _, v := range []float64{f.Center, f.Min, f.Max} {
		if !(v >= earliest-2*day && v <= latest+2*day) {
			return errors.New("a time beyond the years that can be written")
		}
	}
	switch {
	case !(f.Scale > 0) || inRange(f.Scale) != nil || f.Min > f.Max:
		return errors.New("bad scale or range")
	case !(f.Grain > 0 && f.Grain <= day):
		return errors.New("bad grain")
	case f.Zone < -day || f.Zone > day:
		return errors.New("bad zone")
	case f.format.unit() == 0 && !slices.Contains(layouts[f.format], f.Layout):
		return errors.New("unknown layout")
	}
	return f.findCycles()
}

// findCycles looks up the cycles by name; they must be in order.
func (f *timeFeatures) findCycles() error {
	for _, c := range cycles {
		if slices.Contains(f.Cycles, c.name) {
			f.cycles = append(f.cycles, c)
		}
	}
	if !slices.EqualFunc(f.cycles, f.Cycles, func(c cycle, name string) bool { return c.name == name }) {
		return errors.New("unknown cycles")
	}
	return nil
}

// timeCollector gathers a time column.
type timeCollector struct {
	format  TimeFormat
	seconds []float64
	first   []float64 // the first time's part of each cycle
	differ  []bool    // whether another's differs
	grain   int       // the first of grains that all are multiples of
	forms   map[form]int
	missing bool
}

// form is how a time is written.
type form struct {
	layout string
	zone   int
}

// maxForms bounds the forms that are counted, of zones most of all.
const maxForms = 1000

func newTimeCollector(format TimeFormat) *timeCollector {
	return &timeCollector{format: format, differ: make([]bool, len(cycles)), forms: map[form]int{}}
}

func (c *timeCollector) add(v any) {
	if v == nil {
		c.missing = true
		return
	}
	m := momentOf(v, c.format)
	for i, cycle := range cycles {
		part := cycle.part(m.Time)
		if len(c.first) < len(cycles) {
			c.first = append(c.first, part)
		}
		c.differ[i] = c.differ[i] || part != c.first[i]
	}
	for c.grain < len(grains) && math.Mod(secondOfDay(m.Time), grains[c.grain]) != 0 {
		c.grain++
	}
	_, zone := m.Zone()
	if how := (form{m.layout, zone}); c.forms[how] > 0 || len(c.forms) < maxForms {
		c.forms[how]++
	}
	c.seconds = append(c.seconds, secondsOf(m.Time))
}

func (c *timeCollector) fit() features {
	f := &timeFeatures{Scale: day, Grain: .001, Cycles: []string{}, Missing: c.missing, format: c.format}
	if c.format.unit() == 0 {
		f.Layout = time.RFC3339
	}
	if c.grain < len(grains) {
		f.Grain = grains[c.grain]
	}
	if len(c.seconds) > 0 {
		slices.Sort(c.seconds)
		f.Min, f.Max, f.Center = c.seconds[0], c.seconds[len(c.seconds)-1], quantile(c.seconds, .5)
		usual := c.usual()
		f.Layout, f.Zone = usual.layout, usual.zone
	}
	if f.Min < f.Max {
		f.Scale = robustScale(c.seconds)
	}
	for i, cycle := range cycles {
		if c.differ[i] {
			f.Cycles, f.cycles = append(f.Cycles, cycle.name), append(f.cycles, cycle)
		}
	}
	return f
}

// usual is the most frequent form.
func (c *timeCollector) usual() form {
	var best form
	for how, n := range c.forms {
		more := n - c.forms[best]
		if more > 0 || more == 0 && (how.layout < best.layout || how.layout == best.layout && how.zone < best.zone) {
			best = how
		}
	}
	return best
}
