/* C <- [C +] A B [+ bias] for any strides of A, B and C: gemm_body.h, once for each instruction set and width.

   Bits: every entry is a sum over k in order, cut at multiples of DEEP, for all layouts, paths and numbers of threads;
   of a product with a vector it is four sums, as vector.h says.
 */
#ifndef MINIGRAD_GEMM_H
#define MINIGRAD_GEMM_H

#include <string.h>
#include "parts.h"
#include "simd.h"

#ifdef MG_X86
#include <immintrin.h>
#endif

/* MG_WEAVE(LOW, f32, 4, a, b) is a0 b0 a1 b1, HIGH: a2 b2 a3 b3; of longer vectors that of every 128 bits. Not defined
   where the compiler cannot say it. */
#if !defined(MG_PLAIN_C) && (defined(__clang__) || __GNUC__ >= 12)
#define MG_WEAVE(half, width, lanes, a, b) __builtin_shufflevector(a, b, MG_PASTE(MG_PASTE(half, width), lanes))
#define LOW_f64_2 0, 2
#define HIGH_f64_2 1, 3
#define LOW_f64_4 0, 4, 2, 6
#define HIGH_f64_4 1, 5, 3, 7
#define LOW_f64_8 0, 8, 2, 10, 4, 12, 6, 14
#define HIGH_f64_8 1, 9, 3, 11, 5, 13, 7, 15
#define LOW_f32_4 0, 4, 1, 5
#define HIGH_f32_4 2, 6, 3, 7
#define LOW_f32_8 0, 8, 1, 9, 4, 12, 5, 13
#define HIGH_f32_8 2, 10, 3, 11, 6, 14, 7, 15
#define LOW_f32_16 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH_f32_16 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#endif

#define MOST_SUMS 32 /* accumulators of the largest tile */

/* Of a product with a vector, vector.h. */
#define SPAN 512             /* of k at once: so many pages are looked at again for the next columns */
#define MOST_DOTS 12         /* rows at once */
#define PAIR_ROWS 8          /* rows that the product of two vectors is made into */
#define FAR_BYTES (16 << 20) /* a matrix that no cache holds */

#ifndef DEEP
#define DEEP 1024 /* k of one pass: the widths of these nets in one (512 costs them 2 to 3 %) */
#define ROWS_BYTES \
    (512 << 10)       /* a block of rows of A, DEEP long or shorter: it stays in L2 while it meets the panels */
#define MOST_ROWS 224 /* of a block: whole tiles of 8, 14 and 4 rows */
#define PANELS_BYTES (2 << 20) /* the panels of B of one pass */
#define FAR_ROWS 64            /* rows of a far B that are read beside each other */
#define SUMS_BYTES (128 << 10) /* of few rows of C, carried from piece to piece */
#endif

/* A (m, k), B (k, n), C (m, n), strides in items. Bias entry (i, j) is at bias[i bi + j bj], or bias is NULL. add: C is
   read too. */
typedef struct {
    ptrdiff_t m, n, k;
    const void *a;
    ptrdiff_t ra, ca;
    const void *b;
    ptrdiff_t rb, cb;
    void *c;
    ptrdiff_t rc, cc;
    const void *bias;
    ptrdiff_t bi, bj;
    int add;
    Team team;
} Product;

#define TIGHT_LOOP
#define BODY "gemm_body.h"
#include "variants.h"

/* 0, or -1 where memory for packing is lacking. */
static int mg_gemm(char code, int isa, const Product *g) {
    static int (*const kernels[2][MG_SETS])(const Product *) = BOTH(gemm);
    return kernels[code == 'd'][isa](g);
}

/* sums[j] <- [sums +] the sum of column j of G (m, n). */
static void mg_columns(char code, int isa, ptrdiff_t m, ptrdiff_t n, const void *g, ptrdiff_t rg, ptrdiff_t cg,
                       void *sums, int add) {
    static void (*const kernels[2][MG_SETS])(ptrdiff_t, ptrdiff_t, const void *, ptrdiff_t, ptrdiff_t, void *, int) =
        BOTH(columns);
    const uint64_t before = mg_flush_on();
    kernels[code == 'd'][isa](m, n, g, rg, cg, sums, add);
    mg_flush_off(before);
}

#endif
