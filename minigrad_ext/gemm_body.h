/* The product of matrices for one instruction set and width: the loops around the micro-kernel of tile.h.

   Of C, one pass computes what DEEP entries of k add to it: the panels of B, as wide as a tile, are packed (where
   packing pays), and each block of rows of A, packed where it does not lie well, meets them all while it is in L2. */
#include "some.h"
#include "columns.h"
#include "tile.h"

/* Is a matrix of so many entries one that no cache holds? */
static int NAME(is_far)(ptrdiff_t rows, ptrdiff_t columns) {
    return (double)rows * (double)columns * sizeof(REAL) > FAR_BYTES;
}

#include "vector.h"

#define PANEL (TILE_VECTORS * LANES) /* columns of a panel */

/* Whether m rows of A meet B where it lies: packing does not pay for a few, nor for more while a page holds rows of B.
 */
static int NAME(lies_well)(const Product *g, ptrdiff_t m) {
    return g->cb == 1 && m <= (g->rb * (ptrdiff_t)sizeof(REAL) <= 2048 ? 32 : 4) * TILE_ROWS;
}

/* Whether it pays to pack rows of A for so many panels: neither rows nor columns are contiguous, or all rows of a tile
   meet in one set of L1. */
static int NAME(pack_a)(const Product *g, ptrdiff_t m, ptrdiff_t panels) {
    const ptrdiff_t apart = (g->ca == 1 ? g->ra : g->ca) * (ptrdiff_t)sizeof(REAL);
    const int far = g->ca != 1 && apart >= 1024 && g->k >= 256;
    return m >= TILE_ROWS
           && ((((g->ca != 1 && g->ra != 1) || apart % 4096 == 0) && panels >= 3) || (far && panels >= 2));
}

/* Do the tiles of m rows turn the columns of B themselves? */
static int NAME(turns)(const Product *g, ptrdiff_t m) { return TURNS && m == TEN_ROWS && g->rb == 1 && g->cb != 1; }

/* One pass over rows [i0, i1) and columns [j0, j1) of C: entries p0 ... p0 + DEEP of k. 0, or -1: no memory. */
static int NAME(pass)(const Product *g, ptrdiff_t i0, ptrdiff_t i1, ptrdiff_t j0, ptrdiff_t j1, ptrdiff_t p0) {
    const ptrdiff_t k = mg_least(DEEP, g->k - p0), m = i1 - i0;
    const int direct = NAME(lies_well)(g, m), few = m <= TALL_ROWS, far = direct && few && NAME(is_far)(g->k, g->n);
    const int last = p0 + k == g->k;
    /* a few rows more than a tile has meet two vectors at once, all of them together */
    const ptrdiff_t wide = m > TILE_ROWS && few ? 2 * LANES : PANEL;
    /* rows of a block: all for a single panel; few where there is little to add, so that C is written row by row */
    const ptrdiff_t most = k < 32 ? 2 * TILE_ROWS : mg_least(MOST_ROWS, ROWS_BYTES / (k * (ptrdiff_t)sizeof(REAL)));
    const ptrdiff_t high = j1 - j0 <= wide ? m : most / TILE_ROWS * TILE_ROWS;
    const int packs_a = NAME(pack_a)(g, m, mg_ceil(j1 - j0, wide));
    const int unpacked = NAME(turns)(g, m) && !packs_a;
    /* of a B that comes from memory few rows at a time are read, along their length, and the sums carried on */
    const ptrdiff_t piece = far && !packs_a ? FAR_ROWS : k;
    const ptrdiff_t packed = mg_least(piece, k) * ((direct || few ? PANEL : j1 - j0) + LANES);
    const ptrdiff_t carried = piece < k ? m * (j1 - j0 + 2 * LANES) : 0;
    REAL *panels = g->team.scratch(0, (size_t)(packed + carried) * sizeof(REAL)), *rows = NULL;
    if (!panels) return -1;
    Strip t = {.ra = g->ra, .ca = g->ca, .rc = g->rc, .cc = g->cc, .bi = g->bi, .bj = g->bj, .far = far};
    t.add = g->add || p0 > 0;
    if (packs_a) {
        rows = g->team.scratch(1, (size_t)(k * high) * sizeof(REAL));
        if (!rows) return -1;
        t.block = TILE_ROWS;
    }
    for (ptrdiff_t i = i0; i < i1; i += high) {
        t.m = mg_least(high, i1 - i);
        const REAL *a = (const REAL *)g->a + i * g->ra + p0 * g->ca;
        if (rows) {
            NAME(pack_rows)(t.m, k, a, g->ra, g->ca, rows);
            a = rows;
        }
        for (ptrdiff_t p = 0; p < k; p += t.k) {
            t.k = mg_least(piece, k - p);
            t.a = a + p * (rows ? TILE_ROWS : g->ca);
            t.sums = panels + packed;
            t.begun = p > 0;
            t.open = p + t.k < k;
            REAL *panel = panels;
            for (ptrdiff_t j = j0; j < j1; j += t.nr) {
                t.nr = mg_least(wide, j1 - j);
                if (direct && t.nr > LANES) t.nr = t.nr / LANES * LANES; /* whole vectors; the rest is packed below */
                t.b = (const REAL *)g->b + (p0 + p) * g->rb + j * g->cb;
                t.rb = g->rb;
                t.c = (REAL *)g->c + i * g->rc + j * g->cc;
                t.bias = last && g->bias ? (const REAL *)g->bias + i * g->bi + j * g->bj : NULL;
                if (unpacked && t.nr == 2 * LANES) {
                    NAME(ten_turned)(&t, g->cb);
                    continue;
                }
                if (!direct || t.nr % LANES) {
                    if (i == i0) NAME(pack)(t.k, t.nr, t.b, g->rb, g->cb, panel);
                    t.b = panel;
                    t.rb = mg_ceil(t.nr, LANES) * LANES;
                    if (high < m) panel += t.k * t.rb; /* other rows will meet it too */
                }
                NAME(strip)(&t);
                t.sums += m * mg_ceil(t.nr, LANES) * LANES;
            }
        }
    }
    return 0;
}

