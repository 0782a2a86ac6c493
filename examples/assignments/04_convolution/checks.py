"""The checks of 04_convolution. Oracles: the sum of the docstring, number by number; and for a gradient, that sum for
one image (or filter) after the other that is 1 in a single place, since J is linear in each."""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(
    title="Convolution's three kernels", sections="8.7.1, 6.5 (the rules of a linear op)", minutes=120, mutant_points=5,
    blocked=["minigrad.ops.conv", "minigrad.kernels.conv", "minigrad_ext.conv", "minigrad.nn.convolution"])

SUM = "y[n, i, j, o] = sum of x[n, i sh + ki - top, j sw + kj - left, c] w[ki, kj, c, o]: reread the sum of the handout"
BACK = "each window gives back to the pixels that it read, and a pixel sums over the windows that read it"


def conv(x, w, windows, size):
    """The sum as it stands there."""
    sh, sw, top, left = windows
    y = np.zeros((len(x), *size, w.shape[3]))
    for i, j, ki, kj in np.ndindex(*size, *w.shape[:2]):
        row, column = i * sh + ki - top, j * sw + kj - left
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            y[:, i, j] += x[:, row, column] @ w[ki, kj]
    return y


def gradient(J, shape):
    """Of a linear J: its value at each array that is 1 in one place and 0 elsewhere."""
    d, one = np.empty(shape), np.zeros(shape)
    for index in np.ndindex(*shape):
        one[index] = 1.0
        d[index] = J(one)
        one[index] = 0.0
    return d


def problem(case, x, w, windows, size):
    """x, w, g and the windows as the drive takes them."""
    draw = case.rng.standard_normal
    return draw(x), draw(w), draw((x[0], *size, w[3])), np.array(windows), np.array(size)


# --------------------------------------------------------------------------------------------------------- 1: forward

@task("1.1", "images and filters, no border", points=2, visibility="public")
def forward(case):
    x, w, _, windows, size = problem(case, (2, 5, 6, 3), (3, 2, 3, 4), (1, 1, 0, 0), (3, 5))
    got = case.ask("forward", x=x, w=w, windows=windows, size=size)
    case.close(got["y"], conv(x, w, windows, size), SUM)
    case.equal(got["x"], x, "x belongs to the layer before: do not write into it")
    case.equal(got["w"], w, "w belongs to the layer: do not write into it")


@task("1.2", "strides", points=2)
def strides(case):
    for steps, size in (((2, 1), (2, 5)), ((1, 3), (4, 2)), ((3, 2), (2, 3))):
        x, w, _, windows, size = problem(case, (1, 6, 7, 2), (2, 3, 2, 3), (*steps, 0, 0), size)
        got = case.ask("forward", x=x, w=w, windows=windows, size=size)
        case.close(got["y"], conv(x, w, windows, size), f"the stride is how far a window lies from the next, sh down "
                   f"and sw across: {SUM}")


@task("1.3", "a border of zeros, and rows that no window sees", points=2)
def borders(case):
    for windows, size in (((1, 1, 1, 1), (4, 5)), ((2, 2, 1, 0), (2, 2)), ((1, 2, 2, 1), (6, 3))):
        x, w, _, windows, size = problem(case, (2, 4, 5, 2), (3, 3, 2, 2), windows, size)
        got = case.ask("forward", x=x, w=w, windows=windows, size=size)
        case.close(got["y"], conv(x, w, windows, size), "outside the image there are zeros, top rows of them before "
                   f"the first and left columns: {SUM}")


# -------------------------------------------------------------------------------------------- 2: back to the images

def images(case, x, w, windows, size, message):
    x, w, g, windows, size = problem(case, x, w, windows, size)
    got = case.ask("to_images", g=g, w=w, windows=windows, size=np.array(x.shape[1:3]))
    case.close(got["dx"], gradient(lambda x: (g * conv(x, w, windows, size)).sum(), x.shape), message)
    case.equal(got["g"], g, "g belongs to the layer after: do not write into it")


@task("2.1", "the gradient of the images", points=2, visibility="public")
def to_images(case):
    images(case, (2, 4, 4, 2), (3, 2, 2, 3), (1, 1, 0, 0), (2, 3), f"{BACK}, by w[ki, kj] transposed")


