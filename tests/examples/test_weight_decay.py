"""Weight decay: a penalty's pull is divided by the noise of the gradient in Adam and not in AdamW, as derived."""
import numpy as np
import pytest

from minigrad import optim


@pytest.mark.parametrize("decoupled", [False, True])
def test_useless_weights_shrink_as_derived(page, decoupled):
    """200 weights, each with a random walk of 1500 steps of about lr: the mean is known to 0.04/sqrt(200) = 0.003."""
    found, theory = page.shrinking(decoupled, 1500, seed=1)[-1], page.shrinking_in_theory(decoupled, 1500)[-1]
    np.testing.assert_allclose(found[1:], theory[1:], atol=0.01)
    assert found[0] == pytest.approx(theory[0], abs=0.04)       # s = 1: the penalty itself, at most 0.5, adds to s
    assert np.ptp(found) < 0.02 if decoupled else np.all(np.diff(found) > 0.04)


@pytest.mark.parametrize("decay", [0.01, 0.1])
def test_for_sgd_a_penalty_is_a_decay_of_lr_lambda(decay):
    """theta - lr (g + lambda theta) = (1 - lr lambda) theta - lr g."""
    rng = np.random.default_rng(0)
    theta, g = rng.standard_normal(5), rng.standard_normal(5)

    class J:
        value = staticmethod(lambda theta: float(g @ theta))
        grad = staticmethod(lambda theta: g.copy())

    moved = theta.copy()
    optim.SGD(moved, lr=0.3, weight_decay=decay).step(J())
    np.testing.assert_allclose(moved, (1 - 0.3 * decay) * theta - 0.3 * g, rtol=1e-14)


def test_normalized_decay_is_one_for_one_pass_in_one_batch_and_falls_as_the_root_of_the_length():
    assert optim.normalized_decay(0.05, 300, 300, 1) == pytest.approx(0.05)
    assert optim.normalized_decay(0.05, 30, 300, 40) == pytest.approx(optim.normalized_decay(0.05, 30, 300, 10) / 2)


def test_labels_drawn_anew_are_a_tenth_and_the_rest_is_as_published(page):
    from minigrad import data
    (_, y), _ = page.digits()
    assert 0.05 < np.mean(y != data.mnist()[0][1][:page.EXAMPLES]) < 0.15


def test_the_page_runs_and_draws(said):
    assert "gain" in said
