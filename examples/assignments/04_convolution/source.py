"""Convolution's three kernels: forward, and its gradients with respect to the images and to the filters, by hand.

    y[n, i, j, o] = sum_{ki, kj, c} x[n, i sh + ki - top, j sw + kj - left, c] w[ki, kj, c, o]

x (n, h, w, c): images, zero outside. w (kh, kw, c, o): filters, not flipped. y (n, oh, ow, o).
windows = (sh, sw, top, left): the stride, and how many rows and columns of zeros stand before the image; as many stand
behind it as y needs. size: the two axes of the result that the other arguments leave open, as (oh, ow) of y.

Written as a sum of products of matrices, one for each offset (ki, kj) within the window.
"""
import numpy as np


def overlap(length, before, padded):
    """Given: where an axis of `length` entries lies within its padded form: slices of both."""
    first, last = max(0, -before), max(0, -before, min(length, padded - before))
    return slice(first, last), slice(first + before, last + before)


def plane_shape(w, y, windows):
    """Given: rows and columns of the plane, the image with its zeros, as far as the windows reach."""
    return (y.shape[1] - 1) * windows[0] + w.shape[0], (y.shape[2] - 1) * windows[1] + w.shape[1]


def plane_of(x, shape, windows):
    """Given: the images with their borders of zeros, (n, *shape, c)."""
    rows, rows_in = overlap(x.shape[1], windows[2], shape[0])
    columns, columns_in = overlap(x.shape[2], windows[3], shape[1])
    plane = np.zeros((x.shape[0], *shape, x.shape[3]), x.dtype)
    plane[:, rows_in, columns_in] = x[:, rows, columns]
    return plane


# --------------------------------------------------------------------------------------------------------- 1: forward

def taps(w, y, windows):
    """For each offset: (ki, kj), and where all windows of y read the plane for it, an index of (n, rows, columns)."""
    sh, sw, _, _ = windows
    for ki in range(w.shape[0]):
        for kj in range(w.shape[1]):
            # BEGIN SOLUTION task 1: slices from the offset on, one row (column) for each of y's, a stride apart
            rows = slice(ki, ki + (y.shape[1] - 1) * sh + 1, sh)
            across = slice(kj, kj + (y.shape[2] - 1) * sw + 1, sw)
            # END SOLUTION
            yield (ki, kj), (slice(None), rows, across)


def conv2d(x, w, windows, size):
    """y (n, *size, o), the images convolved with the filters."""
    y = np.zeros((x.shape[0], *size, w.shape[3]), x.dtype)
    plane = plane_of(x, plane_shape(w, y, windows), windows)
    # BEGIN SOLUTION task 1: for each tap (ki, kj), the pixels it reads times the matrix w[ki, kj]
    for k, place in taps(w, y, windows):
        y += plane[place] @ w[k]
    # END SOLUTION
    return y


# -------------------------------------------------------------------------------------------- 2: back to the images

def conv2d_x(g, w, windows, size):
    """dx (n, *size, c), the gradient of J = <g, conv2d(x, w)> with respect to x. g (n, oh, ow, o)."""
    shape = plane_shape(w, g, windows)
    plane = np.zeros((g.shape[0], *shape, w.shape[2]), g.dtype)
    dx = np.zeros((g.shape[0], *size, w.shape[2]), g.dtype)
    # BEGIN SOLUTION task 2: each tap of g goes back to the pixels that it read; then the border of zeros is cut off
    for k, place in taps(w, g, windows):
        plane[place] += g @ w[k].T
    rows, rows_in = overlap(dx.shape[1], windows[2], shape[0])
    columns, columns_in = overlap(dx.shape[2], windows[3], shape[1])
    dx[:, rows, columns] = plane[:, rows_in, columns_in]
    # END SOLUTION
    return dx


# ------------------------------------------------------------------------------------- 3: to the filters and the bias

def conv2d_w(x, g, windows, size):
    """dw (*size, c, o), the gradient of J = <g, conv2d(x, w)> with respect to w. size: (kh, kw)."""
    dw = np.zeros((*size, x.shape[3], g.shape[3]), x.dtype)
    plane = plane_of(x, plane_shape(dw, g, windows), windows)
    # BEGIN SOLUTION task 3: for each tap, pixels times g, summed over all images and windows
    for k, place in taps(dw, g, windows):
        dw[k] += np.tensordot(plane[place], g, ((0, 1, 2), (0, 1, 2)))
    # END SOLUTION
    return dw


def bias_gradient(g):
    """db (o,), the gradient of J = <g, conv2d(x, w) + b> with respect to b, which is added at every pixel."""
    # BEGIN SOLUTION task 3: the sum over all that b was added to
    db = g.sum((0, 1, 2))
    # END SOLUTION
    return db


# --------------------------------------------------------------------------------------------- 4: the family is closed

def conv2d_x_backward(u, g, w, windows):
    """The gradients of J = <u, conv2d_x(g, w)> with respect to g and w: dg (like g), dw (like w). u (n, h, w, c)."""
    # BEGIN SOLUTION task 4: <u, conv2d_x(g, w)> = <g, conv2d(u, w)>, which is linear in g and in w
    dg = conv2d(u, w, windows, g.shape[1:3])
    dw = conv2d_w(u, g, windows, w.shape[:2])
    # END SOLUTION
    return dg, dw


def conv2d_w_backward(u, x, g, windows):
    """The gradients of J = <u, conv2d_w(x, g)> with respect to x and g: dx (like x), dg (like g). u (kh, kw, c, o)."""
    # BEGIN SOLUTION task 4: <u, conv2d_w(x, g)> = <g, conv2d(x, u)>, which is linear in x and in g
    dx = conv2d_x(g, u, windows, x.shape[1:3])
    dg = conv2d(x, u, windows, g.shape[1:3])
    # END SOLUTION
    return dx, dg
