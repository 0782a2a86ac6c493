/* Elementwise kernels of one pass; elementwise.h includes them for every instruction set and width. */

static void NAME(relu)(ptrdiff_t n, const REAL *MG_RESTRICT x, const REAL *unused, REAL *MG_RESTRICT y) {
    (void)unused;
    for (ptrdiff_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
}

static void NAME(relu_gate)(ptrdiff_t n, const REAL *MG_RESTRICT g, const REAL *MG_RESTRICT y, REAL *MG_RESTRICT dx) {
    for (ptrdiff_t i = 0; i < n; i++) dx[i] = y[i] <= 0 ? 0 : g[i]; /* g where y is NaN */
}

/* With d = exp(-|x|), in (0, 1]: 1/(1 + d) for x >= 0, d/(1 + d) below; no overflow at either end. */
static void NAME(sigmoid)(ptrdiff_t n, const REAL *MG_RESTRICT x, const REAL *unused, REAL *MG_RESTRICT y) {
    (void)unused;
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL d = EXP_NEGATIVE(x[i] < 0 ? x[i] : -x[i]);
        y[i] = (x[i] < 0 ? d : 1) / (1 + d);
    }
}

static void NAME(sigmoid_gate)(ptrdiff_t n, const REAL *MG_RESTRICT g, const REAL *MG_RESTRICT y,
                               REAL *MG_RESTRICT dx) {
    for (ptrdiff_t i = 0; i < n; i++) dx[i] = g[i] * (y[i] * (1 - y[i]));
}

static void NAME(tanh_gate)(ptrdiff_t n, const REAL *MG_RESTRICT g, const REAL *MG_RESTRICT y, REAL *MG_RESTRICT dx) {
    for (ptrdiff_t i = 0; i < n; i++) dx[i] = g[i] * (1 - y[i] * y[i]);
}
