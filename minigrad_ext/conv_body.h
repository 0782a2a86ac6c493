/* The convolution kernels for one instruction set and one width; conv.h includes this text for each. All of it computes
 *
 *     for (n, i, j, o) {
 *         REAL sum = b[o];
 *         for (ki, kj, c)
 *             sum += x[n][i * sh + ki * dh - top][j * sw + kj * dw - left][c] * w[ki][kj][c][o];
 *         y[n][i][j][o] = sum;
 *     }
 *
 * and its two transposes, in another order of the loops. With channels last the (kw, c) numbers that a window sees of
 * one row of the image lie side by side, as do the (kw, c) rows of w: a segment. Neighbouring windows are rows of a
 * matrix A that overlap in memory, and y = sum over the segments of A times w. A tile of y stays in registers for all
 * of them:
 *
 *     C[i, j] = b[j] + sum_s sum_k A[i ra + k ca + seg[s].a] B[(seg[s].b + k) rb + j]
 *
 * for i < mr rows and j < nv LANES columns. The gradient of w reads images as A across (its rows are entries of w, k
 * runs over the pixels of a row of windows) and the incoming gradient as B.
 *
 * What lies outside the image is neither stored nor multiplied. Segments of rows above and below it are left out; of
 * windows beside it a segment says, for each k, which rows of A see a pixel. That saves 9 % of the products of a 5 x 5
 * kernel on 14 columns and 17 % on 7, and makes no NaN of an infinite weight and a zero that nobody wrote.
 *
 * The gradient of x behind a stride of s falls into s x s correlations without one: every s-th pixel of every s-th row
 * met every s-th entry of w. Those entries are packed side by side, so that a phase has whole segments too.
 *
 * Why not the micro-kernel of the product of matrices: it knows one segment, so C would be read and written for each,
 * and its tiles are not cut to a row of the image. Five products into C in place of one convolution (64 images, 5 x 5,
 * float, AVX-512): 885 us for 497 from 28 x 28 x 1 to 16 channels, 2,840 for 2,650 from 14 x 14 x 16 to 32; the product
 * of a matrix of patches (im2col), already made: 4,300.
 */

/* A tile: MR rows of NV vectors, with a row of B and one entry of A no more than the registers. */
#if ISA == 2
#define MR 14
#else
#define MR 6
#endif
#define NV 2
#define Tile NAME(Tile)

typedef struct {
    const REAL *a, *b, *bias; /* bias: one padded panel, or NULL */
    REAL *c;
    ptrdiff_t ra, ca, rb, rc; /* strides: rows and k of A, k of B, rows of C */
    ptrdiff_t ja, jc;         /* from one block of rows to the next, in A and C */
    const Segment *seg, *past;
    ptrdiff_t images, ia, ib; /* from one image to the next: in A, in rows of B */
    ptrdiff_t columns;        /* valid columns of C in this panel, <= nv LANES */
    int accumulate;           /* C += instead of C = */
} Tile;

/* C = sums of a tile, or C += what a gradient adds, where the last vector is not full: `rows` rows of sums lie `wide`
 * apart, C in blocks. */
static void NAME(put_down)(const Tile *t, int rows, int blocks, int wide, const REAL *entry) {
    for (int r = 0; r < rows; r++, entry += wide) {
        REAL *c = t->c + r % blocks * t->jc + r / blocks * t->rc;
        for (ptrdiff_t j = 0; j < t->columns; j++) c[j] = t->accumulate ? c[j] + entry[j] : entry[j];
    }
}

/* Sums of a tile += the next entry of its rows of A, for the rows r of which `sees` is true, times the next row of B. A
 * macro, for clang keeps the sums in registers only if no function is handed them. */
