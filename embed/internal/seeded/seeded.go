// Package seeded runs the tests of package embed and those below it with fixed
// seeds.
package seeded

import (
	"flag"
	"os"
	"testing"
)

// Main is the TestMain of a package that uses rapid: random inputs are the same
// in every run, unless -rapid.seed asks for others.
func Main(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f != nil && f.Value.String() == "0" {
		if err := f.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
