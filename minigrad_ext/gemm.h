/* C <- [C +] A B [+ bias] for any strides of A, B and C, in float and double.

   B is packed in panels as wide as a tile (where packing pays), each panel meets all rows of A in the micro-kernel of
   tile.h, and A is packed once where it meets three panels or more and does not lie well. Where the product of the
   transposes is cheaper (B^T A^T: no packing of a transposed B), that is what is computed, and C is stored transposed.

   Bits: every entry is a sum over k in order, cut at multiples of LONGEST, for all layouts, paths and numbers of threads.
   Memory: the two packing buffers are per thread and live as long as it does. */
#ifndef MINIGRAD_GEMM_H
#define MINIGRAD_GEMM_H

#include <string.h>
#include "parts.h"
#include "simd.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
#endif

/* MG_ZIP(LOW, 4, a, b) is a0 b0 a1 b1; HIGH: a2 b2 a3 b3. Not defined where the compiler cannot say it. */
#if !defined(MG_PLAIN_C) && (defined(__clang__) || __GNUC__ >= 12)
#define MG_ZIP(half, numbers, a, b) __builtin_shufflevector(a, b, MG_PASTE(half, numbers))
#define LOW_2 0, 2
#define HIGH_2 1, 3
#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#endif

#if defined(_MSC_VER)
#define MG_THREAD_LOCAL static __declspec(thread) __declspec(align(64))
#else
#define MG_THREAD_LOCAL static _Thread_local __attribute__((aligned(64)))
#endif

#define MOST_SUMS 32   /* accumulators of the largest tile */
#define GEMV_VECTORS 8 /* one row of A against so many vectors of B */
#define LONGEST 2048   /* k of one pass: a panel of it (48 floats wide) takes 384 KiB of L2 */
#define PANEL_BYTES (LONGEST * 3 * 64)
#define ROWS_BYTES (512 * 1024)

/* The operands of the micro-kernel (tile.h). Strides in items.
   m rows of A against one panel of B with nr columns; block: 0, or the height of the tiles A is packed in (then ra and ca
   are not read, and segments is 1). rc, cc: strides of C; bias entry (i, j) at bias[i bi + j bj], or NULL. */
#define STRIP(REAL)                                                                                                      \
    {                                                                                                                    \
        ptrdiff_t m, nr, k, segments;                                                                                    \
        const REAL *a;                                                                                                   \
        ptrdiff_t ra, ca, sa, block;                                                                                     \
        const REAL *b;                                                                                                   \
        ptrdiff_t rb, sb;                                                                                                \
        REAL *c;                                                                                                         \
        ptrdiff_t rc, cc;                                                                                                \
        const REAL *bias;                                                                                                \
        ptrdiff_t bi, bj;                                                                                                \
        int add;                                                                                                         \
    }
typedef struct STRIP(float) strip_t_f32;
typedef struct STRIP(double) strip_t_f64;

/* What an instruction set has for a width: vectors of `lanes` numbers, tiles of `rows` x `vectors`, and the functions. */
#define KERNELS(REAL, WIDTH)                                                                                             \
    typedef struct {                                                                                                     \
        ptrdiff_t lanes, vectors, rows;                                                                                  \
        void (*strip)(const strip_t_##WIDTH *);                                                                          \
        void (*pack)(ptrdiff_t, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t, REAL *);                                  \
        void (*pack_rows)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t, REAL *);                  \
        void (*columns)(ptrdiff_t, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t, REAL *, int);                          \
    } kernels_##WIDTH;
KERNELS(float, f32)
KERNELS(double, f64)

#define TIGHT_LOOP
#define BODY "tile.h"
#include "variants.h"
static const kernels_f32 *const KERNELS_f32[] = VARIANTS(&kernels, f32); /* indexed by runtime's isa_level() */
static const kernels_f64 *const KERNELS_f64[] = VARIANTS(&kernels, f64);

static inline ptrdiff_t mg_least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t mg_ceil(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

#define REAL float
#define WIDTH f32
#include "gemm_body.h"
#define REAL double
#define WIDTH f64
#include "gemm_body.h"

#endif
