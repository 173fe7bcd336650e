package source

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// TimeFormat says how the values of a time column are written.
type TimeFormat string

const (
	// CommonTime is the default. It takes RFC 3339, dates and times as databases and CSV
	// files have them (2011-01-31, 2011-01-31 08:00:00, 2011/01/31, 20110131T080000Z),
	// 31.01.2011, 31 Jan 2011, Jan 31, 2011, and those of RFC 1123, each with a time or
	// without. Where no zone is written the time is taken as UTC.
	CommonTime TimeFormat = ""
	// UnixTime takes numbers: seconds since 1970, UTC.
	UnixTime TimeFormat = "unix"
	// UnixMilliTime takes numbers: milliseconds since 1970, UTC.
	UnixMilliTime TimeFormat = "unix_ms"
	// DayMonthTime takes 31/01/2011 and 31-01-2011, besides the common forms.
	DayMonthTime TimeFormat = "dmy"
	// MonthDayTime takes 01/31/2011 and 01-31-2011, besides the common forms.
	MonthDayTime TimeFormat = "mdy"
)

// timeFormats are all of them, the default first.
var timeFormats = []TimeFormat{CommonTime, UnixTime, UnixMilliTime, DayMonthTime, MonthDayTime}

// unit is how many of a number of this format are a second, 0 for formats of text.
func (f TimeFormat) unit() float64 {
	switch f {
	case UnixTime:
		return 1
	case UnixMilliTime:
		return 1000
	}
	return 0
}

// Times are between these years, which all formats can write.
const firstYear, lastYear = 1, 9999

// layouts are the forms that a format takes, in the order in which they are tried.
var layouts = map[TimeFormat][]string{
	CommonTime:   common(),
	DayMonthTime: append(withTimes("02/01/2006", "02-01-2006", "2/1/2006", "2-1-2006"), common()...),
	MonthDayTime: append(withTimes("01/02/2006", "01-02-2006", "1/2/2006", "1-2-2006"), common()...),
}

// common are the forms that stand for one time only. Fractions of seconds are taken
// in all that have seconds.
func common() []string {
	return slices.Concat(
		[]string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05-0700"},
		withTimes("2006-01-02", "2006/01/02", "02.01.2006", "2.1.2006", "2 Jan 2006", "2 January 2006", "02-Jan-2006", "Jan 2, 2006", "January 2, 2006"),
		[]string{"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 -0700 MST",
			"20060102T150405Z0700", "20060102T150405", time.RFC1123, time.RFC1123Z, time.ANSIC, time.UnixDate})
}

func withTimes(dates ...string) []string {
	var out []string
	for _, d := range dates {
		out = append(out, d, d+" 15:04:05", d+" 15:04")
	}
	return out
}

const shortestTime, longestTime = len("2.1.2006"), 48

// moment is a time and how it was written.
type moment struct {
	time.Time
	layout string // "" for a number
}

// parseTime reads a text. It is not ok for times beyond the years 1 to 9999.
func parseTime(s string, format TimeFormat) (m moment, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) < shortestTime || len(s) > longestTime || !strings.ContainsAny(s, "0123456789") {
		return m, false
	}
	for _, layout := range layouts[format] {
		if !mayFit(layout, s) {
			continue
		}
		if t, err := time.Parse(layout, s); err == nil {
			return moment{t, layout}, inYears(t)
		}
	}
	return m, false
}

// mayFit spares the attempts, each of which makes an error, to read a time by a layout
// whose date is written otherwise.
func mayFit(layout, s string) bool {
	const date = len("2006-01-02")
	if layout[0] != '2' {
		return true
	}
	if s[0] < '0' || s[0] > '9' {
		return false
	}
	if !strings.HasPrefix(layout, "2006") || layout[4] == '0' || len(s) < date {
		return true
	}
	if s[4] != layout[4] || len(s) == date != (len(layout) == date) {
		return false
	}
	return len(s) == date || s[date] == layout[date]
}

