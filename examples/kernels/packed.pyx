"""Rung 4, packed: the block of B is copied, in the order in which the inner loop reads it.

    panel[p, :] = B[top + p, left:right],    then C[:, left:right] <- C[:, left:right] + A[:, top:bottom] panel

The one idea: lay the numbers out for the loop. In B the rows of a block are n numbers apart, each on other cache lines
and pages of memory; in the panel they are neighbours, as long as a strip of C, which stays in the first cache while the
panel runs past it. The copy costs k n moves and serves m k n products. For the convolution the *windows* are
copied: all the numbers that one pixel of the result looks at, in a row of their own (im2col, one row of the image at a
time). It is a product of matrices then, at the price of kh kw copies of each number of the image.
"""
from libc.stdlib cimport free, malloc

cdef enum:
    PANEL_DEEP = 64          # as the blocks of the rung below: 64 x 256 numbers are 64 KB
    PANEL_WIDE = 256


cdef void add_product(Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const float *a, Py_ssize_t ra, const float *b,
                      Py_ssize_t rb, float *c, Py_ssize_t rc, float *panel) noexcept nogil:
    """C <- C + A B, with rows of A, B and C that lie ra, rb and rc numbers apart."""
    cdef Py_ssize_t column, row, left, top, width, deep, i, j, p
    cdef float x
    cdef float *strip
    for column in range((n + PANEL_WIDE - 1) // PANEL_WIDE):
        left = column * PANEL_WIDE
        width = min(PANEL_WIDE, n - left)
        for row in range((k + PANEL_DEEP - 1) // PANEL_DEEP):
            top = row * PANEL_DEEP
            deep = min(PANEL_DEEP, k - top)
            for p in range(deep):
                for j in range(width):
                    panel[p * width + j] = b[(top + p) * rb + left + j]
            for i in range(m):
                strip = c + i * rc + left
                for p in range(deep):
                    x = a[i * ra + top + p]
                    for j in range(width):
                        strip[j] += x * panel[p * width + j]


def matmul_packed(const float[:, ::1] a, const float[:, ::1] b, float[:, ::1] c):
    """c <- a b. a (m, k), b (k, n), c (m, n)."""
    cdef Py_ssize_t m = a.shape[0], k = a.shape[1], n = b.shape[1]
    assert b.shape[0] == k and c.shape[0] == m and c.shape[1] == n and min(m, k, n) > 0
    c[:, :] = 0
    cdef float *panel = <float *> malloc(PANEL_DEEP * PANEL_WIDE * sizeof(float))
    if panel == NULL:
        raise MemoryError
    with nogil:
        add_product(m, n, k, &a[0, 0], k, &b[0, 0], n, &c[0, 0], n, panel)
        free(panel)


def conv2d_packed(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, float[:, :, :, ::1] y):
    """y <- x * w, stride 1, no padding. x (images, h, width, c), w (kh, kw, c, o), y (images, oh, ow, o)."""
    cdef Py_ssize_t images = y.shape[0], oh = y.shape[1], ow = y.shape[2], outs = y.shape[3]
    cdef Py_ssize_t kh = w.shape[0], kw = w.shape[1], depth = w.shape[2], image, i, j, ki, c
    cdef Py_ssize_t run = kw * depth, k = kh * run        # the numbers of a window in one row of the image, and in all
    assert x.shape[0] == images and x.shape[1] == oh + kh - 1 and x.shape[2] == ow + kw - 1
    assert x.shape[3] == depth and w.shape[3] == outs and min(images, oh, ow, outs, k) > 0
    y[:, :, :, :] = 0
    cdef float *work = <float *> malloc((PANEL_DEEP * PANEL_WIDE + ow * k) * sizeof(float))
    cdef float *windows = work + PANEL_DEEP * PANEL_WIDE
    if work == NULL:
        raise MemoryError
    with nogil:
        for image in range(images):
            for i in range(oh):
                for j in range(ow):
                    for ki in range(kh):
                        for c in range(run):              # kw pixels of c numbers are neighbours in x
                            windows[j * k + ki * run + c] = (&x[image, i + ki, j, 0])[c]
                add_product(ow, outs, k, windows, k, &w[0, 0, 0, 0], outs, &y[image, i, 0, 0], outs, work)
        free(work)
