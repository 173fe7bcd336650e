//go:build !amd64 || purego

package sgemm

const accelerated = false

// kernel is the pure-Go twin of the assembly; without acceleration gonum
// multiplies, so only the tests call it.
func kernel(k int, a, b, c *float32, ldc int) { kernelGo(k, a, b, c, ldc) }
