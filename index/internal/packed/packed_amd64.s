//go:build amd64 && !purego

#include "textflag.h"

// A kernel goes row by row. Registers: DI where the next distance goes, BX the
// pointer to the row's pointer, CX rows left, DX the query, R8 its blocks of 16;
// SI the row, R9 the row after next, which is fetched meanwhile, R10 the query,
// R11 blocks left. Four blocks are summed apart, in Z0 to Z3 (Y0 to Y3). K1 masks the values after the last block;
// the AVX2 kernels leave those out.

// FETCH asks for the bytes of four blocks at R9, and moves on.
#define FETCH1 \
	PREFETCHT0 (R9) \
	ADDQ $64, R9
#define FETCH2 \
	PREFETCHT0 (R9) \
	PREFETCHT0 64(R9) \
	ADDQ $128, R9
#define FETCH4 \
	PREFETCHT0 (R9) \
	PREFETCHT0 64(R9) \
	PREFETCHT0 128(R9) \
	PREFETCHT0 192(R9) \
	ADDQ $256, R9

// LOAD turns 16 values of a row into float32.
#define LOAD4(at, z) VMOVUPS (4*at)(SI), z
#define LOAD2(at, z) VCVTPH2PS (2*at)(SI), z
#define LOAD1(at, z) \
	VPMOVZXBD (at)(SI), z \
	VCVTDQ2PS z, z

// LOADZ4 to LOADZ1 do so for the values that K1 names, and leave zeros elsewhere.
#define LOADZ4(z) VMOVUPS.Z (SI), K1, z
#define LOADZ2(z) VCVTPH2PS.Z (SI), K1, z
#define LOADZ1(z) \
	VPMOVZXBD.Z (SI), K1, z \
	VCVTDQ2PS z, z

// SQUARE and PRODUCT add to sum what values z and those of the query at add.
#define SQUARE(at, z, sum) \
	VSUBPS (4*at)(R10), z, z \
	VFMADD231PS z, z, sum
#define PRODUCT(at, z, sum) VFMADD231PS (4*at)(R10), z, sum

// SQUAREZ and PRODUCTZ do so for the values that K1 names. Z5 is scratch.
#define SQUAREZ(z, sum) \
	VMOVUPS.Z (R10), K1, Z5 \
	VSUBPS Z5, z, z \
	VFMADD231PS z, z, sum
#define PRODUCTZ(z, sum) \
	VMOVUPS.Z (R10), K1, Z5 \
	VFMADD231PS Z5, z, sum

#define KERNEL512(LOAD, LOADZ, ADD, ADDZ, FETCH, size) \
	MOVQ dst+0(FP), DI \
	MOVQ query+8(FP), DX \
	MOVQ rows+16(FP), BX \
	MOVQ tail+40(FP), CX \
	MOVL $1, R12 \
	SHLL CX, R12 \
	DECL R12 \
	KMOVW R12, K1 \
	MOVQ count+24(FP), CX \
	MOVQ blocks+32(FP), R8 \
row: \
	MOVQ (BX), SI \
	MOVQ 16(BX), R9 \
	MOVQ DX, R10 \
	MOVQ R8, R11 \
	VPXORD Z0, Z0, Z0 \
	VPXORD Z1, Z1, Z1 \
	VPXORD Z2, Z2, Z2 \
	VPXORD Z3, Z3, Z3 \
	SUBQ $4, R11 \
	JLT rest \
four: \
	FETCH \
	LOAD(0, Z4) \
	LOAD(16, Z5) \
	LOAD(32, Z6) \
	LOAD(48, Z7) \
	ADD(0, Z4, Z0) \
	ADD(16, Z5, Z1) \
	ADD(32, Z6, Z2) \
	ADD(48, Z7, Z3) \
	ADDQ $(64*size), SI \
	ADDQ $256, R10 \
	SUBQ $4, R11 \
	JGE four \
rest: \
	ADDQ $4, R11 \
	JEQ tail \
one: \
	PREFETCHT0 (R9) \
	ADDQ $(16*size), R9 \
	LOAD(0, Z4) \
	ADD(0, Z4, Z0) \
	ADDQ $(16*size), SI \
	ADDQ $64, R10 \
	DECQ R11 \
	JNE one \
tail: \
	PREFETCHT0 (R9) \
	TESTL R12, R12 \
	JEQ sum \
	LOADZ(Z4) \
	ADDZ(Z4, Z1) \
sum: \
	VADDPS Z1, Z0, Z0 \
	VADDPS Z3, Z2, Z2 \
	VADDPS Z2, Z0, Z0 \
	VEXTRACTF64X4 $1, Z0, Y1 \
	VADDPS Y1, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS X1, X0, X0 \
	VHADDPS X0, X0, X0 \
	VHADDPS X0, X0, X0 \
	VMOVSS X0, (DI) \
	ADDQ $4, DI \
	ADDQ $8, BX \
	DECQ CX \
	JNE row \
	VZEROUPPER \
	RET