#define STEP(sees)                                                                  \
    {                                                                               \
        vec row[NV];                                                                \
        UNROLL                                                                      \
        for (int j = 0; j < nv; j++) row[j] = LOAD(b + j * LANES);                  \
        b += rb;                                                                    \
        UNROLL                                                                      \
        for (int r = 0; r < rows; r++)                                              \
            if (sees) {                                                             \
                const REAL x = a[r - r / blocks % 3 * blocks][r / blocks % 3 * ra]; \
                UNROLL                                                              \
                for (int j = 0; j < nv; j++) sum[r * nv + j] += x * row[j];         \
            }                                                                       \
        UNROLL                                                                      \
        for (int r = 0; r < rows; r++)                                              \
            if (r / blocks % 3 == 0) {                                              \
                a[r] += ca;                                                         \
                MG_OPAQUE(a[r]);                                                    \
            }                                                                       \
    }

/* One tile: `blocks` blocks of mr rows of nv vectors; the second block begins at A + ja and C + jc. All three are
 * constants where this is inlined, and the loops over them are unrolled, so that the sums live in registers. Row r is
 * row r / blocks of block r % blocks: rows that see the same lie side by side, or gcc spills. */
MG_INLINE void NAME(tile)(const int blocks, const int mr, const int nv, const Tile *t) {
    const int rows = blocks * mr;
    const ptrdiff_t ra = t->ra, ca = t->ca, rb = t->rb, rc = t->rc, ja = t->ja, jc = t->jc;
    const ptrdiff_t columns = t->columns;
    const int full = columns == nv * LANES, accumulate = t->accumulate;
    vec sum[MR * NV];

    /* the sums before the first segment: C, the bias or 0; meanwhile fetch the rows of C */
    UNROLL
    for (int r = 0; r < rows; r++) {
        const REAL *c = t->c + r % blocks * jc + r / blocks * rc;
        UNROLL
        for (int j = 0; j < nv; j++) {
            sum[r * nv + j] = (vec){0};
            if (t->bias) sum[r * nv + j] = LOAD(t->bias + j * LANES);
            if (accumulate && full) sum[r * nv + j] = LOAD(c + j * LANES);
            if (!accumulate) MG_FETCH_TO_WRITE(c + j * LANES);
        }
    }

    /* += each segment of A times its rows of B */
    for (ptrdiff_t image = 0; image < t->images; image++) {
        const REAL *from_a = t->a + image * t->ia, *from_b = t->b + image * t->ib * rb;
        for (const Segment *seg = t->seg; seg < t->past; seg++) {
            const REAL *b = from_b + seg->b * rb;
            const REAL *a[2 * MR]; /* every third row of a block; the two behind it are at + ra, + 2 ra */
            UNROLL
            for (int r = 0; r < rows; r++)
                if (r / blocks % 3 == 0) a[r] = from_a + seg->a + r % blocks * ja + r / blocks * ra;
            const unsigned *seen = seg->seen;
            if (!seen)
                for (ptrdiff_t left = seg->length; left > 0; left--) STEP(1)
            else
                for (ptrdiff_t left = seg->length; left > 0; left--, seen++) STEP(*seen >> r / blocks & 1)
        }
    }

    /* C = the sums */
    if (full) {
        UNROLL
        for (int r = 0; r < rows; r++) {
            REAL *c = t->c + r % blocks * jc + r / blocks * rc;
            UNROLL
            for (int j = 0; j < nv; j++) STORE(c + j * LANES, sum[r * nv + j]);
        }
    } else {
        REAL entry[MR * NV * LANES];
        UNROLL
        for (int i = 0; i < rows * nv; i++) STORE(entry + i * LANES, sum[i]);
        NAME(put_down)(t, rows, blocks, nv * LANES, entry);
    }
}

/* One function per tile size, so that blocks, mr and nv are constants inside. Two blocks where the registers hold them:
 * for one vector always, for two up to half the height. */
