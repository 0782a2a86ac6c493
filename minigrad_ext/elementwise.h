/* The elementwise kernels for every instruction set; elementwise.pyx picks by kernel and isa_level(). */
#ifndef MINIGRAD_ELEMENTWISE_H
#define MINIGRAD_ELEMENTWISE_H
#include "exponential.h"
#include "simd.h"

#define BODY "elementwise_body.h"
#include "variants.h"

/* y <- f(a) or f(a, b) on n numbers. */
typedef void (*pass_f32)(ptrdiff_t, const float *, const float *, float *);
typedef void (*pass_f64)(ptrdiff_t, const double *, const double *, double *);

enum { RELU, RELU_GATE, SIGMOID, SIGMOID_GATE, TANH_GATE };
#define PASSES(width)                                                                                               \
    {                                                                                                               \
        VARIANTS(relu, width), VARIANTS(relu_gate, width), VARIANTS(sigmoid, width), VARIANTS(sigmoid_gate, width), \
            VARIANTS(tanh_gate, width)                                                                              \
    }
static const pass_f32 PASSES_f32[][MG_SETS] = PASSES(f32);
static const pass_f64 PASSES_f64[][MG_SETS] = PASSES(f64);
static inline pass_f32 pass_of_f32(int which, int isa) { return PASSES_f32[which][isa]; }
static inline pass_f64 pass_of_f64(int which, int isa) { return PASSES_f64[which][isa]; }
#endif
