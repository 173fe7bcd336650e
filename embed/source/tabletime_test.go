package source_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latentdb/latentdb/embed/source"
)

func timeColumn(format source.TimeFormat) source.Table {
	return source.Table{Columns: []source.Column{{Name: "t", Type: source.TimeColumn, Format: format}}}
}

// Forms of one moment have one feature row, and decode to the form that most have.
func TestTimeForms(t *testing.T) {
	for form, format := range map[string]source.TimeFormat{
		"2011-01-31T08:00:00Z": "", "2011-01-31T08:00": "", "2011-01-31 08:00": "", "2011-01-31 08:00:00.000": "", "2011/01/31 08:00:00": "",
		"31.01.2011 08:00": "", "31 Jan 2011 08:00": "", "Jan 31, 2011 08:00": "", "20110131T080000Z": "", "Mon, 31 Jan 2011 08:00:00 UTC": "",
		"2011-01-31T10:00:00+02:00": "", "31/01/2011 08:00": source.DayMonthTime, "1/31/2011 08:00:00": source.MonthDayTime,
		"1296460800": source.UnixTime, "1296460800000": source.UnixMilliTime,
	} {
		spec := timeColumn(format)
		stored := marshal(t, spec, map[string]any{"t": form})
		back, err := spec.Unmarshal(stored)
		if got := fmt.Sprint(back.(map[string]any)["t"]); err != nil || got != form {
			t.Errorf("%s is kept as %s, %v", form, got, err)
		}
		fitted := fit(t, spec, stored)
		if got := fmt.Sprint(decoded(t, fitted, rowOf(t, fitted, stored)...)["t"]); got != form && form != "2011-01-31 08:00:00.000" && form != "1/31/2011 08:00:00" {
			t.Errorf("%s decodes to %s", form, got)
		}
		checkBytes(t, fitted)
		at := marshal(t, spec, map[string]any{"t": time.Date(2011, 1, 31, 9, 0, 0, 0, time.FixedZone("", 3600))})
		if row := rowOf(t, fitted, at); row[0] != 0 {
			t.Errorf("%s: the same moment has feature %g", form, row[0])
		}
	}
}

func TestTimeRefuses(t *testing.T) {
	for want, test := range map[string]struct {
		format source.TimeFormat
		value  any
	}{
		`got text "soon", want a date or time`:     {"", "soon"},
		`got text "2011-02-30"`:                    {"", "2011-02-30"},
		`got text "01/02/2011"`:                    {"", "01/02/2011"}, // which is the month?
		`got text "31/01/2011"`:                    {source.MonthDayTime, "31/01/2011"},
		`numbers need the format "unix"`:           {"", 1296460800},
		`want a number`:                            {source.UnixTime, "2011-01-31"},
		`is not within the years 1 to 9999`:        {source.UnixTime, 1e15},
		`number -1e+30 is not within the years`:    {source.UnixMilliTime, -1e30},
		`got a list, want a date or time`:          {"", []any{"2011-01-31"}},
		`text of 300 bytes, the limit is 256`:      {"", strings.Repeat("1", 300)},
		`got text "10000-01-01"`:                   {"", "10000-01-01"},
		`+Inf is beyond the limit`:                 {source.UnixTime, "1e999"},
		`got boolean true, want a date or time as`: {"", true},
	} {
		_, err := timeColumn(test.format).Marshal(map[string]any{"t": test.value})
		if !errors.Is(err, source.ErrRecord) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want ErrRecord with %q", test.value, err, want)
		}
	}
}

// Midnight and a minute before it are near in the hour, as Sunday is to Monday and
// December to January.
func TestTimeCycles(t *testing.T) {
	spec := timeColumn("")
	stored := func(v string) []byte { return marshal(t, spec, map[string]any{"t": v}) }
	fitted := fit(t, spec, stored("2011-01-01 00:00:00"), stored("2012-06-30 12:30:00"), stored("2013-12-31 23:59:00"))
	if fitted.Width() != 7 {
		t.Fatalf("width is %d", fitted.Width())
	}
	near := func(a, b string, at int) float64 {
		x, y := rowOf(t, fitted, stored(a)), rowOf(t, fitted, stored(b))
		d, e := float64(x[at]-y[at]), float64(x[at+1]-y[at+1])
		return d*d + e*e
	}
	if a, b := near("2012-01-01 23:59:00", "2012-01-01 00:00:00", 1), near("2012-01-01 12:00:00", "2012-01-01 00:00:00", 1); a > 1e-3 || b < 3.9 {
		t.Errorf("hours are %g and %g apart", a, b)
	}
	if a, b := near("2012-01-01 00:00:00", "2012-01-02 00:00:00", 3), near("2012-01-01 00:00:00", "2012-01-04 00:00:00", 3); a > 1 || b < 3 {
		t.Errorf("weekdays are %g and %g apart", a, b)
	}
	if a, b := near("2012-12-31 00:00:00", "2013-01-01 00:00:00", 5), near("2012-07-01 00:00:00", "2013-01-01 00:00:00", 5); a > .1 || b < 3.9 {
		t.Errorf("months are %g and %g apart", a, b)
	}
	dates := fit(t, spec, stored("2011-01-01"), stored("2011-01-08"), stored("2011-01-15"))
	if dates.Width() != 1 {
		t.Errorf("Saturdays of one January have %d features, want the trend alone", dates.Width())
	}
	// A trend that is wrong by some days is mended by the weekday.
	days := fit(t, spec, stored("2011-01-01"), stored("2011-01-09"), stored("2012-12-31"))
	row := rowOf(t, days, stored("2012-02-02"))
	row[0] += .004 // two days, of 730 on 3 deviations
	if got := decoded(t, days, row...)["t"]; got != "2012-02-02" {
		t.Errorf("decodes to %v", got)
	}
}

