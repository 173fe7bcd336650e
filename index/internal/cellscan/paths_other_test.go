//go:build !amd64 || purego

package cellscan

func paths() map[string]path { return map[string]path{"go": scan} }

func sketchPaths() map[string]sketchPath { return map[string]sketchPath{"go": sketchGo} }
