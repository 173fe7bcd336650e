//go:build amd64 && !purego

package vec

import "golang.org/x/sys/cpu"

var accelerated = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// In each, n is a positive multiple of lanes.

//go:noescape
func geluAVX2(n int, dst, x *float32)

//go:noescape
func geluBackwardAVX2(n int, grad, x *float32)

//go:noescape
func adamAVX2(n int, p, grad, m, v *float32, s *AdamStep)
