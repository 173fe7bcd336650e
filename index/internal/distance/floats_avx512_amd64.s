//go:build amd64 && !purego

#include "textflag.h"
#include "rows_amd64.h"

DATA unit<>+0(SB)/4, $0x3f800000 // 1
GLOBL unit<>(SB), RODATA|NOPTR, $4
DATA sign<>+0(SB)/4, $0x80000000
GLOBL sign<>(SB), RODATA|NOPTR, $4
DATA infinity<>+0(SB)/4, $0x7f800000
GLOBL infinity<>(SB), RODATA|NOPTR, $4
DATA magnitude<>+0(SB)/4, $0x7fffffff
GLOBL magnitude<>(SB), RODATA|NOPTR, $4

#define STEP_L1(row, q, t, sum) \
	VSUBPS row, q, t \
	VPANDD Z31, t, t \
	VADDPS t, sum, sum

// SUMS adds up the 16 values of z, whose low halves are y and x, to four in x.
#define SUMS(z, y, x) \
	VEXTRACTF64X4 $1, z, Y8 \
	VADDPS Y8, y, y \
	VEXTRACTF128 $1, y, X8 \
	VADDPS X8, x, x

// Every row has two sums: of its even and odd runs of 16 values. What is left of
// less than 16 is masked by K1 and goes to the odd sum.
#define ROWS \
	ARGUMENTS \
	MOVQ R12, CX \
	ANDQ $15, CX \
	MOVL $1, AX \
	SHLL CX, AX \
	DECL AX \
	KMOVW AX, K1 \
	SHLQ $2, R12 \
	MOVQ n+32(FP), CX \
	LEAQ -128(R12), R15 \
group: \
	AHEAD \
	CMPQ CX, $4 \
	JLT  single \
	FOUR \
	VXORPS X0, X0, X0 \
	VXORPS X1, X1, X1 \
	VXORPS X2, X2, X2 \
	VXORPS X3, X3, X3 \
	VXORPS X4, X4, X4 \
	VXORPS X5, X5, X5 \
	VXORPS X6, X6, X6 \
	VXORPS X7, X7, X7 \
	CMPQ AX, R15 \
	JGT  half4 \
loop4: \
	VMOVUPS 0(SI)(AX*1), Z16 \
	VMOVUPS 64(SI)(AX*1), Z17 \
	STEP(0(R8)(AX*1), Z16, Z18, Z0) \
	STEP(0(R9)(AX*1), Z16, Z19, Z2) \
	STEP(0(R10)(AX*1), Z16, Z20, Z4) \
	STEP(0(R11)(AX*1), Z16, Z21, Z6) \
	STEP(64(R8)(AX*1), Z17, Z22, Z1) \
	STEP(64(R9)(AX*1), Z17, Z23, Z3) \
	STEP(64(R10)(AX*1), Z17, Z24, Z5) \
	STEP(64(R11)(AX*1), Z17, Z25, Z7) \
	ADDQ $128, AX \
	CMPQ AX, R15 \
	JLE  loop4 \
half4: \
	LEAQ 64(R15), R13 \
	CMPQ AX, R13 \
	JGT  tail4 \
	VMOVUPS 0(SI)(AX*1), Z16 \
	STEP(0(R8)(AX*1), Z16, Z18, Z0) \
	STEP(0(R9)(AX*1), Z16, Z19, Z2) \
	STEP(0(R10)(AX*1), Z16, Z20, Z4) \
	STEP(0(R11)(AX*1), Z16, Z21, Z6) \
	ADDQ $64, AX \
tail4: \
	CMPQ AX, R12 \
	JGE  sums4 \
	VMOVUPS.Z 0(SI)(AX*1), K1, Z16 \
	VMOVUPS.Z 0(R8)(AX*1), K1, Z22 \
	VMOVUPS.Z 0(R9)(AX*1), K1, Z23 \
	VMOVUPS.Z 0(R10)(AX*1), K1, Z24 \
	VMOVUPS.Z 0(R11)(AX*1), K1, Z25 \
	STEP(Z22, Z16, Z18, Z1) \
	STEP(Z23, Z16, Z19, Z3) \
	STEP(Z24, Z16, Z20, Z5) \
	STEP(Z25, Z16, Z21, Z7) \
