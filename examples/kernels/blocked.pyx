"""Rung 3, blocked: a piece of B that fits the cache is used for all rows of A before the next piece is fetched.

    for each block of B, DEEP rows and WIDE columns:    C[:, block] <- C[:, block] + A[:, block] B[block]

The one idea: use again what is in the cache. The rung below fetches all of B for every row of A; as long as B fits the
cache (256 x 256 numbers are 256 KB), that is free, and this rung gains nothing. It gains where B does not fit. For the
convolution the block is a run of input channels of the filters, met by a whole image before the next run.
"""
cdef enum:
    DEEP = 64        # 64 x 256 numbers of 4 bytes: 64 KB, well inside the second cache
    WIDE = 256


def matmul_blocked(const float[:, ::1] a, const float[:, ::1] b, float[:, ::1] c):
    """c <- a b. a (m, k), b (k, n), c (m, n)."""
    cdef Py_ssize_t m = a.shape[0], k = a.shape[1], n = b.shape[1], i, j, p, top, left, bottom, right, column, row
    cdef float x
    assert b.shape[0] == k and c.shape[0] == m and c.shape[1] == n
    c[:, :] = 0
    with nogil:
        for column in range((n + WIDE - 1) // WIDE):
            left = column * WIDE
            right = min(left + WIDE, n)
            for row in range((k + DEEP - 1) // DEEP):
                top = row * DEEP
                bottom = min(top + DEEP, k)
                for i in range(m):
                    for p in range(top, bottom):
                        x = a[i, p]
                        for j in range(left, right):
                            c[i, j] += x * b[p, j]


def conv2d_blocked(const float[:, :, :, ::1] x, const float[:, :, :, ::1] w, float[:, :, :, ::1] y):
    """y <- x * w, stride 1, no padding. x (images, h, width, c), w (kh, kw, c, o), y (images, oh, ow, o)."""
    cdef Py_ssize_t images = y.shape[0], oh = y.shape[1], ow = y.shape[2], outs = y.shape[3]
    cdef Py_ssize_t kh = w.shape[0], kw = w.shape[1], depth = w.shape[2], image, i, j, o, ki, kj, c, block, top, bottom
    cdef float pixel
    assert x.shape[0] == images and x.shape[1] == oh + kh - 1 and x.shape[2] == ow + kw - 1
    assert x.shape[3] == depth and w.shape[3] == outs
    y[:, :, :, :] = 0
    with nogil:
        for image in range(images):
            for ki in range(kh):
                for kj in range(kw):
                    for block in range((depth + DEEP - 1) // DEEP):
                        top = block * DEEP
                        bottom = min(top + DEEP, depth)
                        for i in range(oh):
                            for j in range(ow):
                                for c in range(top, bottom):
                                    pixel = x[image, i + ki, j + kj, c]
                                    for o in range(outs):
                                        y[image, i, j, o] += pixel * w[ki, kj, c, o]
