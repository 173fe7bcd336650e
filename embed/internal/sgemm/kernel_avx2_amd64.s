//go:build amd64 && !purego

#include "textflag.h"

#define ZERO(r) VXORPS r, r, r

// One row of A times the row of B in Y0 and Y1.
#define ROW(at, low, high) \
	VBROADCASTSS at, Y2 \
	VFMADD231PS Y0, Y2, low \
	VFMADD231PS Y1, Y2, high

#define STORE(low, high) \
	VMULPS Y3, low, low \
	VMULPS Y3, high, high \
	VMOVUPS low, (DX) \
	VMOVUPS high, 32(DX) \
	ADDQ R13, DX

#define ADD(low, high) \
	VMULPS Y3, low, low \
	VMULPS Y3, high, high \
	VADDPS (DX), low, low \
	VADDPS 32(DX), high, high \
	VMOVUPS low, (DX) \
	VMOVUPS high, 32(DX) \
	ADDQ R13, DX

// func kernel6x16(k int, a *float32, rs, cs int, b *float32, bs int, c *float32, ldc int, alpha float32, add bool)
//
// Y4 to Y15 hold the 6×16 sums, two registers a row. SI and R11 are the first
// and the fourth row of A, R8 a row's stride.
TEXT ·kernel6x16(SB), NOSPLIT, $0-69
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ rs+16(FP), R8
	MOVQ cs+24(FP), R10
	MOVQ b+32(FP), DI
	MOVQ bs+40(FP), R12
	MOVQ c+48(FP), DX
	MOVQ ldc+56(FP), R13
	VBROADCASTSS alpha+64(FP), Y3
	MOVBLZX add+68(FP), AX
	SHLQ $2, R8
	SHLQ $2, R10
	SHLQ $2, R12
	SHLQ $2, R13
	LEAQ (R8)(R8*2), R9
	LEAQ (SI)(R9*1), R11
	ZERO(Y4)
	ZERO(Y5)
	ZERO(Y6)
	ZERO(Y7)
	ZERO(Y8)
	ZERO(Y9)
	ZERO(Y10)
	ZERO(Y11)
	ZERO(Y12)
	ZERO(Y13)
	ZERO(Y14)
	ZERO(Y15)

loop:
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	ROW((SI), Y4, Y5)
	ROW((SI)(R8*1), Y6, Y7)
	ROW((SI)(R8*2), Y8, Y9)
	ROW((R11), Y10, Y11)
	ROW((R11)(R8*1), Y12, Y13)
	ROW((R11)(R8*2), Y14, Y15)
	ADDQ R10, SI
	ADDQ R10, R11
	ADDQ R12, DI
	DECQ CX
	JNZ loop

	TESTB AX, AX
	JNZ accumulate
	STORE(Y4, Y5)
	STORE(Y6, Y7)
	STORE(Y8, Y9)
	STORE(Y10, Y11)
	STORE(Y12, Y13)
	STORE(Y14, Y15)
	VZEROUPPER
	RET

accumulate:
	ADD(Y4, Y5)
	ADD(Y6, Y7)
	ADD(Y8, Y9)
	ADD(Y10, Y11)
	ADD(Y12, Y13)
	ADD(Y14, Y15)
	VZEROUPPER
	RET

// func gemv8AVX2(n int, y, w *float32, ldw int, x *float32)
//
// Y8 to Y15 hold the eight values of x, SI and R11 the first and the fifth row.
TEXT ·gemv8AVX2(SB), NOSPLIT, $0-40
	MOVQ n+0(FP), CX
	MOVQ y+8(FP), DX
	MOVQ w+16(FP), SI
	MOVQ ldw+24(FP), R8
	MOVQ x+32(FP), DI
	SHLQ $2, R8
	LEAQ (R8)(R8*2), R9
	LEAQ (SI)(R8*4), R11
	VBROADCASTSS (DI), Y8
	VBROADCASTSS 4(DI), Y9
	VBROADCASTSS 8(DI), Y10
	VBROADCASTSS 12(DI), Y11
	VBROADCASTSS 16(DI), Y12
	VBROADCASTSS 20(DI), Y13
	VBROADCASTSS 24(DI), Y14
	VBROADCASTSS 28(DI), Y15

