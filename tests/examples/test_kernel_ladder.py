"""Every rung of the kernel ladder is right, also where no tile, block or panel fits; and the page runs."""
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("Cython")
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "kernels"
PAGES = ("naive", "reordered", "blocked", "packed", "tiled")
COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]

pytestmark = pytest.mark.skipif(os.name == "nt" or shutil.which(COMPILER) is None, reason="there is no gcc or clang")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ladder")


@pytest.fixture(scope="module")
def ladder(folder):
    """The compiled module, as quickly as the compiler makes it."""
    place = importlib.util.spec_from_file_location("build_of_the_ladder", FOLDER / "build_ladder.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module.build(folder, ["-O1", "-g0"])


@pytest.mark.parametrize("page", PAGES)
def test_products(ladder, page):
    rng = np.random.default_rng(0)
    for m, k, n in [(1, 1, 1), (3, 5, 2), (12, 64, 32), (13, 65, 33), (1, 300, 257), (70, 1, 40), (25, 129, 300)]:
        a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
        c = np.full((m, n), np.nan, np.float32)
        getattr(ladder, f"matmul_{page}")(a, b, c)
        np.testing.assert_allclose(c, a.astype(float) @ b, rtol=0, atol=2e-6 * k, err_msg=f"{m} x {k} x {n}")


@pytest.mark.parametrize("page", PAGES)
def test_convolutions(ladder, page):
    rng = np.random.default_rng(1)
    for images, oh, ow, kh, kw, c, o in [(1, 1, 1, 1, 1, 1, 1), (2, 3, 4, 3, 3, 2, 5), (1, 5, 13, 2, 3, 66, 33),
                                         (2, 2, 25, 1, 2, 3, 300), (1, 4, 12, 5, 5, 1, 32)]:
        x = rng.standard_normal((images, oh + kh - 1, ow + kw - 1, c)).astype(np.float32)
        w = rng.standard_normal((kh, kw, c, o)).astype(np.float32)
        y = np.full((images, oh, ow, o), np.nan, np.float32)
        getattr(ladder, f"conv2d_{page}")(x, w, y)
        windows = np.lib.stride_tricks.sliding_window_view(x.astype(float), (kh, kw), (1, 2))
        wanted = np.einsum("nijcab,abco->nijo", windows, w.astype(float))
        np.testing.assert_allclose(y, wanted, rtol=0, atol=2e-6 * kh * kw * c, err_msg=f"{x.shape} * {w.shape}")


@pytest.mark.parametrize("page", PAGES)
def test_shapes_that_do_not_fit_are_refused(ladder, page):
    a = np.zeros((3, 4), np.float32)
    with pytest.raises(AssertionError):
        getattr(ladder, f"matmul_{page}")(a, a, a)
    x, w = np.zeros((1, 5, 5, 2), np.float32), np.zeros((3, 3, 2, 4), np.float32)
    with pytest.raises(AssertionError):
        getattr(ladder, f"conv2d_{page}")(x, w, np.zeros((1, 5, 5, 4), np.float32))


def test_the_peak_counts_two_operations_for_each_number(ladder):
    assert ladder.multiply_adds(10) == 10 * 2 * 12 * ladder.PEAK_WIDTH


def test_ladder_py_measures_all_seven_and_draws_them(ladder, folder):
    pytest.importorskip("matplotlib")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    done = subprocess.run([sys.executable, FOLDER / "ladder.py", "--quick", "--out", folder, "--build", folder],
                          text=True, capture_output=True, timeout=300, env=environment, cwd=ROOT)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith((*PAGES, "ours", "BLAS"))]
    assert len(rows) == 2 * 7 and all(float(number) > 0 for row in rows for number in row[1:3])
    assert (folder / "ladder.png").read_bytes().startswith(b"\x89PNG")
    wrong = subprocess.run([sys.executable, FOLDER / "ladder.py", "--sizes", "many"], text=True, capture_output=True,
                           timeout=300, env=environment, cwd=ROOT)
    assert wrong.returncode == 2 and "wanted whole numbers" in wrong.stderr
