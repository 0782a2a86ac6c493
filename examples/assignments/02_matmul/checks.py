"""The checks of 02_matmul. Oracles: NumPy's product; a cache that is simulated, line by line, on the addresses that the
student's loops touched."""
from collections import OrderedDict

import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(
    title="A product of matrices and the kernel below it", sections="6.5 (the rules of a product), examples/kernels",
    minutes=120, mutant_points=5,
    blocked=["minigrad.ops.linalg.matmul", "minigrad.ops.linalg._matmul", "minigrad.kernels.matmul",
             "minigrad_ext.matmul"])

LINE = 8


def misses(addresses, lines):
    """How often a line is fetched, where the cache holds the `lines` lines used last."""
    cache, fetched = OrderedDict(), 0
    for line in (addresses // LINE).tolist():
        if line in cache:
            cache.move_to_end(line)
            continue
        fetched += 1
        cache[line] = None
        if len(cache) > lines:
            cache.popitem(last=False)
    return fetched


def matrices(case, m, k, n):
    """a, b and a c that is not zero."""
    return case.rng.standard_normal((m, k)), case.rng.standard_normal((k, n)), case.rng.standard_normal((m, n))


def product(case, name, sizes, shapes):
    for m, k, n in shapes:
        a, b, c = matrices(case, m, k, n)
        got = case.ask("loops", name=name, a=a, b=b, c=c, sizes=np.array(sizes, dtype=int))
        case.close(got["c"], c + a @ b, "C[i, j] grows by A[i, p] B[p, j] for every p, and what was in C stays")
        case.equal(got["a"], a, "a is read only")
        case.equal(got["b"], b, "b is read only")


# --------------------------------------------------------------------------------------------------------- 1: order

@task("1.1", "the product, one number at a time", points=2, visibility="public")
def order(case):
    product(case, "reordered", [], [(4, 3, 5), (1, 6, 2)])


@task("1.2", "memory walked as it lies", points=3)
def order_of_addresses(case):
    a, b, c = matrices(case, 12, 24, 24)
    got = case.ask("addresses", name="reordered", a=a, b=b, c=c, sizes=np.array([], dtype=int))
    case.close(got["c"], c + a @ b, "C[i, j] grows by A[i, p] B[p, j] for every p")
    case.true(len(got["addresses"]) >= 12 * 24 * 24, "each product reads its own number of B: one number at a time")
    fetched = misses(got["addresses"], lines=8)
    case.true(fetched <= 2 * 12 * 24 * 24 // LINE, f"in a cache of 8 lines of 64 bytes, {fetched / (12 * 24 * 24):.2f} "
              "lines are fetched for each product, and an eighth is enough: which index must run fastest, so that B "
              "and C are read along their rows?")


# --------------------------------------------------------------------------------------------------------- 2: the cache

@task("2.1", "blocks, also where they do not fit", points=2, visibility="public")
def blocks(case):
    product(case, "blocked", [2, 3], [(4, 4, 6), (3, 5, 7), (2, 1, 1)])


@task("2.2", "a block is used again before the next is fetched", points=3)
def blocks_of_addresses(case):
    a, b, c = matrices(case, 32, 32, 32)
    got = case.ask("addresses", name="blocked", a=a, b=b, c=c, sizes=np.array([8, 16]))
    case.close(got["c"], c + a @ b, "C[i, j] grows by A[i, p] B[p, j] for every p")
    case.true(len(got["addresses"]) >= 32 ** 3, "each product reads its own number of B: one number at a time")
    least = 8 * (16 + 32 * 3)                              # 8 blocks of 16 lines; 2 lines of C and 1 of A for each row
    fetched = misses(got["addresses"], lines=24)
    case.true(fetched <= 1.5 * least, f"in a cache of 24 lines, in which a block of 8 x 16 numbers takes 16, {fetched} "
              f"lines are fetched; {least} are enough: all rows of A meet one block of B before the next is touched")


# --------------------------------------------------------------------------------------------------------- 3: packing

@task("3.1", "panels of columns", points=2, visibility="public")
def panels(case):
    b = case.rng.standard_normal((3, 6))
    got = case.ask("packing", name="pack", array=b, size=2)
    case.close(got["packed"], np.stack([b[:, :2], b[:, 2:4], b[:, 4:]]), "panel q holds columns q wide ... of b, row p "
               "of it behind row p - 1")
    case.equal(got["array"], b, "b is read only")


@task("3.2", "a last panel that is not full, and strips of rows", points=2)
def strips(case):
    for name, array, size in (("pack", case.rng.standard_normal((4, 7)), 3),
                              ("pack_rows", case.rng.standard_normal((7, 4)), 3),
                              ("pack_rows", case.rng.standard_normal((2, 5)), 4)):
        got = case.ask("packing", name=name, array=array, size=size)
        columns = array if name == "pack" else array.T
        wanted = np.zeros((-(-columns.shape[1] // size), len(columns), size))
        for column in range(columns.shape[1]):
            wanted[column // size, :, column % size] = columns[:, column]
        case.close(got["packed"], wanted, "zeros stand behind the last column (row), and in a strip the numbers of one "
                   "p lie side by side: strips[s, p, r] = a[s high + r, p]")
        case.true(bool(got["in_order"]), "the panels are copied: a view is read in the order of the old matrix")


# --------------------------------------------------------------------------------------------------------- 4: registers

@task("4.1", "a tile, and the product made of tiles", points=3, visibility="public")
def tiles(case):
    strip, panel = case.rng.standard_normal((5, 3)), case.rng.standard_normal((5, 4))
    case.close(case.ask("one_tile", strip=strip, panel=panel)["tile"], strip.T @ panel,
               "the tile is the sum over p of outer products, strip[p, r] panel[p, j]")
    a, b, _ = matrices(case, 6, 4, 8)
    got = case.ask("product", a=a, b=b, high=3, wide=4)
    case.close(got["c"], a @ b, "tile (s, q) lies at row s high and column q wide of c")
    case.equal(got["a"], a, "a is read only")


@task("4.2", "loads a product, and edges", points=2)
def loads(case):
    strip, panel = case.rng.standard_normal((7, 6)), case.rng.standard_normal((7, 8))
    got = case.ask("one_tile", strip=strip, panel=panel)
    case.close(got["tile"], strip.T @ panel, "the tile is the sum over p of outer products")
    case.true(int(got["reads"]) <= 7 * (6 + 8), f"{int(got['reads'])} numbers are read for {7 * 6 * 8} multiply-adds; "
              "with the tile in registers k (high + wide) will do: a row of each for one p, and then the next")
    for m, k, n, high, wide in ((7, 3, 5, 3, 4), (2, 4, 9, 5, 2), (1, 1, 1, 2, 3)):
        a, b, _ = matrices(case, m, k, n)
        case.close(case.ask("product", a=a, b=b, high=high, wide=wide)["c"], a @ b,
                   "where the last tile is larger than what is left of c, the rest of it is dropped")


# --------------------------------------------------------------------------------------------------------- 5: the op

def gradients(case, m, k, n, high, wide):
    a, b, g = matrices(case, m, k, n)
    got = case.ask("backward", g=g, a=a, b=b, high=high, wide=wide)
    da, db = np.empty_like(a), np.empty_like(b)
    for d, array, which in ((da, a, 0), (db, b, 1)):       # J = sum(g * a b) is linear in each entry
        for index in np.ndindex(*array.shape):
            one = np.zeros_like(array)
            one[index] = 1.0
            d[index] = (g * (one @ b if which == 0 else a @ one)).sum()
    case.close(got["da"], da, "A[i, p] is multiplied by B[p, j] for every j, and g[i, j] tells how much that counts: "
               "reread the rules of a product (6.5)")
    case.close(got["db"], db, "B[p, j] is multiplied by A[i, p] for every i, and g[i, j] tells how much that counts: "
               "reread the rules of a product (6.5)")


@task("5.1", "the gradients of a product", points=2, visibility="public")
def backward(case):
    gradients(case, 3, 3, 3, 2, 2)


@task("5.2", "the gradients of a product, other shapes", points=1)
def backward_too(case):
    gradients(case, 2, 5, 4, 3, 2)