// isPlainTime tells quickly of most times written as databases write them, 2011-01-31
// or 2011-01-31 08:00:00, that parseTime takes them in any format of text.
func isPlainTime(s string) bool {
	const date, full = len("0000-00-00"), len("0000-00-00 00:00:00")
	if len(s) != date && len(s) != full {
		return false
	}
	highest := max(s[0]-'0', s[1]-'0', s[2]-'0', s[3]-'0', s[5]-'0', s[6]-'0', s[8]-'0', s[9]-'0')
	two := func(at int) int { return int(s[at]-'0')*10 + int(s[at+1]-'0') }
	month, day := two(5), two(8)
	if highest > 9 || s[4] != '-' || s[7] != '-' ||
		s[:4] == "0000" || month < 1 || month > 12 || day < 1 || day > 28 { // not all months have more
		return false
	}
	if len(s) == date {
		return true
	}
	highest = max(s[11]-'0', s[12]-'0', s[14]-'0', s[15]-'0', s[17]-'0', s[18]-'0')
	return highest <= 9 && s[10] == ' ' && s[13] == ':' && s[16] == ':' && two(11) < 24 && two(14) < 60 && two(17) < 60
}

func inYears(t time.Time) bool { return t.Year() >= firstYear && t.Year() <= lastYear }

func isTime(v any) bool {
	_, ok := v.(time.Time)
	return ok
}

// normalTime is v as a time column keeps it: text as given, without spaces around it;
// a number where times are numbers.
func normalTime(v any, format TimeFormat) (any, error) {
	if t, ok := v.(time.Time); ok {
		if unit := format.unit(); unit > 0 {
			v = float64(t.Unix())*unit + math.Floor(float64(t.Nanosecond())/1e9*unit)
		} else {
			v = t.Format(time.RFC3339Nano)
		}
	}
	if unit := format.unit(); unit > 0 {
		n, err := normalNumber(v)
		if err != nil {
			return nil, err
		}
		if !inYears(unixMoment(n, unit).Time) || math.Abs(toFloat(n)) > maxExactFloat {
			return nil, fmt.Errorf("%s is not within the years %d to %d as a time of format %q", describe(v), firstYear, lastYear, format)
		}
		return n, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("got %s, want a date or time as text (numbers need the format %q or %q)", describe(v), UnixTime, UnixMilliTime)
	}
	if err := checkText(s, MaxLevelBytes); err != nil {
		return nil, err
	}
	if isPlainTime(s) {
		return s, nil
	}
	if _, ok := parseTime(s, format); !ok {
		return nil, fmt.Errorf("got %s, want a date or time, such as 2011-01-31T08:00:00Z or 2011-01-31", describe(v))
	}
	return strings.TrimSpace(s), nil
}

// momentOf is the time of a normal value.
func momentOf(v any, format TimeFormat) moment {
	if s, ok := v.(string); ok {
		m, _ := parseTime(s, format)
		return m
	}
	return unixMoment(v, format.unit())
}

func unixMoment(n any, unit float64) moment {
	whole, part := math.Modf(toFloat(n) / unit)
	if math.Abs(whole) > 1e12 { // beyond all years, and within what time.Unix takes
		whole = 1e12
	}
	return moment{Time: time.Unix(int64(whole), int64(part*1e9)).UTC()}
}

// written is a time as the column's values are.
func written(t time.Time, layout string, format TimeFormat) any {
	if unit := format.unit(); unit > 0 {
		return fromFloat(math.Round(float64(t.UnixMilli())*unit) / 1000)
	}
	if t.Nanosecond() != 0 {
		layout = strings.Replace(layout, "05", "05.999999999", 1)
	}
	return t.Format(layout)
}

// secondsOf and timeAt turn a time into seconds since 1970 and back.
func secondsOf(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }

func timeAt(seconds float64) time.Time {
	whole := math.Floor(seconds)
	return time.Unix(int64(whole), int64(math.Round((seconds-whole)*1e3))*1e6).UTC()
}
