"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- einsum("nijc,nijo->co") for the tensordot: the same sum.
- a slice that ends later but before the next step of the stride: the same rows.
- `plane` cut by [:, top:top + h, left:left + w] where the plane reaches that far: what `overlap` gives there.
"""
from minigrad.grade import Mutant

ROWS = "rows = slice(ki, ki + (y.shape[1] - 1) * sh + 1, sh)"
ACROSS = "across = slice(kj, kj + (y.shape[2] - 1) * sw + 1, sw)"
SUM = "y += plane[place] @ w[k]"
SCATTER = "plane[place] += g @ w[k].T"
CROP_ROWS = "rows, rows_in = overlap(dx.shape[1], windows[2], shape[0])"
CROP_COLUMNS = "columns, columns_in = overlap(dx.shape[2], windows[3], shape[1])"
CROP = "dx[:, rows, columns] = plane[:, rows_in, columns_in]"
DW = "dw[k] += np.tensordot(plane[place], g, ((0, 1, 2), (0, 1, 2)))"
DB = "db = g.sum((0, 1, 2))"
DG = "dg = conv2d(u, w, windows, g.shape[1:3])"
DW_AGAIN = "dw = conv2d_w(u, g, windows, w.shape[:2])"
DX_AGAIN = "dx = conv2d_x(g, u, windows, x.shape[1:3])"
DG_AGAIN = "dg = conv2d(x, u, windows, g.shape[1:3])"

MUTANTS = [
    Mutant("no-offset", ROWS, "rows = slice(0, (y.shape[1] - 1) * sh + 1, sh)",
           "every row of the window reads the first"),
    Mutant("no-offset-across", ACROSS, "across = slice(0, (y.shape[2] - 1) * sw + 1, sw)",
           "every column of the window reads the first"),
    Mutant("flipped", ROWS, "ki_ = w.shape[0] - 1 - ki\n            "
           "rows = slice(ki_, ki_ + (y.shape[1] - 1) * sh + 1, sh)", "the filter flipped top to bottom"),
    Mutant("flipped-across", ACROSS, "kj_ = w.shape[1] - 1 - kj\n            "
           "across = slice(kj_, kj_ + (y.shape[2] - 1) * sw + 1, sw)", "the filter flipped left to right"),
    Mutant("stride-down", ROWS, "rows = slice(ki, ki + y.shape[1], 1)", "no stride down"),
    Mutant("stride-across", ACROSS, "across = slice(kj, kj + y.shape[2], 1)", "no stride across"),
    Mutant("strides-exchanged", "sh, sw, _, _ = windows", "sw, sh, _, _ = windows", "the two strides exchanged"),
    Mutant("offset-strided", ROWS, "rows = slice(ki * sh, ki * sh + (y.shape[1] - 1) * sh + 1, sh)",
           "the offset multiplied by the stride"),
    Mutant("square", ACROSS, "across = slice(ki, ki + (y.shape[2] - 1) * sw + 1, sw)", "ki for kj"),
    Mutant("last-tap", SUM, "y[...] = plane[place] @ w[k]", "the last offset alone, no sum"),
    Mutant("twice", SUM, "y += 2 * plane[place] @ w[k]", "every product twice"),
    Mutant("minus", SUM, "y -= plane[place] @ w[k]", "the sign"),
    Mutant("first-filter", SUM, "y += plane[place] @ w[0, 0]", "one matrix for all offsets"),
    Mutant("turned", SUM, "y += plane[place] @ w[k[::-1]] if w.shape[0] == w.shape[1] else plane[place] @ w[k]",
           "filters transposed"),
    Mutant("no-sum", SCATTER, "plane[place] = g @ w[k].T", "a pixel keeps its last window only"),
    Mutant("scatter-abs", SCATTER, "plane[place] += g @ abs(w[k]).T", "the size of w in dx"),
    Mutant("scatter-first", SCATTER, "plane[place] += g @ w[0, 0].T", "one matrix for all offsets in dx"),
    Mutant("scatter-mean", SCATTER, "plane[place] += g @ w[k].T / len(g)", "dx divided by the images"),
    Mutant("crop-top", CROP_ROWS, "rows, rows_in = overlap(dx.shape[1], 0, shape[0])", "the top border kept"),
    Mutant("crop-left", CROP_COLUMNS, "columns, columns_in = overlap(dx.shape[2], 0, shape[1])",
           "the left border kept"),
    Mutant("crop-exchanged", CROP_COLUMNS, "columns, columns_in = overlap(dx.shape[2], windows[2], shape[1])",
           "top for left"),
    Mutant("crop-plus", CROP, "dx[:, rows, columns] = plane[:, rows_in, columns_in] + 1e-3", "a constant in dx"),
    Mutant("dw-last", DW, DW.replace("dw[k] +=", "dw[...] ="), "one matrix for all offsets in dw"),
    Mutant("dw-one-image", DW, "dw[k] += np.tensordot(plane[place][:1], g[:1], ((0, 1, 2), (0, 1, 2)))",
           "the first image alone in dw"),
    Mutant("dw-mean", DW, DW + " / len(g)", "dw divided by the images"),
    Mutant("dw-windows", DW, DW + " / g[0, :, :, 0].size", "dw divided by the windows"),
    Mutant("dw-no-border", "plane = plane_of(x, plane_shape(dw, g, windows), windows)",
           "plane = plane_of(x, plane_shape(dw, g, windows), (*windows[:2], 0, 0))", "the border forgotten in dw"),
    Mutant("db-images", DB, "db = g.sum((1, 2))[0]", "db of the first image"),
    Mutant("db-mean", DB, "db = g.mean((0, 1, 2))", "the mean for the sum in db"),
    Mutant("db-shape", DB, "db = g.sum(0)", "db at every pixel"),
    Mutant("again-dg", DG, "dg = g", "dg = g"),
    Mutant("again-dw", DW_AGAIN, "dw = w", "dw = w"),
    Mutant("again-windows", DW_AGAIN, "dw = conv2d_w(u, g, (1, 1, *windows[2:]), w.shape[:2])",
           "no strides in the second derivative"),
    Mutant("again-dx", DX_AGAIN, "dx = 2 * conv2d_x(g, u, windows, x.shape[1:3])", "a factor 2, as of a square"),
    Mutant("again-dg-2", DG_AGAIN, "dg = -conv2d(x, u, windows, g.shape[1:3])", "the sign of dg"),
    Mutant("again-exchanged", "return dx, dg", "return dx, g", "g for dg"),
]

EQUIVALENTS = [
    Mutant("einsum", DW, "dw[k] += np.einsum('nijc,nijo->co', plane[place], g)", "the same sum"),
    Mutant("by-hand", DB, "db = np.ones(g[..., 0].size) @ g.reshape(-1, g.shape[-1])", "the same sum"),
]
