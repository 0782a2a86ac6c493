/* Batch normalization for one instruction set and one width; norm.h includes this text for each, with LANES numbers in
 * a vector. x (m, c) is worked through in blocks of rows that fit L1: each block leaves its own sums, which are then
 * added in the order of the blocks, so the bits do not depend on who computed which block. */

#define vec NAME(vec)
#define mask NAME(mask)
#ifndef MG_PLAIN_C
typedef real vec __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef whole mask __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));
#define POSITIVE(g, v) ((vec)((mask)(g) & ~(mask)((v) <= zero)))     /* g where v > 0 or v is NaN, else 0 */
#else
typedef real vec;
#define POSITIVE(g, v) ((v) <= zero ? zero : (g))
#endif
#define AT(p) (*(vec *)(p))
#define OF(p) (*(const vec *)(p))

/* Mean and sum of squared deviations of the columns of one block: part[0, j], part[1, j]. Two passes; the second also
 * sums the deviations, which would be 0 had the mean no rounding error, and takes that error out of both. */
static void NAME(block_moments)(const real *x, ptrdiff_t rows, ptrdiff_t c, real *part)
{
    const real share = (real)1 / (real)rows;
    ptrdiff_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec zero = {0};
        vec s0 = zero, s1 = zero, s2 = zero, s3 = zero;
        const real *p = x + j;
        ptrdiff_t i = 0;
        for (; i + 4 <= rows; i += 4, p += 4 * c) {
            s0 += OF(p);
            s1 += OF(p + c);
            s2 += OF(p + 2 * c);
            s3 += OF(p + 3 * c);
        }
        for (; i < rows; i++, p += c)
            s0 += OF(p);
        const vec mean = ((s0 + s1) + (s2 + s3)) * share;
        vec e0 = zero, e1 = zero;
        s0 = s1 = s2 = s3 = zero;
        for (i = 0, p = x + j; i + 4 <= rows; i += 4, p += 4 * c) {
            const vec d0 = OF(p) - mean, d1 = OF(p + c) - mean, d2 = OF(p + 2 * c) - mean, d3 = OF(p + 3 * c) - mean;
            s0 += d0 * d0;
            s1 += d1 * d1;
            s2 += d2 * d2;
            s3 += d3 * d3;
            e0 += d0 + d1;
            e1 += d2 + d3;
        }
        for (; i < rows; i++, p += c) {
            const vec d = OF(p) - mean;
            s0 += d * d;
            e0 += d;
        }
        e0 += e1;
        AT(part + j) = mean + e0 * share;
        AT(part + c + j) = (s0 + s1) + (s2 + s3) - e0 * e0 * share;
    }
    for (; j < c; j++) {
        real sum = 0, squares = 0, rest = 0;
        for (ptrdiff_t i = 0; i < rows; i++)
            sum += x[i * c + j];
        const real mean = sum * share;
        for (ptrdiff_t i = 0; i < rows; i++) {
            const real d = x[i * c + j] - mean;
            squares += d * d;
            rest += d;
        }
        part[j] = mean + rest * share;
        part[c + j] = squares - rest * rest * share;
    }
}

/* y = (x - mean) a + beta, with relu max(y, 0), for the rows of one block. */
static void NAME(block_normalize)(const real *x, ptrdiff_t rows, ptrdiff_t c, const real *mean, const real *a,
                                  const real *beta, int relu, real *y)
{
    ptrdiff_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec zero = {0}, mj = OF(mean + j), aj = OF(a + j), bj = OF(beta + j);
        if (relu)
            for (ptrdiff_t i = 0; i < rows; i++) {
                const vec v = (OF(x + i * c + j) - mj) * aj + bj;
                AT(y + i * c + j) = POSITIVE(v, v);
            }
        else
            for (ptrdiff_t i = 0; i < rows; i++)
                AT(y + i * c + j) = (OF(x + i * c + j) - mj) * aj + bj;
    }
    for (; j < c; j++)
        for (ptrdiff_t i = 0; i < rows; i++) {
            const real v = (x[i * c + j] - mean[j]) * a[j] + beta[j];
            y[i * c + j] = relu && v <= 0 ? 0 : v;
        }
}