/* A row of an outer product: x b. */
MG_INLINE void NAME(scaled)(ptrdiff_t n, REAL x, const REAL *MG_RESTRICT b, REAL *MG_RESTRICT row) {
    ptrdiff_t j = 0;
    for (; j + LANES <= n; j += LANES) STORE(row + j, 0 + x * LOAD(b + j));
    for (; j < n; j++) row[j] = 0 + x * b[j];
}

/* Rows i0 to i1 of columns j0 to j1 of the product of a column and a row, one after the other (tiles write in eight
   places at once, and take up to three times as long); past the caches, if they do not hold C. What is read of g has
   names of its own: a store could change g, for all that the compiler knows. */
static int NAME(outer)(const Product *g, ptrdiff_t i0, ptrdiff_t i1, ptrdiff_t j0, ptrdiff_t j1) {
    const ptrdiff_t n = j1 - j0, ra = g->ra, rc = g->rc;
    const REAL *a = (const REAL *)g->a;
    REAL *c = (REAL *)g->c + j0, *copy = g->team.scratch(0, 2 * (size_t)n * sizeof(REAL));
    if (!copy) return -1;
    const REAL *b = NAME(in_a_row)(n, (const REAL *)g->b + j0 * g->cb, g->cb, copy);
    if (!NAME(is_far)(g->m, g->n)) {
        for (ptrdiff_t i = i0; i < i1; i++) NAME(scaled)(n, a[i * ra], b, c + i * rc);
        return 0;
    }
    for (ptrdiff_t i = i0; i < i1; i++) {
        NAME(scaled)(n, a[i * ra], b, copy + n);
        mg_stream(c + i * rc, copy + n, (size_t)n * sizeof(REAL));
    }
    mg_streamed();
    return 0;
}

/* A product cut into parts: ranges of columns of C (a thread then packs only its own panels) or of rows. */
#define Cut NAME(Cut)
typedef struct {
    const Product *g;
    ptrdiff_t rows, columns; /* of a part; all of the one and some of the other */
    int outer;               /* k is 1 */
} Cut;

