//go:build amd64 && !purego

#include "textflag.h"
#include "rows_amd64.h"

DATA low<>+0(SB)/4, $0xffff
GLOBL low<>(SB), RODATA|NOPTR, $4
DATA high<>+0(SB)/4, $0x47800000 // 65536
GLOBL high<>(SB), RODATA|NOPTR, $4

// Sixteen 16-bit words of zeros and sixteen of ones: a mask of the last r words
// begins r words in.
DATA last<>+0(SB)/8, $0
DATA last<>+8(SB)/8, $0
DATA last<>+16(SB)/8, $0
DATA last<>+24(SB)/8, $0
DATA last<>+32(SB)/8, $-1
DATA last<>+40(SB)/8, $-1
DATA last<>+48(SB)/8, $-1
DATA last<>+56(SB)/8, $-1
GLOBL last<>(SB), RODATA|NOPTR, $64

#define SUMS512(z, y, x) \
	VEXTRACTI64X4 $1, z, Y8 \
	VPADDD Y8, y, y \
	VEXTRACTI128 $1, y, X8 \
	VPADDD X8, x, x

// Codes become 16-bit words, so that a difference fits.
#define STEP512(row, sum) \
	WIDEN row, Z18 \
	VPSUBW Z16, Z18, Z18 \
	VPDPWSSD Z18, Z18, sum

#define TAIL512(row, sum) \
	VMOVDQU8.Z row, K1, Y18 \
	WIDEN Y18, Z18 \
	VPSUBW Z16, Z18, Z18 \
	VPDPWSSD Z18, Z18, sum

#define ROWS512 \
	ARGUMENTS \
	MOVQ R12, CX \
	ANDQ $31, CX \
	MOVQ $1, AX \
	SHLQ CX, AX \
	DECQ AX \
	KMOVD AX, K1 \
	VBROADCASTSS scale+48(FP), X12 \
	MOVQ n+32(FP), CX \
	LEAQ -32(R12), R15 \
group: \
	AHEAD \
	CMPQ CX, $4 \
	JLT  single \
	FOUR \
	VPXOR X0, X0, X0 \
	VPXOR X1, X1, X1 \
	VPXOR X2, X2, X2 \
	VPXOR X3, X3, X3 \
	CMPQ AX, R15 \
	JGT  tail4 \
loop4: \
	WIDEN (SI)(AX*1), Z16 \
	STEP512((R8)(AX*1), Z0) \
	STEP512((R9)(AX*1), Z1) \
	STEP512((R10)(AX*1), Z2) \
	STEP512((R11)(AX*1), Z3) \
	ADDQ $32, AX \
	CMPQ AX, R15 \
	JLE  loop4 \
tail4: \
	CMPQ AX, R12 \
	JGE  sums4 \
	VMOVDQU8.Z (SI)(AX*1), K1, Y16 \
	WIDEN Y16, Z16 \
	TAIL512((R8)(AX*1), Z0) \
	TAIL512((R9)(AX*1), Z1) \
	TAIL512((R10)(AX*1), Z2) \
	TAIL512((R11)(AX*1), Z3) \
sums4: \
	SUMS512(Z0, Y0, X0) \
	SUMS512(Z1, Y1, X1) \
	SUMS512(Z2, Y2, X2) \
	SUMS512(Z3, Y3, X3) \
	VPHADDD X1, X0, X0 \
	VPHADDD X3, X2, X2 \
	VPHADDD X2, X0, X0 \
	VCVTUDQ2PS X0, X0 \
	VMULPS X12, X0, X0 \
	VMOVUPS X0, (DI) \
	ADDQ $16, DI \
	SUBQ $4, CX \
	JMP  group \
single: \
	TESTQ CX, CX \
	JZ   done \
	ONE \
	VPXOR X0, X0, X0 \
	CMPQ AX, R15 \
	JGT  tail1 \
loop1: \
	WIDEN (SI)(AX*1), Z16 \
	STEP512((R8)(AX*1), Z0) \
	ADDQ $32, AX \
	CMPQ AX, R15 \
	JLE  loop1 \
tail1: \
	CMPQ AX, R12 \
	JGE  sums1 \
	VMOVDQU8.Z (SI)(AX*1), K1, Y16 \
	WIDEN Y16, Z16 \
	TAIL512((R8)(AX*1), Z0) \
sums1: \
	SUMS512(Z0, Y0, X0) \
	VPHADDD X0, X0, X0 \
	VPHADDD X0, X0, X0 \
	VCVTUDQ2PS X0, X0 \
	VMULPS X12, X0, X0 \
	VMOVSS X0, (DI) \
	ADDQ $4, DI \
	DECQ CX \
	JMP  single \
done: \
	VZEROUPPER \
	RET

#define SUMS256(y, x) \
	VEXTRACTI128 $1, y, X8 \
	VPADDD X8, x, x