/* Sums of g and of g (x - mean) over one block: part[0, j], part[1, j]. With relu g counts where the output was > 0. */
MG_INLINE void NAME(block_sums)(const real *g, const real *x, ptrdiff_t rows, ptrdiff_t c, const real *mean,
                                const real *a, const real *beta, const int relu, real *part)
{
    ptrdiff_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec zero = {0}, mj = OF(mean + j), aj = OF(a + j), bj = OF(beta + j);
        vec s0 = zero, s1 = zero, t0 = zero, t1 = zero;
        ptrdiff_t i = 0;
        for (; i + 2 <= rows; i += 2) {
            const vec d0 = OF(x + i * c + j) - mj, d1 = OF(x + i * c + c + j) - mj;
            vec g0 = OF(g + i * c + j), g1 = OF(g + i * c + c + j);
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
            const vec d0 = OF(x + i * c + j) - mj;
            vec g0 = OF(g + i * c + j);
            if (relu)
                g0 = POSITIVE(g0, d0 * aj + bj);
            s0 += g0;
            t0 += g0 * d0;
        }
        AT(part + j) = s0 + s1;
        AT(part + c + j) = t0 + t1;
    }
    for (; j < c; j++) {
        real s = 0, t = 0;
        for (ptrdiff_t i = 0; i < rows; i++) {
            const real d = x[i * c + j] - mean[j];
            const real gi = relu && d * a[j] + beta[j] <= 0 ? 0 : g[i * c + j];
            s += gi;
            t += gi * d;
        }
        part[j] = s;
        part[c + j] = t;
    }
}

/* dx = a (g - k1 - (x - mean) k2) for the rows of one block. */
MG_INLINE void NAME(block_dx)(const real *g, const real *x, ptrdiff_t rows, ptrdiff_t c, const real *mean,
                              const real *a, const real *beta, const real *k1, const real *k2, const int relu,
                              real *dx)
{
    ptrdiff_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec zero = {0}, mj = OF(mean + j), aj = OF(a + j), bj = OF(beta + j), k1j = OF(k1 + j), k2j = OF(k2 + j);
        for (ptrdiff_t i = 0; i < rows; i++) {
            const vec d = OF(x + i * c + j) - mj;
            vec gi = OF(g + i * c + j);
            if (relu)
                gi = POSITIVE(gi, d * aj + bj);
            AT(dx + i * c + j) = aj * (gi - k1j - d * k2j);
        }
    }
    for (; j < c; j++)
        for (ptrdiff_t i = 0; i < rows; i++) {
            const real d = x[i * c + j] - mean[j];
            const real gi = relu && d * a[j] + beta[j] <= 0 ? 0 : g[i * c + j];
            dx[i * c + j] = a[j] * (gi - k1[j] - d * k2[j]);
        }
}

static int NAME(batch_norm)(const Norm *v, const real *x, const real *gamma, const real *beta, real *y, real *mean,
                            real *var, int threads)
{
    const ptrdiff_t m = v->m, c = v->c, block = rows_of_block(c, sizeof(real)), blocks = (m + block - 1) / block;
    real *part = (real *)scratch(0, (size_t)(blocks * 2 * c + c) * sizeof(real) + (size_t)(2 * c) * sizeof(double) + 64);
    if (!part)
        return -1;
    real *a = part + blocks * 2 * c;
    double *total = (double *)(((uintptr_t)(a + c) + 63) / 64 * 64), *squares = total + c;
    #pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const uint64_t before = mg_flush_on();
        #pragma omp for schedule(static)
        for (ptrdiff_t b = 0; b < blocks; b++) {
            const ptrdiff_t first = b * block, rows = m - first < block ? m - first : block;
            NAME(block_moments)(x + first * c, rows, c, part + b * 2 * c);
        }
        #pragma omp single
        {
            for (ptrdiff_t j = 0; j < c; j++) {
                total[j] = part[j];
                squares[j] = part[c + j];
            }
            for (ptrdiff_t b = 1; b < blocks; b++) {        /* two sets of rows have one mean and one variance */
                const double seen = (double)(b * block), more = (double)(m - b * block < block ? m - b * block : block);
                const double share = more / (seen + more), between = seen * share;
                const real *p = part + b * 2 * c;
                for (ptrdiff_t j = 0; j < c; j++) {
                    const double d = (double)p[j] - total[j];
                    total[j] += d * share;
                    squares[j] += (double)p[c + j] + d * d * between;
                }
            }
            for (ptrdiff_t j = 0; j < c; j++) {
                const double variance = squares[j] / (double)m;
                mean[j] = (real)total[j];
                var[j] = (real)(variance < 0 ? 0 : variance);     /* a constant column: 0, whatever the rounding */
                a[j] = (real)((double)gamma[j] / sqrt((double)var[j] + v->delta));
            }
        }
        #pragma omp for schedule(static)
        for (ptrdiff_t b = 0; b < blocks; b++) {
            const ptrdiff_t first = b * block, rows = m - first < block ? m - first : block;
            NAME(block_normalize)(x + first * c, rows, c, mean, a, beta, v->relu, y + first * c);
        }
        mg_flush_off(before);
    }
    return 0;
}

