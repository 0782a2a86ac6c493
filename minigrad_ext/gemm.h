/* C <- [C +] A B [+ bias] for any strides of A, B and C, in float and double.

   B is packed in panels as wide as a tile (where packing pays), each panel meets all rows of A in the micro-kernel of
   tile.h, and A is packed once where it meets three panels or more. Where the product of the transposes is cheaper
   (B^T A^T: no packing of a transposed B), that is what is computed, and C is stored transposed.

   Bits: every entry is a sum over k in order, cut at multiples of LONGEST, for all layouts, paths and numbers of threads.
   Memory: the two packing buffers are per thread and live as long as it does. */
#ifndef MINIGRAD_GEMM_H
#define MINIGRAD_GEMM_H

#include "simd.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
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
typedef strip_t_f32 strip_t_base_f32, strip_t_avx2_f32, strip_t_avx512_f32;
typedef strip_t_f64 strip_t_base_f64, strip_t_avx2_f64, strip_t_avx512_f64;

/* Tiles: accumulators + a row of B + one of A in 16 registers (baseline, AVX2) or 32 (AVX-512, NEON). */
#if defined(MG_PLAIN_C)
#define BASE_VECTORS 4
#define BASE_ROWS 4
#define BASE_TALL 4
#elif defined(__aarch64__)
#define BASE_VECTORS 3
#define BASE_ROWS 8
#define BASE_TALL 8
#else
#define BASE_VECTORS 3
#define BASE_ROWS 4
#define BASE_TALL 6
#endif

#define REAL float
#define NAME(x) x##_base_f32
#define VECTOR_BYTES 16
#define TILE_VECTORS BASE_VECTORS
#define TILE_ROWS BASE_ROWS
#define TALL_ROWS BASE_TALL
#include "tile.h"
#define REAL double
#define NAME(x) x##_base_f64
#define VECTOR_BYTES 16
#define TILE_VECTORS BASE_VECTORS
#define TILE_ROWS BASE_ROWS
#define TALL_ROWS BASE_TALL
#include "tile.h"

#if defined(MG_X86) && defined(__GNUC__) && !defined(MG_PLAIN_C)
#define MG_SETS 3

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define REAL float
#define NAME(x) x##_avx2_f32
#define VECTOR_BYTES 32
#define TILE_VECTORS 2
#define TILE_ROWS 6
#define TALL_ROWS 6
#include "tile.h"
#define REAL double
#define NAME(x) x##_avx2_f64
#define VECTOR_BYTES 32
#define TILE_VECTORS 2
#define TILE_ROWS 6
#define TALL_ROWS 6
#include "tile.h"
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif
#define REAL float
#define NAME(x) x##_avx512_f32
#define VECTOR_BYTES 64
#define TILE_VECTORS 3
#define TILE_ROWS 8
#define TALL_ROWS 14
#include "tile.h"
#define REAL double
#define NAME(x) x##_avx512_f64
#define VECTOR_BYTES 64
#define TILE_VECTORS 3
#define TILE_ROWS 8
#define TALL_ROWS 14
#include "tile.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else
#define MG_SETS 1
#endif

/* What a width and instruction set consists of. */
#define KERNELS(REAL, WIDTH)                                                                                             \
    typedef struct {                                                                                                     \
        ptrdiff_t lanes, vectors, rows, tall;                                                                            \
        void (*strip)(const strip_t_##WIDTH *);                                                                          \
        void (*pack)(ptrdiff_t, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t, REAL *);                                  \
        void (*pack_rows)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t, REAL *);                  \
        void (*columns)(ptrdiff_t, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t, REAL *, int);                          \
    } kernels_##WIDTH;
KERNELS(float, f32)
KERNELS(double, f64)
#define ENTRY(lanes, vectors, rows, tall, set) {lanes, vectors, rows, tall, strip_##set, pack_##set, pack_rows_##set, columns_##set}
#if defined(MG_PLAIN_C)
#define BASE_LANES(n) 1
#else
#define BASE_LANES(n) n
#endif
/* indexed by the instruction set: runtime's isa_level() */
static const kernels_f32 KERNELS_f32[MG_SETS] = {
    ENTRY(BASE_LANES(4), BASE_VECTORS, BASE_ROWS, BASE_TALL, base_f32),
#if MG_SETS > 1
    ENTRY(8, 2, 6, 6, avx2_f32), ENTRY(16, 3, 8, 14, avx512_f32),
#endif
};
static const kernels_f64 KERNELS_f64[MG_SETS] = {
    ENTRY(BASE_LANES(2), BASE_VECTORS, BASE_ROWS, BASE_TALL, base_f64),
#if MG_SETS > 1
    ENTRY(4, 2, 6, 6, avx2_f64), ENTRY(8, 3, 8, 14, avx512_f64),
#endif
};

static inline ptrdiff_t mg_least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t mg_ceil(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

#define REAL float
#define WIDTH f32
#include "gemm_body.h"
#define REAL double
#define WIDTH f64
#include "gemm_body.h"

#endif
