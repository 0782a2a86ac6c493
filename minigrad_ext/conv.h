/* Convolution on channels-last images, without im2col: conv_body.h, once for each instruction set and width. */
#ifndef MINIGRAD_CONV_H
#define MINIGRAD_CONV_H

#include <string.h>
#include "parts.h"
#include "simd.h"

/* MG_OPAQUE hides from the compiler what it knows of a pointer: left alone, gcc addresses all rows of a tile from one
 * base and spills the offsets. */
#ifdef __GNUC__
#define MG_OPAQUE(p) __asm__("" : "+r"(p))
#else
#define MG_OPAQUE(p) ((void)0)
#endif

/* Images and their windows. Through entry (ki, kj) of the weights window (i, j) sees the pixel of row
 * (i sh + ki dh - top) / spread_h, likewise of a column, if that is a whole number and in the image. One of stride and
 * spread is 1: the gradient of a convolution with a stride spreads. */
typedef struct {
    ptrdiff_t n, h, w, c, groups; /* images */
    ptrdiff_t oh, ow;             /* windows */
    ptrdiff_t sh, sw, dh, dw, spread_h, spread_w, top, left;
    Team team;
    void *images, *windows; /* windows (n, oh, ow, o): written; for the gradient of the weights read */
} Geometry;

/* Weights (kh, kw, depth, columns) of each group, with strides; their gradient is contiguous. */
typedef struct {
    ptrdiff_t kh, kw, depth, columns;
    ptrdiff_t s_kh, s_kw, s_depth, s_column, s_group;
    void *entries, *bias; /* entries: where (0, 0, 0, 0) lies; bias (o,) or NULL */
    int add, add_bias;    /* their gradients: entries +=, bias += */
} Weights;

/* Where a segment begins, in A and its row of B; how long it is; for each of its entries the rows of a block of A that
 * see it (bit r: row r), or NULL where all of them see all. */
typedef struct {
    ptrdiff_t a, b, length;
    const unsigned *seen;
} Segment;

/* The segments of a tile of windows: as many of them for each row of w. */
typedef struct {
    const Segment *seg;
    ptrdiff_t each;
} Strip;

typedef struct {
    ptrdiff_t first, past;
} Range;

/* Those k < most for which at + k step is a pixel of 0 .. size - 1. */
static Range within(ptrdiff_t at, ptrdiff_t step, ptrdiff_t size, ptrdiff_t most) {
    Range k = {0, most};
    while (k.first < most && at + k.first * step < 0) k.first++;
    while (k.past > k.first && at + (k.past - 1) * step >= size) k.past--;
    return k;
}

static unsigned bits(Range k) { return k.first < k.past ? (1u << k.past) - (1u << k.first) : 0; }

/* seen, or NULL if it is all `rows` rows everywhere. */
static const unsigned *unless_all(const unsigned *seen, ptrdiff_t length, ptrdiff_t rows) {
    for (ptrdiff_t k = 0; k < length; k++)
        if (seen[k] != (1u << rows) - 1) return seen;
    return NULL;
}

#define TIGHT_LOOP
#define BODY "conv_body.h"
#include "variants.h"

enum { CORRELATE, CORRELATE_W };

/* 0, or -1 where memory for the work buffers is lacking. */
static int mg_conv(int kernel, char code, int isa, const Geometry *v, const Weights *w) {
    static int (*const kernels[][2][MG_SETS])(const Geometry *, const Weights *) = {BOTH(correlate), BOTH(correlate_w)};
    return kernels[kernel][code == 'd'][isa](v, w);
}

#endif
