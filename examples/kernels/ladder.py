# %% [markdown]
# # The kernel ladder: from the definition of a product of matrices to this machine's peak
#
#     python examples/kernels/ladder.py [--quick] [--out DIR] [--build DIR]
#
# **What it shows.** The same sum of products written seven times, for matrices and for a convolution of channels-last
# images. Five rungs are pages of this folder, each of which adds one idea to the one before: `naive.pyx` the
# definition; `reordered.pyx` walks memory as it lies; `blocked.pyx` uses again what is in the cache; `packed.pyx` lays
# the numbers out for the loop; `tiled.pyx` uses again what is in registers. Then the library's own kernels
# (`minigrad_ext/tile.h`: the same tile, for any strides, in every instruction set), and NumPy's BLAS, for the
# convolution by way of im2col, copying included. All on one thread, in float32, checked against float64 at every size.
#
# **What to look at.** The last column, the share of the peak: multiply-adds on registers that fetch nothing
# (`peak.pyx`), measured in the same minute. On one core of an AMD EPYC of 118 GF/s three runs gave, for n = 960, 2.0 to
# 2.2 for the definition, 25 to 29 reordered, 22 to 29 blocked, 28 to 32 packed, 98 to 100 tiled, 106 to 109 for the
# library, 99 to 101 for BLAS. So two ideas make most of it, the order of the loops and the tile. Blocking gains nothing
# while B fits the last cache; at n = 1920 (15 MB) the reordered loop falls to 9 to 14, the blocked one stays at 24 and
# the packed one at 33. And no rung before the tile passes two fifths of the peak, because each multiply-add reads and
# writes an entry of C. In the convolution the rows are short, as many numbers as there are filters, and rungs 2 to 4
# are the same within their noise.
#
# **Try.** n = 512 beside 500 (`--sizes 500,512`): why is the definition so much slower for a power of two? ROWS = 2 in
# `tiled.pyx`: how much of the peak is left, and why? WIDE = 64 in `blocked.pyx`?

# %%
import os
import tempfile
import time
from functools import partial

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")                     # read by NumPy's BLAS when it is loaded: one thread for all

import numpy as np  # noqa: E402
from build_ladder import build  # noqa: E402

from minigrad import kernels  # noqa: E402
from minigrad.figures.page import COLORS, Page  # noqa: E402

PAGES = ("naive", "reordered", "blocked", "packed", "tiled")
RUNGS = (*PAGES, "ours", "BLAS")
SIZES, QUICK_SIZES = (30, 60, 120, 240, 480, 960, 1920), (30, 100)
CHANNELS, QUICK_CHANNELS = (4, 8, 16, 32, 64, 128), (8, 16)
IMAGES, SIDE, FILTER = 4, 28, 3
LONGEST = 2.0                                            # seconds that one call may take; slower rungs are left out
# Seconds that this process was at work, where the system counts them finely: then others may use the machine too.
clock = time.process_time if time.get_clock_info("process_time").resolution <= 1e-6 else time.perf_counter


# %% [markdown]
# Seven functions each, and what they must give, in float64. They write into an array that is there already.

