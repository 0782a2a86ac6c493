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

static inline void mg_pass(int which, char code, int isa, ptrdiff_t n, const void *a, const void *b, void *y) {
    if (code == 'f')
        PASSES_f32[which][isa](n, a, b, y);
    else
        PASSES_f64[which][isa](n, a, b, y);
}

/* The same by way of a buffer that is streamed, see past_caches in runtime.pyx: relu_gate of 128 x 128, whose result
   both threads multiply next, took 29 us with two threads in place of 3. */
static inline void mg_pass_aside(int which, char code, int isa, ptrdiff_t n, const void *a, const void *b, void *y) {
    enum { ASIDE = 8192 };
    _Alignas(64) char aside[ASIDE];
    const ptrdiff_t size = code == 'f' ? 4 : 8;
    for (ptrdiff_t i = 0, some; i < n; i += some) {
        some = n - i < ASIDE / size ? n - i : ASIDE / size;
        mg_pass(which, code, isa, some, (const char *)a + i * size, (const char *)b + i * size, aside);
        mg_stream((char *)y + i * size, aside, (size_t)(some * size));
    }
    mg_streamed();
}
#endif
