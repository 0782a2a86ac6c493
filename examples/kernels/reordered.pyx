"""Rung 2, reordered: the same products, the loop over the result's row innermost.

    for each i, p:    C[i, :] <- C[i, :] + A[i, p] B[p, :]

The one idea: walk memory in the order in which it lies. B and C are now read along their rows, whole cache lines at a
time, and the compiler turns the inner loop into vectors, since its terms no longer wait for each other. What it costs:
each product reads and writes an entry of C, so two or three memory operations for one multiply-add.
"""


def matmul_reordered(const float[:, ::1] a, const float[:, ::1] b, float[:, ::1] c):
    """c <- a b. a (m, k), b (k, n), c (m, n)."""
    cdef Py_ssize_t m = a.shape[0], k = a.shape[1], n = b.shape[1], i, j, p
    cdef float x
    assert b.shape[0] == k and c.shape[0] == m and c.shape[1] == n
    with nogil:
        for i in range(m):
            for j in range(n):
                c[i, j] = 0
            for p in range(k):
                x = a[i, p]
                for j in range(n):
                    c[i, j] += x * b[p, j]


def conv2d_reordered(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, float[:, :, :, ::1] y):
    """y <- x * w, stride 1, no padding. x (images, h, width, c), w (kh, kw, c, o), y (images, oh, ow, o)."""
    cdef Py_ssize_t images = y.shape[0], oh = y.shape[1], ow = y.shape[2], outs = y.shape[3]
    cdef Py_ssize_t kh = w.shape[0], kw = w.shape[1], depth = w.shape[2], image, i, j, o, ki, kj, c
    cdef float pixel
    assert x.shape[0] == images and x.shape[1] == oh + kh - 1 and x.shape[2] == ow + kw - 1
    assert x.shape[3] == depth and w.shape[3] == outs
    with nogil:
        for image in range(images):
            for i in range(oh):
                for j in range(ow):
                    for o in range(outs):
                        y[image, i, j, o] = 0
                    for ki in range(kh):
                        for kj in range(kw):
                            for c in range(depth):
                                pixel = x[image, i + ki, j + kj, c]
                                for o in range(outs):
                                    y[image, i, j, o] += pixel * w[ki, kj, c, o]
