//go:build amd64 && !purego

#include "textflag.h"

// func scanVNNI(distances, ids *uint32, query *byte, groups int, codes *int8, weights, slots *uint32, n int, base, bound uint32) int
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
	JNE block
	VPBROADCASTD 0(R11), Z16
	VPBROADCASTD 4(R11), Z17
	VPBROADCASTD 8(R11), Z18
	VPBROADCASTD 12(R11), Z19
	VPBROADCASTD 16(R11), Z20
	VPBROADCASTD 20(R11), Z21
	VPBROADCASTD 24(R11), Z22
	VPBROADCASTD 28(R11), Z23

block:
	// Z0 and Z1: query times rows 0 to 15 and 16 to 31.
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	CMPQ R10, $8
	JEQ eight
	MOVQ R11, R13
	MOVQ R10, R12

group:
	VPBROADCASTD (R13), Z2
	VPDPBUSD (SI), Z2, Z0
	VPDPBUSD 64(SI), Z2, Z1
	ADDQ $128, SI
	ADDQ $4, R13
	DECQ R12
	JNZ group
	JMP measured

eight:
	// Rows of 32 values keep the query in registers.
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPDPBUSD (SI), Z16, Z0
	VPDPBUSD 64(SI), Z16, Z1
	VPDPBUSD 128(SI), Z17, Z2
	VPDPBUSD 192(SI), Z17, Z3
	VPDPBUSD 256(SI), Z18, Z0
	VPDPBUSD 320(SI), Z18, Z1
	VPDPBUSD 384(SI), Z19, Z2
	VPDPBUSD 448(SI), Z19, Z3
	VPDPBUSD 512(SI), Z20, Z0
	VPDPBUSD 576(SI), Z20, Z1
	VPDPBUSD 640(SI), Z21, Z2
	VPDPBUSD 704(SI), Z21, Z3
	VPDPBUSD 768(SI), Z22, Z0
	VPDPBUSD 832(SI), Z22, Z1
	VPDPBUSD 896(SI), Z23, Z2
	VPDPBUSD 960(SI), Z23, Z3
	ADDQ $1024, SI
	VPADDD Z2, Z0, Z0
	VPADDD Z3, Z1, Z1

measured:
	VPADDD (R8), Z30, Z3
	VPADDD 64(R8), Z30, Z4
	VPADDD Z0, Z0, Z0
	VPADDD Z1, Z1, Z1
	VPSUBD Z0, Z3, Z3
	VPSUBD Z1, Z4, Z4
	CMPQ CX, $32
	JLT last

compare:
	VPCMPUD $2, Z31, Z3, K6, K1
	VPCMPUD $2, Z31, Z4, K7, K2
	KORTESTW K2, K1
	JZ next
	KMOVW K1, AX
	TESTL AX, AX
	JZ upper
	VPCOMPRESSD.Z Z3, K1, Z5
	VMOVDQU32 (R9), Z6
	VPCOMPRESSD.Z Z6, K1, Z6
	VMOVDQU32 Z5, (DI)
	VMOVDQU32 Z6, (DX)
	POPCNTL AX, AX
	LEAQ (DI)(AX*4), DI
	LEAQ (DX)(AX*4), DX

upper:
	KMOVW K2, AX
	TESTL AX, AX
	JZ next
	VPCOMPRESSD.Z Z4, K2, Z5
	VMOVDQU32 64(R9), Z6
	VPCOMPRESSD.Z Z6, K2, Z6
	VMOVDQU32 Z5, (DI)
	VMOVDQU32 Z6, (DX)
	POPCNTL AX, AX
	LEAQ (DI)(AX*4), DI
	LEAQ (DX)(AX*4), DX

next:
	ADDQ $128, R8
	ADDQ $128, R9
	SUBQ $32, CX
	JG block
	SUBQ BX, DI
	SHRQ $2, DI
	MOVQ DI, ret+72(FP)
	VZEROUPPER
	RET

last:
	// K6 and K7: the lanes that are left.
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVD AX, K6
	KSHIFTRD $16, K6, K7
	JMP compare

// EIGHT leaves in acc twice the sums of eight rows, as two halves each.
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
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7

four:
	VPMOVZXBW (R11), X8
	VPBROADCASTQ X8, Y8
	FOUR(0, Y0)
	FOUR(16, Y1)
	FOUR(32, Y2)
	FOUR(48, Y3)
	FOUR(64, Y4)
	FOUR(80, Y5)
	FOUR(96, Y6)
	FOUR(112, Y7)
	ADDQ $128, SI
	ADDQ $4, R11
	DECQ R10
	JNZ four

	FINISH(0, Y0, Y1)
	MOVL AX, R9
	FINISH(32, Y2, Y3)
	SHLL $8, AX
	ORL AX, R9
	FINISH(64, Y4, Y5)
	SHLL $16, AX
	ORL AX, R9
	FINISH(96, Y6, Y7)
	SHLL $24, AX
	ORL AX, R9
	MOVL R9, ret+48(FP)
	VZEROUPPER
	RET
