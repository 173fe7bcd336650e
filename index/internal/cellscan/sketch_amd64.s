//go:build amd64 && !purego

#include "textflag.h"

// HALVES adds to acc the products of eight values of a block's rows, at off(ptr),
// with the query's at R13.
#define HALVES(off, ptr, lo, hi, acc) \
	VMOVDQU32 off(ptr), lo \
	VPSRLW $4, lo, hi \
	VPANDD Z29, lo, lo \
	VPANDD Z29, hi, hi \
	VPDPBUSD.BCST 0(R13), lo, acc \
	VPDPBUSD.BCST 4(R13), hi, acc

// KEEP stores the lanes of the distances d that k has, and their slots, which are
// off bytes from the first.
#define KEEP(off, d, k) \
	VCOMPRESSPS.Z d, k, Z5 \
	VMOVDQU32 off(R9), Z6 \
	VPCOMPRESSD.Z Z6, k, Z6 \
	VMOVUPS Z5, (DI) \
	VMOVDQU32 Z6, (DX) \
	POPCNTL AX, AX \
	LEAQ (DI)(AX*4), DI \
	LEAQ (DX)(AX*4), DX

// func sketchVNNI(distances *float32, ids *uint32, query *int8, groups int, blocks *byte, slots *uint32, n int, base, factor, bound float32) int
//
// It takes two blocks at a time, at SI and R14. A block that is alone is taken
// twice, and the second time ignored.
TEXT ·sketchVNNI(SB), NOSPLIT, $0-80
	MOVQ distances+0(FP), DI
	MOVQ ids+8(FP), DX
	MOVQ query+16(FP), R11
	MOVQ groups+24(FP), R10
	MOVQ blocks+32(FP), SI
	MOVQ slots+40(FP), R9
	MOVQ n+48(FP), CX
	VBROADCASTSS base+56(FP), Z30
	VBROADCASTSS factor+60(FP), Z28
	VBROADCASTSS bound+64(FP), Z31
	MOVL $0x0f0f0f0f, AX
	VPBROADCASTD AX, Z29
	MOVQ R10, R8 // the size of a block
	INCQ R8
	SHLQ $6, R8
	MOVQ DI, BX
	KXNORD K0, K0, K7
	KMOVQ K7, K6

blocks:
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	MOVQ SI, R14
	CMPQ CX, $32
	JLT last
	ADDQ R8, R14

products:
	MOVQ R11, R13
	MOVQ R10, R12

group:
	HALVES(0, SI, Z8, Z9, Z0)
	HALVES(0, R14, Z10, Z11, Z1)
	ADDQ $64, SI
	ADDQ $64, R14
	ADDQ $8, R13
	DECQ R12
	JNZ group

	VADDPS (SI), Z30, Z3
	VADDPS (R14), Z30, Z4
	VCVTDQ2PS Z0, Z0
	VCVTDQ2PS Z1, Z1
	VMULPS Z28, Z0, Z0
	VMULPS Z28, Z1, Z1
	VADDPS Z0, Z3, Z3
	VADDPS Z1, Z4, Z4
	VCMPPS $2, Z31, Z3, K6, K1
	VCMPPS $2, Z31, Z4, K7, K2
	KORTESTW K2, K1
	JZ next
	KMOVW K1, AX
	TESTL AX, AX
	JZ second
	KEEP(0, Z3, K1)

second:
	KMOVW K2, AX
	TESTL AX, AX
	JZ next
	KEEP(64, Z4, K2)

next:
	LEAQ 64(R14), SI
	ADDQ $128, R9
	SUBQ $32, CX
	JG blocks
	SUBQ BX, DI
	SHRQ $2, DI
	MOVQ DI, ret+72(FP)
	VZEROUPPER
	RET

last:
	// K6 and K7: the lanes that are left, of two blocks or of one.
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVD AX, K6
	KSHIFTRD $16, K6, K7
	CMPQ CX, $16
	JLE products
	ADDQ R8, R14
	JMP products

// EIGHT adds to acc the products of eight values of eight rows, at off(SI), with the
// query's in Y8 and Y9.
#define EIGHT(off, acc) \
	VMOVDQU off(SI), Y2 \
	VPSRLW $4, Y2, Y3 \
	VPAND Y15, Y2, Y2 \
	VPAND Y15, Y3, Y3 \
	VPMADDUBSW Y8, Y2, Y2 \
	VPMADDUBSW Y9, Y3, Y3 \
	VPADDW Y3, Y2, Y2 \
	VPMADDWD Y14, Y2, Y2 \
	VPADDD Y2, acc, acc

// ESTIMATE makes estimates of the products in a, stores them and leaves in the low
// byte of AX which are near.
#define ESTIMATE(off, a) \
	VADDPS off(SI), Y10, Y2 \
	VCVTDQ2PS a, a \
	VMULPS Y12, a, a \
	VADDPS a, Y2, a \
	VMOVUPS a, off(DI) \
	VCMPPS $2, Y11, a, a \
	VMOVMSKPS a, AX

// func estimateAVX2(dst *[Lanes]float32, query *int8, groups int, block *byte, base, factor, bound float32) uint32
TEXT ·estimateAVX2(SB), NOSPLIT, $0-52
	MOVQ dst+0(FP), DI
	MOVQ query+8(FP), R11
	MOVQ groups+16(FP), R10
	MOVQ block+24(FP), SI
	VBROADCASTSS base+32(FP), Y10
	VBROADCASTSS factor+36(FP), Y12
	VBROADCASTSS bound+40(FP), Y11
	MOVL $0x0f0f0f0f, AX
	VMOVD AX, X15
	VPBROADCASTD X15, Y15
	VPCMPEQW Y14, Y14, Y14
	VPSRLW $15, Y14, Y14
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1

eight:
	VPBROADCASTD 0(R11), Y8
	VPBROADCASTD 4(R11), Y9
	EIGHT(0, Y0)
	EIGHT(32, Y1)
	ADDQ $64, SI
	ADDQ $8, R11
	DECQ R10
	JNZ eight

	ESTIMATE(0, Y0)
	MOVL AX, R9
	ESTIMATE(32, Y1)
	SHLL $8, AX
	ORL AX, R9
	MOVL R9, ret+48(FP)
	VZEROUPPER
	RET
