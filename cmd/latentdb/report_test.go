package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// The page is HTML that needs nothing from elsewhere, shows what was asked for, and takes
// what is in records for text.
func TestReport(t *testing.T) {
	eachTarget(t, func(t *testing.T, on target) {
		var people strings.Builder
		people.WriteString("id,age,city\n")
		for i := range 80 {
			fmt.Fprintf(&people, "%d,%d,%s\n", i, 20+i%40, []string{"Oslo", "<script>alert(1)</script>"}[i%2])
		}
		people.WriteString("80,900,Oslo\n")
		on.run("import", "people", writeFile(t, "people.csv", []byte(people.String())), "--payload-columns", "city")
		path := filepath.Join(t.TempDir(), "report.html")
		if got := cli(append([]string{"report", "people", "-o", path}, on.flags...)...); got.code != exitFailed {
			t.Errorf("a report before any fit: exit code %d", got.code)
		}
		on.run("fit", "people", "--dim", "2")
		on.run("report", "people", "-o", path, "--colour", "city", "--limit", "3")
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := html.Parse(strings.NewReader(string(page)))
		if err != nil {
			t.Fatal(err)
		}
		count := make(map[string]int)
		for n := range doc.Descendants() {
			if n.Type == html.ElementNode {
				count[n.Data]++
			}
			for _, a := range n.Attr {
				if (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "data:") {
					t.Errorf("<%s> takes %s=%q", n.Data, a.Key, a.Val)
				}
			}
		}
		if count["circle"] != 81 || count["script"] != 0 || count["figure"] < 6 {
			t.Errorf("elements %v", count)
		}
		for _, want := range []string{"80: ", "because of age", "&lt;script&gt;", "Oslo"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("%q is missing", want)
			}
		}
	})
}
