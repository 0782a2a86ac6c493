/* Convolution on channels-last images, without im2col: conv_body.h, once for each instruction set and width.
 *
 *   mg_correlate_f / _d      y = images * weights (+ bias): conv2d, and conv2d_x on the spread-out gradient
 *   mg_correlate_w_f / _d    the gradient with respect to the weights
 *
 * Both return 0, or -1 where memory for the work buffers is lacking.
 */
#ifndef MINIGRAD_CONV_H
#define MINIGRAD_CONV_H

#include <string.h>
#include "scratch.h"
#include "simd.h"

/* MG_OPAQUE hides from the compiler what it knows of a pointer: left alone, gcc addresses all rows of a tile from one base
 * and spills the offsets. MG_FETCH asks for a cache line in L2. */
#ifdef __GNUC__
#define MG_OPAQUE(p) __asm__("" : "+r"(p))
#define MG_FETCH(p) __builtin_prefetch((p), 0, 2)
#else
#define MG_OPAQUE(p) ((void)0)
#define MG_FETCH(p) ((void)(p))
#endif

/* One image and where its windows lie. The plane is the image with its border of zeros and, for the gradient of a
 * strided convolution, spread - 1 zeros between neighbours. padded = 0: the plane is the image itself. */
typedef struct {
    ptrdiff_t n, h, w, c, groups;       /* images */
    ptrdiff_t ph, pw, top, left, spread_h, spread_w;
    int padded;
    ptrdiff_t oh, ow;                   /* windows */
    ptrdiff_t sh, sw, dh, dw;           /* stride, dilation */
} Geometry;

/* Weights (kh, kw, depth, columns) of each group, with strides. */
typedef struct {
    ptrdiff_t kh, kw, depth, columns;
    ptrdiff_t s_kh, s_kw, s_depth, s_column, s_group;
} Weights;

/* Where a segment begins: in A, and its row of B. */
typedef struct {
    ptrdiff_t a, b;
} Segment;

#define MG_JOIN_(f, suffix) f##suffix
#define MG_JOIN(f, suffix) MG_JOIN_(f, suffix)

/* The loop of the micro-kernel is some 250 bytes: starting it at a cache line is worth 5 to 8 %. Python's own flags have
 * -fwrapv, under which gcc spills a vector in that loop: another 8 %. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("align-loops=64", "no-wrapv")
#endif

/* baseline: SSE2, NEON or plain C */
#ifdef MG_PLAIN_C
#define MG_LANES(real) 1
#else
#define MG_LANES(real) (16 / sizeof(real))
#endif
#define MR 6
#define NV 2
#define real float
#define LANES (ptrdiff_t)MG_LANES(float)
#define NAME(f) MG_JOIN(f, _f0)
#include "conv_body.h"
#undef real
#undef LANES
#undef NAME
#define real double
#define LANES (ptrdiff_t)MG_LANES(double)
#define NAME(f) MG_JOIN(f, _d0)
#include "conv_body.h"
#undef real
#undef LANES
#undef NAME
#undef MR

#if defined(MG_X86) && defined(__GNUC__) && !defined(MG_PLAIN_C)
#define MG_CONV_ISA 1

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define MR 6
#define real float
#define LANES 8
#define NAME(f) MG_JOIN(f, _f1)
#include "conv_body.h"
#undef real
#undef LANES
#undef NAME
#define real double
#define LANES 4
#define NAME(f) MG_JOIN(f, _d1)
#include "conv_body.h"
#undef real
#undef LANES
#undef NAME
#undef MR
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#define MR 14
#define real float
#define LANES 16
#define NAME(f) MG_JOIN(f, _f2)
#include "conv_body.h"
#undef real
#undef LANES
#undef NAME
#define real double
#define LANES 8
#define NAME(f) MG_JOIN(f, _d2)
#include "conv_body.h"
#undef real
#undef LANES
#undef NAME
#undef MR
#pragma GCC pop_options
#endif
#undef NV

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#ifdef MG_CONV_ISA
#define MG_CHOOSE(f, type, arguments) \
    (isa == 2 ? MG_JOIN(f##_, type##2) arguments : isa == 1 ? MG_JOIN(f##_, type##1) arguments \
                                                 : MG_JOIN(f##_, type##0) arguments)
#else
#define MG_CHOOSE(f, type, arguments) ((void)isa, MG_JOIN(f##_, type##0) arguments)
#endif

static int mg_correlate_f(int isa, const Geometry *v, const Weights *w, const float *x, const float *weights,
                          const float *bias, float *y, int threads)
{
    return MG_CHOOSE(correlate, f, (v, w, x, weights, bias, y, threads));
}

static int mg_correlate_d(int isa, const Geometry *v, const Weights *w, const double *x, const double *weights,
                          const double *bias, double *y, int threads)
{
    return MG_CHOOSE(correlate, d, (v, w, x, weights, bias, y, threads));
}

static int mg_correlate_w_f(int isa, const Geometry *v, ptrdiff_t kh, ptrdiff_t kw, ptrdiff_t columns,
                            const float *x, const float *g, float *dw, float *db, int add_w, int add_b, int threads)
{
    return MG_CHOOSE(correlate_w, f, (v, kh, kw, columns, x, g, dw, db, add_w, add_b, threads));
}

static int mg_correlate_w_d(int isa, const Geometry *v, ptrdiff_t kh, ptrdiff_t kw, ptrdiff_t columns,
                            const double *x, const double *g, double *dw, double *db, int add_w, int add_b, int threads)
{
    return MG_CHOOSE(correlate_w, d, (v, kh, kw, columns, x, g, dw, db, add_w, add_b, threads));
}

#endif
