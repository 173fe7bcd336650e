package source

import (
	"encoding/json"
	"reflect"
	"testing"
)

// slowRecord is what encoding/json makes of a stored record.
func slowRecord(stored []byte) (map[string]any, bool) {
	var record map[string]any
	if decodeStrict(stored, &record) != nil {
		return nil, false
	}
	for name, v := range record {
		if n, ok := v.(json.Number); ok {
			if record[name], ok = number(n); !ok {
				return nil, false
			}
		}
	}
	return record, true
}

var flatSeeds = []string{`{}`, `{"ä":"ö"}`, `{"a":1}`, `{"a":-1.5e+3,"b":"x","c":true,"d":null,"e":false}`, `{"ä":"ö\n"}`, `{"a":01}`, `{"a":1.}`,
	`{"a":1e}`, `{"a":-}`, `{"a":-0}`, `{"a":1}x`, `{"a":1,}`, `{ "a":1}`, `{"a":[1]}`, `{"a":{"b":2}}`, `{"a":1,"a":2}`, `{"a":"\u00e4"}`,
	`{"a":"` + "\xff" + `"}`, `{"a":99999999999999999999}`, `{"a":1e999}`, `{"a":nullx}`, `{"a":`, `{"a"`, `{`, ``, `null`, `{"a":0x1}`, `{"a":+1}`}

// checkFlat: what is read at once is what encoding/json reads.
func checkFlat(t *testing.T, stored []byte) (plain bool) {
	t.Helper()
	got := map[string]any{}
	if !flatObject(stored, func(name []byte, v any) { got[string(name)] = v }) {
		return false
	}
	if want, ok := slowRecord(stored); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%q is read as %v, want %v, %t", stored, got, want, ok)
	}
	return true
}

func TestFlatObjectIsJSON(t *testing.T) {
	plain := 0
	for _, seed := range flatSeeds {
		if checkFlat(t, []byte(seed)) {
			plain++
		}
	}
	if plain != 8 { // all but what is broken, escaped, too large or has lists
		t.Errorf("%d of %d are read at once", plain, len(flatSeeds))
	}
}

// FuzzFlatObject: nothing is read otherwise than encoding/json reads it.
func FuzzFlatObject(f *testing.F) {
	for _, seed := range flatSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stored []byte) { checkFlat(t, stored) })
}
