"""What losses want: mean, median and Huber's estimate; gains keep the square of a unit's output at 1."""
import re

import numpy as np
import pytest


@pytest.mark.parametrize("name, tolerance", [("squared error", 1e-9), ("absolute error", 1e-2), ("Huber", 1e-6)])
def test_descent_ends_where_the_loss_wants_to_be(page, name, tolerance):
    values = np.append(np.random.default_rng(3).standard_normal(10), 20.0)
    assert page.ends(name, values) == pytest.approx(page.wanted(name, values), abs=tolerance)


def test_hubers_estimate_is_scipys_minimum(page):
    optimize = pytest.importorskip("scipy.optimize")
    values = np.append(np.random.default_rng(4).standard_normal(10), 20.0)
    huber = optimize.minimize_scalar(lambda b: np.where(abs(values - b) <= 1, (values - b) ** 2 / 2,
                                                        abs(values - b) - 0.5).sum(), bounds=(-3, 3), method="bounded")
    assert page.wanted("Huber", values) == pytest.approx(huber.x, abs=1e-5)


@pytest.mark.parametrize("name", ["relu", "leaky relu", "elu", "gelu", "softplus", "tanh", "sigmoid"])
def test_outputs_keep_their_square_through_eight_layers(page, name):
    """To a quarter in each layer (30 units, 3 nets)."""
    x = np.random.default_rng(0).standard_normal((200, 36)).astype(np.float32)
    squares = []
    for seed in range(3):
        h = x
        for part in page.deep_net(page.UNITS[name], seed).layers[:-1]:
            h = part(h)
        squares.append(float(np.square(h.data).mean()))
    first = page.init.gain(lambda z: page.UNITS[name](np.asarray(z))) ** -2
    assert 0.8 < (np.mean(squares) / first) ** (1 / 8) < 1.25


def test_the_page_runs_and_draws(said):
    rows = [line.rsplit(maxsplit=2) for line in said.splitlines()
            if re.match(r"  (squared error|Huber) +\S+ +\S+$", line)]
    assert len(rows) == 2 and all(found == wanted for _, found, wanted in rows)
