/* Pooling of channels-last images over given windows: pool_body.h, once for each instruction set and width. */
#ifndef MINIGRAD_POOL_H
#define MINIGRAD_POOL_H

#include <stdint.h>
#include <string.h>
#include "parts.h"
#include "simd.h"

/* Images (n, h, w, c); window (i, j) is rows [rows[2i], rows[2i + 1]) and columns [columns[2j], columns[2j + 1]).
 * halves: the windows are 2 x 2 and lie side by side from 0 on. */
typedef struct {
    ptrdiff_t n, h, w, c, oh, ow;
    const int64_t *rows, *columns;
    int halves;
    void *images, *windows; /* windows (n, oh, ow, c): one number each; one of the two is read, one written */
    int32_t *index;         /* where in its image (h, w, c), flattened, each maximum lies */
    double scale;           /* of a sum over a window */
    Team team;
} Pool;

/* Entry k of an index into an image of `size` numbers, read once and 0 where it lies outside: the gate has looked at
 * every entry, but another thread may write them while the kernel runs. */
static inline ptrdiff_t place_in(const int32_t *index, ptrdiff_t k, ptrdiff_t size) {
    const ptrdiff_t place = ((const volatile int32_t *)index)[k];
    return (size_t)place < (size_t)size ? place : 0;
}

/* `value` at `place` against `best` at `where`: it wins if it is greater or NaN, but nothing wins against NaN. Two
 * nested conditionals, because that is what compilers vectorise. */
#define CONTEST(value, place)                                     \
    do {                                                          \
        const REAL x = (value), wins_x = !(x <= best) ? x : best; \
        const int32_t wins_i = !(x <= best) ? (place) : where;    \
        where = best == best ? wins_i : where;                    \
        best = best == best ? wins_x : best;                      \
    } while (0)

#define FIRST_2 0, 1
#define FIRST_4 FIRST_2, 2, 3
#define FIRST_8 FIRST_4, 4, 5, 6, 7
#define FIRST_16 FIRST_8, 8, 9, 10, 11, 12, 13, 14, 15

#define BODY "pool_body.h"
#include "variants.h"

enum { MAX_POOL, SCATTER, GATHER, AVG_POOL, AVG_POOL_X };

/* AVX-512 machines take the AVX2 copy: the loops run over the channels, and those are too few for it (64 images of
 * 28 x 28 x 16 in float: their 2 x 2 means take 180 us by AVX2, 520 by AVX-512; at 64 channels the two are equal). */
static int mg_pool(int kernel, char code, int isa, const Pool *p) {
    static const Work kernels[][2][MG_SETS] = {BOTH(max_pool), BOTH(scatter), BOTH(gather), BOTH(avg_pool),
                                               BOTH(avg_pool_x)};
    const ptrdiff_t parts = kernel == MAX_POOL || kernel == AVG_POOL ? p->n * p->oh : p->n;
    return run_parts(p->team, kernels[kernel][code == 'd'][isa < 1 ? isa : 1], p, parts);
}

#endif
