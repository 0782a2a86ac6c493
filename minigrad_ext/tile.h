/* The micro-kernel for one width and instruction set; gemm_body.h includes this text.

   TILE_ROWS x TILE_VECTORS accumulators, a row of B and one entry of A must fit the registers: 16 (baseline, AVX2) or
   32 (AVX-512, NEON). TALL_ROWS is the height of a tile of one or two vectors; TEN_ROWS too, for ten classes.

       C[i, j] <- [C +] sum_p A[i ra + p ca] B[p rb + j] [+ bias]

   One accumulator per entry, k in order: the bits of an entry do not depend on where in which tile it lies, nor on
   whether its sum is carried from one piece of k to the next. */

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

/* Half a vector, for the last columns of a panel. AVX-512 alone has registers to spare for tiles of one and a half;
   some processors work on halves in half the time. */
#if ISA == 2
#define HALVES 1
#if LANES == 16
#define WIDENED(half) ((vec)_mm512_zextps256_ps512((__m256)(half))) /* zeros in the upper half */
#else
#define WIDENED(half) ((vec)_mm512_zextpd256_pd512((__m256d)(half)))
#endif
typedef REAL NAME(half) __attribute__((vector_size(LANES / 2 * sizeof(REAL))));
typedef REAL NAME(loose_half) __attribute__((vector_size(LANES / 2 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#else
#define HALVES 0
#define WIDENED(half) (half)
typedef vec NAME(half);
typedef loose NAME(loose_half);
#endif
#define LOAD_HALF(p) (*(const NAME(loose_half) *)(p))

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
    int add, far;    /* far: no cache holds B, and its next panel lies beside this one */
    REAL *sums;      /* of a k that comes in pieces, for every row whole vectors */
    int begun, open; /* they are there from the piece before; they are wanted by the next one */
} Strip;

#ifdef MG_WEAVE
#if LANES == 2 << ISA
#define PART 2 /* numbers in 128 bits */
#else
#define PART 4
#endif

/* The first PART numbers of columns j, j + PART, j + 2 PART ..., one column behind the other, which makes a vector.
   Columns begin `apart` numbers apart; in place of those from `some` on the last one before is read. */
#define COLUMN(j) (from + ((j) < some ? (j) : some - 1) * apart)
MG_INLINE vec NAME(parts)(const REAL *from, ptrdiff_t apart, const ptrdiff_t some, const int j) {
#if ISA == 2 && LANES == 16
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(COLUMN(j)));
    x = _mm512_mask_broadcast_f32x4(x, 0x00f0, _mm_loadu_ps(COLUMN(j + 4)));
    x = _mm512_mask_broadcast_f32x4(x, 0x0f00, _mm_loadu_ps(COLUMN(j + 8)));
    return (vec)_mm512_mask_broadcast_f32x4(x, 0xf000, _mm_loadu_ps(COLUMN(j + 12)));
#elif ISA == 2
    __m512d x = _mm512_castpd128_pd512(_mm_loadu_pd(COLUMN(j)));
    x = _mm512_mask_broadcast_f64x2(x, 0x0c, _mm_loadu_pd(COLUMN(j + 2)));
    x = _mm512_mask_broadcast_f64x2(x, 0x30, _mm_loadu_pd(COLUMN(j + 4)));
    return (vec)_mm512_mask_broadcast_f64x2(x, 0xc0, _mm_loadu_pd(COLUMN(j + 6)));
#elif ISA == 1 && LANES == 8
    return (vec)_mm256_loadu2_m128(COLUMN(j + 4), COLUMN(j));
#elif ISA == 1
    return (vec)_mm256_loadu2_m128d(COLUMN(j + 2), COLUMN(j));
#else
    return LOAD(COLUMN(j));
#endif
}
#undef COLUMN

/* row[i][j] = entry i of column j, of the first PART entries of LANES columns, of which `some` are there. */
MG_INLINE void NAME(turn)(const REAL *from, ptrdiff_t apart, const ptrdiff_t some, vec *row) {
    vec x[PART];
    UNROLL
    for (int j = 0; j < PART; j++) x[j] = NAME(parts)(from, apart, some, j);
#if PART == 2
    row[0] = MG_WEAVE(LOW, f64, LANES, x[0], x[1]);
    row[1] = MG_WEAVE(HIGH, f64, LANES, x[0], x[1]);
#else
    typedef double pairs __attribute__((vector_size(LANES * sizeof(REAL))));
    const pairs low = (pairs)MG_WEAVE(LOW, f32, LANES, x[0], x[1]),
                high = (pairs)MG_WEAVE(HIGH, f32, LANES, x[0], x[1]);
    const pairs next = (pairs)MG_WEAVE(LOW, f32, LANES, x[2], x[3]),
                last = (pairs)MG_WEAVE(HIGH, f32, LANES, x[2], x[3]);
    row[0] = (vec)MG_WEAVE(LOW, f64, LANES_f64, low, next);
    row[1] = (vec)MG_WEAVE(HIGH, f64, LANES_f64, low, next);
    row[2] = (vec)MG_WEAVE(LOW, f64, LANES_f64, high, last);
    row[3] = (vec)MG_WEAVE(HIGH, f64, LANES_f64, high, last);
#endif
}
#endif

/* Stores a tile whose rows lie `wide` apart in `entry`, by columns: C is transposed, its columns are contiguous. */
MG_OUTSIDE void NAME(put_down)(const Strip *t, ptrdiff_t mr, const REAL *entry, ptrdiff_t wide, REAL *c,
                               const REAL *bias) {
    ptrdiff_t i0 = 0;
#ifdef MG_WEAVE
    if (t->rc == 1 && (bias == NULL || t->bi == 1))
        for (; i0 < mr; i0 += LANES) {
            const ptrdiff_t some = mg_least(mr - i0, LANES);
            for (ptrdiff_t j0 = 0; j0 < t->nr; j0 += PART) {
                vec r[PART];
                NAME(turn)(entry + i0 * wide + j0, wide, some, r);
                for (ptrdiff_t j = j0; j < mg_least(j0 + PART, t->nr); j++) {
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

/* The end of a tile of mr rows and `wide` vectors: C <- [C +] its sums [+ bias]. */
MG_INLINE void NAME(finish)(const int mr, const int wide, const Strip *t, const vec *sum, REAL *c, const REAL *bias) {
    if (t->cc != 1 || (bias != NULL && t->bj != 1)) {
        REAL entry[MOST_SUMS * LANES];
        UNROLL
        for (int i = 0; i < mr * wide; i++) STORE(entry + i * LANES, sum[i]);
        NAME(put_down)(t, mr, entry, wide * LANES, c, bias);
        return;
    }
    const ptrdiff_t some = t->nr - (wide - 1) * LANES; /* of the last vector */
    if (some == LANES && !t->add && !bias) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < wide; v++) STORE(c + i * t->rc + v * LANES, sum[i * wide + v]);
        }
        return;
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        REAL *ci = c + i * t->rc;
        UNROLL
        for (int v = 0; v < wide; v++) {
            vec x = sum[i * wide + v];
            if (v < wide - 1 || some == LANES) {
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

/* One tile of mr rows and nv vectors, and half of one more if half is 1; the first nr columns of them exist. mr, nv and
   half are constants where this is inlined, so that the accumulators live in registers. fetch: ask for the same rows of
   the next panel. */
MG_INLINE void NAME(tile)(const int mr, const int nv, const int half, const int fetch, const Strip *t, const REAL *a,
                          ptrdiff_t ra, ptrdiff_t ca, REAL *c, const REAL *bias, REAL *sums) {
    const int wide = nv + half;
    vec sum[MOST_SUMS];
    NAME(half) last[MOST_SUMS];
    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int v = 0; v < nv; v++) sum[i * wide + v] = (vec){0};
        last[i] = (NAME(half)){0};
    }
    if (MG_SELDOM(t->begun)) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            UNROLL
            for (int v = 0; v < nv; v++) sum[i * wide + v] = LOAD(sums + (i * wide + v) * LANES);
            if (half) last[i] = LOAD_HALF(sums + (i * wide + nv) * LANES);
        }
    }
    /* The second half of the rows has a pointer of its own, so that half as many distances need a register each. */
    const REAL *b = t->b, *below = a + mr / 2 * ra;
    MG_FRESH(below);
    for (ptrdiff_t p = 0; p < t->k; p++, a += ca, below += ca, b += t->rb) {
        vec row[8];
        NAME(half) rest;
        UNROLL
        for (int v = 0; v < nv; v++) {
            row[v] = LOAD(b + v * LANES);
            if (fetch) MG_FETCH(b + (v + nv + 1) * LANES - 1);
        }
        if (half) rest = LOAD_HALF(b + nv * LANES);
        UNROLL
        for (int i = 0; i < mr; i++) {
            const REAL x = i < mr / 2 ? a[i * ra] : below[(i - mr / 2) * ra];
            UNROLL
            for (int v = 0; v < nv; v++) sum[i * wide + v] += x * row[v];
            if (half) last[i] += x * rest;
        }
    }
    if (half) {
        UNROLL
        for (int i = 0; i < mr; i++) sum[i * wide + nv] = WIDENED(last[i]);
    }
    if (MG_SELDOM(t->open)) {
        UNROLL
        for (int i = 0; i < mr * wide; i++) STORE(sums + i * LANES, sum[i]);
        return;
    }
    NAME(finish)(mr, wide, t, sum, c, bias);
}

/* Ten rows and two vectors of columns of B that are contiguous, turned into rows in the registers: to pack them would
   take half as long as the tile. Only AVX-512 has registers enough. */
#if ISA == 2 && defined(MG_WEAVE)
#define TURNS 1
MG_OUTSIDE void NAME(ten_turned)(const Strip *t, ptrdiff_t cb) {
    enum { mr = TEN_ROWS };
    vec sum[MOST_SUMS];
    const REAL *a = t->a, *below = a + mr / 2 * t->ra, *b = t->b;
    ptrdiff_t p = 0;
    UNROLL
    for (int i = 0; i < 2 * mr; i++) sum[i] = (vec){0};
    MG_FRESH(below);
    for (; p + PART <= t->k; p += PART, b += PART) {
        vec row[2][PART];
        NAME(turn)(b, cb, LANES, row[0]);
        NAME(turn)(b + LANES * cb, cb, LANES, row[1]);
        UNROLL
        for (int q = 0; q < PART; q++, a += t->ca, below += t->ca) {
            UNROLL
            for (int i = 0; i < mr; i++) {
                const REAL x = i < mr / 2 ? a[i * t->ra] : below[(i - mr / 2) * t->ra];
                sum[2 * i] += x * row[0][q];
                sum[2 * i + 1] += x * row[1][q];
            }
        }
    }
    for (; p < t->k; p++, b++, a += t->ca) {
        REAL entry[2 * LANES];
        for (ptrdiff_t j = 0; j < 2 * LANES; j++) entry[j] = b[j * cb];
        UNROLL
        for (int i = 0; i < mr; i++) {
            sum[2 * i] += a[i * t->ra] * LOAD(entry);
            sum[2 * i + 1] += a[i * t->ra] * LOAD(entry + LANES);
        }
    }
    NAME(finish)(mr, 2, t, sum, t->c, t->bias);
}
#else
#define TURNS 0
static void NAME(ten_turned)(const Strip *t, ptrdiff_t cb) { (void)t, (void)cb; }
#endif

/* From row i of A on, all tiles of one shape; returns the row behind them. A function for each shape: in one for all of
   them gcc takes registers from the loop of one shape for the others' addresses. */
/* clang-format off */
#define SHAPE(height, nv, half) NAME(MG_PASTE(MG_PASTE(height, nv), half))
#define TILES(height, mr, nv, half, fetch)                                                                      \
    MG_OUTSIDE ptrdiff_t SHAPE(height, nv, half)(const Strip *t, ptrdiff_t i) {                                 \
        const ptrdiff_t ra = t->block ? 1 : t->ra, ca = t->block ? t->block : t->ca;                            \
        for (; i + mr <= t->m; i += mr) {                                                                       \
            const REAL *a = t->block ? t->a + i / t->block * t->block * t->k + i % t->block : t->a + i * t->ra; \
            NAME(tile)(mr, nv, half, fetch, t, a, ra, ca, t->c + i * t->rc,                                     \
                       t->bias ? t->bias + i * t->bi : NULL, t->sums + i * (nv + half) * LANES);                \
        }                                                                                                       \
        return i;                                                                                               \
    }
#define HEIGHTS(nv, half)               \
    TILES(rows, TILE_ROWS, nv, half, 0) \
    TILES(four, 4, nv, half, 0)         \
    TILES(two, 2, nv, half, 0)          \
    TILES(one, 1, nv, half, 0)
#define MORE_HEIGHTS(nv, half)          \
    TILES(tall, TALL_ROWS, nv, half, 0) \
    TILES(ten, TEN_ROWS, nv, half, 0)

HEIGHTS(1, 0) MORE_HEIGHTS(1, 0)
#if HALVES
HEIGHTS(0, 1) MORE_HEIGHTS(0, 1) HEIGHTS(1, 1) MORE_HEIGHTS(1, 1)
#endif
#if TILE_VECTORS >= 2
HEIGHTS(2, 0)
#endif
#if TILE_VECTORS >= 3
MORE_HEIGHTS(2, 0) TILES(ten_far, TEN_ROWS, 2, 0, 1)
HEIGHTS(3, 0) TILES(rows_far, TILE_ROWS, 3, 0, 1) TILES(four_far, 4, 3, 0, 1)
#endif
#if TILE_VECTORS >= 4
HEIGHTS(4, 0)
#endif

#define DO(height, mr, nv, half) if (i + mr <= t->m) i = SHAPE(height, nv, half)(t, i);
#define ROWS(nv, half) DO(rows, TILE_ROWS, nv, half) DO(four, 4, nv, half) DO(two, 2, nv, half) DO(one, 1, nv, half)
#define TALL(nv, half) if (tall) { DO(tall, TALL_ROWS, nv, half) DO(ten, TEN_ROWS, nv, half) }

/* All rows of A against one panel of B: m x nr entries of C, nr at most TILE_VECTORS vectors. */
static void NAME(strip)(const Strip *t) {
    const int vectors = (int)((t->nr + LANES - 1) / LANES), half = HALVES && t->nr <= vectors * LANES - LANES / 2;
    const int tall = !t->block || t->block == TALL_ROWS;
    ptrdiff_t i = 0;
    switch (2 * vectors - half) {
#if HALVES
    case 1: TALL(0, 1) ROWS(0, 1) break;
    case 3: TALL(1, 1) ROWS(1, 1) break;
#endif
    case 2: TALL(1, 0) ROWS(1, 0) break;
#if TILE_VECTORS >= 2
    case 4:
#if TILE_VECTORS > 2
        if (tall && t->far) DO(ten_far, TEN_ROWS, 2, 0)
        TALL(2, 0)
#endif
        ROWS(2, 0)
        break;
#endif
#if TILE_VECTORS >= 3
    case 5: case 6:
        if (t->far) { DO(rows_far, TILE_ROWS, 3, 0) DO(four_far, 4, 3, 0) }
        ROWS(3, 0)
        break;
#endif
#if TILE_VECTORS >= 4
    case 7: case 8: ROWS(4, 0) break;
#endif
    }
}
/* clang-format on */

#undef DO
#undef ROWS
#undef TALL

#ifdef MG_WEAVE
/* to[p * wide + j] <- entry p of column j, for 16 entries of LANES columns, of which `some` are there. */
MG_OUTSIDE void NAME(pack_turned)(const REAL *from, ptrdiff_t apart, ptrdiff_t some, REAL *MG_RESTRICT to,
                                  ptrdiff_t wide) {
    vec row[PART];
    if (some >= LANES)
        for (ptrdiff_t p = 0; p < 16; p += PART) {
            NAME(turn)(from + p, apart, LANES, row);
            UNROLL
            for (int i = 0; i < PART; i++) STORE(to + (p + i) * wide, row[i]);
        }
    else
        for (ptrdiff_t p = 0; p < 16; p += PART) {
            NAME(turn)(from + p, apart, some, row);
            UNROLL
            for (int i = 0; i < PART; i++) STORE(to + (p + i) * wide, row[i]);
        }
}
#endif

/* panel[p * wide + j] <- B[p, j] for k rows and nr columns; wide: whole vectors. */
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
#ifdef MG_WEAVE
        if (rb == 1 && rows == 16)
            for (; j < nr; j += LANES) NAME(pack_turned)(b + p0 + j * cb, cb, nr - j, panel + p0 * wide + j, wide);
#endif
        for (; j < wide; j++) {
            const REAL *from = b + p0 * rb + j * cb;
            REAL *to = panel + p0 * wide + j;
            if (j >= nr)
                for (ptrdiff_t p = 0; p < rows; p++) to[p * wide] = 0;
            else if (rows == 16) {
                UNROLL
                for (ptrdiff_t p = 0; p < 16; p++) to[p * wide] = from[p * rb];
            } else
                for (ptrdiff_t p = 0; p < rows; p++) to[p * wide] = from[p * rb];
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

#undef SHAPE
#undef TILES
#undef HEIGHTS
#undef MORE_HEIGHTS
#undef LOAD_HALF
#undef WIDENED
#undef PART