/* clang-format off */
#define ONE(m) \
    static void NAME(tile_1_##m##_1)(const Tile *t) { NAME(tile)(1, m, 1, t); } \
    static void NAME(tile_1_##m##_2)(const Tile *t) { NAME(tile)(1, m, 2, t); } \
    static void NAME(tile_2_##m##_1)(const Tile *t) { NAME(tile)(2, m, 1, t); }
#define TWO(m) \
    static void NAME(tile_2_##m##_2)(const Tile *t) { NAME(tile)(2, m, 2, t); }
ONE(1) ONE(2) ONE(3) ONE(4) ONE(5) ONE(6)
TWO(1) TWO(2) TWO(3)
#if MR > 6
ONE(7) ONE(8) ONE(9) ONE(10) ONE(11) ONE(12) ONE(13) ONE(14)
TWO(4) TWO(5) TWO(6) TWO(7)
#endif
#undef ONE
#undef TWO
#define ONE(m) {{NAME(tile_1_##m##_1), NAME(tile_1_##m##_2)}, {NAME(tile_2_##m##_1), NULL}}
#define TWO(m) {{NAME(tile_1_##m##_1), NAME(tile_1_##m##_2)}, {NAME(tile_2_##m##_1), NAME(tile_2_##m##_2)}}
static void (*const NAME(tiles)[MR][2][NV])(const Tile *) = {
    TWO(1), TWO(2), TWO(3),
#if MR > 6
    TWO(4), TWO(5), TWO(6), TWO(7), ONE(8), ONE(9), ONE(10), ONE(11), ONE(12), ONE(13), ONE(14)
#else
    ONE(4), ONE(5), ONE(6)
#endif
};
#undef ONE
#undef TWO
/* clang-format on */

/* Rows of a tile: `rows` cut into equal parts of at most MR (28 -> 14 14, 24 -> 12 12, 80 -> 14 14 14 14 14 10). */
static ptrdiff_t NAME(height)(ptrdiff_t rows) {
    const ptrdiff_t parts = (rows + MR - 1) / MR;
    return (rows + parts - 1) / parts;
}

/* Weights as panels of NV LANES columns (the last one of LANES where that is enough), zeros behind the last column:
 * panel[k, j] = w[k][panel start + j], k running over (kh, kw, depth) with the given strides; the columns of the kernel
 * in the order 0, period, 2 period, ..., 1, 1 + period, ... */
static void NAME(pack_weights)(const Weights *w, ptrdiff_t period, const REAL *from, REAL *to) {
    for (ptrdiff_t first = 0; first < w->columns; first += NV * LANES) {
        const ptrdiff_t valid = w->columns - first < NV * LANES ? w->columns - first : NV * LANES;
        const ptrdiff_t width = valid <= LANES ? LANES : NV * LANES;
        for (ptrdiff_t ki = 0; ki < w->kh; ki++)
            for (ptrdiff_t phase = 0; phase < period; phase++)
                for (ptrdiff_t kj = phase; kj < w->kw; kj += period)
                    for (ptrdiff_t d = 0; d < w->depth; d++, to += width) {
                        const REAL *row = from + ki * w->s_kh + kj * w->s_kw + d * w->s_depth + first * w->s_column;
                        ptrdiff_t j = 0;
                        if (w->s_column == 1)
                            for (; j < valid; j++) to[j] = row[j];
                        else
                            for (; j < valid; j++) to[j] = row[j * w->s_column];
                        for (; j < width; j++) to[j] = 0;
                    }
    }
}

/* Fetch part `part` of `parts` of the numbers at `next`, while the image before them is at work. */
static void NAME(fetch)(const REAL *next, ptrdiff_t size, ptrdiff_t part, ptrdiff_t parts) {
    for (ptrdiff_t k = size * part / parts; k < size * (part + 1) / parts; k += (ptrdiff_t)(64 / sizeof(REAL)))
        MG_FETCH(next + k);
}

/* A correlation with its weights packed. Its parts are `bands` bands of rows of every image. */
#define Correlation NAME(Correlation)
typedef struct {
    const Geometry *v;
    const Weights *w;
    ptrdiff_t period_h, period_w; /* a window sees pixels through every period_h-th ki, every period_w-th kj */
    const REAL *packed, *bias;    /* panels of every group; bias: in panels too, or NULL */
    ptrdiff_t bands;
} Correlation;

/* The segments of mr neighbouring windows in one row of w; kj is the first entry that may meet a pixel: in the first
 * window that of column `from`. Writes them, and who sees what; returns how many. */
static ptrdiff_t NAME(list_segments)(const Correlation *all, ptrdiff_t kj, ptrdiff_t from, ptrdiff_t mr, Segment *to,
                                     unsigned *seen) {
    const Geometry *v = all->v;
    const ptrdiff_t kw = all->w->kw, depth = all->w->depth, period = all->period_w;
    ptrdiff_t count = 0, b = 0;
    for (ptrdiff_t other = 0; other < kj; other++) b += mg_ceil(kw - other, period) * depth;
    for (ptrdiff_t a = 0; kj < kw; kj += period, a += period * v->dw / v->spread_w, b += depth) {
        const unsigned rows = bits(within(from + a, v->sw, v->w, mr));
        if (!rows) continue;
        if (count && to[count - 1].a + to[count - 1].length == a * v->c)
            to[count - 1].length += depth;
        else
            to[count++] = (Segment){a * v->c, b, depth, seen};
        for (ptrdiff_t d = 0; d < depth; d++) *seen++ = rows;
    }
    for (ptrdiff_t s = 0; s < count; s++) to[s].seen = unless_all(to[s].seen, to[s].length, mr);
    return count;
}

/* Columns of w in whole vectors. */
#define PADDED(columns) (((columns) + LANES - 1) / LANES * LANES)

/* So many tiles of a row of windows have their segments listed at once: enough to write y in long rows. */
#define STRIPS 16

/* One or two rows of `across` windows, in tiles of `high`, for all columns of y. Of the rows of w from `row` on they
 * see pixels through see.first to see.past - 1. t describes the tiles; a, c are where A and C begin. */
static void NAME(all_columns)(const Correlation *all, Tile t, const Strip *strips, Range see, ptrdiff_t rows,
                              ptrdiff_t across, ptrdiff_t high, const REAL *a, ptrdiff_t row, REAL *c) {
    const ptrdiff_t groups = all->v->groups, depth = all->w->depth, columns = all->w->columns, kw = all->w->kw;
    const ptrdiff_t padded = PADDED(columns), k = all->w->kh * kw * depth;
    for (ptrdiff_t g = 0; g < groups; g++)
        for (ptrdiff_t first = 0; first < columns; first += NV * LANES) {
            t.columns = mg_least(columns - first, NV * LANES);
            const int nv = t.columns <= LANES ? 1 : NV;
            t.rb = nv * LANES;
            t.b = all->packed + (g * padded + first) * k + row * kw * depth * t.rb;
            t.bias = all->bias ? all->bias + g * padded + first : NULL;
            for (ptrdiff_t j = 0, s = 0; j < across; j += high, s++) {
                t.seg = strips[s].seg + see.first * strips[s].each;
                t.past = strips[s].seg + see.past * strips[s].each;
                const ptrdiff_t mr = mg_least(across - j, high), blocks = nv == 1 || 2 * mr <= MR ? rows : 1;
                for (ptrdiff_t i = 0; i < rows; i += blocks) { /* both at once, where the registers hold them */
                    t.a = a + g * depth + i * t.ja + j * t.ra;
                    t.c = c + g * columns + first + i * t.jc + j * t.rc;
                    NAME(tiles)[mr - 1][blocks - 1][nv - 1](&t);
                }
            }
        }
}

/* A phase of image n: its windows of rows i0, i0 + spread_h, ... < past and columns q, q + spread_w, ... */
static void NAME(correlate_phase)(const Correlation *all, ptrdiff_t n, ptrdiff_t i0, ptrdiff_t past, ptrdiff_t q,
                                  Segment *seg, unsigned *seen) {
    const Geometry *v = all->v;
    Strip strips[STRIPS];
    const ptrdiff_t kh = all->w->kh, kw = all->w->kw, depth = all->w->depth, columns = all->w->columns;
    const ptrdiff_t period_h = all->period_h, period_w = all->period_w;
    const ptrdiff_t down = v->spread_h, step = v->spread_w, pitch = v->w * v->c, o = v->groups * columns;
    const ptrdiff_t windows = mg_ceil(v->ow - q, step), high = NAME(height)(mg_ceil(v->ow, step));
    const REAL *image = (const REAL *)v->images + n * v->h * pitch;
    REAL *y = (REAL *)v->windows + n * v->oh * v->ow * o;
    /* the first entry of w that may meet a pixel, how many rows there are from it on, and which pixel it meets in the
     * first window: `apart` rows of pixels before that of the next row */
    ptrdiff_t ki = 0, kj = 0;
    while (ki < period_h && (i0 * v->sh + ki * v->dh - v->top) % down) ki++;
    while (kj < period_w && (q * v->sw + kj * v->dw - v->left) % step) kj++;
    const ptrdiff_t row = (i0 * v->sh + ki * v->dh - v->top) / down, apart = period_h * v->dh / down;
    const ptrdiff_t column = (q * v->sw + kj * v->dw - v->left) / step;
    const ptrdiff_t most = ki < period_h && kj < period_w ? mg_ceil(kh - ki, period_h) : 0;
    Tile t = {.ra = v->sw * v->c, .ca = 1, .rc = step * o, .ja = v->sh * pitch, .jc = down * v->ow * o, .images = 1};
    for (ptrdiff_t j0 = 0; j0 < windows; j0 += STRIPS * high) {
        const ptrdiff_t across = mg_least(windows - j0, STRIPS * high), from = column + j0 * v->sw;
        for (ptrdiff_t j = 0, s = 0; j < across; j += high, s++) {
            Segment *to = seg + s * kh * kw;
            const ptrdiff_t each = NAME(list_segments)(all, most ? kj : kw, from + j * v->sw,
                                                       mg_least(across - j, high), to, seen + s * kw * depth);
            strips[s] = (Strip){to, each};
            for (ptrdiff_t k = each; k < most * each; k++) {
                to[k] = to[k - each];
                to[k].a += apart * pitch;
                to[k].b += period_h * kw * depth;
            }
        }
        Range see = within(row, apart, v->h, most);
        for (ptrdiff_t i = i0, r = row, rows; i < past; i += rows * down) {
            const Range here = see;
            const REAL *a = image + r * pitch + from * v->c;
            rows = 0; /* one, or two that see the same */
            do rows++, r += v->sh, see = within(r, apart, v->h, most);
            while (rows < 2 && i + rows * down < past && see.first == here.first && see.past == here.past);
            NAME(all_columns)(all, t, strips, here, rows, across, high, a, ki, y + (i * v->ow + q + j0 * step) * o);
            if (q > 0 || j0 > 0 || n + 1 == v->n) continue;
            for (ptrdiff_t p = i; p < i + rows * down; p += down)
                NAME(fetch)(image + v->h * pitch, v->h * pitch, p, v->oh);
        }
    }
}

static int NAME(correlate_bands)(const void *context, ptrdiff_t first_band, ptrdiff_t past_band) {
    const Correlation *all = context;
    const Geometry *v = all->v;
    const ptrdiff_t bands = all->bands, most = all->w->kh * all->w->kw, wide = mg_ceil(v->ow, v->spread_w);
    const ptrdiff_t strips = mg_least(STRIPS, mg_ceil(wide, NAME(height)(wide)));
    const size_t list = (size_t)most * sizeof(Segment) + (size_t)(all->w->kw * all->w->depth) * sizeof(unsigned);
    Segment *seg = v->team.scratch(1, (size_t)strips * list);
    if (!seg) return -1;
    unsigned *seen = (unsigned *)(seg + strips * most);
    const uint64_t before = mg_flush_on();
    for (ptrdiff_t work = first_band; work < past_band; work++) {
        const ptrdiff_t n = work / bands, band = work % bands;
        const ptrdiff_t first = v->oh * band / bands, past = v->oh * (band + 1) / bands;
        const ptrdiff_t across = v->spread_w < v->ow ? v->spread_w : v->ow;
        for (ptrdiff_t i = first; i < past && i < first + v->spread_h; i++)
            for (ptrdiff_t q = 0; q < across; q++) NAME(correlate_phase)(all, n, i, past, q, seg, seen);
    }
    mg_flush_off(before);
    return 0;
}

/* Correlation: y (n, oh, ow, groups columns) = images (n, h, w, c) * weights, + bias. Both conv2d and conv2d_x.
 * Every output is one sum in one order, whoever computes it. */
static int NAME(correlate)(const Geometry *v, const Weights *w) {
    const REAL *weights = w->entries, *bias = w->bias;
    const ptrdiff_t groups = v->groups, columns = w->columns;
    const ptrdiff_t padded = PADDED(columns), K = w->kh * w->kw * w->depth;
    ptrdiff_t period_h = 1, period_w = 1;
    while (period_h < w->kh && period_h * v->dh % v->spread_h) period_h++;
    while (period_w < w->kw && period_w * v->dw % v->spread_w) period_w++;
    REAL *packed = v->team.scratch(0, ((size_t)(groups * padded * (K + 1)) + NV * LANES) * sizeof(REAL));
    if (!packed) return -1;
    REAL *padded_bias = packed + groups * padded * K;
    for (ptrdiff_t g = 0; g < groups; g++) {
        NAME(pack_weights)(w, period_w, weights + g * w->s_group, packed + g * padded * K);
        if (bias)
            for (ptrdiff_t j = 0; j < padded; j++)
                padded_bias[g * padded + j] = j < columns ? bias[g * columns + j] : 0;
    }
    /* so many bands of rows per image that every thread has work, also for a single image */
    const ptrdiff_t most = 4 * v->team.threads, bands = v->n >= most ? 1 : v->oh < most ? v->oh : most;
    const Correlation all = {v, w, period_h, period_w, packed, bias ? padded_bias : NULL, bands};
    return run_parts(v->team, NAME(correlate_bands), &all, v->n * bands);
}

#include "columns.h"

/* A gradient of weights. Its `parts` parts are shares of the tiles of dw. */
#define Gradient NAME(Gradient)
typedef struct {
    const Geometry *v;
    const Weights *w;
    const Segment *seg; /* one for every row of windows, for every tile across kw depth rows of dw */
    ptrdiff_t images;   /* so many at once */
    int whole_rows;     /* the rows of one ki lie side by side in the image: dw has blocks of kw depth rows */
    ptrdiff_t rows, high, heights;         /* rows of a block of dw, of a tile, and how many tiles that makes */
    ptrdiff_t deep, blocks, panels, parts; /* ki in one tile; blocks, panels of columns; parts */
} Gradient;

/* Blocks from, ... of a tile += what rows first .. past - 1 of windows add. */
static void NAME(add_rows)(const Tile *all, ptrdiff_t mr, int nv, int from, int blocks, ptrdiff_t first,
                           ptrdiff_t past) {
    if (first >= past) return;
    Tile t = *all;
    t.past = t.seg + past;
    t.seg += first;
    t.a += from * t.ja;
    t.c += from * t.jc;
    NAME(tiles)[mr - 1][blocks - 1][nv - 1](&t);
}

/* Tile number `item` of dw += what some images add. image: pixel (0, 0) of the first; g: the gradient of the windows, a
 * row of rb numbers for each, of which those of group q begin at q apart. */
static void NAME(gradient_tile)(const Gradient *all, ptrdiff_t item, ptrdiff_t images, const REAL *image, const REAL *g,
                                ptrdiff_t rb, ptrdiff_t apart) {
    const Geometry *v = all->v;
    const ptrdiff_t kh = all->w->kh, kw = all->w->kw, columns = all->w->columns, wide = NV * LANES;
    const ptrdiff_t depth = v->c / v->groups, o = v->groups * columns, pitch = v->w * v->c;
    const ptrdiff_t m = item % all->heights, block = item / all->heights % all->blocks;
    const ptrdiff_t first = item / all->heights / all->blocks % all->panels * wide;
    const ptrdiff_t q = item / all->heights / all->blocks / all->panels;
    const ptrdiff_t ki = (all->whole_rows ? block : block / kw) * all->deep, kj = all->whole_rows ? 0 : block % kw;
    const ptrdiff_t row = m * all->high, mr = mg_least(all->rows - row, all->high);
    Tile t = {.ra = 1, .ca = v->sw * v->c, .rb = rb, .rc = o, .accumulate = 1};
    t.columns = mg_least(columns - first, wide);
    const int nv = t.columns <= LANES ? 1 : NV;
    t.a = image + (ki * v->dh - v->top) * pitch + (kj * v->dw - v->left) * v->c + q * depth + row;
    t.b = g + q * apart + first;
    t.c = (REAL *)all->w->entries + ((ki * kw + kj) * depth + row) * o + q * columns + first;
    t.seg = all->seg + (kj * all->heights + m) * v->oh;
    t.images = images;
    t.ia = v->h * pitch;
    t.ib = v->oh * v->ow;
    t.ja = v->dh * pitch;
    t.jc = kw * depth * o;
    /* rows of windows that see pixels through ki, and through ki + 1: first those of it alone */
    const Range one = within(ki * v->dh - v->top, v->sh, v->h, v->oh);
    Range two = {one.first, one.first};
    if (all->deep == 2 && ki + 1 < kh) two = within((ki + 1) * v->dh - v->top, v->sh, v->h, v->oh);
    NAME(add_rows)(&t, mr, nv, 1, 1, two.first, mg_least(two.past, one.first));
    NAME(add_rows)(&t, mr, nv, 0, 2, mg_most(two.first, one.first), mg_least(two.past, one.past));
    NAME(add_rows)(&t, mr, nv, 0, 1, mg_most(two.past, one.first), one.past);
}

/* The gradient of so many windows with the columns of each group in whole vectors. */
static void NAME(pad_columns)(const Gradient *all, ptrdiff_t windows, const REAL *g, REAL *to) {
    const ptrdiff_t groups = all->v->groups, columns = all->w->columns, padded = PADDED(columns);
    for (ptrdiff_t q = 0; q < groups; q++)
        for (ptrdiff_t p = 0; p < windows; p++, to += padded)
            for (ptrdiff_t j = 0; j < padded; j++) to[j] = j < columns ? g[(p * groups + q) * columns + j] : 0;
}

static int NAME(correlate_w_tiles)(const void *context, ptrdiff_t first_part, ptrdiff_t past_part) {
    const Gradient *all = context;
    const Geometry *v = all->v;
    const REAL *x = v->images, *g = v->windows;
    REAL *db = all->w->bias;
    const ptrdiff_t columns = all->w->columns, padded = PADDED(columns), o = v->groups * columns;
    const ptrdiff_t pixels = v->oh * v->ow, image_size = v->h * v->w * v->c;
    const ptrdiff_t work = v->groups * all->panels * all->blocks * all->heights;
    const ptrdiff_t mine = work * first_part / all->parts, past = work * past_part / all->parts;
    const size_t g_size = padded == columns ? 0 : (size_t)(all->images * v->groups * pixels * padded);
    REAL *padded_g = v->team.scratch(1, (g_size + 1) * sizeof(REAL));
    if (!padded_g) return -1;
    const uint64_t before = mg_flush_on();
    for (ptrdiff_t n = 0, images; n < v->n; n += images) {
        images = mg_least(all->images, v->n - n);
        const ptrdiff_t windows = images * pixels, next = n + images, coming = mg_least(images, v->n - next);
        const REAL *image = x + n * image_size, *gn = g + n * pixels * o;
        if (g_size) NAME(pad_columns)(all, windows, gn, padded_g);
        for (ptrdiff_t item = mine; item < past; item++) {
            NAME(fetch)(x + next * image_size, coming * image_size, item - mine, past - mine);
            NAME(fetch)(g + next * pixels * o, coming * pixels * o, item - mine, past - mine);
            if (g_size)
                NAME(gradient_tile)(all, item, images, image, padded_g, padded, windows * padded);
            else
                NAME(gradient_tile)(all, item, images, image, gn, o, columns);
        }
        if (db && past_part == all->parts) NAME(columns)(windows, o, gn, o, 1, db, 1);
    }
    mg_flush_off(before);
    return 0;
}

/* The gradient with respect to w: dw (kh, kw, depth, groups columns) (+)= sum over images and pixels of x times g,
 * g (n, oh, ow, groups columns), and to b: db (+)= sum of g (db NULL: not wanted). Images outermost; a thread owns some
 * entries of dw and sees every image, so there are no more parts than threads. */
static int NAME(correlate_w)(const Geometry *v, const Weights *w) {
    REAL *dw = w->entries, *db = w->bias;
    const ptrdiff_t kh = w->kh, kw = w->kw, depth = v->c / v->groups, o = v->groups * w->columns;
    const int whole_rows = v->groups == 1 && v->dw == 1;
    const ptrdiff_t rows = whole_rows ? kw * depth : depth, high = NAME(height)(rows);
    const ptrdiff_t deep = w->columns <= LANES || 2 * high <= MR ? 2 : 1; /* rows of the kernel in one tile */
    const ptrdiff_t steps = (kh + deep - 1) / deep, panels = (w->columns + NV * LANES - 1) / (NV * LANES);
    const ptrdiff_t heights = (rows + high - 1) / high, blocks = whole_rows ? steps : steps * kw;
    const ptrdiff_t lists = whole_rows ? heights : heights * kw;
    Segment *seg =
        v->team.scratch(0, (size_t)lists * ((size_t)v->oh * sizeof(Segment) + (size_t)v->ow * sizeof(unsigned)));
    if (!seg) return -1;
    unsigned *seen = (unsigned *)(seg + lists * v->oh);
    for (ptrdiff_t l = 0; l < lists; l++, seen += v->ow) {
        const ptrdiff_t m = l % heights * high, mr = mg_least(rows - m, high);
        const ptrdiff_t row = (whole_rows ? 0 : l / heights * depth) + m; /* of the kw depth */
        for (ptrdiff_t j = 0; j < v->ow; j++) {
            const Range k = within(j * v->sw - v->left, v->dw, v->w, kw);
            const ptrdiff_t first = mg_most(k.first * depth - row, 0), past = mg_least(k.past * depth - row, mr);
            seen[j] = bits((Range){first, past});
        }
        ptrdiff_t j = 0, past = v->ow;
        while (j < past && !seen[j]) j++;
        while (past > j && !seen[past - 1]) past--;
        const unsigned *see = unless_all(seen + j, past - j, mr);
        for (ptrdiff_t i = 0; i < v->oh; i++)
            seg[l * v->oh + i] = (Segment){(i * v->sh * v->w + j * v->sw) * v->c, i * v->ow + j, past - j, see};
    }
    if (!w->add) memset(dw, 0, (size_t)(kh * kw * depth * o) * sizeof(REAL));
    if (db && !w->add_bias) memset(db, 0, (size_t)o * sizeof(REAL));
    const ptrdiff_t work = v->groups * panels * blocks * heights;
    const ptrdiff_t parts = v->team.threads < work ? v->team.threads : work;
    /* a tile is read and written for every so many images: one of 400 windows or more, else as many as have them */
    const ptrdiff_t images = mg_ceil(400, v->oh * v->ow);
    const Gradient all = {v, w, seg, images, whole_rows, rows, high, heights, deep, blocks, panels, parts};
    return run_parts(v->team, NAME(correlate_w_tiles), &all, all.parts);
}

#undef STEP
#undef STRIPS
#undef Correlation
#undef Gradient
#undef PADDED
#undef MR
#undef NV
#undef Tile
