/* A matrix times a vector, for one width and instruction set; gemm_body.h includes this text.

       c[i] <- [c +] sum_p A[i ra + p ca] x[p] [+ bias[i bi]]

   Such a product reads every entry of A once, so it is as fast as A comes in. Rows that are contiguous are multiplied
   by x entry by entry (`along`), columns that are contiguous by one entry of x each (`across`).

   Bits: to add four entries of a row at once, and each to a sum that is not waiting for the one before, an entry of c
   is four sums, of p = 0, 4, 8 ..., p = 1, 5, 9 ... and so on, put together as (s0 + s1) + (s2 + s3), and added to c at
   multiples of SPAN. That holds for both ways. A product of two vectors (m = 1 too) is that of eight rows of c: it
   takes 32 entries at once. */

#if LANES < 4
#define PART LANES
#else
#define PART 4
#endif
#if ISA == 2 || defined(__aarch64__)
#define ACROSS 8 /* vectors of columns at once, of which the registers hold two sums each */
#else
#define ACROSS 4
#endif
#ifdef MG_PLAIN_C
typedef REAL NAME(part);
#else
typedef REAL NAME(part) __attribute__((vector_size(PART * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#endif
#define part NAME(part)
#define LOAD_PART(p) (*(const part *)(p))

/* c[i] <- total[i] [+ c] [+ bias] for `count` rows from row i0. */
static void NAME(put)(const Product *g, ptrdiff_t i0, ptrdiff_t count, const REAL *total, int add, int last) {
    REAL *c = (REAL *)g->c + i0 * g->rc;
    const REAL *bias = last && g->bias ? (const REAL *)g->bias + i0 * g->bi : NULL;
    if (g->rc == 1 && !add && !bias)
        memcpy(c, total, (size_t)count * sizeof(REAL));
    else
        for (ptrdiff_t i = 0; i < count; i++) {
            REAL x = total[i];
            if (add) x += c[i * g->rc];
            if (bias) x += bias[i * g->bi];
            c[i * g->rc] = x;
        }
}

/* Four sums += the first `some` <= 4 entries of a times those of x. */
MG_INLINE void NAME(add_some)(part *sum, ptrdiff_t some, const REAL *a, const REAL *x) {
#if ISA > 0
    sum[0] += (part)NAME(load_four)(a, some) * (part)NAME(load_four)(x, some);
#else
    REAL entry[4] = {0}, by[4] = {0};
    for (ptrdiff_t q = 0; q < some; q++) entry[q] = a[q], by[q] = x[q];
    for (int v = 0; v < 4 / PART; v++) sum[v] += LOAD_PART(entry + v * PART) * LOAD_PART(by + v * PART);
#endif
}

/* total[i] = the four sums of A[i] x, together, for `rows` rows of k entries; with `apart` they are every `rows`-th
   four of one row. rows and apart are constants where this is inlined. */
MG_INLINE void NAME(along)(const int rows, const int apart, ptrdiff_t k, const REAL *a, ptrdiff_t ra, const REAL *x,
                           REAL *total) {
    const ptrdiff_t rx = apart ? 4 : 0, step = apart ? 4 * rows : 4;
    part sum[MOST_DOTS][4 / PART];
    ptrdiff_t p = 0;
    if (apart) ra = 4;
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < 4 / PART; v++) sum[i][v] = (part){0};
    }
    for (; p + step <= k; p += step) {
        UNROLL
        for (int i = 0; i < rows; i++) {
            UNROLL
            for (int v = 0; v < 4 / PART; v++)
                sum[i][v] += LOAD_PART(a + i * ra + p + v * PART) * LOAD_PART(x + i * rx + p + v * PART);
        }
    }
    REAL s[4 * MOST_DOTS];
    UNROLL
    for (int i = 0; i < rows; i++) {
        const ptrdiff_t left = mg_least(k - p - i * rx, 4); /* entries at the end, of fewer than four */
        if (left > 0) NAME(add_some)(sum[i], left, a + i * ra + p, x + i * rx + p);
        UNROLL
        for (int v = 0; v < 4 / PART; v++) *(part *)(s + 4 * i + v * PART) = sum[i][v];
    }
    for (int i = 0; i < rows; i++) total[i] = (s[4 * i] + s[4 * i + 1]) + (s[4 * i + 2] + s[4 * i + 3]);
}

/* Rows i0 to i1 of c, where rows of A are contiguous. */
static void NAME(rows_times)(const Product *g, const REAL *x, ptrdiff_t i0, ptrdiff_t i1) {
    REAL total[MOST_DOTS];
    while (i0 < i1) {
        /* equal parts: 14 are 7 and 7, for rows beside each other hide how long a sum takes */
        const ptrdiff_t left = i1 - i0, rows = left / mg_ceil(left, MOST_DOTS);
        for (ptrdiff_t p = 0; p < g->k; p += SPAN) {
            const ptrdiff_t k = mg_least(SPAN, g->k - p);
            const REAL *a = (const REAL *)g->a + i0 * g->ra + p;
            /* clang-format off */
#define CASE(n) case n: NAME(along)(n, 0, k, a, g->ra, x + p, total); break;
            switch (rows) {
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
            }
#undef CASE
            /* clang-format on */
            NAME(put)(g, i0, rows, total, g->add || p > 0, p + k == g->k);
        }
        i0 += rows;
    }
}

/* total[j] = the four sums of column j of A, times x, together, `chains` of them at a time: 2 or 4. `vectors` vectors
   of columns, of the last of which `some` are there (LANES: all). fetch: ask for the same rows of the next columns. */
MG_INLINE void NAME(across)(const int chains, const int vectors, const ptrdiff_t some, const int fetch, ptrdiff_t k,
                            const REAL *a, ptrdiff_t ca, const REAL *x, REAL *total) {
    for (int first = 0; first < 4; first += chains) {
        vec sum[4][ACROSS];
        UNROLL
        for (int q = 0; q < chains; q++) {
            UNROLL
            for (int v = 0; v < vectors; v++) sum[q][v] = (vec){0};
        }
        for (ptrdiff_t p = first; p < k; p += 4) {
            UNROLL
            for (int q = 0; q < chains; q++) {
                if (p + q >= k) break;
                const REAL *row = a + (p + q) * ca;
                UNROLL
                for (int v = 0; v < vectors; v++) {
                    vec entries;
                    if (v == vectors - 1 && some < LANES)
                        entries = LOAD_SOME(row + v * LANES, some);
                    else
                        entries = LOAD(row + v * LANES);
                    if (fetch) MG_FETCH(row + (v + vectors + 1) * LANES - 1);
                    sum[q][v] += x[p + q] * entries;
                }
            }
        }
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vec pair = sum[0][v] + sum[1][v];
            if (chains == 4) pair += sum[2][v] + sum[3][v];
            if (first) pair += LOAD(total + v * LANES);
            STORE(total + v * LANES, pair);
        }
    }
}

