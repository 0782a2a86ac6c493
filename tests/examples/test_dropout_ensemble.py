"""Dropout as an ensemble: weight scaling is the geometric mean where only a softmax follows, and the arithmetic mean is
what nn.Dropout's masks give on average."""
import numpy as np
import pytest

from minigrad import ops


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_weight_scaling_is_the_geometric_mean_of_a_softmax_net(page, p):
    x = np.random.default_rng(0).standard_normal((9, 36)).astype(np.float32)
    arithmetic, geometric, rule = page.ensemble(page.network(False, 0, p), x, p)
    np.testing.assert_allclose(rule, geometric, atol=1e-6)
    assert np.abs(rule - arithmetic).max() > 1e-3
    arithmetic, geometric, rule = page.ensemble(page.network(True, 0, p), x, p)
    assert np.abs(rule - geometric).max() > 1e-3


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_the_masks_are_those_of_the_layer(page, p):
    """4,000 passes in learning mode: each probability is known to 0.5/sqrt(4000) = 0.008."""
    x = np.random.default_rng(1).standard_normal((3, 36)).astype(np.float32)
    model = page.network(True, 0, p)
    arithmetic, _, _ = page.ensemble(model, x, p)
    seen = np.exp(ops.log_softmax(model(np.repeat(x, 4000, axis=0))).data).reshape(3, 4000, 10).mean(axis=1)
    np.testing.assert_allclose(seen, arithmetic, atol=0.03)
    assert np.exp(page.every_mask(model, x, p)[1]).sum() == pytest.approx(1)


def test_the_page_runs_and_draws(said):
    assert "geometric" in said
