/* The loops around the micro-kernel, once per width: gemm.h includes this text twice with REAL and WIDTH defined. */
#define W(x) MG_PASTE(x, WIDTH)

MG_THREAD_LOCAL REAL W(panel_buffer)[PANEL_BYTES / sizeof(REAL)];
MG_THREAD_LOCAL REAL W(rows_buffer)[ROWS_BYTES / sizeof(REAL)];

/* One product: A (m, k), B (k, n), C (m, n), strides in items. bias[i bi + j bj] or NULL. add: C is read too. */
typedef struct {
    ptrdiff_t m, n, k;
    const REAL *a;
    ptrdiff_t ra, ca;
    const REAL *b;
    ptrdiff_t rb, cb;
    REAL *c;
    ptrdiff_t rc, cc;
    const REAL *bias;
    ptrdiff_t bi, bj;
    int add;
} W(gemm_t);

/* Whether m rows of A meet B where it lies: packing does not pay for a few, nor for more while a page holds rows of B. */
static int W(lies_well)(const W(kernels) *kern, const W(gemm_t) *g, ptrdiff_t m) {
    return g->cb == 1 && m <= (g->rb * (ptrdiff_t)sizeof(REAL) <= 2048 ? 32 : 4) * kern->rows;
}

/* The rectangle [i0, i1) x [j0, j1) of C, by the calling thread. */
static void W(rectangle)(const W(kernels) *kern, const W(gemm_t) *g, ptrdiff_t i0, ptrdiff_t i1, ptrdiff_t j0,
                         ptrdiff_t j1) {
    W(strip_t) t;
    ptrdiff_t m = i1 - i0, lanes = kern->lanes;
    ptrdiff_t width = kern->vectors * lanes;
    int direct = W(lies_well)(kern, g, m) || g->n == 1;
    if (m == 1 && direct) width = GEMV_VECTORS * lanes;
    t.segments = 1;
    t.sa = t.sb = 0;
    t.rc = g->rc;
    t.cc = g->cc;
    t.bi = g->bi;
    t.bj = g->bj;
    t.ra = g->ra;
    t.ca = g->ca;
    for (ptrdiff_t p0 = 0; p0 < g->k; p0 += LONGEST) {
        t.k = mg_least(LONGEST, g->k - p0);
        t.add = g->add || p0 > 0;
        int last = p0 + t.k == g->k;
        /* A is packed where neither its rows nor its columns are contiguous, or where all rows of a tile would meet in one
           set of L1 */
        ptrdiff_t apart = (g->ca == 1 ? g->ra : g->ca) * (ptrdiff_t)sizeof(REAL);
        int pack_a = ((g->ca != 1 && g->ra != 1) || apart % 4096 == 0) && mg_ceil(j1 - j0, width) >= 3 && m >= kern->rows
            && mg_ceil(m, kern->rows) * kern->rows * t.k <= (ptrdiff_t)(ROWS_BYTES / sizeof(REAL));
        t.block = pack_a ? kern->rows : 0;
        const REAL *a = g->a + i0 * g->ra + p0 * g->ca;
        if (pack_a) kern->pack_rows(m, t.k, kern->rows, a, g->ra, g->ca, W(rows_buffer));
        for (ptrdiff_t j = j0; j < j1; j += t.nr) {
            t.nr = mg_least(width, j1 - j);
            if (direct && t.nr < width && t.nr > lanes) { /* whole vectors directly; the rest is packed below */
                t.nr = t.nr / lanes * lanes;
                if (t.nr > kern->vectors * lanes) t.nr = kern->vectors * lanes;
            }
            t.m = m;
            t.a = pack_a ? W(rows_buffer) : a;
            t.b = g->b + p0 * g->rb + j * g->cb;
            t.rb = g->rb;
            if (!direct || t.nr % lanes) {
                kern->pack(t.k, t.nr, t.b, g->rb, g->cb, W(panel_buffer));
                t.b = W(panel_buffer);
                t.rb = mg_ceil(t.nr, lanes) * lanes;
            }
            t.c = g->c + i0 * g->rc + j * g->cc;
            t.bias = last && g->bias ? g->bias + i0 * g->bi + j * g->bj : NULL;
            kern->strip(&t);
        }
    }
}

/* Multiply-adds of vectors, and what packing and storing cost beside them. */
static double W(cost)(const W(kernels) *kern, const W(gemm_t) *g) {
    double m = (double)g->m, n = (double)g->n, k = (double)g->k;
    double sums = m * k * (double)mg_ceil(g->n, kern->lanes);
    double packing = W(lies_well)(kern, g, g->m) ? 0 : g->cb == 1 ? k * n / (double)kern->lanes * 2 : k * n;
    double storing = g->cc == 1 ? 0 : 1.5 * m * n;
    return sums + packing + storing;
}

/* A product cut into parts: ranges of columns of C (a thread then packs only its own panels) or of rows. */
typedef struct {
    const W(kernels) *kern;
    const W(gemm_t) *g;
    ptrdiff_t rows, columns; /* of a part; all of the one and some of the other */
} W(cut_t);

static int W(rectangles)(const void *context, ptrdiff_t first, ptrdiff_t past) {
    const W(cut_t) *cut = context;
    const W(gemm_t) *g = cut->g;
    const uint64_t before = mg_flush_on();
    const int by_rows = cut->rows < g->m;
    const ptrdiff_t i0 = by_rows ? first * cut->rows : 0, i1 = by_rows ? mg_least(g->m, past * cut->rows) : g->m;
    const ptrdiff_t j0 = by_rows ? 0 : first * cut->columns;
    const ptrdiff_t j1 = by_rows ? g->n : mg_least(g->n, past * cut->columns);
    if (i0 < i1 && j0 < j1) W(rectangle)(cut->kern, g, i0, i1, j0, j1);
    mg_flush_off(before);
    return 0;
}

static int W(gemm)(int isa, Team team, W(gemm_t) g) {
    const W(kernels) *kern = W(KERNELS)[isa];
    if (g.m <= 0 || g.n <= 0) return 0;
    if (g.k <= 0) {
        for (ptrdiff_t i = 0; i < g.m; i++)
            for (ptrdiff_t j = 0; j < g.n; j++) {
                REAL *c = g.c + i * g.rc + j * g.cc;
                *c = (g.add ? *c : 0) + (g.bias ? g.bias[i * g.bi + j * g.bj] : 0);
            }
        return 0;
    }
    W(gemm_t) h = g; /* C^T = B^T A^T */
    h.m = g.n, h.n = g.m;
    h.a = g.b, h.ra = g.cb, h.ca = g.rb;
    h.b = g.a, h.rb = g.ca, h.cb = g.ra;
    h.rc = g.cc, h.cc = g.rc;
    h.bi = g.bj, h.bj = g.bi;
    if (W(cost)(kern, &h) < W(cost)(kern, &g)) g = h;
    /* Each thread takes a range of columns or, where that is more even, of rows. */
    const ptrdiff_t width = kern->vectors * kern->lanes;
    const ptrdiff_t columns = mg_ceil(mg_ceil(g.n, width), team.threads) * width;
    const ptrdiff_t rows = mg_ceil(mg_ceil(g.m, kern->rows), team.threads) * kern->rows;
    const int by_rows = (double)rows / (double)g.m + 0.05 < (double)columns / (double)g.n;
    const W(cut_t) cut = {kern, &g, by_rows ? rows : g.m, by_rows ? g.n : columns};
    return run_parts(team, W(rectangles), &cut, by_rows ? mg_ceil(g.m, rows) : mg_ceil(g.n, columns));
}

#undef W
#undef REAL
#undef WIDTH