static int NAME(batch_norm_backward)(const Norm *v, const real *g, const real *x, const real *gamma, const real *beta,
                                     const real *mean, const real *var, real *dx, real *dgamma, real *dbeta,
                                     int add_gamma, int add_beta, int threads)
{
    const ptrdiff_t m = v->m, c = v->c, block = rows_of_block(c, sizeof(real)), blocks = (m + block - 1) / block;
    real *part = (real *)scratch(0, (size_t)((blocks * 2 + 3) * c) * sizeof(real) + (size_t)(2 * c) * sizeof(double) + 64);
    if (!part)
        return -1;
    real *a = part + blocks * 2 * c, *k1 = a + c, *k2 = k1 + c;
    double *sum = (double *)(((uintptr_t)(k2 + c) + 63) / 64 * 64), *product = sum + c;
    for (ptrdiff_t j = 0; j < c; j++) {
        a[j] = (real)((double)gamma[j] / sqrt((double)var[j] + v->delta));
        sum[j] = product[j] = 0;
    }
    #pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const uint64_t before = mg_flush_on();
        #pragma omp for schedule(static)
        for (ptrdiff_t b = 0; b < blocks; b++) {
            const ptrdiff_t first = b * block, rows = m - first < block ? m - first : block;
            if (v->relu)
                NAME(block_sums)(g + first * c, x + first * c, rows, c, mean, a, beta, 1, part + b * 2 * c);
            else
                NAME(block_sums)(g + first * c, x + first * c, rows, c, mean, a, beta, 0, part + b * 2 * c);
        }
        #pragma omp single
        {
            for (ptrdiff_t b = 0; b < blocks; b++)
                for (ptrdiff_t j = 0; j < c; j++) {
                    sum[j] += (double)part[b * 2 * c + j];
                    product[j] += (double)part[b * 2 * c + c + j];
                }
            for (ptrdiff_t j = 0; j < c; j++) {
                const double variance = (double)var[j] + v->delta;
                k1[j] = (real)(sum[j] / (double)m);
                k2[j] = (real)(product[j] / (variance * (double)m));
                if (dgamma)
                    dgamma[j] = (real)((add_gamma ? (double)dgamma[j] : 0) + product[j] / sqrt(variance));
                if (dbeta)
                    dbeta[j] = (real)((add_beta ? (double)dbeta[j] : 0) + sum[j]);
            }
        }
        if (dx) {
            #pragma omp for schedule(static)
            for (ptrdiff_t b = 0; b < blocks; b++) {
                const ptrdiff_t first = b * block, rows = m - first < block ? m - first : block, at = first * c;
                if (v->relu)
                    NAME(block_dx)(g + at, x + at, rows, c, mean, a, beta, k1, k2, 1, dx + at);
                else
                    NAME(block_dx)(g + at, x + at, rows, c, mean, a, beta, k1, k2, 0, dx + at);
            }
        }
        mg_flush_off(before);
    }
    return 0;
}

/* ---- Layer normalization: the same along the rows. Mean and 1 / sqrt(var + delta) of one row, two passes. */
static void NAME(row_moments)(const real *x, ptrdiff_t c, double delta, real *mean, real *scale)
{
    const vec zero = {0};
    union { vec v; real lane[LANES]; } sum;
    vec s0 = zero, s1 = zero;
    real total = 0, squares = 0;
    ptrdiff_t j = 0;
    for (; j + 2 * LANES <= c; j += 2 * LANES) {
        s0 += OF(x + j);
        s1 += OF(x + j + LANES);
    }
    for (; j < c; j++)
        total += x[j];
    sum.v = s0 + s1;
    for (int k = 0; k < (int)LANES; k++)
        total += sum.lane[k];
    const real m = total / (real)c;
    s0 = s1 = zero;
    for (j = 0; j + 2 * LANES <= c; j += 2 * LANES) {
        const vec d0 = OF(x + j) - m, d1 = OF(x + j + LANES) - m;
        s0 += d0 * d0;
        s1 += d1 * d1;
    }
    for (; j < c; j++)
        squares += (x[j] - m) * (x[j] - m);
    sum.v = s0 + s1;
    for (int k = 0; k < (int)LANES; k++)
        squares += sum.lane[k];
    *mean = m;
    *scale = (real)(1 / sqrt((double)(squares / (real)c) + delta));
}