/* Rows i0 to i1 of c, where columns of A are contiguous. */
static void NAME(columns_times)(const Product *g, const REAL *x, ptrdiff_t i0, ptrdiff_t i1) {
    const int far = NAME(is_far)(g->m, g->k);
    REAL total[ACROSS * LANES];
    for (ptrdiff_t p = 0; p < g->k; p += SPAN) {
        const ptrdiff_t k = mg_least(SPAN, g->k - p);
        for (ptrdiff_t i = i0, many; i < i1; i += many) {
            const REAL *a = (const REAL *)g->a + i + p * g->ca;
            const ptrdiff_t left = (i1 - i) / LANES; /* whole vectors */
            many = (left >= ACROSS ? ACROSS : left >= ACROSS / 2 ? ACROSS / 2 : 1) * LANES;
            if (left >= ACROSS && far)
                NAME(across)(2, ACROSS, LANES, 1, k, a, g->ca, x + p, total);
            else if (left >= ACROSS)
                NAME(across)(2, ACROSS, LANES, 0, k, a, g->ca, x + p, total);
            else if (left >= ACROSS / 2)
                NAME(across)(4, ACROSS / 2, LANES, 0, k, a, g->ca, x + p, total);
            else if (left >= 1)
                NAME(across)(4, 1, LANES, 0, k, a, g->ca, x + p, total);
            else
                NAME(across)(4, 1, many = i1 - i, 0, k, a, g->ca, x + p, total);
            NAME(put)(g, i, many, total, g->add || p > 0, p + k == g->k);
        }
    }
}

/* from[p apart] side by side: where they lie, or in `to`. */
static const REAL *NAME(in_a_row)(ptrdiff_t k, const REAL *from, ptrdiff_t apart, REAL *to) {
    if (apart == 1) return from;
    for (ptrdiff_t p = 0; p < k; p++) to[p] = from[p * apart];
    return to;
}

/* Rows i0 to i1 of c, n = 1. 0, or -1: no memory. */
static int NAME(times_vector)(const Product *g, ptrdiff_t i0, ptrdiff_t i1) {
    REAL *copy = g->team.scratch(0, 2 * (size_t)g->k * sizeof(REAL)), total[PAIR_ROWS];
    if (!copy) return -1;
    const REAL *x = NAME(in_a_row)(g->k, g->b, g->rb, copy);
    if (g->m == 1) {
        const REAL *a = NAME(in_a_row)(g->k, g->a, g->ca, copy + g->k);
        NAME(along)(PAIR_ROWS, 1, g->k, a, 0, x, total);
        for (int i = 1; i < PAIR_ROWS; i++) total[0] += total[i];
        NAME(put)(g, 0, 1, total, g->add, 1);
    } else if (g->ra == 1 && g->ca != 1)
        NAME(columns_times)(g, x, i0, i1);
    else if (g->ca == 1)
        NAME(rows_times)(g, x, i0, i1);
    else
        for (; i0 < i1; i0++) {
            Product row = *g;
            row.a = NAME(in_a_row)(g->k, (const REAL *)g->a + i0 * g->ra, g->ca, copy + g->k) - i0 * g->ra;
            NAME(rows_times)(&row, x, i0, i0 + 1);
        }
    return 0;
}

#undef part
#undef PART
#undef ACROSS
