"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

Four of them compute the right product and touch memory in the wrong order, or too often: a test that counts finds them.
EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- blocks of b in another order: the same sums up to rounding, and as many lines fetched.
- the tiles of one strip before those of the next: the same tiles.
"""
from minigrad.grade import Mutant

ORDER = """    for i in range(m):
        for p in range(k):
            x = a[i, p]
            for j in range(n):
                c[i, j] += x * b[p, j]
"""
BLOCK = """            for i in range(m):
                for p in range(top, bottom):
                    x = a[i, p]
                    for j in range(left, right):
                        c[i, j] += x * b[p, j]
"""
COLUMNS = "columns = b[:, q * wide:(q + 1) * wide]"
COPY = "panels[q, :, :columns.shape[1]] = columns"
SUM = "total += np.multiply.outer(strip[p], panel[p])"
PLACE = "place = c[s * high:(s + 1) * high, q * wide:(q + 1) * wide]"
WRITE = "place[...] = tile(strip, panel)[:place.shape[0], :place.shape[1]]"
DA, DB = "da = tiled(g, b.T, high, wide)", "db = tiled(a.T, g, high, wide)"

MUTANTS = [
    Mutant("overwrites", ORDER, ORDER.replace("+=", "="), "the last product alone"),
    Mutant("forgets", ORDER, "    for i in range(m):\n        for j in range(n):\n            c[i, j] = 0\n"
           + ORDER[len("    for i in range(m):\n"):], "what was in c is lost"),
    Mutant("minus", ORDER, ORDER.replace("+=", "-="), "the sign"),
    Mutant("short", ORDER, ORDER.replace("range(k)", "range(k - 1)"), "the last p left out"),
    Mutant("first-row", ORDER, ORDER.replace("b[p, j]", "b[0, j]"), "the first row of b for all p"),
    Mutant("definition", ORDER, """    for i in range(m):
        for j in range(n):
            for p in range(k):
                c[i, j] += a[i, p] * b[p, j]
""", "the right product, b read down its columns"),
    Mutant("columns-first", ORDER, """    for j in range(n):
        for p in range(k):
            for i in range(m):
                c[i, j] += a[i, p] * b[p, j]
""", "the right product, a and c read down their columns"),
    Mutant("block-overwrites", BLOCK, BLOCK.replace("+=", "="), "the last product of a block alone"),
    Mutant("block-whole", BLOCK, BLOCK.replace("range(left, right)", "range(n)"), "each block adds all columns"),
    Mutant("block-all-p", BLOCK, BLOCK.replace("range(top, bottom)", "range(k)"), "each block adds all rows of b"),
    Mutant("right-edge", "right = min(left + wide, n)", "right = left + wide if left + wide <= n else left",
           "a last block that is not full is left out"),
    Mutant("bottom-edge", "bottom = min(top + deep, k)", "bottom = top + deep if top + deep <= k else top",
           "a last block that is not full is left out"),
    Mutant("round-down", "for column in range((n + wide - 1) // wide):", "for column in range(n // wide):",
           "columns behind the last full block left out"),
    Mutant("round-down-2", "for row in range((k + deep - 1) // deep):", "for row in range(k // deep):",
           "rows behind the last full block left out"),
    Mutant("exchanged", "left = column * wide", "left = column * deep", "deep for wide"),
    Mutant("not-blocked", "def blocked(a, b, c, deep, wide):", "def blocked(a, b, c, deep, wide):\n"
           "    deep, wide = b.shape", "the right product, not blocked"),
    Mutant("first-panel", COLUMNS, "columns = b[:, :wide]", "every panel the first"),
    Mutant("interleaved", COLUMNS, "columns = b[:, q::len(panels)]", "every so many columns, not neighbours"),
    Mutant("no-zeros", "panels = np.zeros((", "panels = np.ones((", "no zeros behind the last column"),
    Mutant("last-panel", COPY, "panels[q, :, wide - columns.shape[1]:] = columns", "the zeros stand before"),
    Mutant("strips-of-columns", "strips = pack(a.T, high)", "strips = pack(a, high)", "columns of a for rows"),
    Mutant("tile-last", SUM, SUM.replace("+=", "="), "the last p alone"),
    Mutant("tile-first", "for p in range(strip.shape[0]):", "for p in range(1, strip.shape[0]):",
           "the first p left out"),
    Mutant("tile-inner", SUM, "total += strip[p].sum() * panel[p]", "no outer product"),
    Mutant("tile-loads", SUM, "total += [[strip[p, r] * panel[p, j] for j in range(panel.shape[1])]\n"
           "                  for r in range(strip.shape[1])]", "the right tile, each number read many times"),
    Mutant("place-rows", PLACE, PLACE.replace("s * high:", "s * wide:"), "wide for high"),
    Mutant("place-first", PLACE, "place = c[:high, q * wide:(q + 1) * wide]", "every strip at the first rows"),
    Mutant("write-last", WRITE, "place[...] = tile(strip, panel)[-place.shape[0]:, :place.shape[1]]",
           "the last rows of a tile, not the first"),
    Mutant("da-b", DA, "da = tiled(g, b if b.shape[0] == b.shape[1] else b.T, high, wide)",
           "b for its transpose, where the shapes allow it"),
    Mutant("da-elementwise", DA, "da = np.ones_like(a) * g.sum(1, keepdims=True)", "b forgotten in da"),
    Mutant("db-sign", DB, "db = -tiled(a.T, g, high, wide)", "the sign of db"),
    Mutant("db-mean", DB, "db = tiled(a.T, g, high, wide) / len(a)", "the mean for the sum in db"),
    Mutant("exchanged-results", "return da, db", "return db, da", "da and db exchanged"),
]

EQUIVALENTS = [
    Mutant("row-blocks-first", "            for i in range(m):\n                for p in range(top, bottom):",
           "            for i in reversed(range(m)):\n                for p in range(top, bottom):",
           "the rows from below: as many lines fetched"),
    Mutant("einsum", SUM, "total += np.einsum('r,j->rj', strip[p], panel[p])", "the same outer product"),
]
