"""1,000 layers: norms walk or are kept, Gaussian directions are lost as theory says, orthogonal ones are not; both nets
that should learn do."""
import math

import numpy as np
import pytest


@pytest.fixture(scope="module")
def few(page):
    return page.digits(m=200, m_test=10)[0][0][:20]


def test_norms_drift_by_the_logarithm_of_the_gain(page, few):
    """One walk has a variance of about 5/64 in log |h|^2 for a layer, 9 in 1,000: 2 in log10 |h| at three sigma."""
    for gain in (1.0, 0.95):
        rows = page.walk(page.relu_net(1000, 1, gain), few, looks=50)
        assert rows[-1, 1] - 999 * math.log10(gain) == pytest.approx(0, abs=6)
    assert rows[-1, 1] < -15


def test_inputs_of_relus_end_on_one_ray(page, few):
    rows = page.walk(page.relu_net(1000, 1), few, looks=50)
    assert rows[0, 2] > 0.3 and rows[-1, 2] < 0.01 and np.all(np.isfinite(rows))


def test_orthogonal_weights_keep_norms_as_predicted_and_all_directions(page, few):
    rows = page.walk(page.NETS["tanh, orthogonal"](1000, 1), few, looks=50)
    np.testing.assert_allclose(rows[:, 1], page.shrinking(rows[:, 0]), atol=0.05)
    assert rows[-1, 2] > 0.8 * rows[0, 2] and rows[-1, 3] > 0.8 * rows[0, 3]


def test_pairs_of_relus_start_as_an_orthogonal_linear_net(page, few):
    model = page.NETS["pairs of relus"](100, 2)
    y = few @ model[0].w.data
    for linear in model.layers[2::2]:
        y = y @ linear.w.data[:page.WIDTH]
    np.testing.assert_allclose(model(few).data, y, atol=1e-3)
    assert np.linalg.norm(model[0].w.data, 2) == pytest.approx(0.1, rel=1e-5)


def test_gaussian_weights_lose_the_tenth_direction(page, few):
    rows = page.walk(page.NETS["tanh, Gaussian"](300, 1), few, looks=50)
    assert abs(rows[-1, 1]) < 1.5 and rows[-1, 3] < 1e-7


@pytest.mark.parametrize("n", [31, 32])
def test_the_lag_is_the_difference_of_lyapunov_exponents(page, n):
    """By SciPy's digamma, and by the product itself: log |R_ii| of its successive QR steps, averaged."""
    psi = pytest.importorskip("scipy.special").psi
    assert [page.lag(n, i) for i in (1, 2, 10)] == pytest.approx([(psi(n / 2) - psi((n - i + 1) / 2)) / 2
                                                                  for i in (1, 2, 10)], abs=1e-13)
    rng, Q, logs = np.random.default_rng(0), np.eye(n), np.zeros(n)
    for _ in range(2000):
        Q, R = np.linalg.qr(rng.standard_normal((n, n)) @ Q)
        logs += np.log(np.abs(np.diag(R)))
    assert (logs[0] - logs[9]) / 2000 == pytest.approx(page.lag(n, 10), abs=0.02)


@pytest.mark.long
def test_a_thousand_layers_of_relus_learn_two_digits(page):
    curve, wrong, _ = page.learn(page.relu_net(1000, 0), 100, 0, *page.digits(page.DIGITS))
    assert np.mean(curve[:5]) > 0.6 and np.mean(curve[-10:]) < 0.55 and wrong < 20


@pytest.mark.long
def test_a_thousand_orthogonal_layers_learn_ten_digits_and_gaussian_ones_do_not(page):
    ends = {name: np.mean(page.learn(page.NETS[name](1000, 0), 60, 0, *page.digits())[0][-10:])
            for name in page.NETS if name != "relus, random walk"}
    assert max(ends["tanh, orthogonal"], ends["pairs of relus"]) < 1.3 and ends["tanh, Gaussian"] > 2.2


def test_the_page_runs_and_draws(said):
    assert "random walk" in said
