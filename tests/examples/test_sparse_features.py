"""Sparse features: adaptive methods gain, and a rotation of the features (which SGD cannot see) takes the gain away."""
import numpy as np
import pytest

from minigrad import init, losses, optim, tensor


@pytest.fixture(scope="module")
def task(page):
    rng = np.random.default_rng(1)
    return (*page.documents(300, rng.standard_normal(page.WORDS), rng),
            init.orthogonal((page.WORDS, page.WORDS), rng=rng, dtype=np.float64))


def test_logistic_is_binary_cross_entropy(page, task):
    x, s, _ = task
    theta = tensor(np.random.default_rng(0).standard_normal(page.WORDS), requires_grad=True)
    J = losses.binary_cross_entropy(tensor(x) @ theta, (s + 1) / 2)
    J.backward()
    mine = page.Logistic(x, s)
    assert mine.value(theta.data) == pytest.approx(J.item(), rel=1e-12)
    np.testing.assert_allclose(mine.grad(theta.data), theta.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("method, sees_it", [(optim.SGD, False), (optim.Momentum, False),
                                             (optim.AdaGrad, True), (optim.Adam, True)])
def test_only_adaptive_methods_see_a_rotation_of_the_features(page, task, method, sees_it):
    x, s, turn = task
    plain, rotated = page.learn(method, 0.1, x, s, 0), turn @ page.learn(method, 0.1, x @ turn, s, 0)
    distance = np.linalg.norm(plain - rotated) / np.linalg.norm(plain)
    assert distance > 0.1 if sees_it else distance < 1e-10


def test_the_page_runs_draws_and_shows_the_gain(said):
    gains = {tuple(line.split()[:2]): float(line.split()[5]) for line in said.splitlines()
             if line.startswith(("words", "rotated"))}
    for method in ("AdaGrad", "Adam"):
        assert gains["words", method] > 2 * abs(gains["rotated", method])
