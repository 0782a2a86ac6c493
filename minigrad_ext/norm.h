/* Batch and layer normalization of x (m, c): norm_body.h, once for each instruction set and width. */
#ifndef MINIGRAD_NORM_H
#define MINIGRAD_NORM_H

#include <math.h>
#include "parts.h"
#include "simd.h"

/* x (m, c) with its neighbours: g, y, dx of its shape, the others (c,), all of one width, which the kernel knows. */
typedef struct {
    ptrdiff_t m, c;
    double delta;
    int relu; /* y = max(normalized, 0) */
    const void *x, *gamma, *beta;
    void *y, *mean, *var; /* mean and biased variance: batch normalization keeps them */
    const void *g;
    void *dx, *dgamma, *dbeta; /* each may be NULL */
    int add_gamma, add_beta;   /* dgamma +=, dbeta += */
    int aside;                 /* stream y and dx of a batch normalization, see past_caches in runtime.pyx */
    Team team;
} Norm;

/* So many rows that a block of x takes 16 KiB of L1; the same for any number of threads. */
static ptrdiff_t rows_of_block(ptrdiff_t c, size_t size) {
    const ptrdiff_t rows = 16384 / (c * (ptrdiff_t)size);
    return rows < 4 ? 4 : rows > 512 ? 512 : rows;
}

static ptrdiff_t rows_in_block(const Norm *v, ptrdiff_t block, ptrdiff_t b) {
    return v->m - b * block < block ? v->m - b * block : block;
}

enum { STRIPE = 32 }; /* columns whose sums one thread adds up: whole cache lines */

/* The widest instruction set whose vectors divide c: columns that fill no vector cost as much as a vector each. `lanes`
 * are those of the baseline; every further set has twice as many. */
static int level_for(int isa, ptrdiff_t c, ptrdiff_t lanes) {
    for (int level = isa; level > 0; level--)
        if (c % (lanes << level) == 0) return level;
    return c >= 64 && c % lanes ? isa : 0;
}

#define BODY "norm_body.h"
#include "variants.h"

enum { BATCH_NORM, BATCH_NORM_BACKWARD, LAYER_NORM, LAYER_NORM_BACKWARD };

/* 0, or -1 where memory for the work buffers is lacking. */
static int mg_norm(int kernel, char code, int isa, const Norm *v) {
    static int (*const kernels[][2][MG_SETS])(const Norm *) = {BOTH(batch_norm), BOTH(batch_norm_backward),
                                                               BOTH(layer_norm), BOTH(layer_norm_backward)};
    const int wide = code == 'd';
    return kernels[kernel][wide][level_for(isa, v->c, wide ? 2 : 4)](v);
}

#endif
