"""Coordinate descent (8.7.2): the valley of the book in closed form, blocks, kinks, and what is refused."""
import numpy as np
import pytest

from minigrad import Objective, losses, nn
from minigrad.strategies import coordinate_descent, newton_on_block
from minigrad.testing import problems


class Valley:
    """(x1 - x2)^2 + alpha (x1^2 + x2^2), the example of 8.7.2."""

    def __init__(self, alpha):
        self.H = 2 * np.array([[1 + alpha, -1], [-1, 1 + alpha]])

    def value(self, theta):
        return theta @ self.H @ theta / 2

    def grad(self, theta):
        return self.H @ theta

    def hvp(self, theta, v):
        return self.H @ v


class OnlyValue:
    def __init__(self, f):
        self.value = f


@pytest.mark.parametrize("alpha", [1, 0.1, 0.01])
def test_a_sweep_through_the_valley_contracts_by_exactly_one_plus_alpha_to_the_minus_two(alpha):
    theta = np.array([3.0, 1.0])
    found = coordinate_descent(Valley(alpha), theta, sweeps=10)
    assert found.path[1:, 0] == pytest.approx(found.path[:-1, 1] / (1 + alpha), rel=1e-13)
    assert found.path[1:, 1] == pytest.approx(found.path[:-1, 1] * (1 + alpha)**-2, rel=1e-13)
    assert found.values == pytest.approx([Valley(alpha).value(point) for point in found.path], rel=1e-14)
    assert found.sweeps == 10 and found.reason == "sweeps" and np.array_equal(found.theta, theta)


def test_both_variables_as_one_block_are_newtons_step():
    theta = np.array([3.0, 1.0])
    found = coordinate_descent(Valley(0.01), theta, sweeps=1, blocks=[slice(0, 2)])
    assert np.abs(found.theta).max() < 1e-13


def test_independent_variables_are_done_after_one_sweep():
    scale = np.array([1.0, 100.0, 1e4])
    J = problems.quadratic(n=3)
    J.formula = lambda x: (x * x * scale).sum()
    J.value = lambda x: float((x * x * scale).sum())
    J.grad = lambda x: 2 * scale * x
    J.hvp = lambda x, v: 2 * scale * v
    found = coordinate_descent(J, np.ones(3), sweeps=5, tolerance=1e-12)
    assert found.reason == "tolerance" and found.sweeps == 2 and np.abs(found.path[1]).max() < 1e-15


def test_it_never_climbs_and_reaches_a_minimum_of_what_is_not_quadratic():
    J = problems.styblinski_tang(n=4)
    found = coordinate_descent(J, np.array([0.5, -0.5, 4.0, -4.0]), sweeps=20, tolerance=1e-10)
    assert (np.diff(found.values) <= 0).all() and found.reason == "tolerance"
    assert np.linalg.norm(J.grad(found.theta)) < 1e-6
    assert np.linalg.eigvalsh(J.hessian(found.theta)).min() > 0


def test_a_maximum_along_a_coordinate_is_left_not_found():
    J = problems.saddle2()
    theta = J.start + 0.1
    moved = newton_on_block(J, theta.copy(), slice(1, 2))
    assert J.value(np.array([theta[0], moved[0]])) < J.value(theta)


def test_at_a_kink_across_the_axes_it_stays():
    """|x1 - x2| + |x1 + x2|/10 at (1, 1): each coordinate alone is at its best, both together are not."""
    grid = np.linspace(-2, 2, 4001)
    f = OnlyValue(lambda x: float(np.abs(x[0] - x[1]) + 0.1 * np.abs(x[0] + x[1])))

    def on_a_grid(J, theta, block):
        values = []
        for t in grid:
            theta[block] = t
            values.append(J.value(theta))
        return grid[int(np.argmin(values))]

    found = coordinate_descent(f, np.ones(2), sweeps=2, solve=on_a_grid)
    assert found.theta == pytest.approx([1, 1], abs=1e-9) and found.values[-1] > f.value(np.zeros(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_of_a_model_as_blocks(dtype):
    """A linear model of two blocks, w and b, and squared error: the least-squares solution of NumPy."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 3)).astype(dtype), rng.standard_normal((30, 1)).astype(dtype)
    model = nn.Linear(3, 1, rng=0, dtype=dtype)
    J, params = Objective(model, losses.mean_squared_error, x, y), model.parameters()
    coordinate_descent(J, params, sweeps=50, blocks=params.slices.values())
    A = np.c_[x, np.ones(len(x))].astype(np.float64)
    wanted = np.linalg.lstsq(A, y.astype(np.float64), rcond=None)[0].ravel()
    assert params.theta == pytest.approx(wanted, abs=2e-5 if dtype == np.float32 else 1e-10)
    assert params.theta.dtype == dtype


def test_variables_of_no_block_keep_their_bits():
    theta = np.array([3.0, 1.0])
    coordinate_descent(Valley(1), theta, sweeps=3, blocks=[[0]])
    assert theta[1] == 1 and theta[0] == pytest.approx(0.5, rel=1e-14)


def test_what_blows_up_ends_the_loop():
    found = coordinate_descent(OnlyValue(lambda x: float(x[0])), np.zeros(1), 5, solve=lambda J, x, b: -np.inf)
    assert found.reason == "not finite" and found.sweeps == 1


@pytest.mark.parametrize("options, words", [
    (dict(sweeps=-1), "sweeps"), (dict(sweeps=1, tolerance=-1), "tolerance"),
    (dict(sweeps=1, blocks=[[2]]), "below 2"), (dict(sweeps=1, blocks=[[0, 0]]), "different"),
    (dict(sweeps=1, blocks=[slice(2, 5)]), "block"), (dict(sweeps=1, blocks=[]), "no blocks"),
])
def test_wrong_arguments_are_refused_before_anything_moves(options, words):
    theta = np.array([3.0, 1.0])
    with pytest.raises(ValueError, match=f"coordinate_descent: .*{words}"):
        coordinate_descent(Valley(1), theta, **options)
    assert theta.tolist() == [3, 1]


def test_an_objective_without_curvature_is_told_what_it_lacks():
    with pytest.raises(ValueError, match=r"must have grad\(theta\), OnlyValue has not"):
        coordinate_descent(OnlyValue(np.sum), np.ones(2), sweeps=1)
    with pytest.raises(ValueError, match="int64"):
        coordinate_descent(Valley(1), np.array([3, 1]), sweeps=1)


@pytest.mark.parametrize("blocks", ["each", "layers", "across"])
@pytest.mark.parametrize("solve", [newton_on_block, lambda J, theta, block: theta[block] - 0.1])
def test_frozen_parameters_are_held_whatever_block_they_are_in(blocks, solve):
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Linear(2, 1, rng=1)).astype(np.float64)
    J = Objective(model, losses.mean_squared_error, np.random.default_rng(0).standard_normal((9, 2)), np.ones((9, 1)))
    params = model.parameters()
    model[0].freeze()
    held, before = params.theta[:6].copy(), params.theta[6:].copy()
    chosen = {"each": None, "layers": list(params.slices.values()), "across": [slice(2, 9), np.array([0, 8])]}[blocks]
    coordinate_descent(J, params, 2, blocks=chosen, solve=solve)
    assert np.array_equal(params.theta[:6], held) and (params.theta[6:] != before).all()
