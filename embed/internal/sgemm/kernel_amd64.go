//go:build amd64 && !purego

package sgemm

import "golang.org/x/sys/cpu"

var accelerated = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// kernel adds the product of a packed 6×k tile of A and a packed k×16 tile of
// B to the 6×16 tile of c, whose rows are ldc apart. k is at least 1.
//
//go:noescape
func kernel(k int, a, b, c *float32, ldc int)
