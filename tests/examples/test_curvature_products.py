"""Products with curvature equal those with the dense matrices."""
import pytest


@pytest.mark.parametrize("seed", range(3))
def test_products_are_those_with_the_dense_matrices(page, seed):
    found = page.errors(seed)
    assert set(found) == {"jvp", "vjp", "hvp", "ggnvp", "hessian_diagonal"} and max(found.values()) < 1e-12


def test_the_page_runs_and_draws(said):
    assert "seconds of all n products" in said
