/* Batch and layer normalization of x (m, c): norm_body.h, once for each instruction set and width.
 *
 *   mg_batch_norm_f / _d            y, mean and biased variance
 *   mg_batch_norm_backward_f / _d   dx, dgamma, dbeta (each may be NULL), the last two stored or added
 *
 *   mg_layer_norm_f / _d, mg_layer_norm_backward_f / _d   the same over the columns, row by row
 *
 * All return 0, or -1 where memory for the work buffers is lacking.
 */
#ifndef MINIGRAD_NORM_H
#define MINIGRAD_NORM_H

#include <math.h>
#include "scratch.h"
#include "simd.h"

typedef struct {
    ptrdiff_t m, c;
    double delta;
    int relu;                           /* y = max(normalized, 0) */
} Norm;

/* So many rows that a block of x takes 16 KiB of L1; the same for any number of threads. */
static ptrdiff_t rows_of_block(ptrdiff_t c, size_t size)
{
    const ptrdiff_t rows = 16384 / (c * (ptrdiff_t)size);
    return rows < 4 ? 4 : rows > 512 ? 512 : rows;
}

/* The widest instruction set whose vectors divide c: columns that fill no vector cost as much as a vector each. */
static int level_for(int isa, ptrdiff_t c, ptrdiff_t lanes)
{
    for (int level = isa; level > 0; level--)
        if (c % (lanes << level) == 0)
            return level;
    return c >= 64 && c % lanes ? isa : 0;
}

#define MG_JOIN_(f, suffix) f##suffix
#define MG_JOIN(f, suffix) MG_JOIN_(f, suffix)

#ifdef MG_PLAIN_C
#define MG_LANES(real) 1
#else
#define MG_LANES(real) (16 / sizeof(real))
#endif
#define real float
#define whole int32_t
#define LANES (ptrdiff_t)MG_LANES(float)
#define NAME(f) MG_JOIN(f, _f0)
#include "norm_body.h"
#undef real
#undef whole
#undef LANES
#undef NAME
#define real double
#define whole int64_t
#define LANES (ptrdiff_t)MG_LANES(double)
#define NAME(f) MG_JOIN(f, _d0)
#include "norm_body.h"
#undef real
#undef whole
#undef LANES
#undef NAME

#if defined(MG_X86) && defined(__GNUC__) && !defined(MG_PLAIN_C)
#define MG_NORM_ISA 1

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define real float
#define whole int32_t
#define LANES 8
#define NAME(f) MG_JOIN(f, _f1)
#include "norm_body.h"
#undef real
#undef whole
#undef LANES
#undef NAME
#define real double
#define whole int64_t
#define LANES 4
#define NAME(f) MG_JOIN(f, _d1)
#include "norm_body.h"
#undef real
#undef whole
#undef LANES
#undef NAME
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#define real float
#define whole int32_t
#define LANES 16
#define NAME(f) MG_JOIN(f, _f2)
#include "norm_body.h"
#undef real
#undef whole
#undef LANES
#undef NAME
#define real double
#define whole int64_t
#define LANES 8
#define NAME(f) MG_JOIN(f, _d2)
#include "norm_body.h"
#undef real
#undef whole
#undef LANES
#undef NAME
#pragma GCC pop_options
#endif

#ifdef MG_NORM_ISA
#define MG_CHOOSE(f, type, lanes, arguments) \
    const int level = level_for(isa, v->c, lanes); \
    return level == 2 ? MG_JOIN(f##_, type##2) arguments : level == 1 ? MG_JOIN(f##_, type##1) arguments \
                                                         : MG_JOIN(f##_, type##0) arguments
#else
#define MG_CHOOSE(f, type, lanes, arguments) \
    (void)isa; \
    (void)level_for; \
    return MG_JOIN(f##_, type##0) arguments
#endif

#define NORM(type, real, lanes) \
    static int mg_batch_norm_##type(int isa, const Norm *v, const real *x, const real *gamma, const real *beta, real *y, \
                                    real *mean, real *var, int threads) \
    { MG_CHOOSE(batch_norm, type, lanes, (v, x, gamma, beta, y, mean, var, threads)); } \
    static int mg_batch_norm_backward_##type(int isa, const Norm *v, const real *g, const real *x, const real *gamma, \
                                             const real *beta, const real *mean, const real *var, real *dx, \
                                             real *dgamma, real *dbeta, int add_gamma, int add_beta, int threads) \
    { MG_CHOOSE(batch_norm_backward, type, lanes, \
                (v, g, x, gamma, beta, mean, var, dx, dgamma, dbeta, add_gamma, add_beta, threads)); }
#define LAYER(type, real, lanes) \
    static int mg_layer_norm_##type(int isa, const Norm *v, const real *x, const real *gamma, const real *beta, \
                                    real *y, int threads) \
    { MG_CHOOSE(layer_norm, type, lanes, (v, x, gamma, beta, y, threads)); } \
    static int mg_layer_norm_backward_##type(int isa, const Norm *v, const real *g, const real *x, const real *gamma, \
                                             real *dx, real *dgamma, real *dbeta, int add_gamma, int add_beta, \
                                             int threads) \
    { MG_CHOOSE(layer_norm_backward, type, lanes, (v, g, x, gamma, dx, dgamma, dbeta, add_gamma, add_beta, threads)); }
NORM(f, float, 4)
NORM(d, double, 2)
LAYER(f, float, 4)
LAYER(d, double, 2)
#undef NORM
#undef LAYER

#endif