static int NAME(some_parts)(const void *context, ptrdiff_t first, ptrdiff_t past) {
    const Cut *cut = context;
    const Product *g = cut->g;
    const int by_rows = cut->rows < g->m;
    const ptrdiff_t i0 = by_rows ? first * cut->rows : 0, i1 = by_rows ? mg_least(g->m, past * cut->rows) : g->m;
    const ptrdiff_t j0 = by_rows ? 0 : first * cut->columns;
    const ptrdiff_t j1 = by_rows ? g->n : mg_least(g->n, past * cut->columns);
    const ptrdiff_t size = sizeof(REAL), deep = mg_least(DEEP, g->k);
    const ptrdiff_t most = i1 - i0 <= TALL_ROWS ? SUMS_BYTES / ((i1 - i0) * size) : PANELS_BYTES / (deep * size);
    const ptrdiff_t wide = most / PANEL * PANEL;
    const uint64_t before = mg_flush_on();
    int failed = 0;
    if (cut->outer)
        failed = NAME(outer)(g, i0, i1, j0, j1);
    else if (g->n == 1)
        failed = NAME(times_vector)(g, i0, i1);
    else
        for (ptrdiff_t j = j0; j < j1; j += wide)
            for (ptrdiff_t p = 0; p < g->k && !failed; p += DEEP)
                failed = NAME(pass)(g, i0, i1, j, mg_least(j + wide, j1), p);
    mg_flush_off(before);
    return failed;
}

/* Multiply-adds of vectors, and what packing and storing cost beside them. */
static double NAME(cost)(const Product *g) {
    const double m = (double)g->m, n = (double)g->n, k = (double)g->k;
    const double sums = m * k * (HALVES ? (double)mg_ceil(2 * g->n, LANES) / 2 : (double)mg_ceil(g->n, LANES));
    const double packing = NAME(lies_well)(g, g->m) ? 0
                           : NAME(turns)(g, g->m)   ? 0.125 * k * n
                           : g->cb == 1             ? k * n / LANES * 2
                           : g->rb == 1             ? 0.375 * k * n
                                                    : k * n;
    const double storing = g->cc == 1 ? 0 : 1.5 * m * n;
    return sums + packing + storing;
}

/* C = A B, or C^T = B^T A^T where that is cheaper: a transposed B then needs no packing. */
static int NAME(gemm)(const Product *given) {
    Product g = *given;
    if (g.m <= 0 || g.n <= 0) return 0;
    if (g.k <= 0) {
        for (ptrdiff_t i = 0; i < g.m; i++)
            for (ptrdiff_t j = 0; j < g.n; j++) {
                REAL *c = (REAL *)g.c + i * g.rc + j * g.cc;
                *c = (g.add ? *c : 0) + (g.bias ? ((const REAL *)g.bias)[i * g.bi + j * g.bj] : 0);
            }
        return 0;
    }
    Product h = g;
    h.m = g.n, h.n = g.m;
    h.a = g.b, h.ra = g.cb, h.ca = g.rb;
    h.b = g.a, h.rb = g.ca, h.cb = g.ra;
    h.rc = g.cc, h.cc = g.rc;
    h.bi = g.bj, h.bj = g.bi;
    const int outer = g.k == 1 && g.cc == 1 && !g.add && !g.bias && g.n >= 2 * LANES;
    const int turn = g.n == 1 || g.m == 1 ? g.n > 1 : NAME(cost)(&h) < NAME(cost)(&g); /* a vector is always B */
    if (turn && !outer) g = h;
    /* Each thread takes a range of columns or, where that is more even, of rows (an outer product the other way). */
    const ptrdiff_t columns = mg_ceil(mg_ceil(g.n, PANEL), g.team.threads) * PANEL;
    const ptrdiff_t rows = mg_ceil(mg_ceil(g.m, TILE_ROWS), g.team.threads) * TILE_ROWS;
    const int by_rows = (double)rows / (double)g.m + (outer ? -0.05 : 0.05) < (double)columns / (double)g.n;
    const Cut cut = {&g, by_rows ? rows : g.m, by_rows ? g.n : columns, outer};
    return run_parts(g.team, NAME(some_parts), &cut, by_rows ? mg_ceil(g.m, rows) : mg_ceil(g.n, columns));
}

#undef PANEL
#undef TILE_VECTORS
#undef TILE_ROWS
#undef TALL_ROWS
#undef TEN_ROWS
#undef HALVES
#undef TURNS
