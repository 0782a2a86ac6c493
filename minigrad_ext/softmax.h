/* The softmax family for every instruction set; softmax.pyx picks by isa_level(). */
#ifndef MINIGRAD_SOFTMAX_H
#define MINIGRAD_SOFTMAX_H
#include <math.h>

#include "exponential.h"
#include "simd.h"

#define BODY "softmax_body.h"
#include "variants.h"

typedef void (*softmax_f32)(ptrdiff_t, ptrdiff_t, const float *, const int64_t *, float, float *);
typedef void (*softmax_f64)(ptrdiff_t, ptrdiff_t, const double *, const int64_t *, double, double *);
typedef void (*log_softmax_f32)(ptrdiff_t, ptrdiff_t, const float *, float *);
typedef void (*log_softmax_f64)(ptrdiff_t, ptrdiff_t, const double *, double *);
typedef double (*cross_entropy_f32)(ptrdiff_t, ptrdiff_t, const float *, const int64_t *);
typedef double (*cross_entropy_f64)(ptrdiff_t, ptrdiff_t, const double *, const int64_t *);

static const softmax_f32 SOFTMAX_f32[] = VARIANTS(softmax, f32);
static const softmax_f64 SOFTMAX_f64[] = VARIANTS(softmax, f64);
static const log_softmax_f32 LOG_SOFTMAX_f32[] = VARIANTS(log_softmax, f32);
static const log_softmax_f64 LOG_SOFTMAX_f64[] = VARIANTS(log_softmax, f64);
static const cross_entropy_f32 CROSS_ENTROPY_f32[] = VARIANTS(cross_entropy, f32);
static const cross_entropy_f64 CROSS_ENTROPY_f64[] = VARIANTS(cross_entropy, f64);
#endif
