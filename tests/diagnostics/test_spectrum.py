"""Lanczos against dense eigenvalues; the spectrum of nets; the price for 100,000 parameters."""
import time

import numpy as np
import pytest

from minigrad import losses, nn
from minigrad.diagnostics import hessian_spectrum, lanczos
from minigrad.diagnostics.spectrum import orthogonalize, ritz
from minigrad.objective import Objective


def symmetric(values, rng):
    Q, _ = np.linalg.qr(rng.standard_normal((len(values), len(values))))
    return (Q * values) @ Q.T


def net(dtype=np.float64):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(6, 8, rng=0, dtype=dtype), nn.Tanh(), nn.Linear(8, 4, rng=1, dtype=dtype))
    return Objective(model, losses.cross_entropy, rng.standard_normal((40, 6)).astype(dtype), rng.integers(0, 4, 40))


def test_as_many_steps_as_unknowns_give_every_eigenvalue():
    rng = np.random.default_rng(0)
    values = np.sort(rng.standard_normal(60) * 10)
    A = symmetric(values, rng)
    alpha, beta, Q = lanczos(lambda v: A @ v, rng.standard_normal(60), 60)
    assert len(alpha) == 60 and abs(Q @ Q.T - np.eye(60)).max() < 1e-13        # no ghosts: orthogonal to rounding
    np.testing.assert_allclose(ritz(alpha, beta)[0], values, atol=1e-12 * 30)


def test_the_three_term_relation_and_the_error_bounds_hold():
    rng = np.random.default_rng(1)
    values = np.concatenate([[-7.0, -3.0], rng.uniform(-1, 1, 196), [20.0, 50.0]])
    A = symmetric(values, rng)
    alpha, beta, Q = lanczos(lambda v: A @ v, rng.standard_normal(200), 25)
    T = np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)
    rest = A @ Q.T - Q.T @ T
    assert abs(rest[:, :-1]).max() < 1e-12 * 50
    assert np.linalg.norm(rest[:, -1]) == pytest.approx(beta[-1])
    found, weights, errors = ritz(alpha, beta)
    assert weights.sum() == pytest.approx(1)
    for value, error in zip(found, errors):
        assert abs(values - value).min() <= error + 1e-10
    assert found[-1] == pytest.approx(50, abs=1e-8) and found[0] == pytest.approx(-7, abs=1e-6)


def test_an_invariant_space_ends_the_run():
    rng = np.random.default_rng(0)
    A = symmetric(np.repeat([-2.0, 1.0, 5.0], 10), rng)
    alpha, beta, _ = lanczos(lambda v: A @ v, rng.standard_normal(30), 30)
    assert len(alpha) == 3
    np.testing.assert_allclose(ritz(alpha, beta)[0], [-2, 1, 5], atol=1e-10)
    assert len(lanczos(lambda v: 0 * v, rng.standard_normal(30), 30)[0]) == 1


@pytest.mark.parametrize("matrix", ["hessian", "ggn"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spectrum_of_a_net_equals_the_dense_one(dtype, matrix):
    J = net(dtype)
    exact = np.linalg.eigvalsh(np.float64(J.hessian() if matrix == "hessian" else J.ggn()))
    found = hessian_spectrum(J, steps=70, probes=5, matrix=matrix, rng=0)
    tolerance = 1e-5 if dtype == np.float32 else 1e-7
    assert found.highest == pytest.approx(exact[-1], abs=tolerance * exact[-1])
    assert found.lowest == pytest.approx(exact[0], abs=tolerance * exact[-1])
    assert found.trace == pytest.approx(exact.sum(), abs=4 * np.sqrt(2 * (exact**2).sum() / 5))
    x, density = found.density(400)
    assert (density * (x[1] - x[0])).sum() == pytest.approx(1, abs=1e-3)
    assert "lowest" in repr(found)


def layers(sizes, activation, scale, m, seed, dtype):
    """A net and its data, the same numbers in float32 and float64."""
    rng = np.random.default_rng(seed)
    parts = [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b, rng=0, dtype=dtype), activation())]
    model = nn.Sequential(*parts[:-1])
    theta = model.parameters().theta
    theta[...] = (rng.standard_normal(len(theta)) / 3).astype(np.float32)
    x = (scale * rng.standard_normal((m, sizes[0]))).astype(np.float32).astype(dtype)
    return Objective(model, losses.cross_entropy, x, rng.integers(0, sizes[-1], m))