sums4: \
	VADDPS Z1, Z0, Z0 \
	VADDPS Z3, Z2, Z2 \
	VADDPS Z5, Z4, Z4 \
	VADDPS Z7, Z6, Z6 \
	SUMS(Z0, Y0, X0) \
	SUMS(Z2, Y2, X2) \
	SUMS(Z4, Y4, X4) \
	SUMS(Z6, Y6, X6) \
	VHADDPS X2, X0, X0 \
	VHADDPS X6, X4, X4 \
	VHADDPS X4, X0, X0 \
	FINISH(X0) \
	VMOVUPS X0, (DI) \
	ADDQ $16, DI \
	SUBQ $4, CX \
	JMP  group \
single: \
	TESTQ CX, CX \
	JZ   done \
	ONE \
	VXORPS X0, X0, X0 \
	VXORPS X1, X1, X1 \
	CMPQ AX, R15 \
	JGT  half1 \
loop1: \
	VMOVUPS 0(SI)(AX*1), Z16 \
	VMOVUPS 64(SI)(AX*1), Z17 \
	STEP(0(R8)(AX*1), Z16, Z18, Z0) \
	STEP(64(R8)(AX*1), Z17, Z22, Z1) \
	ADDQ $128, AX \
	CMPQ AX, R15 \
	JLE  loop1 \
half1: \
	LEAQ 64(R15), R13 \
	CMPQ AX, R13 \
	JGT  tail1 \
	VMOVUPS 0(SI)(AX*1), Z16 \
	STEP(0(R8)(AX*1), Z16, Z18, Z0) \
	ADDQ $64, AX \
tail1: \
	CMPQ AX, R12 \
	JGE  sums1 \
	VMOVUPS.Z 0(SI)(AX*1), K1, Z16 \
	VMOVUPS.Z 0(R8)(AX*1), K1, Z22 \
	STEP(Z22, Z16, Z18, Z1) \
sums1: \
	VADDPS Z1, Z0, Z0 \
	SUMS(Z0, Y0, X0) \
	VHADDPS X0, X0, X0 \
	VHADDPS X0, X0, X0 \
	FINISH(X0) \
	VMOVSS X0, (DI) \
	ADDQ $4, DI \
	DECQ CX \
	JMP  single \
done: \
	VZEROUPPER \
	RET

#define STEP(row, q, t, sum) STEP_L2(row, q, t, sum)
#define FINISH(x)

// func squaredL2AVX512(dst, query, rows *float32, at *uint32, n, dim int)
TEXT ·squaredL2AVX512(SB), NOSPLIT, $0-48
	ROWS

#undef STEP
#define STEP(row, q, t, sum) STEP_L1(row, q, t, sum)

// func manhattanAVX512(dst, query, rows *float32, at *uint32, n, dim int)
TEXT ·manhattanAVX512(SB), NOSPLIT, $0-48
	VPBROADCASTD magnitude<>(SB), Z31
	ROWS

#undef STEP
#undef FINISH
#define STEP(row, q, t, sum) STEP_DOT(row, q, t, sum)
#define FINISH(x) FINISH_COSINE(x)

// func cosineAVX512(dst, query, rows *float32, at *uint32, n, dim int)
TEXT ·cosineAVX512(SB), NOSPLIT, $0-48
	VBROADCASTSS unit<>(SB), X12
	VXORPS X13, X13, X13
	ROWS

#undef FINISH
#define FINISH(x) FINISH_DOT(x)

// func negativeDotAVX512(dst, query, rows *float32, at *uint32, n, dim int)
TEXT ·negativeDotAVX512(SB), NOSPLIT, $0-48
	VBROADCASTSS sign<>(SB), X12
	VBROADCASTSS infinity<>(SB), X13
	ROWS
