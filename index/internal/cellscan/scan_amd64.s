//go:build amd64 && !purego

#include "textflag.h"

// TWICE leaves in a and b what the query in q adds to the products of the first
// and the second block, off bytes from their beginnings.
#define TWICE(off, q, a, b) \
	VPDPBUSD off(SI), q, a \
	VPDPBUSD off(R14), q, b

// KEEP stores the lanes of the distances d that k has, and their slots, which are
// off bytes from the first.
#define KEEP(off, d, k) \
	VPCOMPRESSD.Z d, k, Z5 \
	VMOVDQU32 off(R9), Z6 \
	VPCOMPRESSD.Z Z6, k, Z6 \
	VMOVDQU32 Z5, (DI) \
	VMOVDQU32 Z6, (DX) \
	POPCNTL AX, AX \
	LEAQ (DI)(AX*4), DI \
	LEAQ (DX)(AX*4), DX

// func scanVNNI(distances, ids *uint32, query *byte, groups int, codes *int8, weights, slots *uint32, n int, base, bound uint32) int
//
// It takes two blocks at a time, at SI and R14. A block that is alone is taken
// twice, and the second time ignored.
TEXT ·scanVNNI(SB), NOSPLIT, $0-80
	MOVQ distances+0(FP), DI
	MOVQ ids+8(FP), DX
	MOVQ query+16(FP), R11
	MOVQ groups+24(FP), R10
	MOVQ codes+32(FP), SI
	MOVQ weights+40(FP), R8
	MOVQ slots+48(FP), R9
	MOVQ n+56(FP), CX
	MOVL base+64(FP), AX
	VPBROADCASTD AX, Z30
	MOVL bound+68(FP), AX
	VPBROADCASTD AX, Z31
	MOVQ DI, BX
	KXNORD K0, K0, K7
	KMOVQ K7, K6
	CMPQ R10, $8
	JNE blocks
	VPBROADCASTD 0(R11), Z16
	VPBROADCASTD 4(R11), Z17
	VPBROADCASTD 8(R11), Z18
	VPBROADCASTD 12(R11), Z19
	VPBROADCASTD 16(R11), Z20
	VPBROADCASTD 20(R11), Z21
	VPBROADCASTD 24(R11), Z22
	VPBROADCASTD 28(R11), Z23

blocks:
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VMOVDQU32 (R8), Z3
	CMPQ CX, $32
	JLT last
	VMOVDQU32 64(R8), Z4
	MOVQ R10, R14
	SHLQ $6, R14
	ADDQ SI, R14

products:
	CMPQ R10, $8
	JEQ eight
	MOVQ R11, R13
	MOVQ R10, R12

group:
	VPBROADCASTD (R13), Z2
	TWICE(0, Z2, Z0, Z1)
	ADDQ $64, SI
	ADDQ $64, R14
	ADDQ $4, R13
	DECQ R12
	JNZ group
	JMP compare

eight:
	// Rows of 32 values: the query stays in registers.
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	TWICE(0, Z16, Z0, Z1)
	TWICE(64, Z17, Z7, Z8)
	TWICE(128, Z18, Z0, Z1)
	TWICE(192, Z19, Z7, Z8)
	TWICE(256, Z20, Z0, Z1)
	TWICE(320, Z21, Z7, Z8)
	TWICE(384, Z22, Z0, Z1)
	TWICE(448, Z23, Z7, Z8)
	ADDQ $512, R14
	VPADDD Z7, Z0, Z0
	VPADDD Z8, Z1, Z1

compare:
	VPADDD Z30, Z3, Z3
	VPADDD Z30, Z4, Z4
	VPADDD Z0, Z0, Z0
	VPADDD Z1, Z1, Z1
	VPSUBD Z0, Z3, Z3
	VPSUBD Z1, Z4, Z4
	VPCMPUD $2, Z31, Z3, K6, K1
	VPCMPUD $2, Z31, Z4, K7, K2
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
	MOVQ R14, SI
	ADDQ $128, R8
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
	VMOVDQA32 Z3, Z4
	MOVQ SI, R14
	CMPQ CX, $16
	JLE products
	VMOVDQU32 64(R8), Z4
	MOVQ R10, AX
	SHLQ $6, AX
	ADDQ AX, R14
	JMP products

// FOUR adds to acc the products of four rows with the query, as two halves each.
#define FOUR(off, acc) \
	VPMOVSXBW off(SI), Y9 \
	VPMADDWD Y9, Y8, Y9 \
	VPADDD Y9, acc, acc

// FINISH adds the halves of a and b, rows in order, into a, makes distances of
// them, stores them and leaves in the low byte of AX which are near.
#define FINISH(off, a, b) \
	VPHADDD b, a, a \
	VPERMQ $0xD8, a, a \
	VPADDD a, a, a \
	VPADDD off(R8), Y10, Y9 \
	VPSUBD a, Y9, a \
	VMOVDQU a, off(DI) \
	VPMINUD a, Y11, Y9 \
	VPCMPEQD a, Y9, Y9 \
	VMOVMSKPS Y9, AX

// func measureAVX2(dst *[Lanes]uint32, query *byte, groups int, codes *int8, weights *uint32, base, bound uint32) uint32
TEXT ·measureAVX2(SB), NOSPLIT, $0-52
	MOVQ dst+0(FP), DI
	MOVQ query+8(FP), R11
	MOVQ groups+16(FP), R10
	MOVQ codes+24(FP), SI
	MOVQ weights+32(FP), R8
	MOVL base+40(FP), AX
	VMOVD AX, X10
	VPBROADCASTD X10, Y10
	MOVL bound+44(FP), AX
	VMOVD AX, X11
	VPBROADCASTD X11, Y11
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3

four:
	VMOVD (R11), X8
	VPMOVZXBW X8, X8
	VPBROADCASTQ X8, Y8
	FOUR(0, Y0)
	FOUR(16, Y1)
	FOUR(32, Y2)
	FOUR(48, Y3)
	ADDQ $64, SI
	ADDQ $4, R11
	DECQ R10
	JNZ four

	FINISH(0, Y0, Y1)
	MOVL AX, R9
	FINISH(32, Y2, Y3)
	SHLL $8, AX
	ORL AX, R9
	MOVL R9, ret+48(FP)
	VZEROUPPER
	RET
