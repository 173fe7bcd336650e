//go:build !amd64 || purego

package distance

import "testing"

func everyLevel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	test(t)
}
