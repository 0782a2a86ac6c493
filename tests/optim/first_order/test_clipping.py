"""Clipping: one norm over all parameters, the norm before returned, NaN an error, the direction kept."""
import numpy as np
import pytest

from minigrad import optim


def test_the_norm_is_global_and_the_result_has_the_limit_exactly(vector):
    p = vector()
    p.backward(lambda theta: np.array([3.0, 0, 0, 4.0, 0, 12.0]))
    assert optim.clip_grad_norm(p, 6.5) == 13.0
    np.testing.assert_allclose(p.g, np.array([3.0, 0, 0, 4.0, 0, 12.0]) / 2, rtol=1e-15)
    assert optim.clip_grad_norm(p, 6.6) == pytest.approx(6.5) and np.linalg.norm(p.g) == pytest.approx(6.5)


@pytest.mark.parametrize("limit", [0.5, 2.0, 100.0])
def test_equals_pytorch_but_for_its_small_constant(limit):
    torch = pytest.importorskip("torch")
    g = np.random.default_rng(0).standard_normal(50)
    part = torch.nn.Parameter(torch.zeros(50, dtype=torch.float64))
    part.grad = torch.tensor(g)
    before = float(torch.nn.utils.clip_grad_norm_([part], limit))
    assert optim.clip_grad_norm(g, limit) == pytest.approx(before, rel=1e-14)
    np.testing.assert_allclose(g, part.grad.numpy(), rtol=1e-5)


def test_equals_optax():
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    g = np.random.default_rng(1).standard_normal(50)
    with jax.enable_x64(True):
        rule = optax.clip_by_global_norm(2.0)
        wanted = np.array(rule.update(jax.numpy.array(g), rule.init(g))[0])
    optim.clip_grad_norm(g, 2.0)
    np.testing.assert_allclose(g, wanted, rtol=1e-14)


def test_unwritten_parameters_count_as_zero_and_stay(vector):
    p = vector()
    p.backward(np.ones_like, but=("0.w",))
    p.g[:3] = np.nan
    assert optim.clip_grad_norm(p, 1.0) == pytest.approx(3 ** 0.5)
    assert np.isnan(p.g[:3]).all()
    np.testing.assert_allclose(p.g[3:], 3 ** -0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("clip", [optim.clip_grad_norm, optim.clip_grad_value])
def test_a_non_finite_gradient_is_an_error_and_is_left(clip, bad):
    g = np.array([1.0, bad, 5.0])
    with pytest.raises(optim.NonFiniteError, match="nothing was changed"):
        clip(g, 0.1)
    assert g[0] == 1.0 and g[2] == 5.0


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1.0, 1e20, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squares_may_leave_the_range_of_the_dtype(scale, dtype):
    g = np.array([3, -4], dtype=dtype) * dtype(scale)
    assert optim.clip_grad_norm(g, scale / 10) == pytest.approx(5 * scale, rel=1e-6)
    assert g.dtype == dtype
    np.testing.assert_allclose(g, np.array([0.06, -0.08]) * scale, rtol=1e-6)


def test_a_zero_gradient_stays():
    g = np.zeros(3)
    assert optim.clip_grad_norm(g, 1.0) == 0.0 and not g.any()


def test_by_value():
    g = np.array([-3.0, 0.5, 4.0])
    assert optim.clip_grad_value(g, 1.0) == pytest.approx(25.25 ** 0.5)
    assert np.array_equal(g, [-1.0, 0.5, 1.0])


def test_clipped_before_momentum_never_lets_v_exceed_the_terminal_velocity(vector):
    """With |g| <= 1 the velocity stays below lr/(1 - alpha) (8.17), however high the cliff."""
    p = vector()
    opt = optim.Momentum(p, lr=0.1, momentum=0.9)
    for k in range(100):
        p.backward(lambda theta, k=k: np.full(6, 1e9 if k == 50 else 1e-3))
        optim.clip_grad_norm(p, 1.0)
        opt.step()
        assert np.linalg.norm(opt.v) <= 1.0


@pytest.mark.parametrize(("params", "limit", "message"), [
    (np.ones(2), 0, r"limit must be in \(0, inf\), got 0"), (np.ones(2), -1, "got -1"), (np.ones(2), np.nan, "got nan"),
    (np.ones(2), np.inf, "got inf"), (np.ones(2), "1", "got '1'"), (np.ones(2, int), 1, "got int64"),
    ([1.0], 1, "got list"),
])
def test_misuse(params, limit, message):
    with pytest.raises(ValueError, match=message):
        optim.clip_grad_norm(params, limit)
