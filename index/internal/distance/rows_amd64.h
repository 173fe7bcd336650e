// What the kernels have in common. Registers:
//
//	DI  where the next distance goes     SI  query
//	DX  rows, or the next row in order   BX  next row number; 0 for rows in order
//	CX  rows left                        R12 bytes per row
//	R8 to R11 the rows at hand           AX  offset in a row
//	R14 how far past BX rows are fetched R13 scratch
//
// A macro with labels is for one use in a function.

// AHEAD fetches the rows up to the twelfth from BX that are not fetched yet.
#define AHEAD \
	TESTQ BX, BX \
	JZ    fetched \
	LEAQ  (CX*4), R13 \
	CMPQ  R13, $48 \
	JLE   fetch \
	MOVQ  $48, R13 \
fetch: \
	CMPQ R14, R13 \
	JGE  fetched \
	MOVL (BX)(R14*1), R8 \
	IMULQ R12, R8 \
	ADDQ DX, R8 \
	PREFETCHT0 -1(R8)(R12*1) \
	XORL AX, AX \
line: \
	PREFETCHT0 (R8)(AX*1) \
	ADDQ $64, AX \
	CMPQ AX, R12 \
	JLT  line \
	ADDQ $4, R14 \
	JMP  fetch \
fetched:

// FOUR points R8 to R11 to the next four rows.
#define FOUR \
	TESTQ BX, BX \
	JZ    four \
	MOVL  0(BX), R8 \
	MOVL  4(BX), R9 \
	MOVL  8(BX), R10 \
	MOVL  12(BX), R11 \
	IMULQ R12, R8 \
	IMULQ R12, R9 \
	IMULQ R12, R10 \
	IMULQ R12, R11 \
	ADDQ  DX, R8 \
	ADDQ  DX, R9 \
	ADDQ  DX, R10 \
	ADDQ  DX, R11 \
	ADDQ  $16, BX \
	SUBQ  $16, R14 \
	JMP   pointed \
four: \
	MOVQ DX, R8 \
	LEAQ (R8)(R12*1), R9 \
	LEAQ (R9)(R12*1), R10 \
	LEAQ (R10)(R12*1), R11 \
	LEAQ (R11)(R12*1), DX \
pointed: \
	XORL AX, AX

// ONE points R8 to the next row.
#define ONE \
	MOVQ  DX, R8 \
	ADDQ  R12, DX \
	TESTQ BX, BX \
	JZ    one \
	SUBQ  R12, DX \
	MOVL  (BX), R8 \
	IMULQ R12, R8 \
	ADDQ  DX, R8 \
	ADDQ  $4, BX \
one: \
	XORL AX, AX

#define ARGUMENTS \
	MOVQ dst+0(FP), DI \
	MOVQ query+8(FP), SI \
	MOVQ rows+16(FP), DX \
	MOVQ at+24(FP), BX \
	MOVQ dim+40(FP), R12 \
	XORL R14, R14

// The steps of the distances between float32 rows: t is scratch.
#define STEP_L2(row, q, t, sum) \
	VSUBPS row, q, t \
	VFMADD231PS t, t, sum

#define STEP_DOT(row, q, t, sum) \
	VFMADD231PS row, q, sum

// What is done to four sums in x: X12 holds the bits that CONSTANTS set, X13 zeros.
#define FINISH_COSINE(x) \
	VSUBPS x, X12, x \
	VMAXPS X13, x, x

#define FINISH_DOT(x) \
	VXORPS X12, x, x \
	VCMPPS $3, x, x, X8 \
	VBLENDVPS X8, X13, x, x
