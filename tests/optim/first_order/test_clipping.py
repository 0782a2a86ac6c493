"""Clipping: one norm over all parameters, the norm before returned, NaN an error, the direction kept."""
import math

import numpy as np
import pytest

from minigrad import ops, optim, tensor


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


@pytest.mark.parametrize("clip, clipped", [(optim.clip_grad_norm, lambda g: g / 7.5),
                                           (optim.clip_grad_value, lambda g: np.clip(g, -2, 2))])
def test_gradients_of_a_list_of_tensors_are_clipped_where_they_are(clip, clipped):
    """Also one that lies in memory column by column; a frozen one does not count."""
    w, b, frozen = (tensor(np.ones(shape), requires_grad=True) for shape in ((3, 2), (2,), (2,)))
    opt = optim.SGD([w, b, frozen], lr=1.0)
    G = np.array([[1.0, -5.0], [3.0, 1.0], [-8.0, 5.0]])
    for _ in range(2):
        opt.zero_grad()
        (ops.transpose(w) * G.T).sum().backward()
        (b * [6.0, 8.0] + frozen * 1e3).sum().backward()
    assert w.grad.flags.f_contiguous and not w.grad.flags.c_contiguous
    frozen.requires_grad = False
    assert clip(opt.params, 2.0) == 15.0                        # sqrt(125 + 100)
    np.testing.assert_allclose(w.grad, clipped(G), rtol=1e-15)
    opt.step()
    np.testing.assert_allclose(w.data, 1 - clipped(G), rtol=1e-14)
    np.testing.assert_allclose(b.data, 1 - clipped(np.array([6.0, 8.0])), rtol=1e-14)
    assert (frozen.data == 1).all()


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


@pytest.mark.parametrize("exponent", [-300, -170, -155, -150, -140, -100, -20, 20, 100, 140, 150, 155, 170, 300])
def test_the_norm_is_right_to_rounding_at_every_size(exponent):
    """Oracle: math.hypot, which scales by itself. Also where only some squares leave float64."""
    small = np.array([3.0, -4.0, 12.0, 1e-3]) * 10.0**exponent
    for g in (small, np.tile(small, 1000)):
        wanted = math.hypot(*map(float, g))
        assert optim.clip_grad_norm(g, 1e308) == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("exponent", [-44, -38, -30, -20, -16, -14, 14, 16, 20, 30, 38])
def test_float32_of_every_size_needs_no_scaling(exponent):
    g = np.full(3000, 2.0, np.float32) * np.float32(10.0**exponent)
    assert optim.clip_grad_norm(g, 1e308) == pytest.approx(float(g[0]) * 3000**0.5, rel=1e-13)


@pytest.mark.parametrize("n", [10**4, 10**6, pytest.param(5 * 10**7, marks=pytest.mark.long)])
@pytest.mark.parametrize("value", [0.1, 1e-12, 3e15])
def test_float32_has_the_limit_afterwards_however_many_there_are(n, value):
    """Sums in float32 lost 8e-6 at 10**4 equal entries; what is left is the rounding of the entries themselves."""
    g = np.full(n, value, np.float32)
    wanted = float(g[0]) * n**0.5
    assert optim.clip_grad_norm(g, wanted / 10) == pytest.approx(wanted, rel=1e-12)
    norm = float(g[0]) * n**0.5                                  # all entries are still equal
    assert (g == g[0]).all() and norm == pytest.approx(wanted / 10, rel=2.0**-23)


def test_mixed_entries_in_float32_have_the_limit_too():
    g = np.random.default_rng(0).standard_normal(10**5).astype(np.float32)
    wanted = math.fsum(float(x) ** 2 for x in g) ** 0.5
    assert optim.clip_grad_norm(g, 1.0) == pytest.approx(wanted, rel=1e-13)
    assert math.fsum(float(x) ** 2 for x in g) ** 0.5 == pytest.approx(1, abs=2.0**-23)


def test_a_norm_at_the_limit_is_left_and_the_parts_count_together(vector):
    g = np.full(10**4, 0.1, np.float32)
    limit = float(g[0]) * 100
    before = g.copy()
    optim.clip_grad_norm(g, limit * (1 + 1e-14))
    assert np.array_equal(g, before)


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
