"""Products with curvature equal those with the dense matrices."""
import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[2] / "examples" / "curvature_products.py"
    spec = importlib.util.spec_from_file_location("curvature_products", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(3))
def test_products_are_those_with_the_dense_matrices(page, seed):
    found = page.errors(seed)
    assert set(found) == {"jvp", "vjp", "hvp", "ggnvp", "hessian_diagonal"} and max(found.values()) < 1e-12


def test_the_page_runs_and_draws(page, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    page.main(["--quick", "--out", str(tmp_path)])
    assert "seconds of all n products" in capsys.readouterr().out
    assert (tmp_path / "curvature_products.png").read_bytes()[:4] == b"\x89PNG"
