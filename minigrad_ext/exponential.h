/* exp(x) for x <= 0 as straight-line code, so that a loop over it vectorises; bodies of variants.h call
   EXP_NEGATIVE(x).

   x = n log 2 + r with |r| <= log(2)/2, so exp(x) = 2^n exp(r), and exp(r) is its Taylor series to the 7th power in
   float (remainder 5e-9), to the 13th in double (4e-18). Adding and subtracting 1.5 * 2^23 (2^52) rounds to an integer
   and leaves it in the low bits of the sum. Below the smallest normal number the result is 0; NaN stays NaN. At most 2
   ulp. */
#ifndef MINIGRAD_EXPONENTIAL_H
#define MINIGRAD_EXPONENTIAL_H
#include <stdint.h>
#include <string.h>
#include "simd.h"

#define EXP_NEGATIVE(x) MG_PASTE(exp_negative, WIDTH)(x)

MG_INLINE float exp_negative_f32(float x) {
    const float at = x < -87.33f ? -87.33f : x;
    const float sum = at * 1.44269504f + 12582912.0f, n = sum - 12582912.0f;
    float r = at - n * 0.693359375f; /* log 2 = 0.693359375 - 2.12194440e-4: the first product is exact */
    r += n * 2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits;
    float scale;
    memcpy(&bits, &sum, 4);
    bits = (bits + 127u) << 23; /* the low bits of sum are n, and 1.5 * 2^23 is shifted out */
    memcpy(&scale, &bits, 4);
    return x < -87.33f ? 0.0f : p * scale;
}

MG_INLINE double exp_negative_f64(double x) {
    const double at = x < -708.39 ? -708.39 : x;
    const double sum = at * 1.4426950408889634 + 6755399441055744.0, n = sum - 6755399441055744.0;
    double r = at - n * 6.93145751953125e-1;
    r -= n * 1.42860682030941723212e-6;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    uint64_t bits;
    double scale;
    memcpy(&bits, &sum, 8);
    bits = (bits + 1023u) << 52;
    memcpy(&scale, &bits, 8);
    return x < -708.39 ? 0.0 : p * scale;
}

#endif
