/* Softmax over rows; softmax.h includes this for every instruction set and width. */

/* e <- exp(d), d <= 0 */
static void NAME(exponentials)(ptrdiff_t n, const REAL *MG_RESTRICT d, REAL *MG_RESTRICT e) {
    for (ptrdiff_t j = 0; j < n; j++) e[j] = EXP_NEGATIVE(d[j]);
}

/* In place: for dz, whose rows are then scaled at once. */
static void NAME(exponentials_here)(ptrdiff_t n, REAL *e) {
    for (ptrdiff_t j = 0; j < n; j++) e[j] = EXP_NEGATIVE(e[j]);
}

/* Sixteen partial sums for a long row, so that it vectorises; always the same ones: the bits depend on k alone. */
static REAL NAME(total)(ptrdiff_t k, const REAL *e) {
    REAL part[16], sum = 0;
    ptrdiff_t j = 0;
    if (k >= 64) {
        for (int v = 0; v < 16; v++) part[v] = 0;
        for (; j + 16 <= k; j += 16)
            for (int v = 0; v < 16; v++) part[v] += e[j + v];
        for (int half = 8; half; half /= 2)
            for (int v = 0; v < half; v++) part[v] += part[v + half];
        sum = part[0];
    }
    for (; j < k; j++) sum += e[j];
    return sum;
}

/* The largest of a row; NaN where the first is, and otherwise found later: row - top is NaN there too. */
static REAL NAME(largest)(ptrdiff_t k, const REAL *row) {
    REAL part[16], top = row[0];
    ptrdiff_t j = 0;
    if (k >= 64) {
        for (int v = 0; v < 16; v++) part[v] = row[v];
        for (; j + 16 <= k; j += 16)
            for (int v = 0; v < 16; v++) part[v] = row[j + v] > part[v] ? row[j + v] : part[v];
        for (int v = 0; v < 16; v++) top = part[v] > top ? part[v] : top;
    }
    for (; j < k; j++) top = row[j] > top ? row[j] : top;
    return top;
}

/* d[i, j] <- z[i, j] - max_j z[i, j]; k numbers a row. NaN anywhere in a row makes all of it NaN. */
static void NAME(shifted)(ptrdiff_t m, ptrdiff_t k, const REAL *MG_RESTRICT z, REAL *MG_RESTRICT d) {
    for (ptrdiff_t i = 0; i < m; i++) {
        const REAL *row = z + i * k;
        REAL top = NAME(largest)(k, row);
        for (ptrdiff_t j = 0; j < k; j++) d[i * k + j] = row[j] - top;
    }
}

/* result <- softmax(z); or, with labels, result <- (softmax(z) - onehot(labels)) factor. */
static void NAME(softmax)(const Rows *v) {
    const ptrdiff_t m = v->m, k = v->k;
    const int64_t *labels = v->labels;
    const REAL factor = (REAL)v->factor;
    REAL *p = v->result;
    NAME(shifted)(m, k, v->z, p);
    NAME(exponentials_here)(m * k, p);
    for (ptrdiff_t i = 0; i < m; i++) {
        REAL *row = p + i * k, inverse = 1 / NAME(total)(k, row);
        for (ptrdiff_t j = 0; j < k; j++) row[j] *= inverse;
        if (labels) {
            row[labels[i]] -= 1;
            for (ptrdiff_t j = 0; j < k; j++) row[j] *= factor;
        }
    }
}

static double NAME(logarithm)(REAL x) { return sizeof(REAL) == 4 ? (double)logf((float)x) : log((double)x); }

#define BLOCK 1024 /* exponentials at a time, on the stack */

/* log sum exp of one shifted row. */
static REAL NAME(log_total)(ptrdiff_t k, const REAL *d) {
    REAL e[BLOCK], sum = 0;
    for (ptrdiff_t j = 0; j < k; j += BLOCK) {
        ptrdiff_t n = k - j < BLOCK ? k - j : BLOCK;
        NAME(exponentials)(n, d + j, e);
        sum += NAME(total)(n, e);
    }
    return (REAL)NAME(logarithm)(sum);
}

/* result <- z - max z - log sum exp(z - max z) */
static void NAME(log_softmax)(const Rows *v) {
    const ptrdiff_t m = v->m, k = v->k;
    REAL *y = v->result;
    NAME(shifted)(m, k, v->z, y);
    for (ptrdiff_t i = 0; i < m; i++) {
        REAL *row = y + i * k, log_sum = NAME(log_total)(k, row);
        for (ptrdiff_t j = 0; j < k; j++) row[j] -= log_sum;
    }
}

/* The mean over rows of log sum exp z - z[label]. Rows are taken in blocks, so that short ones share the vectors. */
static double NAME(mean_loss)(ptrdiff_t m, ptrdiff_t k, const REAL *z, const int64_t *labels) {
    double sum = 0;
    if (m == 0) return NAN;
    if (k > BLOCK) { /* a long row: piece by piece */
        for (ptrdiff_t i = 0; i < m; i++) {
            const REAL *row = z + i * k;
            REAL d[BLOCK], e[BLOCK], top = NAME(largest)(k, row), total = 0;
            for (ptrdiff_t j0 = 0; j0 < k; j0 += BLOCK) {
                ptrdiff_t n = k - j0 < BLOCK ? k - j0 : BLOCK;
                for (ptrdiff_t j = 0; j < n; j++) d[j] = row[j0 + j] - top;
                NAME(exponentials)(n, d, e);
                total += NAME(total)(n, e);
            }
            sum += NAME(logarithm)(total) - (double)(row[labels[i]] - top);
        }
        return sum / (double)m;
    }
    ptrdiff_t rows = BLOCK / k;
    for (ptrdiff_t i0 = 0; i0 < m; i0 += rows) {
        ptrdiff_t n = m - i0 < rows ? m - i0 : rows;
        REAL d[BLOCK], e[BLOCK];
        NAME(shifted)(n, k, z + i0 * k, d);
        NAME(exponentials)(n * k, d, e);
        for (ptrdiff_t i = 0; i < n; i++) {
            REAL total = NAME(total)(k, e + i * k);
            sum += NAME(logarithm)(total) - (double)d[i * k + labels[i0 + i]];
        }
    }
    return sum / (double)m;
}

static void NAME(cross_entropy)(const Rows *v) {
    *(REAL *)v->result = (REAL)NAME(mean_loss)(v->m, v->k, v->z, v->labels);
}
#undef BLOCK
