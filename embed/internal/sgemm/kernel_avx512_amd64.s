//go:build amd64 && !purego

#include "textflag.h"

// The arguments of both kernels, and the addresses of A's eight rows: SI and R11
// are the first and the fifth, R8 a row's stride and R9 three of them, R10 the
// stride to the next column.
#define LOAD_ARGUMENTS \
	MOVQ k+0(FP), CX \
	MOVQ a+8(FP), SI \
	MOVQ rs+16(FP), R8 \
	MOVQ cs+24(FP), R10 \
	MOVQ b+32(FP), DI \
	MOVQ bs+40(FP), R12 \
	MOVQ c+48(FP), DX \
	MOVQ ldc+56(FP), R13 \
	VBROADCASTSS alpha+64(FP), Z3 \
	MOVBLZX add+68(FP), AX \
	SHLQ $2, R8 \
	SHLQ $2, R10 \
	SHLQ $2, R12 \
	SHLQ $2, R13 \
	LEAQ (R8)(R8*2), R9 \
	LEAQ (SI)(R8*4), R11

#define ZERO(r) VPXORQ r, r, r

// One row of A times the row of B in Z0 and Z1.
#define ROW32(at, low, high) \
	VBROADCASTSS at, Z2 \
	VFMADD231PS Z0, Z2, low \
	VFMADD231PS Z1, Z2, high

#define STORE32(low, high) \
	VMULPS Z3, low, low \
	VMULPS Z3, high, high \
	VMOVUPS low, (DX) \
	VMOVUPS high, 64(DX) \
	ADDQ R13, DX

#define ADD32(low, high) \
	VMULPS Z3, low, low \
	VMULPS Z3, high, high \
	VADDPS (DX), low, low \
	VADDPS 64(DX), high, high \
	VMOVUPS low, (DX) \
	VMOVUPS high, 64(DX) \
	ADDQ R13, DX

// func kernel8x32(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool)
//
// Z16 to Z31 hold the 8×32 sums, two registers a row.
TEXT ·kernel8x32(SB), NOSPLIT, $0-69
	LOAD_ARGUMENTS
	ZERO(Z16)
	ZERO(Z17)
	ZERO(Z18)
	ZERO(Z19)
	ZERO(Z20)
	ZERO(Z21)
	ZERO(Z22)
	ZERO(Z23)
	ZERO(Z24)
	ZERO(Z25)
	ZERO(Z26)
	ZERO(Z27)
	ZERO(Z28)
	ZERO(Z29)
	ZERO(Z30)
	ZERO(Z31)

loop:
	VMOVUPS (DI), Z0
	VMOVUPS 64(DI), Z1
	ROW32((SI), Z16, Z17)
	ROW32((SI)(R8*1), Z18, Z19)
	ROW32((SI)(R8*2), Z20, Z21)
	ROW32((SI)(R9*1), Z22, Z23)
	ROW32((R11), Z24, Z25)
	ROW32((R11)(R8*1), Z26, Z27)
	ROW32((R11)(R8*2), Z28, Z29)
	ROW32((R11)(R9*1), Z30, Z31)
	ADDQ R10, SI
	ADDQ R10, R11
	ADDQ R12, DI
	DECQ CX
	JNZ loop

	TESTB AX, AX
	JNZ accumulate
	STORE32(Z16, Z17)
	STORE32(Z18, Z19)
	STORE32(Z20, Z21)
	STORE32(Z22, Z23)
	STORE32(Z24, Z25)
	STORE32(Z26, Z27)
	STORE32(Z28, Z29)
	STORE32(Z30, Z31)
	VZEROUPPER
	RET

accumulate:
	ADD32(Z16, Z17)
	ADD32(Z18, Z19)
	ADD32(Z20, Z21)
	ADD32(Z22, Z23)
	ADD32(Z24, Z25)
	ADD32(Z26, Z27)
	ADD32(Z28, Z29)
	ADD32(Z30, Z31)
	VZEROUPPER
	RET

#define ROW16(at, sum) \
	VBROADCASTSS at, Z2 \
	VFMADD231PS Z0, Z2, sum

#define STORE16(sum) \
	VMULPS Z3, sum, sum \
	VMOVUPS sum, (DX) \
	ADDQ R13, DX

#define ADD16(sum) \
	VMULPS Z3, sum, sum \
	VADDPS (DX), sum, sum \
	VMOVUPS sum, (DX) \
	ADDQ R13, DX

// func kernel8x16(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool)
//
// Z16 to Z23 hold the 8×16 sums, a register a row.
TEXT ·kernel8x16(SB), NOSPLIT, $0-69
	LOAD_ARGUMENTS
	ZERO(Z16)
	ZERO(Z17)
	ZERO(Z18)
	ZERO(Z19)
	ZERO(Z20)
	ZERO(Z21)
	ZERO(Z22)
	ZERO(Z23)

