/* The sums of the columns of a matrix, for one width and instruction set; gemm_body.h and conv_body.h include this text.

   Rows are added up by ROWS_AT_ONCE, these sums by BLOCKS_AT_ONCE, and those at the end: added one after the other, a
   million equal float32 are off by 1 %. The bits depend on m alone. */
#define ROWS_AT_ONCE 256
#define BLOCKS_AT_ONCE 64

/* sum[v LANES] <- [sum +] the sums of `vectors` <= 4 vectors of columns; a constant where this is inlined. Several hide
   the latency of an addition. */
MG_INLINE void NAME(add_up)(const int vectors, ptrdiff_t m, const REAL *g, ptrdiff_t rg, REAL *sum, int add) {
    vec whole[4], part[4], total[4];
    UNROLL
    for (int v = 0; v < vectors; v++) whole[v] = part[v] = (vec){0};
    for (ptrdiff_t i = 0, blocks = 1; i < m; blocks++) {
        const ptrdiff_t past = mg_least(i + ROWS_AT_ONCE, m);
        UNROLL
        for (int v = 0; v < vectors; v++) total[v] = (vec){0};
        for (; i < past; i++, g += rg) {
            UNROLL
            for (int v = 0; v < vectors; v++) total[v] += LOAD(g + v * LANES);
        }
        UNROLL
        for (int v = 0; v < vectors; v++) part[v] += total[v];
        if (blocks % BLOCKS_AT_ONCE == 0 || past == m) {
            UNROLL
            for (int v = 0; v < vectors; v++) whole[v] += part[v], part[v] = (vec){0};
        }
    }
    UNROLL
    for (int v = 0; v < vectors; v++) {
        if (add) whole[v] += LOAD(sum + v * LANES);
        STORE(sum + v * LANES, whole[v]);
    }
}

/* sum[j] <- [sum +] the sum over rows of G[i, j]. */
static void NAME(columns)(ptrdiff_t m, ptrdiff_t n, const void *from, ptrdiff_t rg, ptrdiff_t cg, void *sums, int add) {
    const REAL *g = from;
    REAL *MG_RESTRICT sum = sums;
    ptrdiff_t j = 0;
    if (cg == 1) {
        for (; j + 4 * LANES <= n; j += 4 * LANES) NAME(add_up)(4, m, g + j, rg, sum + j, add);
        for (; j + 2 * LANES <= n; j += 2 * LANES) NAME(add_up)(2, m, g + j, rg, sum + j, add);
        for (; j + LANES <= n; j += LANES) NAME(add_up)(1, m, g + j, rg, sum + j, add);
    }
    for (; j < n; j++) {
        REAL whole = 0, part = 0;
        for (ptrdiff_t i = 0, blocks = 1; i < m; blocks++) {
            const ptrdiff_t past = mg_least(i + ROWS_AT_ONCE, m);
            REAL total = 0;
            for (; i < past; i++) total += g[i * rg + j * cg];
            part += total;
            if (blocks % BLOCKS_AT_ONCE == 0 || past == m) whole += part, part = 0;
        }
        sum[j] = add ? whole + sum[j] : whole;
    }
}

#undef ROWS_AT_ONCE
#undef BLOCKS_AT_ONCE