# %%
def products(ladder, n):
    """{rung: function}, the array they write to, the right answer and the operations of one call."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, n, n)).astype(np.float32)
    c = np.empty_like(a)
    calls = {page: partial(getattr(ladder, f"matmul_{page}"), a, b, c) for page in PAGES}
    calls |= {"ours": lambda: kernels.matmul.matmul(a, b, c), "BLAS": lambda: np.matmul(a, b, out=c)}
    return calls, c, a.astype(float) @ b.astype(float), 2.0 * n**3


def convolutions(ladder, channels):
    """The same for a convolution of IMAGES images with as many filters as channels, and no border."""
    rng = np.random.default_rng(0)
    out = SIDE - FILTER + 1
    x = rng.standard_normal((IMAGES, SIDE, SIDE, channels)).astype(np.float32)
    w = rng.standard_normal((FILTER, FILTER, channels, channels)).astype(np.float32)
    y = np.empty((IMAGES, out, out, channels), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x, (FILTER, FILTER), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    filters = w.reshape(-1, channels)

    def im2col():
        np.matmul(windows.reshape(-1, len(filters)), filters, out=y.reshape(-1, channels))    # reshape copies
    calls = {page: partial(getattr(ladder, f"conv2d_{page}"), x, w, y) for page in PAGES}
    calls |= {"ours": lambda: kernels.conv.conv2d(x, w, None, y, (1, 1, 0, 0, 1, 1, 1)), "BLAS": im2col}
    wanted = np.tensordot(windows.astype(float), w.astype(float), 3)
    return calls, y, wanted, 2.0 * y.size * len(filters)


# %% [markdown]
# The best of several calls: whatever else runs on the machine only ever makes one slower. The rungs take turns, so that
# a busy second costs each of them the same.

# %%
def measure(calls, result, wanted, operations, seconds):
    """{rung: GF/s}. AssertionError if one of them is wrong. A rung that takes longer than LONGEST is run once."""
    best = dict.fromkeys(calls, np.inf)
    began = time.perf_counter()
    for turn in range(1000):
        for rung, call in calls.items():
            if turn > 0 and best[rung] > seconds / 4:
                continue
            result.fill(np.nan)
            start = clock()
            call()
            best[rung] = min(best[rung], clock() - start)
            if turn == 0:
                error = np.abs(result - wanted).max() / np.abs(wanted).max()
                assert error < 1e-5, f"{rung} is wrong: error {error:.2g} of the largest entry"
        if turn >= 2 and time.perf_counter() - began > seconds:
            break
    return {rung: operations / taken / 1e9 for rung, taken in best.items()}


def peak(ladder, seconds):
    """GF/s of multiply-adds on registers."""
    best, began = 0.0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        start = clock()
        operations = ladder.multiply_adds(100_000)
        best = max(best, operations / (clock() - start) / 1e9)
    return best


def climb(problem, ladder, sizes, seconds):
    """{size: {rung: GF/s}}. A rung is left out where, at its pace so far, a call would take longer than LONGEST."""
    found = {}
    for size in sizes:
        calls, result, wanted, operations = problem(ladder, size)
        pace = found[max(found)] if found else {}
        calls = {rung: call for rung, call in calls.items()
                 if rung not in pace and not found or rung in pace and operations / pace[rung] / 1e9 < LONGEST}
        found[size] = measure(calls, result, wanted, operations, seconds)
    return found


# %%
def report(title, found, top):
    print(f"\n{title}: GF/s, and the share of the peak")
    print(f"{'':10}" + "".join(f"{size:>8}" for size in found))
    for rung in RUNGS:
        row = [found[size].get(rung) for size in found]
        share = f"   {100 * row[-1] / top:5.1f} %" if row[-1] else ""
        print(f"{rung:10}" + "".join(f"{value:8.1f}" if value else f"{'-':>8}" for value in row) + share)


def picture(figure, panels, top):
    """Both ladders: GF/s by size, every rung named at the end of its line."""
    styles = dict(zip(RUNGS, zip([*COLORS[:5], "#000000", "#777777"], "os^vDPX")))
    lowest = min(value for _, _, found in panels for row in found.values() for value in row.values())
    for axes, (title, label, found) in zip(figure.subplots(1, 2, sharey=True), panels):
        sizes = list(found)
        for rung, (color, marker) in styles.items():
            there = [size for size in sizes if rung in found[size]]
            axes.plot(there, [found[size][rung] for size in there], color=color, marker=marker, markersize=5,
                      label=f"{RUNGS.index(rung) + 1} {rung}", linestyle="--" if rung == "BLAS" else "-")
        axes.axhline(top, color="#999999", linewidth=1)
        axes.text(sizes[0], top * 1.04, "peak, measured", va="bottom", ha="left", color="#555555")
        axes.set(title=title, xlabel=label, xscale="log", yscale="log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_xticks([], minor=True)
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if lowest / 2 < tick < 2 * top]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_yticks([], minor=True)
        axes.set_ylim(0.8 * lowest, 1.5 * top)
        axes.grid(axis="y", color="#dddddd")
    figure.axes[0].set_ylabel("GF/s (billion operations a second), one thread, float32")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=7)


# %%
def options(parser):
    parser.add_argument("--build", help="where to compile to and keep it (default: a temporary folder)")
    parser.add_argument("--sizes", help="of the square matrices, as 500,512")


def main(argv=None):
    page = Page(__doc__ or "The kernel ladder: matmul and conv2d, written seven times.", argv, options)
    try:
        sizes = [int(size) for size in page.options.sizes.split(",")] if page.options.sizes else None
    except ValueError:
        page.parser.error(f"--sizes: wanted whole numbers such as 500,512, got {page.options.sizes!r}")
    sizes = sizes or (QUICK_SIZES if page.quick else SIZES)
    threads, seconds = kernels.get_num_threads(), 0.05 if page.quick else 1.5
    with tempfile.TemporaryDirectory() as temporary:
        start = time.perf_counter()
        try:
            ladder = build(page.options.build or temporary)
        except RuntimeError as error:
            page.parser.error(str(error))
        print(f"compiled in {time.perf_counter() - start:.0f} s")
    kernels.set_num_threads(1)
    try:
        top = peak(ladder, seconds / 3)
        matrices = climb(products, ladder, sorted(sizes), seconds)
        images = climb(convolutions, ladder, QUICK_CHANNELS if page.quick else CHANNELS, seconds)
        top = max(top, peak(ladder, seconds / 3))
    finally:
        kernels.set_num_threads(threads)
    print(f"peak: {top:.0f} GF/s on one thread, {ladder.PEAK_WIDTH} numbers in a register")
    report("product of n x n matrices, by n", matrices, top)
    report(f"convolution of {IMAGES} images of {SIDE} x {SIDE}, {FILTER} x {FILTER}, by channels", images, top)
    page.draw("ladder", picture, [
        ("Product of two n x n matrices", "n", matrices),
        (f"Convolution, {FILTER} x {FILTER}, of {IMAGES} images of {SIDE} x {SIDE}", "channels, and as many filters",
         images)], top)
    return top, matrices, images


if __name__ == "__main__":
    main()
