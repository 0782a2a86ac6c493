/* The micro-kernel for one width and instruction set; gemm_body.h includes this text.

   TILE_ROWS x TILE_VECTORS accumulators, a row of B and one entry of A must fit the registers: 16 (baseline, AVX2) or
   32 (AVX-512, NEON). TALL_ROWS is the height of a tile of one or two vectors; TEN_ROWS too, for ten classes.

       C[i, j] <- [C +] sum_p A[i ra + p ca] B[p rb + j] [+ bias]

   One accumulator per entry, k in order: the bits of an entry do not depend on where in which tile it lies. */

#if ISA == 2
#define TILE_VECTORS 3
#define TILE_ROWS 8
#define TALL_ROWS 14
#define TEN_ROWS 10
#elif ISA == 1
#define TILE_VECTORS 2
#define TILE_ROWS 6
#define TALL_ROWS 6
#define TEN_ROWS 5
#elif defined(MG_PLAIN_C)
#define TILE_VECTORS 4
#define TILE_ROWS 4
#define TALL_ROWS 4
#define TEN_ROWS 4
#elif defined(__aarch64__)
#define TILE_VECTORS 3
#define TILE_ROWS 8
#define TALL_ROWS 8
#define TEN_ROWS 5
#else
#define TILE_VECTORS 3
#define TILE_ROWS 4
#define TALL_ROWS 6
#define TEN_ROWS 5
#endif

/* m rows of A against one panel of B with nr columns, nr <= TILE_VECTORS LANES. Strides in items. block: 0, or the
   height of the tiles A is packed in (then ra and ca are not read). Bias entry (i, j) is at bias[i bi + j bj], or bias
   is NULL. */
#define Strip NAME(Strip)
typedef struct {
    ptrdiff_t m, nr, k;
    const REAL *a;
    ptrdiff_t ra, ca, block;
    const REAL *b;
    ptrdiff_t rb;
    REAL *c;
    ptrdiff_t rc, cc;
    const REAL *bias;
    ptrdiff_t bi, bj;
    int add, far; /* far: no cache holds B, and its next panel lies beside this one */
} Strip;

#ifdef MG_ZIP
/* r[i][j] <-> r[j][i] of a square of LANES vectors: the upper half zipped with the lower, log2(LANES) times. */
MG_INLINE void NAME(transpose)(vec *r) {
    UNROLL
    for (int distance = 1; distance < LANES; distance *= 2) {
        vec zipped[LANES];
        UNROLL
        for (int i = 0; i < LANES / 2; i++) {
            zipped[2 * i] = MG_ZIP(LOW, LANES, r[i], r[i + LANES / 2]);
            zipped[2 * i + 1] = MG_ZIP(HIGH, LANES, r[i], r[i + LANES / 2]);
        }
        UNROLL
        for (int i = 0; i < LANES; i++) r[i] = zipped[i];
    }
}
#endif

/* Stores a tile whose rows lie `wide` apart in `entry`, by columns: C is transposed, its columns are contiguous. */
static void NAME(put_down)(const Strip *t, ptrdiff_t mr, const REAL *entry, ptrdiff_t wide, REAL *c, const REAL *bias) {
    ptrdiff_t i0 = 0;
#ifdef MG_ZIP
    if (t->rc == 1 && (bias == NULL || t->bi == 1))
        for (; i0 < mr; i0 += LANES) {
            const ptrdiff_t some = mg_least(mr - i0, LANES);
            for (ptrdiff_t j0 = 0; j0 < t->nr; j0 += LANES) {
                vec r[LANES];
                UNROLL
                for (int i = 0; i < LANES; i++) {
                    r[i] = (vec){0};
                    if (i < some) r[i] = LOAD(entry + (i0 + i) * wide + j0);
                }
                NAME(transpose)(r);
                for (ptrdiff_t j = j0; j < mg_least(j0 + LANES, t->nr); j++) {
                    REAL *to = c + i0 + j * t->cc;
                    vec x = r[j - j0];
                    if (t->add) x += LOAD_SOME(to, some);
                    if (bias) x += LOAD_SOME(bias + i0 + j * t->bj, some);
                    STORE_SOME(to, x, some);
                }
            }
        }
#endif
    for (ptrdiff_t j = 0; j < t->nr; j++)
        for (ptrdiff_t i = i0; i < mr; i++) {
            REAL x = entry[i * wide + j], *to = c + i * t->rc + j * t->cc;
            if (t->add) x += *to;
            if (bias) x += bias[i * t->bi + j * t->bj];
            *to = x;
        }
}

/* One tile of mr rows and nv vectors, of which the first nr columns exist. mr and nv are constants where this is
   inlined, so that the accumulators live in registers. fetch: ask for the same rows of the next panel. */
