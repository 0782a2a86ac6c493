"""A product of matrices, and the kernel below it: the order of the loops, the cache, packing, a tile in registers.

    C[i, j] = sum_p A[i, p] B[p, j]          A (m, k), B (k, n), C (m, n), row by row in memory

In Python, where nothing is fast, so that what counts can be counted: which numbers are touched, and in which order.
Each function has a compiled sister in examples/kernels (reordered.pyx, blocked.pyx, packed.pyx, tiled.pyx).
"""
import numpy as np

# --------------------------------------------------------------------------------------------------------- 1: order


def reordered(a, b, c):
    """c <- c + a b, one number at a time: only a[i, p], b[p, j] and c[i, j] are used, and the shapes."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    # BEGIN SOLUTION task 1: three loops, the innermost along the rows of b and c
    for i in range(m):
        for p in range(k):
            x = a[i, p]
            for j in range(n):
                c[i, j] += x * b[p, j]
    # END SOLUTION


# --------------------------------------------------------------------------------------------------------- 2: the cache

def blocked(a, b, c, deep, wide):
    """The same; `deep` rows and `wide` columns of b (fewer at the edges) are used for all rows of a before the next."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    # BEGIN SOLUTION task 2: loops over the blocks of b, and in them the loops of task 1
    for column in range((n + wide - 1) // wide):
        left = column * wide
        right = min(left + wide, n)
        for row in range((k + deep - 1) // deep):
            top = row * deep
            bottom = min(top + deep, k)
            for i in range(m):
                for p in range(top, bottom):
                    x = a[i, p]
                    for j in range(left, right):
                        c[i, j] += x * b[p, j]
    # END SOLUTION


# --------------------------------------------------------------------------------------------------------- 3: packing

def pack(b, wide):
    """Panels of `wide` columns of b (k, n), one behind the other: (panels, k, wide), zeros behind the last column."""
    k, n = b.shape
    panels = np.zeros(((n + wide - 1) // wide, k, wide), b.dtype)
    # BEGIN SOLUTION task 3: for each panel its columns of b; the last may have fewer
    for q in range(len(panels)):
        columns = b[:, q * wide:(q + 1) * wide]
        panels[q, :, :columns.shape[1]] = columns
    # END SOLUTION
    return panels


def pack_rows(a, high):
    """Strips of `high` rows of a (m, k), those of one p side by side: (strips, k, high), zeros behind the last row."""
    # BEGIN SOLUTION task 3: the columns of a's transpose
    strips = pack(a.T, high)
    # END SOLUTION
    return strips


# --------------------------------------------------------------------------------------------------------- 4: registers

def tile(strip, panel):
    """sum_p outer(strip[p], panel[p]), (high, wide). strip (k, high), panel (k, wide): all numbers are read once."""
    total = np.zeros((strip.shape[1], panel.shape[1]))
    # BEGIN SOLUTION task 4: for each p the outer product of one row of each
    for p in range(strip.shape[0]):
        total += np.multiply.outer(strip[p], panel[p])
    # END SOLUTION
    return total


def tiled(a, b, high, wide):
    """a b (m, n), made of tiles; what the last tiles have too much is not written."""
    strips, panels = pack_rows(a, high), pack(b, wide)
    c = np.zeros((a.shape[0], b.shape[1]))
    # BEGIN SOLUTION task 4: for each panel and strip one tile, and the part of it that c has
    for q, panel in enumerate(panels):
        for s, strip in enumerate(strips):
            place = c[s * high:(s + 1) * high, q * wide:(q + 1) * wide]
            place[...] = tile(strip, panel)[:place.shape[0], :place.shape[1]]
    # END SOLUTION
    return c


# --------------------------------------------------------------------------------------------------------- 5: the op

def matmul_backward(g, a, b, high, wide):
    """da (like a) and db (like b), the gradients of J for g = dJ/d(a b) (m, n), by the same kernel."""
    # BEGIN SOLUTION task 5: what multiplies an entry of a, and one of b, in the sum: two more products
    da = tiled(g, b.T, high, wide)
    db = tiled(a.T, g, high, wide)
    # END SOLUTION
    return da, db
