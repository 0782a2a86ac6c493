/* Pooling for one instruction set and one width; pool.h includes this text for each, with LANES numbers in a vector.
 * Some loops over the channels are plain C that the compiler vectorises; those over any window, and the one that writes
 * to four places at once, are not: its preparations cost more than the 16 channels. The parts of a kernel are images
 * (scatter, gather, avg_pool_x) or rows of windows (max_pool, avg_pool). */

#ifndef MG_PLAIN_C
typedef int32_t NAME(places) __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(sizeof(int32_t)), may_alias));
static const wholes NAME(lane) = {MG_PASTE(FIRST, LANES)};
#endif

/* Maximum over window [r0, r1) x [s0, s1) for all channels. The first of equals wins, a NaN beats every number. */
static void NAME(max_window)(const REAL *image, ptrdiff_t w, ptrdiff_t c, ptrdiff_t r0, ptrdiff_t r1, ptrdiff_t s0,
                             ptrdiff_t s1, REAL *y, int32_t *index) {
    const ptrdiff_t start = (r0 * w + s0) * c;
    ptrdiff_t k = 0;
#ifndef MG_PLAIN_C
    for (; k + LANES <= c; k += LANES) {
        vec best = LOAD(image + start + k);
        wholes where = NAME(lane) + (WHOLE)(start + k);
        for (ptrdiff_t r = r0; r < r1; r++) {
            ONE_BY_ONE
            for (ptrdiff_t s = s0; s < s1; s++) {
                const ptrdiff_t at = (r * w + s) * c + k;
                const vec x = LOAD(image + at);
                const wholes wins = ~(x <= best) & (best == best);
                best = (vec)(((wholes)x & wins) | ((wholes)best & ~wins));
                where = ((NAME(lane) + (WHOLE)at) & wins) | (where & ~wins);
            }
        }
        STORE(y + k, best);
        *(NAME(places) *)(index + k) = __builtin_convertvector(where, NAME(places));
    }
#endif
    for (; k < c; k++) {
        REAL best = image[start + k];
        int32_t where = (int32_t)(start + k);
        for (ptrdiff_t r = r0; r < r1; r++) {
            ONE_BY_ONE
            for (ptrdiff_t s = s0; s < s1; s++) {
                const ptrdiff_t at = (r * w + s) * c + k;
                CONTEST(image[at], (int32_t)at);
            }
        }
        y[k] = best;
        index[k] = where;
    }
}

/* The same for 2 x 2: one pass, four rows of channels. */
static void NAME(max_2x2)(const REAL *MG_RESTRICT image, ptrdiff_t w, ptrdiff_t c, ptrdiff_t at, REAL *MG_RESTRICT y,
                          int32_t *MG_RESTRICT index) {
    const REAL *MG_RESTRICT x0 = image + at, *MG_RESTRICT x1 = x0 + c, *MG_RESTRICT x2 = x0 + w * c,
                            *MG_RESTRICT x3 = x2 + c;
    const int32_t i0 = (int32_t)at, i1 = (int32_t)(at + c), i2 = (int32_t)(at + w * c), i3 = (int32_t)(at + w * c + c);
    for (ptrdiff_t k = 0; k < c; k++) {
        REAL best = x0[k];
        int32_t where = i0;
        CONTEST(x1[k], i1);
        CONTEST(x2[k], i2);
        CONTEST(x3[k], i3);
        y[k] = best;
        index[k] = where + (int32_t)k;
    }
}

