"""Rung 1, naive: the definition. One sum per entry of the result, as the formula is written.

    C[i, j]       = sum_p A[i, p] B[p, j]
    y[n, i, j, o] = sum_{ki, kj, c} x[n, i + ki, j + kj, c] w[ki, kj, c, o]

What it costs: from one p to the next, B is left by a whole row: of each cache line of 64 bytes one number of 4 is
used, and no vector of neighbours can be loaded. And each term waits for the sum before it, about four cycles a term.
"""


def matmul_naive(const float[:, ::1] a, const float[:, ::1] b, float[:, ::1] c):
    """c <- a b. a (m, k), b (k, n), c (m, n)."""
    cdef Py_ssize_t m = a.shape[0], k = a.shape[1], n = b.shape[1], i, j, p
    cdef float total
    assert b.shape[0] == k and c.shape[0] == m and c.shape[1] == n
    with nogil:
        for i in range(m):
            for j in range(n):
                total = 0
                for p in range(k):
                    total += a[i, p] * b[p, j]
                c[i, j] = total


def conv2d_naive(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, float[:, :, :, ::1] y):
    """y <- x * w, stride 1, no padding. x (images, h, width, c), w (kh, kw, c, o), y (images, oh, ow, o)."""
    cdef Py_ssize_t images = y.shape[0], oh = y.shape[1], ow = y.shape[2], outs = y.shape[3]
    cdef Py_ssize_t kh = w.shape[0], kw = w.shape[1], depth = w.shape[2], image, i, j, o, ki, kj, c
    cdef float total
    assert x.shape[0] == images and x.shape[1] == oh + kh - 1 and x.shape[2] == ow + kw - 1
    assert x.shape[3] == depth and w.shape[3] == outs
    with nogil:
        for image in range(images):
            for i in range(oh):
                for j in range(ow):
                    for o in range(outs):
                        total = 0
                        for ki in range(kh):
                            for kj in range(kw):
                                for c in range(depth):
                                    total += x[image, i + ki, j + kj, c] * w[ki, kj, c, o]
                        y[image, i, j, o] = total
