//go:build amd64 && !purego

#include "textflag.h"

// func fetch(base *byte, stride int, at *uint32, n int)
TEXT ·fetch(SB), NOSPLIT, $0-32
	MOVQ base+0(FP), DX
	MOVQ stride+8(FP), R12
	MOVQ at+16(FP), BX
	MOVQ n+24(FP), CX

next:
	MOVL  (BX), R8
	IMULQ R12, R8
	ADDQ  DX, R8
	XORL  AX, AX

line:
	PREFETCHT0 (R8)(AX*1)
	ADDQ $64, AX
	CMPQ AX, R12
	JLT  line
	ADDQ $4, BX
	DECQ CX
	JNZ  next
	RET
