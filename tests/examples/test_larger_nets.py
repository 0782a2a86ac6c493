"""Small nets have bad minima: one unit has two valleys, and more starts solve exclusive or in a larger net."""
import numpy as np
import pytest


def test_one_unit_has_two_minima_and_scipy_finds_the_same(page):
    from scipy.optimize import minimize_scalar
    J = page.OneUnit()
    arrived = page.ends([-1.5, 1.5])
    for end, bounds in zip(arrived, ((-3, -1), (0, 1))):
        assert end == pytest.approx(minimize_scalar(lambda w: J.value(np.array([w])), bounds=bounds,
                                                    options={"xatol": 1e-10}).x, abs=1e-5)
    assert J.value(arrived[:1]) > 2 * J.value(arrived[1:])
    assert arrived[0] == pytest.approx(-np.log(9), abs=1e-5)                # sigmoid(w) = 0.1


def test_two_relus_can_represent_exclusive_or(page):
    x, y = page.task("exclusive or")
    np.testing.assert_allclose(np.maximum(x @ [1, -1], 0) + np.maximum(x @ [-1, 1], 0), y[:, 0])


def test_larger_nets_solve_it_from_more_starts(page):
    small, large = (np.mean(page.costs("exclusive or", width, 30, 100) < page.SOLVED) for width in (2, 12))
    assert small < 0.6 and large == 1


def test_the_page_runs_and_draws(said):
    assert "parity" in said