/* windows <- the largest of each, index <- where it lies. */
static int NAME(max_pool)(const void *pool, ptrdiff_t first, ptrdiff_t past) {
    const Pool *p = pool;
    const ptrdiff_t image = p->h * p->w * p->c;
    const REAL *x = p->images;
    REAL *y = p->windows;
    int32_t *index = p->index;
    for (ptrdiff_t row = first; row < past; row++) {
        const ptrdiff_t n = row / p->oh, i = row % p->oh;
        const int64_t *r = p->rows + 2 * i;
        for (ptrdiff_t j = 0; j < p->ow; j++) {
            const ptrdiff_t to = (row * p->ow + j) * p->c;
            const int64_t *s = p->columns + 2 * j;
            if (p->halves)
                NAME(max_2x2)(x + n * image, p->w, p->c, (2 * i * p->w + 2 * j) * p->c, y + to, index + to);
            else
                NAME(max_window)(x + n * image, p->w, p->c, r[0], r[1], s[0], s[1], y + to, index + to);
        }
    }
    return 0;
}

/* One 2 x 2 window of the scatter: four destinations, each written once. */
static void NAME(scatter_2x2)(const REAL *MG_RESTRICT g, const int32_t *MG_RESTRICT index, ptrdiff_t w, ptrdiff_t c,
                              ptrdiff_t at, REAL *MG_RESTRICT dx) {
    REAL *MG_RESTRICT d0 = dx + at, *MG_RESTRICT d1 = d0 + c, *MG_RESTRICT d2 = d0 + w * c, *MG_RESTRICT d3 = d2 + c;
    const int32_t i0 = (int32_t)at, i1 = (int32_t)(at + c), i2 = (int32_t)(at + w * c), i3 = (int32_t)(at + w * c + c);
    ptrdiff_t k = 0;
#ifndef MG_PLAIN_C
    for (; k + LANES <= c; k += LANES) {
        const NAME(places) at_k = *(const NAME(places) *)(index + k);
        const wholes where = __builtin_convertvector(at_k, wholes) - NAME(lane) - (WHOLE)k;
        const wholes gk = *(const wholes *)(g + k);
        *(wholes *)(d0 + k) = gk & (where == i0);
        *(wholes *)(d1 + k) = gk & (where == i1);
        *(wholes *)(d2 + k) = gk & (where == i2);
        *(wholes *)(d3 + k) = gk & (where == i3);
    }
#endif
    for (; k < c; k++) {
        const int32_t where = index[k] - (int32_t)k;
        d0[k] = where == i0 ? g[k] : 0;
        d1[k] = where == i1 ? g[k] : 0;
        d2[k] = where == i2 ? g[k] : 0;
        d3[k] = where == i3 ? g[k] : 0;
    }
}

/* images <- the sum of the windows whose maximum lies there. */
static int NAME(scatter)(const void *pool, ptrdiff_t first, ptrdiff_t past) {
    const Pool *p = pool;
    const ptrdiff_t image = p->h * p->w * p->c, outputs = p->oh * p->ow * p->c;
    const REAL *g = p->windows;
    REAL *dx = p->images;
    const int32_t *index = p->index;
    for (ptrdiff_t n = first; n < past; n++) {
        REAL *MG_RESTRICT to = dx + n * image;
        const REAL *MG_RESTRICT gn = g + n * outputs;
        const int32_t *MG_RESTRICT at = index + n * outputs;
        if (p->halves) {
            for (ptrdiff_t i = 0; i < p->oh; i++) {
                for (ptrdiff_t j = 0; j < p->ow; j++) {
                    const ptrdiff_t from = (i * p->ow + j) * p->c;
                    NAME(scatter_2x2)(gn + from, at + from, p->w, p->c, (2 * i * p->w + 2 * j) * p->c, to);
                }
                for (ptrdiff_t r = 2 * i; r < 2 * i + 2; r++) /* an odd last column, an odd last row */
                    for (ptrdiff_t k = 2 * p->ow * p->c; k < p->w * p->c; k++) to[r * p->w * p->c + k] = 0;
            }
            for (ptrdiff_t k = 2 * p->oh * p->w * p->c; k < image; k++) to[k] = 0;
        } else {
            memset(to, 0, (size_t)image * sizeof(REAL));
            for (ptrdiff_t k = 0; k < outputs; k++) to[place_in(at, k, image)] += gn[k];
        }
    }
    return 0;
}