@task("2.2", "the same with strides", points=2)
def to_images_strided(case):
    images(case, (1, 5, 6, 2), (2, 3, 2, 3), (2, 3, 0, 0), (2, 2), f"{BACK}: a pixel that none read gets 0")
    images(case, (1, 7, 4, 1), (2, 2, 1, 2), (3, 1, 0, 0), (2, 3), f"{BACK}: a pixel that none read gets 0")


@task("2.3", "the same with a border of zeros", points=2)
def to_images_bordered(case):
    for windows, size in (((1, 1, 1, 2), (3, 5)), ((2, 1, 1, 0), (2, 2))):
        images(case, (1, 3, 4, 2), (3, 3, 2, 2), windows, size,
               "what the zeros receive is dropped, and the image begins behind them: the top rows and left columns of "
               "the plane are border")


# ------------------------------------------------------------------------------------- 3: to the filters and the bias

def filters(case, x, w, windows, size, message):
    x, w, g, windows, size = problem(case, x, w, windows, size)
    got = case.ask("to_filters", x=x, g=g, windows=windows, size=np.array(w.shape[:2]))
    case.close(got["dw"], gradient(lambda w: (g * conv(x, w, windows, size)).sum(), w.shape), message)
    case.close(got["db"], g.sum(axis=0).sum(axis=0).sum(axis=0),
               "b is added at every pixel of every image: its gradient is the sum of g over all of them")
    case.equal(got["x"], x, "x belongs to the layer before: do not write into it")
    case.equal(got["g"], g, "g belongs to the layer after: do not write into it")


@task("3.1", "the gradients of filters and bias", points=2, visibility="public")
def to_filters(case):
    filters(case, (3, 4, 5, 2), (2, 3, 2, 3), (1, 1, 0, 0), (3, 3), "w is shared by all images and all windows: its "
            "gradient is a sum over both, of pixel times g")


@task("3.2", "the same with strides and a border", points=2)
def to_filters_strided(case):
    for windows, size in (((2, 3, 0, 0), (2, 1)), ((1, 1, 1, 1), (4, 4)), ((2, 1, 1, 2), (2, 5))):
        filters(case, (2, 4, 4, 2), (3, 2, 2, 2), windows, size, "w[ki, kj] met the same pixels as in the forward "
                "pass, zeros of the border included: the sum is over those")


# --------------------------------------------------------------------------------------------- 4: the family is closed

@task("4.1", "the gradients of conv2d_x", points=2, visibility="public")
def closed(case):
    x, w, g, windows, size = problem(case, (1, 4, 4, 2), (2, 2, 2, 3), (1, 1, 0, 0), (3, 3))
    u = case.rng.standard_normal(x.shape)
    got = case.ask("back_again", u=u, g=g, w=w, windows=windows)
    linear = "<u, conv2d_x(g, w)> and <g, conv2d(u, w)> are one number, linear in "
    case.close(got["dg"], conv(u, w, windows, size), f"{linear}g: what multiplies g in it?")
    case.close(got["dw"], gradient(lambda w: (g * conv(u, w, windows, size)).sum(), w.shape),
               f"{linear}w: which of your functions is the gradient by w?")


@task("4.2", "the gradients of conv2d_w, with strides and a border", points=2)
def closed_too(case):
    x, w, g, windows, size = problem(case, (2, 4, 3, 2), (3, 2, 2, 2), (2, 1, 1, 1), (2, 4))
    u = case.rng.standard_normal(w.shape)
    got = case.ask("back_of_filters", u=u, x=x, g=g, windows=windows)
    linear = "<u, conv2d_w(x, g)> and <g, conv2d(x, u)> are one number, linear in "
    case.close(got["dg"], conv(x, u, windows, size), f"{linear}g: what multiplies g in it?")
    case.close(got["dx"], gradient(lambda x: (g * conv(x, u, windows, size)).sum(), x.shape),
               f"{linear}x: which of your functions is the gradient by x?")
    u = case.rng.standard_normal(x.shape)
    got = case.ask("back_again", u=u, g=g, w=w, windows=windows)
    case.close(got["dg"], conv(u, w, windows, size), "with strides too <u, conv2d_x(g, w)> = <g, conv2d(u, w)>")
    case.close(got["dw"], gradient(lambda w: (g * conv(u, w, windows, size)).sum(), w.shape),
               "with strides too <u, conv2d_x(g, w)> = <g, conv2d(u, w)>")