loop:
	VMOVUPS (DI), Z0
	ROW16((SI), Z16)
	ROW16((SI)(R8*1), Z17)
	ROW16((SI)(R8*2), Z18)
	ROW16((SI)(R9*1), Z19)
	ROW16((R11), Z20)
	ROW16((R11)(R8*1), Z21)
	ROW16((R11)(R8*2), Z22)
	ROW16((R11)(R9*1), Z23)
	ADDQ R10, SI
	ADDQ R10, R11
	ADDQ R12, DI
	DECQ CX
	JNZ loop

	TESTB AX, AX
	JNZ accumulate
	STORE16(Z16)
	STORE16(Z17)
	STORE16(Z18)
	STORE16(Z19)
	STORE16(Z20)
	STORE16(Z21)
	STORE16(Z22)
	STORE16(Z23)
	VZEROUPPER
	RET

accumulate:
	ADD16(Z16)
	ADD16(Z17)
	ADD16(Z18)
	ADD16(Z19)
	ADD16(Z20)
	ADD16(Z21)
	ADD16(Z22)
	ADD16(Z23)
	VZEROUPPER
	RET

// func gemv8AVX512(n int, y, w *float32, ldw int, x *float32)
//
// Z8 to Z15 hold the eight values of x, SI and R11 the first and the fifth row.
TEXT ·gemv8AVX512(SB), NOSPLIT, $0-40
	MOVQ n+0(FP), CX
	MOVQ y+8(FP), DX
	MOVQ w+16(FP), SI
	MOVQ ldw+24(FP), R8
	MOVQ x+32(FP), DI
	SHLQ $2, R8
	LEAQ (R8)(R8*2), R9
	LEAQ (SI)(R8*4), R11
	VBROADCASTSS (DI), Z8
	VBROADCASTSS 4(DI), Z9
	VBROADCASTSS 8(DI), Z10
	VBROADCASTSS 12(DI), Z11
	VBROADCASTSS 16(DI), Z12
	VBROADCASTSS 20(DI), Z13
	VBROADCASTSS 24(DI), Z14
	VBROADCASTSS 28(DI), Z15

loop:
	VMOVUPS (DX), Z0
	VMULPS (SI), Z8, Z1
	VFMADD231PS (SI)(R8*1), Z9, Z0
	VFMADD231PS (SI)(R8*2), Z10, Z1
	VFMADD231PS (SI)(R9*1), Z11, Z0
	VFMADD231PS (R11), Z12, Z1
	VFMADD231PS (R11)(R8*1), Z13, Z0
	VFMADD231PS (R11)(R8*2), Z14, Z1
	VFMADD231PS (R11)(R9*1), Z15, Z0
	VADDPS Z0, Z1, Z0
	VMOVUPS Z0, (DX)
	ADDQ $64, SI
	ADDQ $64, R11
	ADDQ $64, DX
	SUBQ $16, CX
	JNZ loop
	VZEROUPPER
	RET

// ROW adds a row of the strip at addr, times the value at off(DI), to a and b.
#define ROW(off, addr, next, z, a, b) \
	VBROADCASTSS off(DI), z \
	VFMADD231PS addr, z, K1, a \
	VFMADD231PS next, z, K2, b

// func gemvStripAVX512(k int, y, w *float32, ldw int, x *float32, mask uint32, alpha float32)
//
// Four rows are summed apart, in Z0 to Z7. K1 and K2 mask the strip's columns.
TEXT ·gemvStripAVX512(SB), NOSPLIT, $0-48
	MOVQ k+0(FP), CX
	MOVQ y+8(FP), DX
	MOVQ w+16(FP), SI
	MOVQ ldw+24(FP), R8
	MOVQ x+32(FP), DI
	MOVL mask+40(FP), AX
	VBROADCASTSS alpha+44(FP), Z18
	KMOVW AX, K1
	SHRL $16, AX
	KMOVW AX, K2
	SHLQ $2, R8
	LEAQ (R8)(R8*2), R9
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	SUBQ $4, CX
	JLT rest

four:
	ROW(0, (SI), 64(SI), Z8, Z0, Z1)
	ROW(4, (SI)(R8*1), 64(SI)(R8*1), Z9, Z2, Z3)
	ROW(8, (SI)(R8*2), 64(SI)(R8*2), Z10, Z4, Z5)
	ROW(12, (SI)(R9*1), 64(SI)(R9*1), Z11, Z6, Z7)
	LEAQ (SI)(R8*4), SI
	ADDQ $16, DI
	SUBQ $4, CX
	JGE four

rest:
	ADDQ $4, CX
	JEQ sum

one:
	ROW(0, (SI), 64(SI), Z8, Z0, Z1)
	ADDQ R8, SI
	ADDQ $4, DI
	DECQ CX
	JNZ one

sum:
	VADDPS Z2, Z0, Z0
	VADDPS Z3, Z1, Z1
	VADDPS Z6, Z4, Z4
	VADDPS Z7, Z5, Z5
	VADDPS Z4, Z0, Z0
	VADDPS Z5, Z1, Z1
	VMOVUPS.Z (DX), K1, Z16
	VMOVUPS.Z 64(DX), K2, Z17
	VFMADD231PS Z18, Z0, Z16
	VFMADD231PS Z18, Z1, Z17
	VMOVUPS Z16, K1, (DX)
	VMOVUPS Z17, K2, 64(DX)
	VZEROUPPER
	RET
