/* The softmax family over the rows of z: softmax_body.h, once for each instruction set and width. */
#ifndef MINIGRAD_SOFTMAX_H
#define MINIGRAD_SOFTMAX_H
#include <math.h>

#include "exponential.h"
#include "simd.h"

/* z (m, k) and the result, which is of its width: a loss is one number, the others (m, k). */
typedef struct {
    ptrdiff_t m, k;
    const void *z;
    const int64_t *labels; /* (m,), each in [0, k), or NULL */
    double factor;         /* with labels: g/m */
    void *result;
} Rows;

#define BODY "softmax_body.h"
#include "variants.h"

enum { SOFTMAX, LOG_SOFTMAX, CROSS_ENTROPY };

static void mg_softmax(int kernel, char code, int isa, const Rows *v) {
    static void (*const kernels[][2][MG_SETS])(const Rows *) = {BOTH(softmax), BOTH(log_softmax), BOTH(cross_entropy)};
    kernels[kernel][code == 'd'][isa](v);
}
#endif