func TestTimeInference(t *testing.T) {
	got := resolve(t, source.Table{}, map[string]any{"a": "2011-01-31", "b": "2011-01-31", "c": "01/02/2011", "d": time.Now(), "e": nil},
		map[string]any{"a": "31 Jan 2011", "b": "later", "c": nil, "d": "2011-01-31", "e": "2011-01-31T00:00:00Z"})
	for i, want := range []source.ColumnType{source.TimeColumn, source.CategoricalColumn, source.CategoricalColumn, source.TimeColumn, source.TimeColumn} {
		if c := got.(source.Table).Columns[i]; c.Type != want {
			t.Errorf("column %q is %s, want %s", c.Name, c.Type, want)
		}
	}
}

func TestTimeMissing(t *testing.T) {
	spec := timeColumn("")
	none, some := marshal(t, spec, map[string]any{}), marshal(t, spec, map[string]any{"t": "2011-01-31"})
	fitted := fit(t, spec, none, some)
	for _, test := range []struct {
		stored []byte
		want   any
	}{{none, nil}, {some, "2011-01-31"}} {
		if got := decoded(t, fitted, rowOf(t, fitted, test.stored)...)["t"]; got != test.want {
			t.Errorf("decodes to %v, want %v", got, test.want)
		}
	}
	never := fit(t, spec, none)
	if got := decoded(t, never, rowOf(t, never, none)...)["t"]; got != nil {
		t.Errorf("never a time: decodes to %v", got)
	}
	rowOf(t, never, some)
	checkBytes(t, never)
}

// Any whole seconds, minutes, hours or days in any zone come back from their features.
func TestTimeComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grain := rapid.SampledFrom([]int64{1, 60, 900, 3600, 86400}).Draw(t, "grain")
		zone := time.FixedZone("", rapid.IntRange(-12, 12).Draw(t, "zone")*3600)
		layout := "2006-01-02T15:04:05Z07:00"
		if grain == 86400 {
			zone, layout = time.UTC, "2006-01-02"
		}
		var stored [][]byte
		var want []string
		spec := timeColumn("")
		start := time.Date(rapid.IntRange(1, 9990).Draw(t, "year"), 1, 3, 0, 0, 0, 0, zone).Unix()
		for range rapid.IntRange(1, 9).Draw(t, "n") {
			n := rapid.Int64Range(0, 5*365*86400/grain).Draw(t, "t")
			want = append(want, time.Unix(start+n*grain, 0).In(zone).Format(layout))
			stored = append(stored, marshal(t, spec, map[string]any{"t": want[len(want)-1]}))
		}
		fitted := fit(t, spec, stored...)
		checkBytes(t, fitted)
		for i, s := range stored {
			row := rowOf(t, fitted, s)
			if got := decoded(t, fitted, row...)["t"]; got != want[i] {
				t.Fatalf("%s decodes to %v", want[i], got)
			}
			if part := fitted.Parts(make([]float64, len(row)), row, row)[0]; part.Value != want[i] || part.Expected != want[i] {
				t.Fatalf("%s is shown as %v", want[i], part)
			}
		}
	})
}

// Whatever text a time column takes comes back, and has a finite row.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{"2011-01-31", "31 Jan 2011 08:00", "2011-01-31T08:00:00.5+02:00", "Mon, 31 Jan 2011 08:00:00 MST", "0001-01-01", "9999-12-31 23:59:59", "1e9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []source.TimeFormat{source.CommonTime, source.DayMonthTime, source.MonthDayTime, source.UnixTime, source.UnixMilliTime} {
			spec := timeColumn(format)
			stored, err := spec.Marshal(map[string]any{"t": text})
			if err != nil {
				if !errors.Is(err, source.ErrRecord) {
					t.Fatal(err)
				}
				continue
			}
			fitted := fit(t, spec, stored, marshal(t, spec, map[string]any{"t": time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}))
			checkBytes(t, fitted)
			back := decoded(t, fitted, rowOf(t, fitted, stored)...)
			again := marshal(t, spec, back)
			rowOf(t, fitted, again)
			if unmarshalled, err := spec.Unmarshal(again); err != nil || !reflect.DeepEqual(unmarshalled, any(back)) {
				t.Fatalf("%v became %v, %v", back, unmarshalled, err)
			}
		}
	})
}
