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

// Eight words of ones and eight of zeros: a mask of r words begins 8-r words in.
DATA words<>+0(SB)/8, $-1
DATA words<>+8(SB)/8, $-1
DATA words<>+16(SB)/8, $-1
DATA words<>+24(SB)/8, $-1
DATA words<>+32(SB)/8, $0
DATA words<>+40(SB)/8, $0
DATA words<>+48(SB)/8, $0
DATA words<>+56(SB)/8, $0
GLOBL words<>(SB), RODATA|NOPTR, $64

#define STEP_L1(row, q, t, sum) \
	VSUBPS row, q, t \
	VANDPS Y14, t, t \
	VADDPS t, sum, sum

// SUMS adds up the eight values of y, whose low half is x, to four in x.
#define SUMS(y, x) \
	VEXTRACTF128 $1, y, X8 \
	VADDPS X8, x, x

// Every row has two sums: of its even and odd runs of 8 values. What is left of
// less than 8 is masked by Y11 and goes to the odd sum.
#define ROWS \
	ARGUMENTS \
	MOVQ R12, AX \
	ANDQ $7, AX \
	NEGQ AX \
	LEAQ words<>+32(SB), R13 \
	VMOVDQU (R13)(AX*4), Y11 \
	SHLQ $2, R12 \
	MOVQ n+32(FP), CX \
	LEAQ -64(R12), R15 \
group: \
	AHEAD \
	CMPQ CX, $4 \
	JLT  single \
	FOUR \
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1 \
	VXORPS Y2, Y2, Y2 \
	VXORPS Y3, Y3, Y3 \
	VXORPS Y4, Y4, Y4 \
	VXORPS Y5, Y5, Y5 \
	VXORPS Y6, Y6, Y6 \
	VXORPS Y7, Y7, Y7 \
	CMPQ AX, R15 \
	JGT  half4 \
loop4: \
	VMOVUPS 0(SI)(AX*1), Y8 \
	VMOVUPS 32(SI)(AX*1), Y9 \
	STEP(0(R8)(AX*1), Y8, Y10, Y0) \
	STEP(0(R9)(AX*1), Y8, Y10, Y2) \
	STEP(0(R10)(AX*1), Y8, Y10, Y4) \
	STEP(0(R11)(AX*1), Y8, Y10, Y6) \
	STEP(32(R8)(AX*1), Y9, Y10, Y1) \
	STEP(32(R9)(AX*1), Y9, Y10, Y3) \
	STEP(32(R10)(AX*1), Y9, Y10, Y5) \
	STEP(32(R11)(AX*1), Y9, Y10, Y7) \
	ADDQ $64, AX \
	CMPQ AX, R15 \
	JLE  loop4 \
half4: \
	LEAQ 32(R15), R13 \
	CMPQ AX, R13 \
	JGT  tail4 \
	VMOVUPS 0(SI)(AX*1), Y8 \
	STEP(0(R8)(AX*1), Y8, Y10, Y0) \
	STEP(0(R9)(AX*1), Y8, Y10, Y2) \
	STEP(0(R10)(AX*1), Y8, Y10, Y4) \
	STEP(0(R11)(AX*1), Y8, Y10, Y6) \
	ADDQ $32, AX \
tail4: \
	CMPQ AX, R12 \
	JGE  sums4 \
	VMASKMOVPS 0(SI)(AX*1), Y11, Y8 \
	VMASKMOVPS 0(R8)(AX*1), Y11, Y9 \
	STEP(Y9, Y8, Y10, Y1) \
	VMASKMOVPS 0(R9)(AX*1), Y11, Y9 \
	STEP(Y9, Y8, Y10, Y3) \
	VMASKMOVPS 0(R10)(AX*1), Y11, Y9 \
	STEP(Y9, Y8, Y10, Y5) \
	VMASKMOVPS 0(R11)(AX*1), Y11, Y9 \
	STEP(Y9, Y8, Y10, Y7) \
sums4: \
	VADDPS Y1, Y0, Y0 \
	VADDPS Y3, Y2, Y2 \
	VADDPS Y5, Y4, Y4 \
	VADDPS Y7, Y6, Y6 \
	SUMS(Y0, X0) \
	SUMS(Y2, X2) \
	SUMS(Y4, X4) \
	SUMS(Y6, X6) \
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
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1 \
	CMPQ AX, R15 \
	JGT  half1 \
loop1: \
	VMOVUPS 0(SI)(AX*1), Y8 \
	VMOVUPS 32(SI)(AX*1), Y9 \
	STEP(0(R8)(AX*1), Y8, Y10, Y0) \
	STEP(32(R8)(AX*1), Y9, Y10, Y1) \
	ADDQ $64, AX \
	CMPQ AX, R15 \
	JLE  loop1 \
half1: \
	LEAQ 32(R15), R13 \
	CMPQ AX, R13 \
	JGT  tail1 \
	VMOVUPS 0(SI)(AX*1), Y8 \
	STEP(0(R8)(AX*1), Y8, Y10, Y0) \
	ADDQ $32, AX \
tail1: \
	CMPQ AX, R12 \
	JGE  sums1 \
	VMASKMOVPS 0(SI)(AX*1), Y11, Y8 \
	VMASKMOVPS 0(R8)(AX*1), Y11, Y9 \
	STEP(Y9, Y8, Y10, Y1) \
sums1: \
	VADDPS Y1, Y0, Y0 \
	SUMS(Y0, X0) \
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

// func squaredL2AVX2(dst, query, rows *float32, at *uint32, n, dim int)
TEXT ·squaredL2AVX2(SB), NOSPLIT, $0-48
	ROWS

#undef STEP
#define STEP(row, q, t, sum) STEP_L1(row, q, t, sum)

// func manhattanAVX2(dst, query, rows *float32, at *uint32, n, dim int)
TEXT ·manhattanAVX2(SB), NOSPLIT, $0-48
	VBROADCASTSS magnitude<>(SB), Y14
	ROWS

#undef STEP
#undef FINISH
#define STEP(row, q, t, sum) STEP_DOT(row, q, t, sum)
#define FINISH(x) FINISH_COSINE(x)

// func cosineAVX2(dst, query, rows *float32, at *uint32, n, dim int)
TEXT ·cosineAVX2(SB), NOSPLIT, $0-48
	VBROADCASTSS unit<>(SB), X12
	VXORPS X13, X13, X13
	ROWS

#undef FINISH
#define FINISH(x) FINISH_DOT(x)

// func negativeDotAVX2(dst, query, rows *float32, at *uint32, n, dim int)
TEXT ·negativeDotAVX2(SB), NOSPLIT, $0-48
	VBROADCASTSS sign<>(SB), X12
	VBROADCASTSS infinity<>(SB), X13
	ROWS
