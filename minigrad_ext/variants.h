/* Includes the text BODY once for every instruction set and width. Before it: #define BODY "file.h"; WIDEST, the last
   instruction set that is wanted, if not all are; and TIGHT_LOOP where the innermost loop is a micro-kernel. The body
   finds

       REAL, WHOLE     float and int32_t, or double and int64_t           ISA      0 baseline, 1 AVX2 and FMA, 2 AVX-512
       LANES           of them in a vector (the number, not a formula)    WIDTH    f32 or f64
       vec             a vector of REALs                                  NAME(x)  x_avx2_f32 and the like
       LOAD(p), STORE(p, v)     at any address                            wholes   a vector of WHOLEs, at any address

   and calls its functions NAME(f). After it VARIANTS(f, f32) initialises a table of f by instruction set, BOTH(f) one
   by width (1: double) and instruction set:

       #define BODY "pool_body.h"
       #include "variants.h"
       static void (*const max_pools[2][MG_SETS])(const Pool *) = BOTH(max_pool);

   Where the compiler has no such targets there is one instruction set, 0 (SSE2, NEON); with MG_PLAIN_C, moreover, LANES
   is 1 and a vec is a REAL. MG_SETS says how many there are. One BODY to a compilation. */
#ifndef MINIGRAD_VARIANTS_H
#define MINIGRAD_VARIANTS_H

#include "simd.h"

#define NAME(x) MG_PASTE(MG_PASTE(x, SET), WIDTH)
#define vec NAME(vec)
#define loose NAME(loose)
#define wholes NAME(wholes)
#define LOAD(p) (*(const loose *)(p))
#define STORE(p, v) (*(loose *)(p) = (v))
#define BOTH(f) \
    { VARIANTS(f, f32), VARIANTS(f, f64) }

/* Python's own flags have -fwrapv, under which gcc spills a vector in a micro-kernel (8 % of conv2d); its loop is some
   250 bytes, and to start it at a cache line is worth 5 to 8 %. */
#if defined(TIGHT_LOOP) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("align-loops=64", "no-wrapv")
#endif

#define ISA 0
#define SET base
#ifdef MG_PLAIN_C
#define LANES_f32 1
#define LANES_f64 1
#else
#define LANES_f32 4
#define LANES_f64 2
#endif
#include "widths.h"

#ifndef WIDEST
#define WIDEST 2
#endif
#if defined(MG_X86) && defined(__GNUC__) && !defined(MG_PLAIN_C)
#define MG_SETS (WIDEST + 1)
#if WIDEST == 2
#define VARIANTS(f, width) \
    { f##_base_##width, f##_avx2_##width, f##_avx512_##width }
#else
#define VARIANTS(f, width) \
    { f##_base_##width, f##_avx2_##width }
#endif

#define ISA 1
#define SET avx2
#define LANES_f32 8
#define LANES_f64 4
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "widths.h"
#pragma clang attribute pop
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#include "widths.h"
#pragma GCC pop_options
#endif

#if WIDEST == 2
#define ISA 2
#define SET avx512
#define LANES_f32 16
#define LANES_f64 8
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#include "widths.h"
#pragma clang attribute pop
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,prefer-vector-width=512")
#include "widths.h"
#pragma GCC pop_options
#endif
#endif

#else
#define MG_SETS 1
#define VARIANTS(f, width) \
    { f##_base_##width }
#endif

#if defined(TIGHT_LOOP) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#undef NAME
#undef vec
#undef loose
#undef wholes
#undef LOAD
#undef STORE
#endif