loop:
	VMOVUPS (DX), Y0
	VMULPS (SI), Y8, Y1
	VFMADD231PS (SI)(R8*1), Y9, Y0
	VFMADD231PS (SI)(R8*2), Y10, Y1
	VFMADD231PS (SI)(R9*1), Y11, Y0
	VFMADD231PS (R11), Y12, Y1
	VFMADD231PS (R11)(R8*1), Y13, Y0
	VFMADD231PS (R11)(R8*2), Y14, Y1
	VFMADD231PS (R11)(R9*1), Y15, Y0
	VADDPS Y0, Y1, Y0
	VMOVUPS Y0, (DX)
	ADDQ $32, SI
	ADDQ $32, R11
	ADDQ $32, DX
	SUBQ $8, CX
	JNZ loop
	VZEROUPPER
	RET

// func transpose8(k int, dst *float32, ldd int, src *float32, lds int)
//
// Blocks of 8×8: rows in Y0 to Y7, pairs of them interleaved in Y8 to Y15,
// quadruples in Y0 to Y7, columns in Y8 to Y15.
TEXT ·transpose8(SB), NOSPLIT, $0-40
	MOVQ k+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ ldd+16(FP), R8
	MOVQ src+24(FP), SI
	MOVQ lds+32(FP), R10
	SHLQ $2, R8
	SHLQ $2, R10
	LEAQ (R10)(R10*2), R12
	LEAQ (SI)(R10*4), R13

loop:
	VMOVUPS (SI), Y0
	VMOVUPS (SI)(R10*1), Y1
	VMOVUPS (SI)(R10*2), Y2
	VMOVUPS (SI)(R12*1), Y3
	VMOVUPS (R13), Y4
	VMOVUPS (R13)(R10*1), Y5
	VMOVUPS (R13)(R10*2), Y6
	VMOVUPS (R13)(R12*1), Y7
	VUNPCKLPS Y1, Y0, Y8
	VUNPCKHPS Y1, Y0, Y9
	VUNPCKLPS Y3, Y2, Y10
	VUNPCKHPS Y3, Y2, Y11
	VUNPCKLPS Y5, Y4, Y12
	VUNPCKHPS Y5, Y4, Y13
	VUNPCKLPS Y7, Y6, Y14
	VUNPCKHPS Y7, Y6, Y15
	VSHUFPS $0x44, Y10, Y8, Y0
	VSHUFPS $0xEE, Y10, Y8, Y1
	VSHUFPS $0x44, Y11, Y9, Y2
	VSHUFPS $0xEE, Y11, Y9, Y3
	VSHUFPS $0x44, Y14, Y12, Y4
	VSHUFPS $0xEE, Y14, Y12, Y5
	VSHUFPS $0x44, Y15, Y13, Y6
	VSHUFPS $0xEE, Y15, Y13, Y7
	VPERM2F128 $0x20, Y4, Y0, Y8
	VPERM2F128 $0x20, Y5, Y1, Y9
	VPERM2F128 $0x20, Y6, Y2, Y10
	VPERM2F128 $0x20, Y7, Y3, Y11
	VPERM2F128 $0x31, Y4, Y0, Y12
	VPERM2F128 $0x31, Y5, Y1, Y13
	VPERM2F128 $0x31, Y6, Y2, Y14
	VPERM2F128 $0x31, Y7, Y3, Y15
	VMOVUPS Y8, (DI)
	ADDQ R8, DI
	VMOVUPS Y9, (DI)
	ADDQ R8, DI
	VMOVUPS Y10, (DI)
	ADDQ R8, DI
	VMOVUPS Y11, (DI)
	ADDQ R8, DI
	VMOVUPS Y12, (DI)
	ADDQ R8, DI
	VMOVUPS Y13, (DI)
	ADDQ R8, DI
	VMOVUPS Y14, (DI)
	ADDQ R8, DI
	VMOVUPS Y15, (DI)
	ADDQ R8, DI
	ADDQ $32, SI
	ADDQ $32, R13
	SUBQ $8, CX
	JNZ loop
	VZEROUPPER
	RET

// func copy16(k int, dst *float32, ldd int, src *float32, lds int)
TEXT ·copy16(SB), NOSPLIT, $0-40
	MOVQ k+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ ldd+16(FP), R8
	MOVQ src+24(FP), SI
	MOVQ lds+32(FP), R10
	SHLQ $2, R8
	SHLQ $2, R10

loop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ R10, SI
	ADDQ R8, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
