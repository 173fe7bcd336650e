package source

import (
	"bytes"
	"unicode/utf8"
)

// flatObject calls member with each member of a JSON object as Table.Marshal writes it: in
// one line, of numbers, texts, booleans and null. The name is valid during the call. It
// returns false, perhaps after some calls, for what is not so plain, such as texts with
// escapes, and for what is no JSON: encoding/json reads or refuses that, at several times
// the cost.
func flatObject(stored []byte, member func(name []byte, v any)) bool {
	rest, ok := bytes.CutPrefix(stored, []byte("{"))
	if !ok {
		return false
	}
	if string(rest) == "}" {
		return true
	}
	for {
		name, after, ok := plainText(rest)
		if !ok || len(after) == 0 || after[0] != ':' {
			return false
		}
		var v any
		if v, rest, ok = plainValue(after[1:]); !ok || len(rest) == 0 {
			return false
		}
		member(name, v)
		switch next := rest[0]; {
		case next == '}':
			return len(rest) == 1
		case next != ',':
			return false
		}
		rest = rest[1:]
	}
}

// plainText reads a text without escapes.
func plainText(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	ascii := true
	for i, c := range b[1:] {
		switch {
		case c == '"':
			text = b[1 : 1+i]
			return text, b[2+i:], ascii || utf8.Valid(text)
		case c == '\\' || c < ' ':
			return nil, nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, nil, false
}

// plainValue reads a value that is no object or list.
func plainValue(b []byte) (v any, rest []byte, ok bool) {
	for _, word := range words {
		if rest, ok = bytes.CutPrefix(b, word.text); ok {
			return word.value, rest, true
		}
	}
	if len(b) > 0 && b[0] == '"' {
		text, rest, ok := plainText(b)
		return string(text), rest, ok
	}
	n := numberLength(b)
	if n == 0 {
		return nil, nil, false
	}
	v, ok = parseNumber(string(b[:n]))
	return v, b[n:], ok
}

var words = []struct {
	text  []byte
	value any
}{{[]byte("null"), nil}, {[]byte("true"), true}, {[]byte("false"), false}}

// numberLength is how long the JSON number is that b begins with; 0 where it begins with none.
func numberLength(b []byte) int {
	digits := func(i int) int {
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i
	}
	first := 0
	if len(b) > 0 && b[0] == '-' {
		first = 1
	}
	n := digits(first)
	if n == first || b[first] == '0' && n > first+1 {
		return 0
	}
	if n < len(b) && b[n] == '.' {
		if end := digits(n + 1); end > n+1 {
			n = end
		} else {
			return 0
		}
	}
	if n < len(b) && (b[n] == 'e' || b[n] == 'E') {
		from := n + 1
		if from < len(b) && (b[from] == '+' || b[from] == '-') {
			from++
		}
		if n = digits(from); n == from {
			return 0
		}
	}
	return n
}
