package main

import (
	"testing"
)

// threePeople have different keys, in record and payload.
const threePeople = `{"id":1,"record":{"age":31,"city":"Oslo"},"payload":{"nick":"x"}}
{"id":2,"record":{"age":32}}
{"id":3,"record":{"city":"Bergen"},"payload":{"tall":true}}
`

// A CSV has a column for every key that a point has.
func TestExportOfDifferentKeys(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		on.run("import", "people", writeFile(t, "people.jsonl", []byte(threePeople)))
		want := "id,age,city,nick,tall\n1,31,Oslo,x,\n2,32,,,\n3,,Bergen,,true\n"
		if got := on.run("export", "people", "--format", "csv"); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		list := writeFile(t, "list.jsonl", []byte(`{"id":4,"record":{"age":1},"payload":{"l":[1]}}`))
		on.run("import", "people", list)
		got := cli(append([]string{"export", "people", "--format", "csv"}, on.flags...)...)
		if got.code != exitFailed || got.stdout != "" {
			t.Errorf("a list to CSV: exit code %d\n%s", got.code, got.stdout)
		}
		contains(t, got.stderr, `point 4`, `column "l"`, "--format jsonl")
	})
}