/* windows <- images at the places in index. */
static int NAME(gather)(const void *pool, ptrdiff_t first, ptrdiff_t past) {
    const Pool *p = pool;
    const ptrdiff_t image = p->h * p->w * p->c, outputs = p->oh * p->ow * p->c;
    const REAL *x = p->images;
    REAL *y = p->windows;
    const int32_t *index = p->index;
    for (ptrdiff_t n = first; n < past; n++) {
        REAL *MG_RESTRICT to = y + n * outputs;
        const REAL *MG_RESTRICT from = x + n * image;
        const int32_t *MG_RESTRICT at = index + n * outputs;
        ptrdiff_t k = 0;
        for (; k + 4 <= outputs; k += 4) /* by fours: a loop this short loses a tenth where it crosses a cache line */
            for (int i = 0; i < 4; i++) to[k + i] = from[place_in(at, k + i, image)];
        for (; k < outputs; k++) to[k] = from[place_in(at, k, image)];
    }
    return 0;
}

/* windows <- scale times the sum over each. */
static int NAME(avg_pool)(const void *pool, ptrdiff_t first, ptrdiff_t past) {
    const Pool *p = pool;
    const ptrdiff_t c = p->c, pitch = p->w * c;
    const REAL scale = (REAL)p->scale;
    REAL *y = p->windows;
    for (ptrdiff_t row = first; row < past; row++) {
        const ptrdiff_t n = row / p->oh, i = row % p->oh, r0 = p->rows[2 * i], r1 = p->rows[2 * i + 1];
        const REAL *image = (const REAL *)p->images + n * p->h * pitch;
        for (ptrdiff_t j = 0; j < p->ow; j++) {
            const ptrdiff_t s0 = p->columns[2 * j], s1 = p->columns[2 * j + 1];
            REAL *to = y + (row * p->ow + j) * c;
            ptrdiff_t k = 0;
            for (; k + LANES <= c; k += LANES) {
                vec sum = {0};
                for (ptrdiff_t r = r0; r < r1; r++)
                    for (ptrdiff_t s = s0; s < s1; s++) sum += LOAD(image + r * pitch + s * c + k);
                STORE(to + k, sum * scale);
            }
            for (; k < c; k++) {
                REAL sum = 0;
                for (ptrdiff_t r = r0; r < r1; r++)
                    for (ptrdiff_t s = s0; s < s1; s++) sum += image[r * pitch + s * c + k];
                to[k] = sum * scale;
            }
        }
    }
    return 0;
}

/* images <- scale times the sum of the windows that contain the pixel. */
static int NAME(avg_pool_x)(const void *pool, ptrdiff_t first, ptrdiff_t past) {
    const Pool *p = pool;
    const ptrdiff_t c = p->c, pitch = p->w * c;
    const REAL scale = (REAL)p->scale;
    for (ptrdiff_t n = first; n < past; n++) {
        REAL *dx = (REAL *)p->images + n * p->h * pitch;
        memset(dx, 0, (size_t)(p->h * pitch) * sizeof(REAL));
        for (ptrdiff_t i = 0; i < p->oh; i++)
            for (ptrdiff_t j = 0; j < p->ow; j++) {
                const ptrdiff_t r0 = p->rows[2 * i], r1 = p->rows[2 * i + 1];
                const ptrdiff_t s0 = p->columns[2 * j], s1 = p->columns[2 * j + 1];
                const REAL *MG_RESTRICT from = (const REAL *)p->windows + ((n * p->oh + i) * p->ow + j) * c;
                for (ptrdiff_t r = r0; r < r1; r++)
                    for (ptrdiff_t s = s0; s < s1; s++) {
                        REAL *MG_RESTRICT to = dx + r * pitch + s * c;
                        ptrdiff_t k = 0;
                        for (; k + LANES <= c; k += LANES) STORE(to + k, LOAD(to + k) + scale * LOAD(from + k));
                        ONE_BY_ONE
                        for (; k < c; k++) to[k] += scale * from[k];
                    }
            }
    }
    return 0;
}