MG_INLINE void NAME(tile)(const int mr, const int nv, const int fetch, const Strip *t, const REAL *a, ptrdiff_t ra,
                          ptrdiff_t ca, REAL *c, const REAL *bias) {
    vec sum[MOST_SUMS];
    UNROLL
    for (int i = 0; i < mr * nv; i++) sum[i] = (vec){0};
    const REAL *b = t->b;
    for (ptrdiff_t p = 0; p < t->k; p++, a += ca, b += t->rb) {
        vec row[8];
        UNROLL
        for (int v = 0; v < nv; v++) {
            row[v] = LOAD(b + v * LANES);
            if (fetch) MG_FETCH(b + (v + nv) * LANES);
        }
        UNROLL
        for (int i = 0; i < mr; i++) {
            REAL x = a[i * ra];
            UNROLL
            for (int v = 0; v < nv; v++) sum[i * nv + v] += x * row[v];
        }
    }
    if (t->cc != 1 || (bias != NULL && t->bj != 1)) {
        REAL entry[MOST_SUMS * LANES];
        UNROLL
        for (int i = 0; i < mr * nv; i++) STORE(entry + i * LANES, sum[i]);
        NAME(put_down)(t, mr, entry, nv * LANES, c, bias);
        return;
    }
    const ptrdiff_t some = t->nr - (nv - 1) * LANES; /* of the last vector */
    UNROLL
    for (int i = 0; i < mr; i++) {
        REAL *ci = c + i * t->rc;
        UNROLL
        for (int v = 0; v < nv; v++) {
            vec x = sum[i * nv + v];
            if (v < nv - 1 || some == LANES) {
                if (t->add) x += LOAD(ci + v * LANES);
                if (bias) x += LOAD(bias + v * LANES);
                STORE(ci + v * LANES, x);
            } else {
                if (t->add) x += LOAD_SOME(ci + v * LANES, some);
                if (bias) x += LOAD_SOME(bias + v * LANES, some);
                STORE_SOME(ci + v * LANES, x, some);
            }
        }
    }
}

#define ROWS(mr, nv) SOME_ROWS(mr, nv, 0)
#define SOME_ROWS(mr, nv, fetch)                                                                            \
    for (; i + mr <= t->m; i += mr) {                                                                       \
        const REAL *a = t->block ? t->a + i / t->block * t->block * t->k + i % t->block : t->a + i * t->ra; \
        NAME(tile)(mr, nv, fetch, t, a, ra, ca, t->c + i * t->rc, t->bias ? t->bias + i * t->bi : NULL);    \
    }

/* All rows of A against one panel of B: m x nr entries of C, nr at most TILE_VECTORS vectors. */
static void NAME(strip)(const Strip *t) {
    ptrdiff_t i = 0, ra = t->ra, ca = t->ca;
    ptrdiff_t nv = (t->nr + LANES - 1) / LANES;
    int tall = !t->block || t->block == TALL_ROWS;
    if (t->block) {
        ra = 1;
        ca = t->block;
    }
    /* clang-format off */
    switch (nv) {
    case 1:
        if (tall) ROWS(TALL_ROWS, 1)
        if (tall) ROWS(TEN_ROWS, 1)
        ROWS(TILE_ROWS, 1) ROWS(4, 1) ROWS(2, 1) ROWS(1, 1)
        break;
#if TILE_VECTORS >= 2
    case 2:
#if TILE_VECTORS > 2
        if (tall && t->far) SOME_ROWS(TEN_ROWS, 2, 1)
        if (tall) ROWS(TALL_ROWS, 2)
        if (tall) ROWS(TEN_ROWS, 2)
#endif
        ROWS(TILE_ROWS, 2) ROWS(4, 2) ROWS(2, 2) ROWS(1, 2)
        break;
#endif
#if TILE_VECTORS >= 3
    case 3:
        ROWS(TILE_ROWS, 3) ROWS(4, 3) ROWS(2, 3) ROWS(1, 3)
        break;
#endif
#if TILE_VECTORS >= 4
    case 4:
        ROWS(TILE_ROWS, 4) ROWS(2, 4) ROWS(1, 4)
        break;
#endif
    }
    /* clang-format on */
}

