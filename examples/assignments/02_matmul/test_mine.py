"""Reference tests for 02_matmul: what a student's own tests should find out. Run them with pytest."""
import matmul as mine
import numpy as np


class Counting:
    """A matrix that counts: `steps` to a number that lies neither where the last one did nor right behind it."""

    def __init__(self, values):
        self.values, self.shape, self.last, self.steps, self.reads = values, values.shape, None, 0, 0

    def touch(self, i, j):
        address = i * self.shape[1] + j
        self.steps += self.last is not None and address - self.last not in (0, 1)
        self.last = address
        self.reads += 1

    def __getitem__(self, index):
        if isinstance(index, tuple):
            self.touch(*index)
            return self.values[index]
        self.reads += self.shape[1]
        return self.values[index].copy()

    def __setitem__(self, index, value):
        self.touch(*index)
        self.values[index] = value


def arrays(m, k, n):
    rng = np.random.default_rng(0)
    return rng.standard_normal((m, k)), rng.standard_normal((k, n)), rng.standard_normal((m, n))


def test_products_are_added_to_c():
    for m, k, n in ((3, 4, 5), (1, 1, 1), (5, 2, 7)):
        a, b, c = arrays(m, k, n)
        for function, sizes in ((mine.reordered, ()), (mine.blocked, (2, 3)), (mine.blocked, (3, 2))):
            got = c.copy()
            function(a, b, got, *sizes)
            np.testing.assert_allclose(got, c + a @ b, atol=1e-12)


def test_b_and_c_are_walked_along_their_rows():
    m, k, n = 4, 5, 6
    a, b, c = map(Counting, arrays(m, k, n))
    mine.reordered(a, b, c)
    assert b.steps <= m * k and c.steps <= m * k                # once a row at most


def test_a_block_is_used_for_all_rows_before_the_next():
    order = []

    class Told(Counting):
        def touch(self, i, j):
            order.append((i // 2, j // 3))

    a, b, c = arrays(4, 6, 6)
    mine.blocked(a, Told(b), c, 2, 3)
    changes = sum(one != other for one, other in zip(order, order[1:]))
    assert changes == len(set(order)) - 1 == 5                  # 3 x 2 blocks, each visited once


def test_panels_and_strips():
    a = np.arange(1.0, 11.0).reshape(2, 5)
    np.testing.assert_array_equal(mine.pack(a, 2), [[[1, 2], [6, 7]], [[3, 4], [8, 9]], [[5, 0], [10, 0]]])
    np.testing.assert_array_equal(mine.pack_rows(a.T, 3), [[[1, 2, 3], [6, 7, 8]], [[4, 5, 0], [9, 10, 0]]])


def test_a_tile_reads_each_number_once():
    strip, panel, _ = arrays(5, 3, 4)
    strip, panel = strip, np.random.default_rng(1).standard_normal((5, 4))
    one, other = Counting(strip), Counting(panel)
    np.testing.assert_allclose(mine.tile(one, other), strip.T @ panel, atol=1e-12)
    assert one.reads <= strip.size and other.reads <= panel.size


def test_tiles_make_a_product():
    for m, k, n, high, wide in ((6, 4, 8, 3, 4), (7, 3, 5, 3, 4), (2, 4, 9, 5, 2)):
        a, b, _ = arrays(m, k, n)
        np.testing.assert_allclose(mine.tiled(a, b, high, wide), a @ b, atol=1e-12)


def test_gradients():
    for m, k, n in ((3, 3, 3), (2, 4, 5)):
        a, b, g = arrays(m, k, n)
        da, db = mine.matmul_backward(g, a, b, 2, 3)
        np.testing.assert_allclose(da, np.einsum("ij,pj->ip", g, b), atol=1e-12)
        np.testing.assert_allclose(db, np.einsum("ip,ij->pj", a, g), atol=1e-12)