#define STEP256(row, sum) \
	WIDEN row, Y10 \
	VPSUBW Y9, Y10, Y10 \
	VPMADDWD Y10, Y10, Y10 \
	VPADDD Y10, sum, sum

// What is left of less than 16 codes is read with the codes before it, which the
// mask in Y11 takes out.
#define TAIL256(row, sum) \
	WIDEN row, Y10 \
	VPSUBW Y9, Y10, Y10 \
	VPAND Y11, Y10, Y10 \
	VPMADDWD Y10, Y10, Y10 \
	VPADDD Y10, sum, sum

// SCALE256 makes the unsigned sums in X0 float32, by halves that are exact, and
// multiplies them by the scale in X12.
#define SCALE256 \
	VPSRLD $16, X0, X8 \
	VPAND X13, X0, X0 \
	VCVTDQ2PS X8, X8 \
	VCVTDQ2PS X0, X0 \
	VMULPS X14, X8, X8 \
	VADDPS X8, X0, X0 \
	VMULPS X12, X0, X0

#define ROWS256 \
	ARGUMENTS \
	MOVQ R12, AX \
	ANDQ $15, AX \
	LEAQ last<>(SB), R13 \
	VMOVDQU (R13)(AX*2), Y11 \
	VBROADCASTSS scale+48(FP), X12 \
	VPBROADCASTD low<>(SB), X13 \
	VBROADCASTSS high<>(SB), X14 \
	MOVQ n+32(FP), CX \
	LEAQ -16(R12), R15 \
group: \
	AHEAD \
	CMPQ CX, $4 \
	JLT  single \
	FOUR \
	VPXOR Y0, Y0, Y0 \
	VPXOR Y1, Y1, Y1 \
	VPXOR Y2, Y2, Y2 \
	VPXOR Y3, Y3, Y3 \
loop4: \
	WIDEN (SI)(AX*1), Y9 \
	STEP256((R8)(AX*1), Y0) \
	STEP256((R9)(AX*1), Y1) \
	STEP256((R10)(AX*1), Y2) \
	STEP256((R11)(AX*1), Y3) \
	ADDQ $16, AX \
	CMPQ AX, R15 \
	JLE  loop4 \
	CMPQ AX, R12 \
	JGE  sums4 \
	WIDEN (SI)(R15*1), Y9 \
	TAIL256((R8)(R15*1), Y0) \
	TAIL256((R9)(R15*1), Y1) \
	TAIL256((R10)(R15*1), Y2) \
	TAIL256((R11)(R15*1), Y3) \
sums4: \
	SUMS256(Y0, X0) \
	SUMS256(Y1, X1) \
	SUMS256(Y2, X2) \
	SUMS256(Y3, X3) \
	VPHADDD X1, X0, X0 \
	VPHADDD X3, X2, X2 \
	VPHADDD X2, X0, X0 \
	SCALE256 \
	VMOVUPS X0, (DI) \
	ADDQ $16, DI \
	SUBQ $4, CX \
	JMP  group \
single: \
	TESTQ CX, CX \
	JZ   done \
	ONE \
	VPXOR Y0, Y0, Y0 \
loop1: \
	WIDEN (SI)(AX*1), Y9 \
	STEP256((R8)(AX*1), Y0) \
	ADDQ $16, AX \
	CMPQ AX, R15 \
	JLE  loop1 \
	CMPQ AX, R12 \
	JGE  sums1 \
	WIDEN (SI)(R15*1), Y9 \
	TAIL256((R8)(R15*1), Y0) \
sums1: \
	SUMS256(Y0, X0) \
	VPHADDD X0, X0, X0 \
	VPHADDD X0, X0, X0 \
	SCALE256 \
	VMOVSS X0, (DI) \
	ADDQ $4, DI \
	DECQ CX \
	JMP  single \
done: \
	VZEROUPPER \
	RET

#define WIDEN VPMOVSXBW

// func int8sAVX512(dst *float32, query, rows *int8, at *uint32, n, dim int, scale float32)
TEXT ·int8sAVX512(SB), NOSPLIT, $0-52
	ROWS512

// func int8sAVX2(dst *float32, query, rows *int8, at *uint32, n, dim int, scale float32)
TEXT ·int8sAVX2(SB), NOSPLIT, $0-52
	ROWS256

#undef WIDEN
#define WIDEN VPMOVZXBW

// func uint8sAVX512(dst *float32, query, rows *uint8, at *uint32, n, dim int, scale float32)
TEXT ·uint8sAVX512(SB), NOSPLIT, $0-52
	ROWS512

// func uint8sAVX2(dst *float32, query, rows *uint8, at *uint32, n, dim int, scale float32)
TEXT ·uint8sAVX2(SB), NOSPLIT, $0-52
	ROWS256