@pytest.mark.parametrize("sizes, activation, scale, m", [
    ((6, 8, 4), nn.Tanh, 1, 40), ((10, 9, 5), nn.Tanh, 100, 40), ((10, 9, 5), nn.Tanh, 30, 3),
    ((5, 6, 6, 6, 4), nn.Tanh, 1, 60), ((12, 8, 4), nn.ReLU, 20, 60), ((20, 6, 3), nn.Sigmoid, 1, 50),
], ids=str)
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_error_bounds_hold_whatever_the_dtype(sizes, activation, scale, m, seed, dtype):
    """Against all eigenvalues of the same function in float64; and they are no more than 1000 roundings of |H|, times
    scale^2 / 10 where large inputs make the logits themselves inexact."""
    J, exact = (layers(sizes, activation, scale, m, seed, kind) for kind in (dtype, np.float64))
    values = np.linalg.eigvalsh(exact.hessian())
    found = hessian_spectrum(J, steps=60, probes=1, rng=seed)
    for value, error in ((found.lowest, found.lowest_error), (found.highest, found.highest_error)):
        assert abs(values - value).min() <= error + 1e-14 * abs(values).max()
        assert error <= 1000 * np.finfo(dtype).eps * abs(values).max() * max(1, scale**2 / 10)


def test_too_few_steps_show_in_the_bound():
    rng = np.random.default_rng(3)
    values = rng.standard_normal(300)
    A = symmetric(values, rng)
    found = hessian_spectrum(lambda v: A @ v, n=300, steps=6, probes=2, rng=0)
    assert 0.01 < abs(values - found.highest).min() <= found.highest_error < 1
    assert found.products == 16


def test_the_density_counts_eigenvalues():
    """Averaged over many starts: a tenth at -5, a half in [0, 1], the rest at 3."""
    rng = np.random.default_rng(0)
    values = np.concatenate([np.full(20, -5.0), rng.uniform(0, 1, 100), np.full(80, 3.0)])
    A = symmetric(values, rng)
    found = hessian_spectrum(lambda v: A @ v, n=200, steps=40, probes=60, rng=1)
    assert found.fraction(-6, -4) == pytest.approx(0.1, abs=0.015)
    assert found.fraction(-0.5, 1.5) == pytest.approx(0.5, abs=0.025)
    assert found.trace == pytest.approx(values.sum(), abs=4 * np.sqrt(2 * (values**2).sum() / 60))
    again = hessian_spectrum(lambda v: A @ v, n=200, steps=40, probes=60, rng=1)
    assert np.array_equal(found.values, again.values)


def test_a_net_of_100_000_parameters_takes_less_than_a_minute():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(784, 128, rng=0), nn.ReLU(), nn.Linear(128, 10, rng=1))
    J = Objective(model, losses.cross_entropy, rng.standard_normal((128, 784)).astype("f"), rng.integers(0, 10, 128))
    began = time.perf_counter()
    found = hessian_spectrum(J, steps=40, probes=2, rng=0)
    assert time.perf_counter() - began < 60
    assert found.n == 101770 and found.lowest < 0 < found.highest
    v = np.random.default_rng(1).standard_normal(found.n).astype("f")
    for _ in range(30):                                    # the power method agrees on the eigenvalue largest in size
        v = J.hvp(None, v / np.linalg.norm(v))
    assert np.linalg.norm(v) == pytest.approx(max(found.highest, -found.lowest), rel=0.05)


def test_errors():
    with pytest.raises(ValueError, match="pass n"):
        hessian_spectrum(lambda v: v)
    with pytest.raises(ValueError, match='"hessian" or "ggn"'):
        hessian_spectrum(net(), matrix="fisher")
    with pytest.raises(ValueError, match="must have hvp"):
        hessian_spectrum(3.0)
    with pytest.raises(ValueError, match="not finite"):
        hessian_spectrum(lambda v: v * np.nan, n=4)


def test_a_bar_counts_the_products_and_changes_nothing(capsys):
    pytest.importorskip("tqdm")
    H = np.diag(np.arange(1.0, 31.0))
    plain = hessian_spectrum(lambda v: H @ v, n=30, steps=20, probes=2, rng=0)
    assert capsys.readouterr() == ("", "")
    shown = hessian_spectrum(lambda v: H @ v, n=30, steps=20, probes=2, rng=0, progress=True)
    np.testing.assert_array_equal(plain.values, shown.values)
    assert "0/40 " in capsys.readouterr().err
    with pytest.raises(ValueError, match="hessian_spectrum: progress must be True or False, got 'yes'"):
        hessian_spectrum(lambda v: H @ v, n=30, progress="yes")


def test_what_cancels_is_orthogonalized_again():
    """w lies in the span of Q but for 1e-9: one pass leaves rounding of size 1e-16, which is 1e-7 of what is left."""
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((200, 50)))[0].T
    rest = rng.standard_normal(200)
    rest -= Q.T @ (Q @ rest)
    w = Q.T @ rng.standard_normal(50) + 1e-9 * rest
    length = orthogonalize(w, Q)
    assert abs(Q @ w).max() < 1e-15 * length and length == pytest.approx(1e-9 * np.linalg.norm(rest), rel=1e-5)
