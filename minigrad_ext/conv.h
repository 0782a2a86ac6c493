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
 * spread is 1: the gradient of a convolution with a stride spreads. The plane is the image with a border of zeros,
 * `above` and `before` it and behind; ph = h, pw = w: the image itself. */
typedef struct {
    ptrdiff_t n, h, w, c, groups; /* images */
    ptrdiff_t ph, pw, above, before;
    ptrdiff_t oh, ow; /* windows */
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

/* Where a segment begins, in A and its row of B; how long it is; the row of the image it lies in, seen from A. */
typedef struct {
    ptrdiff_t a, b, length, row;
} Segment;

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