static int NAME(layer_norm)(const Norm *v, const real *x, const real *gamma, const real *beta, real *y, int threads)
{
    const ptrdiff_t c = v->c;
    #pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const uint64_t before = mg_flush_on();
        #pragma omp for schedule(static)
        for (ptrdiff_t i = 0; i < v->m; i++) {
            const real *MG_RESTRICT row = x + i * c;
            real *MG_RESTRICT to = y + i * c;
            real mean, scale;
            NAME(row_moments)(row, c, v->delta, &mean, &scale);
            for (ptrdiff_t j = 0; j < c; j++)
                to[j] = (row[j] - mean) * scale * gamma[j] + beta[j];
        }
        mg_flush_off(before);
    }
    return 0;
}

/* One row: dx, and g xhat and g added to the sums of its block, part[0, j] and part[1, j]. */
static void NAME(row_backward)(const real *MG_RESTRICT g, const real *MG_RESTRICT x, const real *MG_RESTRICT gamma,
                               ptrdiff_t c, double delta, real *MG_RESTRICT dx, real *MG_RESTRICT part)
{
    const vec zero = {0};
    union { vec v; real lane[LANES]; } sum, product;
    real mean, scale, sums = 0, products = 0;
    NAME(row_moments)(x, c, delta, &mean, &scale);
    sum.v = product.v = zero;
    ptrdiff_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        const vec gj = OF(g + j), xhat = (OF(x + j) - mean) * scale, u = gj * OF(gamma + j);
        sum.v += u;
        product.v += u * xhat;
        AT(part + j) += gj * xhat;
        AT(part + c + j) += gj;
    }
    for (; j < c; j++) {
        const real xhat = (x[j] - mean) * scale, u = g[j] * gamma[j];
        sums += u;
        products += u * xhat;
        part[j] += g[j] * xhat;
        part[c + j] += g[j];
    }
    for (int k = 0; k < (int)LANES; k++) {
        sums += sum.lane[k];
        products += product.lane[k];
    }
    if (dx) {
        const real k1 = sums / (real)c, k2 = products / (real)c;
        for (j = 0; j < c; j++)
            dx[j] = scale * (g[j] * gamma[j] - k1 - (x[j] - mean) * scale * k2);
    }
}

static int NAME(layer_norm_backward)(const Norm *v, const real *g, const real *x, const real *gamma, real *dx,
                                     real *dgamma, real *dbeta, int add_gamma, int add_beta, int threads)
{
    const ptrdiff_t m = v->m, c = v->c, block = rows_of_block(c, sizeof(real)), blocks = (m + block - 1) / block;
    real *part = (real *)scratch(0, (size_t)(blocks * 2 * c) * sizeof(real));
    if (!part)
        return -1;
    #pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const uint64_t before = mg_flush_on();
        #pragma omp for schedule(static)
        for (ptrdiff_t b = 0; b < blocks; b++) {
            for (ptrdiff_t j = 0; j < 2 * c; j++)
                part[b * 2 * c + j] = 0;
            for (ptrdiff_t i = b * block; i < m && i < (b + 1) * block; i++)
                NAME(row_backward)(g + i * c, x + i * c, gamma, c, v->delta, dx ? dx + i * c : NULL, part + b * 2 * c);
        }
        #pragma omp for schedule(static)
        for (ptrdiff_t j = 0; j < c; j++) {
            double sum = 0, product = 0;
            for (ptrdiff_t b = 0; b < blocks; b++) {
                product += (double)part[b * 2 * c + j];
                sum += (double)part[b * 2 * c + c + j];
            }
            if (dgamma)
                dgamma[j] = (real)((add_gamma ? (double)dgamma[j] : 0) + product);
            if (dbeta)
                dbeta[j] = (real)((add_beta ? (double)dbeta[j] : 0) + sum);
        }
        mg_flush_off(before);
    }
    return 0;
}

#undef vec
#undef mask
#undef AT
#undef OF
#undef POSITIVE
