//go:build !windows

package store

import "github.com/latentdb/latentdb/index/coder"

// github.com/coder/hnsw does not build on Windows, where a collection cannot
// ask for it.
func init() { engines = append(engines, coder.Engine) }
