/* updates.h for both widths and two instruction sets, and the table optim.pyx chooses from.

   No third for AVX-512: the loops wait for memory or for divisions, and 512-bit divisions take twice as long as 256-bit
   ones (Adam with all of the box's divisions on 100,000 float32: 108 us baseline, 52 AVX2, 66 AVX-512).
   No multiplication and addition is contracted to one rounding: the bits are the same on every machine, and NumPy's. */
#ifndef MINIGRAD_OPTIM_TABLE_H
#define MINIGRAD_OPTIM_TABLE_H

#include <math.h>
#include <stddef.h>
#include "simd.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#define MG_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#define MG_INDEPENDENT _Pragma("GCC ivdep")
#else
#define MG_INDEPENDENT
#endif

typedef void (*mg_update)(void *const *a, const double *c, ptrdiff_t i, const ptrdiff_t stop);

#define REAL float
#define SQRT sqrtf
#define ABS fabsf
#define NAME(name) name##_float_baseline
#include "updates.h"
#undef REAL
#undef SQRT
#undef ABS
#undef NAME

#define REAL double
#define SQRT sqrt
#define ABS fabs
#define NAME(name) name##_double_baseline
#include "updates.h"
#undef NAME

#if defined(MG_X86) && defined(__GNUC__) && !defined(MG_PLAIN_C)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define NAME(name) name##_double_avx2
#include "updates.h"
#undef NAME
#undef REAL
#undef SQRT
#undef ABS

#define REAL float
#define SQRT sqrtf
#define ABS fabsf
#define NAME(name) name##_float_avx2
#include "updates.h"
#undef NAME
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#define MG_ROW(name) {{name##_float_baseline, name##_float_avx2}, {name##_double_baseline, name##_double_avx2}},
#else
#define MG_ROW(name) {{name##_float_baseline, name##_float_baseline}, {name##_double_baseline, name##_double_baseline}},
#endif
#undef REAL
#undef SQRT
#undef ABS

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#define MG_NUMBER(name) mg_##name,
#define MG_EVERY(M) \
    M(sgd) M(momentum) M(interim) M(nesterov_notes) M(momentum_notes) M(adagrad) M(rmsprop) M(rmsprop_nesterov) \
    M(adadelta) M(adam) M(adamax) M(adamw) M(delta_bar_delta) M(rprop) M(rprop_minus) M(vsgd)
enum mg_update_number { MG_EVERY(MG_NUMBER) mg_update_count };
static const mg_update mg_updates[mg_update_count][2][2] = {MG_EVERY(MG_ROW)}; /* [kernel][width][instruction set] */

#endif
