//go:build amd64 && !purego

package distance

import "testing"

// everyLevel runs a test with every set of instructions that the processor has.
func everyLevel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	defer func(l isa, v bool) { level, vnni = l, v }(level, vnni)
	names := [...]string{none: "none", avx2: "avx2", avx512: "avx512"}
	for level = best(); ; level-- {
		t.Run(names[level], test)
		if level == none {
			return
		}
	}
}
