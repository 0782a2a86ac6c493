"""Orthogonal first weights: as many steps at any depth; and the book's loop repairs activations that die out."""
import numpy as np

from minigrad import init


def test_with_orthogonal_weights_the_steps_do_not_grow_with_the_depth(page):
    steps = [page.steps_to_learn(depth, init.orthogonal, seed) for depth, seed in ((2, 0), (5, 1), (20, 2), (100, 3))]
    assert max(steps) - min(steps) <= 5
    assert page.steps_to_learn(5, page.gaussian, 0, limit=3 * max(steps)) == 3 * max(steps)


def test_the_product_of_orthogonal_matrices_is_orthogonal_and_that_of_gaussians_is_not(page):
    for weights, least, largest in ((init.orthogonal, 1, 1), (page.gaussian, 0, 0.01)):
        product = page.linear_net(30, weights, 4)[1]
        s = np.linalg.svd(product, compute_uv=False)
        assert least - 1e-10 <= s[-1] <= largest + 1e-10


def test_the_loop_enlarges_until_no_layer_is_small(page):
    model, x = page.relu_net(6, 0), np.random.default_rng(0).standard_normal((50, 36)).astype(np.float32)
    before = page.stds(model, x)
    looks = page.repair(model, x, std=0.5)
    after = page.stds(model, x)
    assert min(before) < 0.01 and min(after) >= 0.5 and looks <= 7  # a look for each layer
    np.testing.assert_allclose(after[1:], 1, rtol=1e-4)                       # the first was not small


def test_lsuv_gives_every_layer_unit_variance(page):
    model, x = page.relu_net(6, 0), np.random.default_rng(0).standard_normal((50, 36)).astype(np.float32)
    assert {found.outcome for found in init.lsuv(model, x, rng=0)} == {"converged"}
    np.testing.assert_allclose(page.stds(model, x), 1, atol=0.01)


def test_the_page_runs_and_draws(said):
    assert "LSUV" in said
