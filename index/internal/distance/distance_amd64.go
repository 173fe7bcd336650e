//go:build amd64 && !purego

package distance

import "golang.org/x/sys/cpu"

// level is the widest set of instructions that the processor has.
var level = best()

// vnni tells whether sums of products of 16-bit numbers are one instruction.
var vnni = cpu.X86.HasAVX512VNNI

func best() isa {
	switch x := cpu.X86; {
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX2 && x.HasFMA:
		return avx512
	case x.HasAVX2 && x.HasFMA:
		return avx2
	}
	return none
}

// In each, at is nil for rows in order, n and dim are at least 1.

//go:noescape
func squaredL2AVX512(dst, query, rows *float32, at *uint32, n, dim int)

//go:noescape
func cosineAVX512(dst, query, rows *float32, at *uint32, n, dim int)

//go:noescape
func negativeDotAVX512(dst, query, rows *float32, at *uint32, n, dim int)

//go:noescape
func manhattanAVX512(dst, query, rows *float32, at *uint32, n, dim int)

//go:noescape
func squaredL2AVX2(dst, query, rows *float32, at *uint32, n, dim int)

//go:noescape
func cosineAVX2(dst, query, rows *float32, at *uint32, n, dim int)

//go:noescape
func negativeDotAVX2(dst, query, rows *float32, at *uint32, n, dim int)

//go:noescape
func manhattanAVX2(dst, query, rows *float32, at *uint32, n, dim int)

//go:noescape
func int8sAVX512(dst *float32, query, rows *int8, at *uint32, n, dim int, scale float32)

//go:noescape
func uint8sAVX512(dst *float32, query, rows *uint8, at *uint32, n, dim int, scale float32)

// dim is at least leastCodes.
//
//go:noescape
func int8sAVX2(dst *float32, query, rows *int8, at *uint32, n, dim int, scale float32)

//go:noescape
func uint8sAVX2(dst *float32, query, rows *uint8, at *uint32, n, dim int, scale float32)

// n is at least 1.
//
//go:noescape
func fetch(base *byte, stride int, at *uint32, n int)
