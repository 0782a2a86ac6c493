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
 * runs over the pixels of a row of windows) and the incoming gradient as B. Segments that would meet nothing but zeros
 * (rows of the border) are left out.
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
    const Segment *seg;
    ptrdiff_t segments;
    ptrdiff_t columns; /* valid columns of C in this panel, <= nv LANES */
    int accumulate;    /* C += instead of C = */
} Tile;

/* C = sums of a tile, or C += what a gradient adds, where the last vector is not full: `rows` rows of sums lie `wide`
 * apart, C in blocks of mr rows. */
static void NAME(put_down)(const Tile *t, int rows, int mr, int wide, const REAL *entry) {
    for (int r = 0; r < rows; r++, entry += wide) {
        REAL *c = t->c + r / mr * t->jc + r % mr * t->rc;
        for (ptrdiff_t j = 0; j < t->columns; j++) c[j] = t->accumulate ? c[j] + entry[j] : entry[j];
    }
}

/* One tile: `blocks` blocks of mr rows of nv vectors; the second block begins at A + ja and C + jc. All three are
 * constants where this is inlined, and the loops over them are unrolled, so that the sums live in registers (clang's
 * only if no other function is handed them). */
MG_INLINE void NAME(tile)(const int blocks, const int mr, const int nv, const Tile *t) {
    const int rows = blocks * mr; /* row r is row r % mr of block r / mr */
    const ptrdiff_t ra = t->ra, ca = t->ca, rb = t->rb, rc = t->rc, ja = t->ja, jc = t->jc;
    const ptrdiff_t columns = t->columns;
    const int full = columns == nv * LANES, accumulate = t->accumulate;
    vec sum[MR * NV];

    /* the sums before the first segment: C, the bias or 0; meanwhile fetch the rows of C */
    UNROLL
    for (int r = 0; r < rows; r++) {
        const REAL *c = t->c + r / mr * jc + r % mr * rc;
        UNROLL
        for (int j = 0; j < nv; j++) {
            sum[r * nv + j] = (vec){0};
            if (t->bias) sum[r * nv + j] = LOAD(t->bias + j * LANES);
            if (accumulate && full) sum[r * nv + j] = LOAD(c + j * LANES);
            if (!accumulate) MG_FETCH_TO_WRITE(c + j * LANES);
        }
    }

    /* += each segment of A times its rows of B */
    for (const Segment *seg = t->seg, *past = seg + t->segments; seg < past; seg++) {
        const REAL *b = t->b + seg->b * rb;
        const REAL *a[2 * MR]; /* every third row of a block; the two behind it are at + ra, + 2 ra */
        UNROLL
        for (int r = 0; r < rows; r++)
            if (r % mr % 3 == 0) a[r] = t->a + seg->a + r / mr * ja + r % mr * ra;
        for (ptrdiff_t k = 0; k < seg->length; k++, b += rb) {
            vec row[NV];
            UNROLL
            for (int j = 0; j < nv; j++) row[j] = LOAD(b + j * LANES);
            UNROLL
            for (int r = 0; r < rows; r++) {
                const REAL x = a[r - r % mr % 3][r % mr % 3 * ra];
                UNROLL
                for (int j = 0; j < nv; j++) sum[r * nv + j] += x * row[j];
            }
            UNROLL
            for (int r = 0; r < rows; r++)
                if (r % mr % 3 == 0) {
                    a[r] += ca;
                    MG_OPAQUE(a[r]);
                }
        }
    }

    /* C = the sums */
    if (full) {
        UNROLL
        for (int r = 0; r < rows; r++) {
            REAL *c = t->c + r / mr * jc + r % mr * rc;
            UNROLL
            for (int j = 0; j < nv; j++) STORE(c + j * LANES, sum[r * nv + j]);
        }
    } else {
        REAL entry[MR * NV * LANES];
        UNROLL
        for (int i = 0; i < rows * nv; i++) STORE(entry + i * LANES, sum[i]);
        NAME(put_down)(t, rows, mr, nv * LANES, entry);
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

/* The image within its border, `plane` (ph, pw, c), whose zeros were written when it was new; returns where the pixel
 * (0, 0) lies. */
static const REAL *NAME(fill_plane)(const Geometry *v, const REAL *image, REAL *plane) {
    REAL *to = plane + (v->above * v->pw + v->before) * v->c;
    for (ptrdiff_t i = 0; i < v->h; i++)
        memcpy(to + i * v->pw * v->c, image + i * v->w * v->c, (size_t)(v->w * v->c) * sizeof(REAL));
    return to;
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
    ptrdiff_t period;          /* the entries kj, kj + period, ... of w see neighbouring pixels: a segment */
    const REAL *packed, *bias; /* panels of every group; bias: in panels too, or NULL */
    ptrdiff_t bands;
} Correlation;

/* The segments of the windows of rows i, i + spread_h, ... and columns q, q + spread_w, ..., if A begins at row
 * (i / spread_h) sh of the image; returns how many. */
static ptrdiff_t NAME(list_segments)(const Correlation *all, ptrdiff_t i, ptrdiff_t q, Segment *to) {
    const Geometry *v = all->v;
    const ptrdiff_t kw = all->w->kw, depth = all->w->depth, period = all->period, pitch = v->pw * v->c;
    ptrdiff_t count = 0;
    for (ptrdiff_t ki = 0; ki < all->w->kh; ki++) {
        const ptrdiff_t r = i * v->sh + ki * v->dh - v->top, row = r / v->spread_h - i / v->spread_h * v->sh;
        if (r % v->spread_h) continue;
        for (ptrdiff_t kj = 0, b = ki * kw * depth, length; kj < period; kj++, b += length) {
            const ptrdiff_t s = q * v->sw + kj * v->dw - v->left;
            length = (kw - kj + period - 1) / period * depth;
            if (s % v->spread_w == 0) to[count++] = (Segment){row * pitch + s / v->spread_w * v->c, b, length, row};
        }
    }
    return count;
}

/* How many of the segments lie above a row, counted from where A begins. */
static ptrdiff_t NAME(above)(const Segment *seg, ptrdiff_t count, ptrdiff_t row) {
    ptrdiff_t s = 0;
    while (s < count && seg[s].row < row) s++;
    return s;
}

/* Columns of w in whole vectors; numbers of a plane, if there is one. */
#define PADDED(columns) (((columns) + LANES - 1) / LANES * LANES)
#define PLANE_SIZE(v) ((v)->ph > (v)->h || (v)->pw > (v)->w ? (size_t)((v)->ph * (v)->pw * (v)->c) : 0)

/* `rows` rows of `across` windows, for all columns of y: t describes them, from, to are where A and C begin. */
static void NAME(all_columns)(const Correlation *all, Tile *t, ptrdiff_t rows, ptrdiff_t across, const REAL *from,
                              REAL *to) {
    const ptrdiff_t groups = all->v->groups, depth = all->v->c / groups, columns = all->w->columns;
    const ptrdiff_t padded = PADDED(columns), k = all->w->kh * all->w->kw * depth, high = NAME(height)(across);
    for (ptrdiff_t g = 0; g < groups; g++)
        for (ptrdiff_t first = 0; first < columns; first += NV * LANES) {
            t->columns = columns - first < NV * LANES ? columns - first : NV * LANES;
            const int nv = t->columns <= LANES ? 1 : NV;
            t->b = all->packed + g * padded * k + first * k;
            t->bias = all->bias ? all->bias + g * padded + first : NULL;
            t->rb = nv * LANES;
            for (ptrdiff_t j = 0; j < across; j += high) {
                const ptrdiff_t mr = across - j < high ? across - j : high;
                t->a = from + j * t->ra + g * depth;
                t->c = to + j * t->rc + g * columns + first;
                NAME(tiles)[mr - 1][rows - 1][nv - 1](t);
            }
        }
}

static int NAME(correlate_bands)(const void *context, ptrdiff_t first_band, ptrdiff_t past_band) {
    const Correlation *all = context;
    const Geometry *v = all->v;
    const ptrdiff_t columns = all->w->columns, bands = all->bands, down = v->spread_h, step = v->spread_w;
    const ptrdiff_t pitch = v->pw * v->c, image_size = v->h * v->w * v->c, o = v->groups * columns;
    const ptrdiff_t high = NAME(height)((v->ow + step - 1) / step), most = all->w->kh * all->w->kw;
    const int pairs = columns <= LANES || 2 * high <= MR; /* two rows of windows in one tile */
    const REAL *x = v->images, *image = NULL;
    REAL *y = v->windows;
    const size_t plane_size = PLANE_SIZE(v);
    Segment *seg = v->team.scratch(1, (size_t)most * sizeof(Segment) + plane_size * sizeof(REAL));
    if (!seg) return -1;
    REAL *plane = (REAL *)(seg + most);
    memset(plane, 0, plane_size * sizeof(REAL));
    ptrdiff_t at_work = -1;
    const uint64_t before = mg_flush_on();
    for (ptrdiff_t work = first_band; work < past_band; work++) {
        const ptrdiff_t n = work / bands, band = work % bands;
        if (n != at_work) image = x + n * image_size;
        if (n != at_work && plane_size) image = NAME(fill_plane)(v, image, plane);
        at_work = n;
        const ptrdiff_t first = v->oh * band / bands, past = v->oh * (band + 1) / bands;
        const ptrdiff_t across = step < v->ow ? step : v->ow, tall = down < past - first ? down : past - first;
        for (ptrdiff_t phase = 0; phase < tall * across; phase++) {
            const ptrdiff_t q = phase % across, count = NAME(list_segments)(all, first + phase / across, q, seg);
            for (ptrdiff_t i = first + phase / across, rows; i < past; i += rows * down) {
                const ptrdiff_t r = i / down * v->sh, s = NAME(above)(seg, count, -r);
                Tile t;
                t.seg = seg + s;
                t.segments = NAME(above)(seg, count, v->h - r) - s;
                rows = 1;
                if (pairs && i + down < past /* if they meet the same: bits do not depend on bands */
                    && NAME(above)(seg, count, -r - v->sh) == s
                    && NAME(above)(seg, count, v->h - r - v->sh) == s + t.segments)
                    rows = 2;
                t.ra = v->sw * v->c;
                t.ca = 1;
                t.rc = step * o;
                t.ja = v->sh * pitch;
                t.jc = down * v->ow * o;
                t.accumulate = 0;
                const REAL *from = image + r * pitch;
                REAL *to = y + ((n * v->oh + i) * v->ow + q) * o;
                NAME(all_columns)(all, &t, rows, (v->ow - q + step - 1) / step, from, to);
                if (q > 0 || n + 1 == v->n) continue;
                for (ptrdiff_t p = i; p < i + rows * down; p += down)
                    NAME(fetch)(x + (n + 1) * image_size, image_size, p, v->oh);
            }
        }
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
    const int side_by_side = groups == 1 && v->spread_w % v->dw == 0 && v->spread_w / v->dw < w->kw;
    const ptrdiff_t period = side_by_side ? v->spread_w / v->dw : w->kw;
    REAL *packed = v->team.scratch(0, ((size_t)(groups * padded * (K + 1)) + NV * LANES) * sizeof(REAL));
    if (!packed) return -1;
    REAL *padded_bias = packed + groups * padded * K;
    for (ptrdiff_t g = 0; g < groups; g++) {
        NAME(pack_weights)(w, period, weights + g * w->s_group, packed + g * padded * K);
        if (bias)
            for (ptrdiff_t j = 0; j < padded; j++)
                padded_bias[g * padded + j] = j < columns ? bias[g * columns + j] : 0;
    }
    /* so many bands of rows per image that every thread has work, also for a single image */
    const ptrdiff_t most = 4 * v->team.threads, bands = v->n >= most ? 1 : v->oh < most ? v->oh : most;
    const Correlation all = {v, w, period, packed, bias ? padded_bias : NULL, bands};
    return run_parts(v->team, NAME(correlate_bands), &all, v->n * bands);
}

/* db[j] += sum over the pixels of an image of g[p, j], pixel by pixel. */
static void NAME(add_pixels)(ptrdiff_t pixels, ptrdiff_t o, const REAL *g, REAL *db) {
    ptrdiff_t j = 0;
    for (; j + 2 * LANES <= o; j += 2 * LANES) {
        vec sum0 = LOAD(db + j), sum1 = LOAD(db + j + LANES);
        for (ptrdiff_t p = 0; p < pixels; p++) {
            sum0 += LOAD(g + p * o + j);
            sum1 += LOAD(g + p * o + j + LANES);
        }
        STORE(db + j, sum0);
        STORE(db + j + LANES, sum1);
    }
    for (; j + LANES <= o; j += LANES) {
        vec sum = LOAD(db + j);
        for (ptrdiff_t p = 0; p < pixels; p++) sum += LOAD(g + p * o + j);
        STORE(db + j, sum);
    }
    for (; j < o; j++) {
        REAL sum = db[j];
        for (ptrdiff_t p = 0; p < pixels; p++) sum += g[p * o + j];
        db[j] = sum;
    }
}

/* A gradient of weights. Its `parts` parts are shares of the tiles of dw. */
#define Gradient NAME(Gradient)
typedef struct {
    const Geometry *v;
    const Weights *w;
    const Segment *seg; /* one for every row of windows */
    int whole_rows;     /* the rows of one ki lie side by side in the image: dw has blocks of kw depth rows */
    ptrdiff_t rows, high, heights;         /* rows of a block of dw, of a tile, and how many tiles that makes */
    ptrdiff_t deep, blocks, panels, parts; /* ki in one tile; blocks, panels of columns; parts */
} Gradient;

/* Tile number `item` of dw += what one image adds. image: its pixel (0, 0); g: the gradient of its windows, a row of rb
 * numbers for each, of which those of group q begin at q apart. */
static void NAME(gradient_tile)(const Gradient *all, ptrdiff_t item, const REAL *image, const REAL *g, ptrdiff_t rb,
                                ptrdiff_t apart) {
    const Geometry *v = all->v;
    const ptrdiff_t kh = all->w->kh, kw = all->w->kw, columns = all->w->columns, wide = NV * LANES;
    const ptrdiff_t depth = v->c / v->groups, o = v->groups * columns, pitch = v->pw * v->c;
    const ptrdiff_t m = item % all->heights * all->high, block = item / all->heights % all->blocks;
    const ptrdiff_t first = item / all->heights / all->blocks % all->panels * wide;
    const ptrdiff_t q = item / all->heights / all->blocks / all->panels;
    const ptrdiff_t ki = (all->whole_rows ? block : block / kw) * all->deep, kj = all->whole_rows ? 0 : block % kw;
    const ptrdiff_t mr = all->rows - m < all->high ? all->rows - m : all->high;
    const ptrdiff_t last = ki + all->deep < kh ? ki + all->deep - 1 : kh - 1;
    ptrdiff_t s = 0, past_s = v->oh; /* rows of windows that see pixels through ki .. last */
    while (s < past_s && s * v->sh + last * v->dh < v->top) s++;
    while (s < past_s && (past_s - 1) * v->sh + ki * v->dh - v->top >= v->h) past_s--;
    Tile t = {.ra = 1, .ca = v->sw * v->c, .rb = rb, .rc = o, .accumulate = 1};
    t.columns = columns - first < wide ? columns - first : wide;
    t.a = image + (ki * v->dh - v->top) * pitch + (kj * v->dw - v->left) * v->c + q * depth + m;
    t.b = g + q * apart + first;
    t.c = (REAL *)all->w->entries + ((ki * kw + kj) * depth + m) * o + q * columns + first;
    t.seg = all->seg + s;
    t.segments = past_s - s;
    t.ja = v->dh * pitch;
    t.jc = kw * depth * o;
    NAME(tiles)[mr - 1][last - ki][t.columns <= LANES ? 0 : NV - 1](&t);
}

/* The gradient of an image's windows with the columns of each group in whole vectors. */
static void NAME(pad_columns)(const Gradient *all, const REAL *g, REAL *to) {
    const ptrdiff_t groups = all->v->groups, columns = all->w->columns, padded = PADDED(columns);
    const ptrdiff_t pixels = all->v->oh * all->v->ow;
    for (ptrdiff_t q = 0; q < groups; q++)
        for (ptrdiff_t p = 0; p < pixels; p++, to += padded)
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
    const size_t plane_size = PLANE_SIZE(v), g_size = padded == columns ? 0 : (size_t)(v->groups * pixels * padded);
    REAL *plane = v->team.scratch(1, (plane_size + g_size + 1) * sizeof(REAL)), *padded_g = plane + plane_size;
    if (!plane) return -1;
    memset(plane, 0, plane_size * sizeof(REAL));
    const uint64_t before = mg_flush_on();
    for (ptrdiff_t n = 0; n < v->n; n++) {
        const REAL *image = x + n * image_size, *gn = g + n * pixels * o;
        if (plane_size) image = NAME(fill_plane)(v, image, plane);
        if (g_size) NAME(pad_columns)(all, gn, padded_g);
        for (ptrdiff_t item = mine; item < past; item++) {
            if (n + 1 < v->n) {
                NAME(fetch)(x + (n + 1) * image_size, image_size, item - mine, past - mine);
                NAME(fetch)(g + (n + 1) * pixels * o, pixels * o, item - mine, past - mine);
            }
            if (g_size)
                NAME(gradient_tile)(all, item, image, padded_g, padded, pixels * padded);
            else
                NAME(gradient_tile)(all, item, image, gn, o, columns);
        }
        if (db && past_part == all->parts) NAME(add_pixels)(pixels, o, gn, db);
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
    Segment *seg = v->team.scratch(0, (size_t)(v->oh + 1) * sizeof(Segment));
    if (!seg) return -1;
    for (ptrdiff_t s = 0; s < v->oh; s++) seg[s] = (Segment){s * v->sh * v->pw * v->c, s * v->ow, v->ow, s * v->sh};
    if (!w->add) memset(dw, 0, (size_t)(kh * kw * depth * o) * sizeof(REAL));
    if (db && !w->add_bias) memset(db, 0, (size_t)o * sizeof(REAL));
    const ptrdiff_t heights = (rows + high - 1) / high, blocks = whole_rows ? steps : steps * kw;
    const ptrdiff_t work = v->groups * panels * blocks * heights;
    const ptrdiff_t parts = v->team.threads < work ? v->team.threads : work;
    const Gradient all = {v, w, seg, whole_rows, rows, high, heights, deep, blocks, panels, parts};
    return run_parts(v->team, NAME(correlate_w_tiles), &all, all.parts);
}

#undef Correlation
#undef Gradient
#undef PADDED
#undef PLANE_SIZE
#undef MR
#undef NV
#undef Tile
