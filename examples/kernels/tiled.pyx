"""Rung 5, register-tiled: a tile of C, ROWS x COLUMNS, stays in registers while all of k runs past it.

    tile[r, :] <- tile[r, :] + A[i + r, p] panel[p, :]        for r < ROWS: one row of the panel serves ROWS rows of A

The one idea: use again what is in a *register*. Before, each multiply-add read an entry of B and read and wrote one of
C; now a step of p loads one row of the panel and ROWS numbers of A for ROWS x COLUMNS multiply-adds, and C is touched
once. The tile is as large as the registers allow: its rows, each a vector or two, are independent sums, of which enough
must be under way to fill the four cycles that a multiply-add takes. Packing (the rung below) gives panels of just
COLUMNS columns, with zeros behind the last. For the convolution the ROWS rows are neighbouring pixels, whose windows
overlap: they are read where they lie in the image, row by row of the filter, and nothing is copied.
"""
from libc.stdlib cimport free, malloc

cdef extern from *:
    """
    #if defined(__AVX512F__)
    #define LANES 16
    #define ROWS 12
    #elif defined(__AVX2__)
    #define LANES 8
    #define ROWS 6
    #elif defined(__aarch64__)
    #define LANES 4
    #define ROWS 12
    #else
    #define LANES 4
    #define ROWS 4
    #endif
    #define COLUMNS (2 * LANES)
    typedef float vec __attribute__((vector_size(4 * LANES)));                   /* LANES numbers in one register */
    typedef float loose __attribute__((vector_size(4 * LANES), aligned(4)));     /* the same anywhere in memory */
    #define LOAD(p) ((vec) *(const loose *) (p))
    #define STORE(p, v) (*(loose *) (p) = (loose) (v))
    #define ZERO ((vec) {0})
    """
    ctypedef float vec                     # for Cython a number; for C so many at once, with the same operators
    vec LOAD(const float *p) nogil
    void STORE(float *p, vec v) nogil
    const vec ZERO
    enum: LANES
    enum: ROWS
    enum: COLUMNS


cdef void tile(Py_ssize_t k, const float *a, const Py_ssize_t *row, const float *panel, vec *sums) noexcept nogil:
    """sums[2 r], sums[2 r + 1] <- themselves + sum_p A[r, p] panel[p, :]. Row r of A begins at a + row[r]."""
    cdef vec total[2 * ROWS]
    cdef vec left, right
    cdef Py_ssize_t p, r
    for r in range(2 * ROWS):
        total[r] = sums[r]
    for p in range(k):
        left = LOAD(panel)
        right = LOAD(panel + LANES)
        for r in range(ROWS):              # a constant: the compiler unrolls it, and `total` becomes registers
            total[2 * r] += a[row[r] + p] * left
            total[2 * r + 1] += a[row[r] + p] * right
        panel += COLUMNS
    for r in range(2 * ROWS):
        sums[r] = total[r]


cdef void write(Py_ssize_t rows, Py_ssize_t columns, const vec *sums, float *c, Py_ssize_t rc) noexcept nogil:
    """c <- the part of a tile that the result has: the first rows and columns."""
    cdef float both[COLUMNS]
    cdef Py_ssize_t r, j
    for r in range(min(rows, ROWS)):
        STORE(both, sums[2 * r])
        STORE(both + LANES, sums[2 * r + 1])
        for j in range(min(columns, COLUMNS)):
            c[r * rc + j] = both[j]


cdef float *packed(Py_ssize_t k, Py_ssize_t n, const float *b) except NULL:
    """Panels of COLUMNS columns of B (k, n), one behind the other, zeros behind the last column. To be freed."""
    cdef Py_ssize_t panels = (n + COLUMNS - 1) // COLUMNS, panel, left, p, j
    cdef float *first = <float *> malloc(panels * COLUMNS * k * sizeof(float))
    cdef float *to = first
    if first == NULL:
        raise MemoryError
    for panel in range(panels):
        left = panel * COLUMNS
        for p in range(k):
            for j in range(COLUMNS):
                to[j] = b[p * n + left + j] if left + j < n else 0
            to += COLUMNS
    return first


def matmul_tiled(const float[:, ::1] a, const float[:, ::1] b, float[:, ::1] c):
    """c <- a b. a (m, k), b (k, n), c (m, n)."""
    cdef Py_ssize_t m = a.shape[0], k = a.shape[1], n = b.shape[1], i, j, r, panel, strip
    cdef Py_ssize_t row[ROWS]
    cdef vec sums[2 * ROWS]
    assert b.shape[0] == k and c.shape[0] == m and c.shape[1] == n and min(m, k, n) > 0
    cdef float *panels = packed(k, n, &b[0, 0])
    with nogil:
        for panel in range((n + COLUMNS - 1) // COLUMNS):
            j = panel * COLUMNS
            for strip in range((m + ROWS - 1) // ROWS):        # a panel stays in the cache while all rows pass
                i = strip * ROWS
                for r in range(ROWS):
                    row[r] = min(i + r, m - 1) * k             # past the last row: that one again, not written
                    sums[2 * r] = sums[2 * r + 1] = ZERO
                tile(k, &a[0, 0], row, panels + j * k, sums)
                write(m - i, n - j, sums, &c[i, j], n)
        free(panels)


def conv2d_tiled(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, float[:, :, :, ::1] y):
    """y <- x * w, stride 1, no padding. x (images, h, width, c), w (kh, kw, c, o), y (images, oh, ow, o)."""
    cdef Py_ssize_t images = y.shape[0], oh = y.shape[1], ow = y.shape[2], outs = y.shape[3]
    cdef Py_ssize_t kh = w.shape[0], kw = w.shape[1], depth = w.shape[2], image, i, j, o, ki, r, strip, panel
    cdef Py_ssize_t run = kw * depth, k = kh * run        # the numbers of a window in one row of the image, and in all
    cdef Py_ssize_t row[ROWS]
    cdef vec sums[2 * ROWS]
    assert x.shape[0] == images and x.shape[1] == oh + kh - 1 and x.shape[2] == ow + kw - 1
    assert x.shape[3] == depth and w.shape[3] == outs and min(images, oh, ow, outs, k) > 0
    cdef float *panels = packed(k, outs, &w[0, 0, 0, 0])
    with nogil:
        for image in range(images):
            for i in range(oh):
                for strip in range((ow + ROWS - 1) // ROWS):
                    j = strip * ROWS
                    for r in range(ROWS):
                        row[r] = min(j + r, ow - 1) * depth    # windows of neighbouring pixels begin a pixel apart
                    for panel in range((outs + COLUMNS - 1) // COLUMNS):
                        o = panel * COLUMNS
                        for r in range(2 * ROWS):
                            sums[r] = ZERO
                        for ki in range(kh):
                            tile(run, &x[image, i + ki, 0, 0], row, panels + o * k + ki * run * COLUMNS, sums)
                        write(ow - j, outs - o, sums, &y[image, i, j, o], outs)
        free(panels)
