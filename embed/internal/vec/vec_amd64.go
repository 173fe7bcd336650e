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

//go:noescape
func softmaxPairAVX2(n int, p, q *float32, nearP, nearQ, inv float32) (sumP, sumQ, gap float32)

//go:noescape
func blendAVX2(n int, p, q *float32, a, b float32)

//go:noescape
func minAVX2(n int, x *float32) float32

//go:noescape
func addNormsAVX2(n int, d, norms *float32, own float32)

//go:noescape
func differenceAVX2(n int, dst, x, y *float32) float32

//go:noescape
func squaresAVX2(n int, x *float32) float32

//go:noescape
func addAVX2(n int, dst, x *float32)

//go:noescape
func scaleAVX2(n int, dst, x *float32, factor float32)

//go:noescape
func standardiseAVX2(n int, dst, x, mean *float32, inv float32)

// spreadAVX2 is the sum of x − x.
//
//go:noescape
func spreadAVX2(n int, x *float32) float32
