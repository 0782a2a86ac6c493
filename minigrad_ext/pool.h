/* Pooling of channels-last images over given windows: pool_body.h, once for each instruction set and width. */
#ifndef MINIGRAD_POOL_H
#define MINIGRAD_POOL_H

#include <stdint.h>
#include <string.h>
#include "simd.h"

/* Images (n, h, w, c); window (i, j) is rows [rows[2i], rows[2i + 1]) and columns [columns[2j], columns[2j + 1]).
 * halves: the windows are 2 x 2 and lie side by side from 0 on. */
typedef struct {
    ptrdiff_t n, h, w, c, oh, ow;
    const int64_t *rows, *columns;
    int halves;
} Pool;

/* `value` at `place` against `best` at `where`: it wins if it is greater or NaN, but nothing wins against NaN. Two nested
 * conditionals, because that is what compilers vectorise. */
#define CONTEST(value, place) \
    do { \
        const real x = (value), wins_x = !(x <= best) ? x : best; \
        const int32_t wins_i = !(x <= best) ? (place) : where; \
        where = best == best ? wins_i : where; \
        best = best == best ? wins_x : best; \
    } while (0)

#define MG_JOIN_(f, suffix) f##suffix
#define MG_JOIN(f, suffix) MG_JOIN_(f, suffix)

#define real float
#define whole int32_t
#define LANES 4
#define LANE_NUMBERS 0, 1, 2, 3
#define NAME(f) MG_JOIN(f, _f0)
#include "pool_body.h"
#undef real
#undef whole
#undef LANES
#undef LANE_NUMBERS
#undef NAME
#define real double
#define whole int64_t
#define LANES 2
#define LANE_NUMBERS 0, 1
#define NAME(f) MG_JOIN(f, _d0)
#include "pool_body.h"
#undef real
#undef whole
#undef LANES
#undef LANE_NUMBERS
#undef NAME

#if defined(MG_X86) && defined(__GNUC__) && !defined(MG_PLAIN_C)
#define MG_POOL_ISA 1
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define real float
#define whole int32_t
#define LANES 8
#define LANE_NUMBERS 0, 1, 2, 3, 4, 5, 6, 7
#define NAME(f) MG_JOIN(f, _f1)
#include "pool_body.h"
#undef real
#undef whole
#undef LANES
#undef LANE_NUMBERS
#undef NAME
#define real double
#define whole int64_t
#define LANES 4
#define LANE_NUMBERS 0, 1, 2, 3
#define NAME(f) MG_JOIN(f, _d1)
#include "pool_body.h"
#undef real
#undef whole
#undef LANES
#undef LANE_NUMBERS
#undef NAME
#pragma GCC pop_options
#endif

/* AVX-512 machines take the AVX2 copy: these loops wait for memory. */
#ifdef MG_POOL_ISA
#define MG_CHOOSE(f, type, arguments) (isa ? MG_JOIN(f##_, type##1) arguments : MG_JOIN(f##_, type##0) arguments)
#else
#define MG_CHOOSE(f, type, arguments) ((void)isa, MG_JOIN(f##_, type##0) arguments)
#endif

#define POOL(type, real) \
    static void mg_max_pool_##type(int isa, const Pool *p, const real *x, real *y, int32_t *index, int threads) \
    { MG_CHOOSE(max_pool, type, (p, x, y, index, threads)); } \
    static void mg_scatter_##type(int isa, const Pool *p, const real *g, const int32_t *index, real *dx, int threads) \
    { MG_CHOOSE(scatter, type, (p, g, index, dx, threads)); } \
    static void mg_gather_##type(int isa, const Pool *p, const real *x, const int32_t *index, real *y, int threads) \
    { MG_CHOOSE(gather, type, (p, x, index, y, threads)); } \
    static void mg_avg_pool_##type(int isa, const Pool *p, const real *x, double scale, real *y, int threads) \
    { MG_CHOOSE(avg_pool, type, (p, x, (real)scale, y, threads)); } \
    static void mg_avg_pool_x_##type(int isa, const Pool *p, const real *g, double scale, real *dx, int threads) \
    { MG_CHOOSE(avg_pool_x, type, (p, g, (real)scale, dx, threads)); }
POOL(f, float)
POOL(d, double)
#undef POOL

#endif