#define KERNEL256(LOAD, ADD, FETCH, size) \
	MOVQ dst+0(FP), DI \
	MOVQ query+8(FP), DX \
	MOVQ rows+16(FP), BX \
	MOVQ count+24(FP), CX \
	MOVQ blocks+32(FP), R8 \
row: \
	MOVQ (BX), SI \
	MOVQ 16(BX), R9 \
	MOVQ DX, R10 \
	MOVQ R8, R11 \
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1 \
	VXORPS Y2, Y2, Y2 \
	VXORPS Y3, Y3, Y3 \
	SUBQ $4, R11 \
	JLT rest \
four: \
	FETCH \
	LOAD(0, Y4) \
	LOAD(8, Y5) \
	LOAD(16, Y6) \
	LOAD(24, Y7) \
	ADD(0, Y4, Y0) \
	ADD(8, Y5, Y1) \
	ADD(16, Y6, Y2) \
	ADD(24, Y7, Y3) \
	LOAD(32, Y4) \
	LOAD(40, Y5) \
	LOAD(48, Y6) \
	LOAD(56, Y7) \
	ADD(32, Y4, Y0) \
	ADD(40, Y5, Y1) \
	ADD(48, Y6, Y2) \
	ADD(56, Y7, Y3) \
	ADDQ $(64*size), SI \
	ADDQ $256, R10 \
	SUBQ $4, R11 \
	JGE four \
rest: \
	ADDQ $4, R11 \
	JEQ sum \
one: \
	PREFETCHT0 (R9) \
	ADDQ $(16*size), R9 \
	LOAD(0, Y4) \
	LOAD(8, Y5) \
	ADD(0, Y4, Y0) \
	ADD(8, Y5, Y1) \
	ADDQ $(16*size), SI \
	ADDQ $64, R10 \
	DECQ R11 \
	JNE one \
sum: \
	VADDPS Y1, Y0, Y0 \
	VADDPS Y3, Y2, Y2 \
	VADDPS Y2, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS X1, X0, X0 \
	VHADDPS X0, X0, X0 \
	VHADDPS X0, X0, X0 \
	VMOVSS X0, (DI) \
	ADDQ $4, DI \
	ADDQ $8, BX \
	DECQ CX \
	JNE row \
	VZEROUPPER \
	RET

// func squaresFloat32AVX512(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·squaresFloat32AVX512(SB), NOSPLIT, $0-48
	KERNEL512(LOAD4, LOADZ4, SQUARE, SQUAREZ, FETCH4, 4)

// func squaresFloat16AVX512(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·squaresFloat16AVX512(SB), NOSPLIT, $0-48
	KERNEL512(LOAD2, LOADZ2, SQUARE, SQUAREZ, FETCH2, 2)

// func squaresUint8AVX512(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·squaresUint8AVX512(SB), NOSPLIT, $0-48
	KERNEL512(LOAD1, LOADZ1, SQUARE, SQUAREZ, FETCH1, 1)

// func productsFloat32AVX512(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·productsFloat32AVX512(SB), NOSPLIT, $0-48
	KERNEL512(LOAD4, LOADZ4, PRODUCT, PRODUCTZ, FETCH4, 4)

// func productsFloat16AVX512(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·productsFloat16AVX512(SB), NOSPLIT, $0-48
	KERNEL512(LOAD2, LOADZ2, PRODUCT, PRODUCTZ, FETCH2, 2)

// func productsUint8AVX512(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·productsUint8AVX512(SB), NOSPLIT, $0-48
	KERNEL512(LOAD1, LOADZ1, PRODUCT, PRODUCTZ, FETCH1, 1)

// func squaresFloat32AVX2(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·squaresFloat32AVX2(SB), NOSPLIT, $0-48
	KERNEL256(LOAD4, SQUARE, FETCH4, 4)

// func squaresFloat16AVX2(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·squaresFloat16AVX2(SB), NOSPLIT, $0-48
	KERNEL256(LOAD2, SQUARE, FETCH2, 2)

// func squaresUint8AVX2(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·squaresUint8AVX2(SB), NOSPLIT, $0-48
	KERNEL256(LOAD1, SQUARE, FETCH1, 1)

// func productsFloat32AVX2(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·productsFloat32AVX2(SB), NOSPLIT, $0-48
	KERNEL256(LOAD4, PRODUCT, FETCH4, 4)

// func productsFloat16AVX2(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·productsFloat16AVX2(SB), NOSPLIT, $0-48
	KERNEL256(LOAD2, PRODUCT, FETCH2, 2)

// func productsUint8AVX2(dst, query *float32, rows **byte, count, blocks, tail int)
TEXT ·productsUint8AVX2(SB), NOSPLIT, $0-48
	KERNEL256(LOAD1, PRODUCT, FETCH1, 1)

// func hasF16C() bool
TEXT ·hasF16C(SB), NOSPLIT, $0-1
	MOVL $1, AX
	XORL CX, CX
	CPUID
	SHRL $29, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET
