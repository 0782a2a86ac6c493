/* Batch normalization for one instruction set and one width; norm.h includes this text for each, with LANES numbers in
 * a vector. x (m, c) is worked through in blocks of rows that fit L1: each block leaves its own sums, which are then
 * added in the order of the blocks, so the bits do not depend on who computed which block. */

#ifndef MG_PLAIN_C /* g where v > 0 or v is NaN, else 0 */
#define POSITIVE(g, v) ((vec)((wholes)(g) & ~(wholes)((v) <= zero)))
#else
#define POSITIVE(g, v) ((v) <= zero ? zero : (g))
#endif

/* Mean and sum of squared deviations of the columns of one block: part[0, j], part[1, j]. Two passes; the second also
 * sums the deviations, which would be 0 had the mean no rounding error, and takes that error out of both. */
static void NAME(block_moments)(const REAL *x, ptrdiff_t rows, ptrdiff_t c, REAL *part) {
    const REAL share = (REAL)1 / (REAL)rows;
    ptrdiff_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec zero = {0};
        vec s0 = zero, s1 = zero, s2 = zero, s3 = zero;
        const REAL *p = x + j;
        ptrdiff_t i = 0;
        for (; i + 4 <= rows; i += 4, p += 4 * c) {
            s0 += LOAD(p);
            s1 += LOAD(p + c);
            s2 += LOAD(p + 2 * c);
            s3 += LOAD(p + 3 * c);
        }
        for (; i < rows; i++, p += c) s0 += LOAD(p);
        const vec mean = ((s0 + s1) + (s2 + s3)) * share;
        vec e0 = zero, e1 = zero;
        s0 = s1 = s2 = s3 = zero;
        for (i = 0, p = x + j; i + 4 <= rows; i += 4, p += 4 * c) {
            const vec d0 = LOAD(p) - mean, d1 = LOAD(p + c) - mean;
            const vec d2 = LOAD(p + 2 * c) - mean, d3 = LOAD(p + 3 * c) - mean;
            s0 += d0 * d0;
            s1 += d1 * d1;
            s2 += d2 * d2;
            s3 += d3 * d3;
            e0 += d0 + d1;
            e1 += d2 + d3;
        }
        for (; i < rows; i++, p += c) {
            const vec d = LOAD(p) - mean;
            s0 += d * d;
            e0 += d;
        }
        e0 += e1;
        STORE(part + j, mean + e0 * share);
        STORE(part + c + j, (s0 + s1) + (s2 + s3) - e0 * e0 * share);
    }
    for (; j < c; j++) {
        REAL sum = 0, squares = 0, rest = 0;
        for (ptrdiff_t i = 0; i < rows; i++) sum += x[i * c + j];
        const REAL mean = sum * share;
        for (ptrdiff_t i = 0; i < rows; i++) {
            const REAL d = x[i * c + j] - mean;
            squares += d * d;
            rest += d;
        }
        part[j] = mean + rest * share;
        part[c + j] = squares - rest * rest * share;
    }
}

/* y = (x - mean) a + beta, with relu max(y, 0), for the rows of one block. */
MG_INLINE void NAME(block_normalize)(const REAL *MG_RESTRICT x, ptrdiff_t rows, ptrdiff_t c,
                                     const REAL *MG_RESTRICT mean, const REAL *MG_RESTRICT a,
                                     const REAL *MG_RESTRICT beta, const int relu, REAL *MG_RESTRICT y) {
    for (ptrdiff_t i = 0; i < rows; i++, x += c, y += c) {
        ptrdiff_t j = 0;
        for (; j + LANES <= c; j += LANES) { /* a loop over 16 columns would cost more to begin than to run */
            const vec zero = {0}, v = (LOAD(x + j) - LOAD(mean + j)) * LOAD(a + j) + LOAD(beta + j);
            STORE(y + j, relu ? POSITIVE(v, v) : v);
        }
        ONE_BY_ONE
        for (; j < c; j++) {
            const REAL v = (x[j] - mean[j]) * a[j] + beta[j];
            y[j] = relu && v <= 0 ? 0 : v;
        }
    }
}

/* Sums of g and of g (x - mean) over one block: part[0, j], part[1, j]. With relu g counts where the output was > 0. */
MG_INLINE void NAME(block_sums)(const REAL *g, const REAL *x, ptrdiff_t rows, ptrdiff_t c, const REAL *mean,
                                const REAL *a, const REAL *beta, const int relu, REAL *part) {
    ptrdiff_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec zero = {0}, mj = LOAD(mean + j), aj = LOAD(a + j), bj = LOAD(beta + j);
        vec s0 = zero, s1 = zero, t0 = zero, t1 = zero;
        ptrdiff_t i = 0;
        for (; i + 2 <= rows; i += 2) {
            const vec d0 = LOAD(x + i * c + j) - mj, d1 = LOAD(x + i * c + c + j) - mj;
            vec g0 = LOAD(g + i * c + j), g1 = LOAD(g + i * c + c + j);
            if (relu) {
                g0 = POSITIVE(g0, d0 * aj + bj);
                g1 = POSITIVE(g1, d1 * aj + bj);
            }
            s0 += g0;
            s1 += g1;
            t0 += g0 * d0;
            t1 += g1 * d1;
        }
        if (i < rows) {
            const vec d0 = LOAD(x + i * c + j) - mj;
            vec g0 = LOAD(g + i * c + j);
            if (relu) g0 = POSITIVE(g0, d0 * aj + bj);
            s0 += g0;
            t0 += g0 * d0;
        }
        STORE(part + j, s0 + s1);
        STORE(part + c + j, t0 + t1);
    }
    for (; j < c; j++) {
        REAL s = 0, t = 0;
        for (ptrdiff_t i = 0; i < rows; i++) {
            const REAL d = x[i * c + j] - mean[j];
            const REAL gi = relu && d * a[j] + beta[j] <= 0 ? 0 : g[i * c + j];
            s += gi;
            t += gi * d;
        }
        part[j] = s;
        part[c + j] = t;
    }
}

/* dx = a (g - k1 - (x - mean) k2) for the rows of one block. */
MG_INLINE void NAME(block_dx)(const REAL *g, const REAL *x, ptrdiff_t rows, ptrdiff_t c, const REAL *mean,
                              const REAL *a, const REAL *beta, const REAL *k1, const REAL *k2, const int relu,
                              REAL *dx) {
    ptrdiff_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec zero = {0}, mj = LOAD(mean + j), aj = LOAD(a + j), bj = LOAD(beta + j);
        const vec k1j = LOAD(k1 + j), k2j = LOAD(k2 + j);
        for (ptrdiff_t i = 0; i < rows; i++) {
            const vec d = LOAD(x + i * c + j) - mj;
            vec gi = LOAD(g + i * c + j);
            if (relu) gi = POSITIVE(gi, d * aj + bj);
            STORE(dx + i * c + j, aj * (gi - k1j - d * k2j));
        }
    }
    for (; j < c; j++)
        for (ptrdiff_t i = 0; i < rows; i++) {
            const REAL d = x[i * c + j] - mean[j];
            const REAL gi = relu && d * a[j] + beta[j] <= 0 ? 0 : g[i * c + j];
            dx[i * c + j] = a[j] * (gi - k1[j] - d * k2[j]);
        }
}

/* What the threads of a batch normalization share: blocks of rows, with two rows of c sums each in `part`, and (c,)
 * vectors. The parts of the four functions below are blocks. */
#define Blocks NAME(Blocks)
typedef struct {
    const Norm *v;
    ptrdiff_t block; /* rows of a block; the last one may have fewer */
    REAL *part, *a, *k1, *k2;
} Blocks;

static int NAME(moments)(const void *shared, ptrdiff_t first, ptrdiff_t past) {
    const Blocks *s = shared;
    const ptrdiff_t c = s->v->c, block = s->block;
    const REAL *x = s->v->x;
    for (ptrdiff_t b = first; b < past; b++)
        NAME(block_moments)(x + b * block * c, rows_in_block(s->v, block, b), c, s->part + b * 2 * c);
    return 0;
}

static int NAME(normalize)(const void *shared, ptrdiff_t first, ptrdiff_t past) {
    const Blocks *s = shared;
    const Norm *v = s->v;
    const ptrdiff_t c = v->c, block = s->block;
    const REAL *x = v->x;
    REAL *y = v->y, *aside = v->aside ? v->team.scratch(1, (size_t)(block * c) * sizeof(REAL)) : NULL;
    for (ptrdiff_t b = first; b < past; b++) {
        const ptrdiff_t at = b * block * c, rows = rows_in_block(v, block, b);
        REAL *to = aside ? aside : y + at;
        if (v->relu)
            NAME(block_normalize)(x + at, rows, c, v->mean, s->a, v->beta, 1, to);
        else
            NAME(block_normalize)(x + at, rows, c, v->mean, s->a, v->beta, 0, to);
        if (aside) mg_stream(y + at, aside, (size_t)(rows * c) * sizeof(REAL));
    }
    mg_streamed();
    return 0;
}

static int NAME(sums)(const void *shared, ptrdiff_t first, ptrdiff_t past) {
    const Blocks *s = shared;
    const Norm *v = s->v;
    const ptrdiff_t c = v->c, block = s->block;
    const REAL *g = v->g, *x = v->x;
    for (ptrdiff_t b = first; b < past; b++) {
        const ptrdiff_t at = b * block * c, rows = rows_in_block(v, block, b);
        if (v->relu)
            NAME(block_sums)(g + at, x + at, rows, c, v->mean, s->a, v->beta, 1, s->part + b * 2 * c);
        else
            NAME(block_sums)(g + at, x + at, rows, c, v->mean, s->a, v->beta, 0, s->part + b * 2 * c);
    }
    return 0;
}

static int NAME(input_gradient)(const void *shared, ptrdiff_t first, ptrdiff_t past) {
    const Blocks *s = shared;
    const Norm *v = s->v;
    const ptrdiff_t c = v->c, block = s->block;
    const REAL *g = v->g, *x = v->x;
    REAL *dx = v->dx, *aside = v->aside ? v->team.scratch(1, (size_t)(block * c) * sizeof(REAL)) : NULL;
    for (ptrdiff_t b = first; b < past; b++) {
        const ptrdiff_t at = b * block * c, rows = rows_in_block(v, block, b);
        REAL *to = aside ? aside : dx + at;
        if (v->relu)
            NAME(block_dx)(g + at, x + at, rows, c, v->mean, s->a, v->beta, s->k1, s->k2, 1, to);
        else
            NAME(block_dx)(g + at, x + at, rows, c, v->mean, s->a, v->beta, s->k1, s->k2, 0, to);
        if (aside) mg_stream(dx + at, aside, (size_t)(rows * c) * sizeof(REAL));
    }
    mg_streamed();
    return 0;
}

/* The mean of a column as it stands: infinite where an entry is, while deviations from such a mean are NaN. */
static double NAME(plain_mean)(const REAL *x, ptrdiff_t m, ptrdiff_t c) {
    double sum = 0;
    for (ptrdiff_t i = 0; i < m; i++) sum += (double)x[i * c];
    return sum / (double)m;
}

/* mean, var <- those of the columns of x;  y <- gamma (x - mean) / sqrt(var + delta) + beta, with relu max(y, 0). */
static int NAME(batch_norm)(const Norm *v) {
    const ptrdiff_t m = v->m, c = v->c, block = rows_of_block(c, sizeof(REAL)), blocks = (m + block - 1) / block;
    const REAL *gamma = v->gamma;
    REAL *mean = v->mean, *var = v->var;
    REAL *part =
        v->team.scratch(0, (size_t)(blocks * 2 * c + c) * sizeof(REAL) + (size_t)(2 * c) * sizeof(double) + 64);
    if (!part) return -1;
    REAL *a = part + blocks * 2 * c;
    double *total = (double *)(((uintptr_t)(a + c) + 63) / 64 * 64), *squares = total + c;
    const Blocks shared = {v, block, part, a, NULL, NULL};
    run_parts(v->team, NAME(moments), &shared, blocks);
    for (ptrdiff_t j = 0; j < c; j++) {
        total[j] = part[j];
        squares[j] = part[c + j];
    }
    for (ptrdiff_t b = 1; b < blocks; b++) { /* two sets of rows have one mean and one variance */
        const double seen = (double)(b * block), more = (double)rows_in_block(v, block, b);
        const double share = more / (seen + more), between = seen * share;
        const REAL *p = part + b * 2 * c;
        for (ptrdiff_t j = 0; j < c; j++) {
            const double d = (double)p[j] - total[j];
            total[j] += d * share;
            squares[j] += (double)p[c + j] + d * d * between;
        }
    }
    for (ptrdiff_t j = 0; j < c; j++) {
        const double variance = squares[j] / (double)m;
        mean[j] = (REAL)(total[j] == total[j] ? total[j] : NAME(plain_mean)((const REAL *)v->x + j, m, c));
        var[j] = (REAL)(variance < 0 ? 0 : variance); /* a constant column: 0, whatever the rounding */
        a[j] = (REAL)((double)gamma[j] / sqrt((double)var[j] + v->delta));
    }
    return run_parts(v->team, NAME(normalize), &shared, blocks);
}

/* With xhat = (x - mean) / sqrt(var + delta):  dbeta = sum g,  dgamma = sum g xhat,
 * dx = gamma / sqrt(var + delta) (g - dbeta / m - xhat dgamma / m). */
static int NAME(batch_norm_backward)(const Norm *v) {
    const ptrdiff_t m = v->m, c = v->c, block = rows_of_block(c, sizeof(REAL)), blocks = (m + block - 1) / block;
    const REAL *gamma = v->gamma, *var = v->var;
    REAL *dgamma = v->dgamma, *dbeta = v->dbeta;
    REAL *part =
        v->team.scratch(0, (size_t)((blocks * 2 + 3) * c) * sizeof(REAL) + (size_t)(2 * c) * sizeof(double) + 64);
    if (!part) return -1;
    REAL *a = part + blocks * 2 * c, *k1 = a + c, *k2 = k1 + c;
    double *sum = (double *)(((uintptr_t)(k2 + c) + 63) / 64 * 64), *product = sum + c;
    for (ptrdiff_t j = 0; j < c; j++) {
        a[j] = (REAL)((double)gamma[j] / sqrt((double)var[j] + v->delta));
        sum[j] = product[j] = 0;
    }
    const Blocks shared = {v, block, part, a, k1, k2};
    run_parts(v->team, NAME(sums), &shared, blocks);
    for (ptrdiff_t b = 0; b < blocks; b++)
        for (ptrdiff_t j = 0; j < c; j++) {
            sum[j] += (double)part[b * 2 * c + j];
            product[j] += (double)part[b * 2 * c + c + j];
        }
    for (ptrdiff_t j = 0; j < c; j++) {
        const double variance = (double)var[j] + v->delta;
        k1[j] = (REAL)(sum[j] / (double)m);
        k2[j] = (REAL)(product[j] / (variance * (double)m));
        if (dgamma) dgamma[j] = (REAL)((v->add_gamma ? (double)dgamma[j] : 0) + product[j] / sqrt(variance));
        if (dbeta) dbeta[j] = (REAL)((v->add_beta ? (double)dbeta[j] : 0) + sum[j]);
    }
    return v->dx ? run_parts(v->team, NAME(input_gradient), &shared, blocks) : 0;
}

/* The sum of all lanes, by halves. */
MG_INLINE REAL NAME(lanes)(vec v) {
    union {
        vec v;
        REAL lane[LANES];
    } sum;
    sum.v = v;
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++) sum.lane[k] += sum.lane[k + half];
    return sum.lane[0];
}

/* ---- Layer normalization: the same along the rows, of which AT_ONCE are worked through together: each is a chain of
 * additions, which wait for one another. `rows` is AT_ONCE or 1, a constant where these functions are inlined; a row
 * has the same bits in either company. */
#define AT_ONCE 4

/* Mean and 1 / sqrt(var + delta) of rows, two passes. */
MG_INLINE void NAME(row_moments)(int rows, const REAL *x, ptrdiff_t c, double delta, REAL *mean, REAL *scale) {
    const vec zero = {0};
    vec sum[AT_ONCE];
    REAL rest[AT_ONCE];
    ptrdiff_t j = 0;
    for (int r = 0; r < rows; r++) sum[r] = zero, rest[r] = 0;
    for (; j + LANES <= c; j += LANES)
        for (int r = 0; r < rows; r++) sum[r] += LOAD(x + r * c + j);
    for (; j < c; j++)
        for (int r = 0; r < rows; r++) rest[r] += x[r * c + j];
    for (int r = 0; r < rows; r++) {
        mean[r] = (rest[r] + NAME(lanes)(sum[r])) / (REAL)c;
        sum[r] = zero, rest[r] = 0;
    }
    for (j = 0; j + LANES <= c; j += LANES)
        for (int r = 0; r < rows; r++) {
            const vec d = LOAD(x + r * c + j) - mean[r];
            sum[r] += d * d;
        }
    for (; j < c; j++)
        for (int r = 0; r < rows; r++) rest[r] += (x[r * c + j] - mean[r]) * (x[r * c + j] - mean[r]);
    for (int r = 0; r < rows; r++)
        scale[r] = (REAL)(1 / sqrt((double)((rest[r] + NAME(lanes)(sum[r])) / (REAL)c) + delta));
}

MG_INLINE void NAME(standardize)(int rows, const Norm *v, ptrdiff_t i) {
    const ptrdiff_t c = v->c;
    const REAL *gamma = v->gamma, *beta = v->beta;
    REAL mean[AT_ONCE], scale[AT_ONCE];
    NAME(row_moments)(rows, (const REAL *)v->x + i * c, c, v->delta, mean, scale);
    for (int r = 0; r < rows; r++) {
        const REAL *MG_RESTRICT row = (const REAL *)v->x + (i + r) * c;
        REAL *MG_RESTRICT to = (REAL *)v->y + (i + r) * c;
        for (ptrdiff_t j = 0; j < c; j++) to[j] = (row[j] - mean[r]) * scale[r] * gamma[j] + beta[j];
    }
}

static int NAME(normalize_rows)(const void *norm, ptrdiff_t first, ptrdiff_t past) {
    ptrdiff_t i = first;
    for (; i + AT_ONCE <= past; i += AT_ONCE) NAME(standardize)(AT_ONCE, norm, i);
    for (; i < past; i++) NAME(standardize)(1, norm, i);
    return 0;
}

/* y <- gamma (x - mean) / sqrt(var + delta) + beta. The parts are rows. */
static int NAME(layer_norm)(const Norm *v) { return run_parts(v->team, NAME(normalize_rows), v, v->m); }

/* Rows from i on: dx, and g xhat and g added to the sums of their block, part[0, j] and part[1, j]. */
MG_INLINE void NAME(backward_of)(int rows, const Norm *v, ptrdiff_t i, REAL *MG_RESTRICT part) {
    const ptrdiff_t c = v->c;
    const REAL *MG_RESTRICT g = (const REAL *)v->g + i * c, *MG_RESTRICT x = (const REAL *)v->x + i * c;
    const REAL *MG_RESTRICT gamma = v->gamma;
    const vec zero = {0};
    vec sum[AT_ONCE], product[AT_ONCE];
    REAL mean[AT_ONCE], scale[AT_ONCE], sums[AT_ONCE], products[AT_ONCE];
    ptrdiff_t j = 0;
    NAME(row_moments)(rows, x, c, v->delta, mean, scale);
    for (int r = 0; r < rows; r++) sum[r] = product[r] = zero, sums[r] = products[r] = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec gamma_j = LOAD(gamma + j);
        vec gx = LOAD(part + j), gs = LOAD(part + c + j);
        for (int r = 0; r < rows; r++) {
            const vec gj = LOAD(g + r * c + j), xhat = (LOAD(x + r * c + j) - mean[r]) * scale[r], u = gj * gamma_j;
            sum[r] += u;
            product[r] += u * xhat;
            gx += gj * xhat;
            gs += gj;
        }
        STORE(part + j, gx);
        STORE(part + c + j, gs);
    }
    for (; j < c; j++)
        for (int r = 0; r < rows; r++) {
            const REAL gj = g[r * c + j], xhat = (x[r * c + j] - mean[r]) * scale[r], u = gj * gamma[j];
            sums[r] += u;
            products[r] += u * xhat;
            part[j] += gj * xhat;
            part[c + j] += gj;
        }
    for (int r = 0; v->dx && r < rows; r++) {
        const REAL k1 = (sums[r] + NAME(lanes)(sum[r])) / (REAL)c;
        const REAL k2 = (products[r] + NAME(lanes)(product[r])) / (REAL)c;
        REAL *MG_RESTRICT dx = (REAL *)v->dx + (i + r) * c;
        for (j = 0; j < c; j++)
            dx[j] = scale[r] * (g[r * c + j] * gamma[j] - k1 - (x[r * c + j] - mean[r]) * scale[r] * k2);
    }
}

static int NAME(rows_backward)(const void *shared, ptrdiff_t first, ptrdiff_t past) {
    const Blocks *s = shared;
    const Norm *v = s->v;
    for (ptrdiff_t b = first; b < past; b++) {
        REAL *part = s->part + b * 2 * v->c;
        ptrdiff_t i = b * s->block;
        const ptrdiff_t end = i + rows_in_block(v, s->block, b);
        for (ptrdiff_t j = 0; j < 2 * v->c; j++) part[j] = 0;
        for (; i + AT_ONCE <= end; i += AT_ONCE) NAME(backward_of)(AT_ONCE, v, i, part);
        for (; i < end; i++) NAME(backward_of)(1, v, i, part);
    }
    return 0;
}

static int NAME(sum_stripes)(const void *shared, ptrdiff_t first_stripe, ptrdiff_t past_stripe) {
    const Blocks *s = shared;
    const Norm *v = s->v;
    const ptrdiff_t c = v->c, blocks = (v->m + s->block - 1) / s->block;
    REAL *dgamma = v->dgamma, *dbeta = v->dbeta;
    for (ptrdiff_t first = first_stripe * STRIPE; first < c && first < past_stripe * STRIPE; first += STRIPE) {
        const ptrdiff_t count = c - first < STRIPE ? c - first : STRIPE;
        double sum[STRIPE] = {0}, product[STRIPE] = {0};
        for (ptrdiff_t b = 0; b < blocks; b++)
            for (ptrdiff_t j = 0; j < count; j++) {
                product[j] += (double)s->part[b * 2 * c + first + j];
                sum[j] += (double)s->part[b * 2 * c + c + first + j];
            }
        for (ptrdiff_t j = 0; j < count; j++) {
            if (dgamma) dgamma[first + j] = (REAL)((v->add_gamma ? (double)dgamma[first + j] : 0) + product[j]);
            if (dbeta) dbeta[first + j] = (REAL)((v->add_beta ? (double)dbeta[first + j] : 0) + sum[j]);
        }
    }
    return 0;
}

/* dgamma and dbeta: sums over the rows;  with u = g gamma: dx = (u - mean u - xhat mean(u xhat)) / sqrt(var + delta).
 * The parts are blocks of rows, then stripes of columns. */
static int NAME(layer_norm_backward)(const Norm *v) {
    const ptrdiff_t m = v->m, c = v->c, block = rows_of_block(c, sizeof(REAL)) + 32, blocks = (m + block - 1) / block;
    REAL *part = v->team.scratch(0, (size_t)(blocks * 2 * c) * sizeof(REAL));
    if (!part) return -1;
    const Blocks shared = {v, block, part, NULL, NULL, NULL};
    run_parts(v->team, NAME(rows_backward), &shared, blocks);
    return run_parts(v->team, NAME(sum_stripes), &shared, (c + STRIPE - 1) / STRIPE);
}

#undef AT_ONCE
#undef Blocks
#undef POSITIVE
