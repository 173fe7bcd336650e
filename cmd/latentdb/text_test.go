package main

import "testing"

func TestImportOfTexts(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		table := writeFile(t, "notes.csv", []byte("id,body,stars\n7,late delivery,1\n8,12,5\n"))
		on.run("import", "notes", table, "--kind", "text", "--record-column", "body")
		lines := writeFile(t, "notes.txt", []byte("late again\nfine\n"))
		on.run("import", "lines", lines)
		objects := writeFile(t, "notes.jsonl", []byte(`{"id":"a","text":"late delivery","n":1}`))
		on.run("import", "objects", objects, "--kind", "text", "--record-column", "text")
		for _, name := range []string{"notes", "lines", "objects"} {
			var got hits
			on.json(&got, "search", name, "--record", `"LATE!"`, "--limit", "1")
			if len(got.Points) != 1 || !(got.Points[0].Score > 0) {
				t.Errorf("%s: hits %+v", name, got.Points)
			}
		}
		var got hits
		on.json(&got, "search", "notes", "--record", writeFile(t, "query.txt", []byte("12")), "--limit", "1")
		if len(got.Points) != 1 || got.Points[0].ID.String() != "8" || got.Points[0].Payload["stars"] == nil {
			t.Errorf("hits %+v", got.Points)
		}
	})
}
