//go:build amd64 && !purego

#include "textflag.h"

DATA log2e<>+0(SB)/4, $0x3fb8aa3b // 1.442695
GLOBL log2e<>(SB), RODATA|NOPTR, $4
DATA ln2high<>+0(SB)/4, $0x3f318000 // 0.6933594
GLOBL ln2high<>(SB), RODATA|NOPTR, $4
DATA ln2low<>+0(SB)/4, $0xb95e8083 // -2.1219444e-4
GLOBL ln2low<>(SB), RODATA|NOPTR, $4
DATA least<>+0(SB)/4, $0xc1f00000 // -30
GLOBL least<>(SB), RODATA|NOPTR, $4
DATA e6<>+0(SB)/4, $0x3ab60b61 // 1/720
GLOBL e6<>(SB), RODATA|NOPTR, $4
DATA e5<>+0(SB)/4, $0x3c088889 // 1/120
GLOBL e5<>(SB), RODATA|NOPTR, $4
DATA e4<>+0(SB)/4, $0x3d2aaaab // 1/24
GLOBL e4<>(SB), RODATA|NOPTR, $4
DATA e3<>+0(SB)/4, $0x3e2aaaab // 1/6
GLOBL e3<>(SB), RODATA|NOPTR, $4
DATA e2<>+0(SB)/4, $0x3f000000 // 1/2
GLOBL e2<>(SB), RODATA|NOPTR, $4
DATA e1<>+0(SB)/4, $0x3f800000 // 1
GLOBL e1<>(SB), RODATA|NOPTR, $4

#define TERM(c, sum) \
	VBROADCASTSS c<>(SB), Y7 \
	VFMADD213PS Y7, Y6, sum

// EXP leaves eˣ of x in sum, 0 where x is under -30, and in keep a mask of where
// it is not. Y5 to Y7 are scratch.
#define EXP(x, sum, keep) \
	VBROADCASTSS log2e<>(SB), Y5 \
	VMULPS x, Y5, Y5 \
	VROUNDPS $0, Y5, Y5 \
	VMOVAPS x, Y6 \
	VBROADCASTSS ln2high<>(SB), Y7 \
	VFNMADD231PS Y7, Y5, Y6 \
	VBROADCASTSS ln2low<>(SB), Y7 \
	VFNMADD231PS Y7, Y5, Y6 \
	VBROADCASTSS e6<>(SB), sum \
	TERM(e5, sum) \
	TERM(e4, sum) \
	TERM(e3, sum) \
	TERM(e2, sum) \
	TERM(e1, sum) \
	TERM(e1, sum) \
	VCVTPS2DQ Y5, Y5 \
	VPSLLD $23, Y5, Y5 \
	VPADDD Y5, sum, sum \
	VBROADCASTSS least<>(SB), Y7 \
	VCMPPS $13, Y7, x, keep \
	VANDPS keep, sum, sum

// SUM adds the elements of y, whose low half is x, in a fixed order.
#define SUM(y, x) \
	VEXTRACTF128 $1, y, X7 \
	VADDPS X7, x, x \
	VHADDPS x, x, x \
	VHADDPS x, x, x

// func softmaxPairAVX2(n int, p, q *float32, nearP, nearQ, inv float32) (sumP, sumQ, gap float32)
TEXT ·softmaxPairAVX2(SB), NOSPLIT, $0-52
	MOVQ n+0(FP), CX
	MOVQ p+8(FP), DI
	MOVQ q+16(FP), SI
	VBROADCASTSS nearP+24(FP), Y13
	VBROADCASTSS nearQ+28(FP), Y14
	VBROADCASTSS inv+32(FP), Y15
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	VXORPS Y12, Y12, Y12

pair:
	VSUBPS (DI), Y13, Y0
	VMULPS Y15, Y0, Y0
	VSUBPS (SI), Y14, Y1
	VMULPS Y15, Y1, Y1
	EXP(Y0, Y2, Y8)
	EXP(Y1, Y3, Y9)
	VMOVUPS Y2, (DI)
	VMOVUPS Y3, (SI)
	VADDPS Y2, Y10, Y10
	VADDPS Y3, Y11, Y11
	VSUBPS Y1, Y0, Y0
	VMULPS Y2, Y0, Y0
	VANDPS Y8, Y0, Y0
	VADDPS Y0, Y12, Y12
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ pair
	SUM(Y10, X10)
	SUM(Y11, X11)
	SUM(Y12, X12)
	VMOVSS X10, sumP+40(FP)
	VMOVSS X11, sumQ+44(FP)
	VMOVSS X12, gap+48(FP)
	VZEROUPPER
	RET