/* panel[p * nv * LANES + j] <- B[p, j] for k rows and nr columns, zeros up to full vectors. */
static void NAME(pack)(ptrdiff_t k, ptrdiff_t nr, const REAL *b, ptrdiff_t rb, ptrdiff_t cb, REAL *MG_RESTRICT panel) {
    ptrdiff_t wide = (nr + LANES - 1) / LANES * LANES;
    if (cb == 1) {
        ptrdiff_t full = nr / LANES * LANES;
        if (nr == TILE_VECTORS * LANES) { /* with a constant width gcc does not call memcpy for every row */
            for (ptrdiff_t p = 0; p < k; p++, b += rb, panel += TILE_VECTORS * LANES) {
                UNROLL
                for (int v = 0; v < TILE_VECTORS; v++) STORE(panel + v * LANES, LOAD(b + v * LANES));
            }
            return;
        }
        for (ptrdiff_t p = 0; p < k; p++) {
            const REAL *row = b + p * rb;
            REAL *to = panel + p * wide;
            for (ptrdiff_t j = 0; j < full; j += LANES) STORE(to + j, LOAD(row + j));
            if (full < nr) STORE(to + full, LOAD_SOME(row + full, nr - full));
        }
        return;
    }
    for (ptrdiff_t p0 = 0; p0 < k; p0 += 16) { /* 16 rows of the panel stay in L1 while columns of B are read along k */
        ptrdiff_t rows = k - p0 < 16 ? k - p0 : 16;
        ptrdiff_t j = 0;
#ifdef MG_ZIP
        if (rb == 1 && rows == 16)
            for (; j < nr; j += LANES)
                for (ptrdiff_t p = p0; p < p0 + 16; p += LANES) {
                    vec r[LANES];
                    UNROLL
                    for (int i = 0; i < LANES; i++) {
                        r[i] = (vec){0};
                        if (j + i < nr) r[i] = LOAD(b + p + (j + i) * cb);
                    }
                    NAME(transpose)(r);
                    UNROLL
                    for (int i = 0; i < LANES; i++) STORE(panel + (p + i) * wide + j, r[i]);
                }
#endif
        for (; j < wide; j++) {
            const REAL *column = b + p0 * rb + j * cb;
            REAL *to = panel + p0 * wide + j;
            if (j >= nr)
                for (ptrdiff_t p = 0; p < rows; p++) to[p * wide] = 0;
            else if (rows == 16) {
                UNROLL
                for (ptrdiff_t p = 0; p < 16; p++) to[p * wide] = column[p * rb];
            } else
                for (ptrdiff_t p = 0; p < rows; p++) to[p * wide] = column[p * rb];
        }
    }
}

/* block[(i / h) * h * k + p * h + i % h] <- A[i, p]: tiles of h = TILE_ROWS rows, the h entries of one p side by side.
 */
static void NAME(pack_rows)(ptrdiff_t m, ptrdiff_t k, const REAL *a, ptrdiff_t ra, ptrdiff_t ca,
                            REAL *MG_RESTRICT block) {
    const ptrdiff_t h = TILE_ROWS;
    for (ptrdiff_t i0 = 0; i0 < m; i0 += h) {
        ptrdiff_t rows = m - i0 < h ? m - i0 : h;
        REAL *to = block + i0 * k;
        const REAL *from = a + i0 * ra;
        if (rows == h && ra == 1)
            for (ptrdiff_t p = 0; p < k; p++, to += TILE_ROWS, from += ca) memcpy(to, from, TILE_ROWS * sizeof(REAL));
        else if (rows == h)
            for (ptrdiff_t p = 0; p < k; p++, to += TILE_ROWS, from += ca) {
                UNROLL
                for (int i = 0; i < TILE_ROWS; i++) to[i] = from[i * ra];
            }
        else
            for (ptrdiff_t p = 0; p < k; p++, to += h, from += ca)
                for (ptrdiff_t i = 0; i < rows; i++) to[i] = from[i * ra];
    }
}

/* sum[j] <- [sum +] sum over rows of G[i, j], in the order of i. */
static void NAME(columns)(ptrdiff_t m, ptrdiff_t n, const void *from, ptrdiff_t rg, ptrdiff_t cg, void *sums, int add) {
    const REAL *g = from;
    REAL *MG_RESTRICT sum = sums;
    ptrdiff_t j = 0;
    if (cg == 1) {
        for (; j + 4 * LANES <= n; j += 4 * LANES) { /* four columns of vectors, to hide the latency of an addition */
            vec total[4];
            UNROLL
            for (int v = 0; v < 4; v++) total[v] = (vec){0};
            for (ptrdiff_t i = 0; i < m; i++) {
                UNROLL
                for (int v = 0; v < 4; v++) total[v] += LOAD(g + i * rg + j + v * LANES);
            }
            UNROLL
            for (int v = 0; v < 4; v++) {
                if (add) total[v] += LOAD(sum + j + v * LANES);
                STORE(sum + j + v * LANES, total[v]);
            }
        }
        for (; j + LANES <= n; j += LANES) {
            vec total = {0};
            for (ptrdiff_t i = 0; i < m; i++) total += LOAD(g + i * rg + j);
            if (add) total += LOAD(sum + j);
            STORE(sum + j, total);
        }
    }
    for (; j < n; j++) {
        REAL total = 0;
        for (ptrdiff_t i = 0; i < m; i++) total += g[i * rg + j * cg];
        sum[j] = add ? total + sum[j] : total;
    }
}

#undef ROWS
#undef SOME_ROWS
