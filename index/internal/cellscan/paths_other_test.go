//go:build !amd64 || purego

package cellscan

func paths() map[string]path { return map[string]path{"go": scan} }