// func blendAVX2(n int, p, q *float32, a, b float32)
TEXT ·blendAVX2(SB), NOSPLIT, $0-32
	MOVQ n+0(FP), CX
	MOVQ p+8(FP), DI
	MOVQ q+16(FP), SI
	VBROADCASTSS a+24(FP), Y1
	VBROADCASTSS b+28(FP), Y2

blend:
	VMULPS (DI), Y1, Y0
	VMULPS (SI), Y2, Y3
	VADDPS Y3, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ blend
	VZEROUPPER
	RET

// func minAVX2(n int, x *float32) float32
TEXT ·minAVX2(SB), NOSPLIT, $0-20
	MOVQ n+0(FP), CX
	MOVQ x+8(FP), SI
	VMOVUPS (SI), Y0

least:
	VMINPS (SI), Y0, Y0
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ least
	VEXTRACTF128 $1, Y0, X1
	VMINPS X1, X0, X0
	VPERMILPS $0x4E, X0, X1
	VMINPS X1, X0, X0
	VPERMILPS $0xB1, X0, X1
	VMINPS X1, X0, X0
	VMOVSS X0, ret+16(FP)
	VZEROUPPER
	RET

// func addNormsAVX2(n int, d, norms *float32, own float32)
TEXT ·addNormsAVX2(SB), NOSPLIT, $0-28
	MOVQ n+0(FP), CX
	MOVQ d+8(FP), DI
	MOVQ norms+16(FP), SI
	VBROADCASTSS own+24(FP), Y1
	VXORPS Y2, Y2, Y2

norms:
	VADDPS (DI), Y1, Y0
	VADDPS (SI), Y0, Y0
	VMAXPS Y2, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ norms
	VZEROUPPER
	RET

// func differenceAVX2(n int, dst, x, y *float32) float32
TEXT ·differenceAVX2(SB), NOSPLIT, $0-36
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ x+16(FP), SI
	MOVQ y+24(FP), DX
	VXORPS Y1, Y1, Y1

difference:
	VMOVUPS (SI), Y0
	VSUBPS (DX), Y0, Y0
	VMOVUPS Y0, (DI)
	VFMADD231PS Y0, Y0, Y1
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, DX
	SUBQ $8, CX
	JNZ difference
	SUM(Y1, X1)
	VMOVSS X1, ret+32(FP)
	VZEROUPPER
	RET

// func squaresAVX2(n int, x *float32) float32
TEXT ·squaresAVX2(SB), NOSPLIT, $0-20
	MOVQ n+0(FP), CX
	MOVQ x+8(FP), SI
	VXORPS Y1, Y1, Y1

squares:
	VMOVUPS (SI), Y0
	VFMADD231PS Y0, Y0, Y1
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ squares
	SUM(Y1, X1)
	VMOVSS X1, ret+16(FP)
	VZEROUPPER
	RET

// func addAVX2(n int, dst, x *float32)
TEXT ·addAVX2(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ x+16(FP), SI

add:
	VMOVUPS (DI), Y0
	VADDPS (SI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ add
	VZEROUPPER
	RET

// func scaleAVX2(n int, dst, x *float32, factor float32)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-28
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ x+16(FP), SI
	VBROADCASTSS factor+24(FP), Y1

scale:
	VMULPS (SI), Y1, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ scale
	VZEROUPPER
	RET

// func standardiseAVX2(n int, dst, x, mean *float32, inv float32)
TEXT ·standardiseAVX2(SB), NOSPLIT, $0-36
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ x+16(FP), SI
	MOVQ mean+24(FP), DX
	VBROADCASTSS inv+32(FP), Y1

standardise:
	VMOVUPS (SI), Y0
	VSUBPS (DX), Y0, Y0
	VMULPS Y1, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, DX
	SUBQ $8, CX
	JNZ standardise
	VZEROUPPER
	RET

// func spreadAVX2(n int, x *float32) float32
TEXT ·spreadAVX2(SB), NOSPLIT, $0-20
	MOVQ n+0(FP), CX
	MOVQ x+8(FP), SI
	VXORPS Y1, Y1, Y1

spread:
	VMOVUPS (SI), Y0
	VSUBPS Y0, Y0, Y0
	VADDPS Y0, Y1, Y1
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ spread
	SUM(Y1, X1)
	VMOVSS X1, ret+16(FP)
	VZEROUPPER
	RET
