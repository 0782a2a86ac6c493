"""Where the grader finds your work. Designed it otherwise? Change the right-hand sides, not the names.

    reordered(a, b, c)                     c <- c + a b, one number at a time
    blocked(a, b, c, deep, wide)           the same
    pack(b, wide)                          (panels, k, wide)
    pack_rows(a, high)                     (strips, k, high)
    tile(strip, panel)                     (high, wide)
    tiled(a, b, high, wide)                a b
    matmul_backward(g, a, b, high, wide)   da, db
"""
import matmul as mine

reordered = mine.reordered
blocked = mine.blocked
pack = mine.pack
pack_rows = mine.pack_rows
tile = mine.tile
tiled = mine.tiled
matmul_backward = mine.matmul_backward
