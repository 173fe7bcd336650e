package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxExactFloat is the largest magnitude up to which float64 holds every integer.
const maxExactFloat = 1 << 53

// number reads any Go or JSON number. The result is an int64 where that holds
// the number exactly, otherwise a float64, which may be NaN or infinite.
func number(v any) (n any, ok bool) {
	switch v := v.(type) {
	case float64:
		return fromFloat(v), true
	case float32:
		return fromFloat(float64(v)), true
	case int:
		return int64(v), true
	case int8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint:
		return fromUint(uint64(v)), true
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint64:
		return fromUint(v), true
	case json.Number:
		return parseNumber(string(v))
	}
	return nil, false
}

// parseNumber reads a decimal number. Go's other spellings (hexadecimal, "inf",
// underscores) are text to whoever wrote a record.
func parseNumber(s string) (n any, ok bool) {
	if !strings.ContainsAny(s, ".eE") { // no error is made of what is no integer
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, true
		}
	}
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return nil, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, false
	}
	return fromFloat(f), true
}

func fromFloat(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) <= maxExactFloat {
		return int64(f)
	}
	return f
}

func fromUint(u uint64) any {
	if u <= math.MaxInt64 {
		return int64(u)
	}
	return float64(u)
}

// toFloat is the value of a number as number returns it.
func toFloat(n any) float64 {
	if i, ok := n.(int64); ok {
		return float64(i)
	}
	return n.(float64)
}

// inRange tells why a feature row, which is float32, cannot hold f.
func inRange(f float64) error {
	switch {
	case math.IsNaN(f):
		return errors.New("NaN is not a value")
	case math.Abs(f) > math.MaxFloat32:
		return fmt.Errorf("%g is beyond the limit of float32 (%g)", f, math.MaxFloat32)
	}
	return nil
}
