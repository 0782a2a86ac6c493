"""Augmentation: every kind gives images of one size, the test sees 25 views, and what does nothing changes nothing."""
import numpy as np

from minigrad import data


def test_all_kinds_give_images_of_one_size_and_the_first_only_cuts(page):
    (x, _), _ = data.mnist()
    made = {kind: page.prepare(x[:5], rng=np.random.default_rng(0), kind=kind) for kind in page.KINDS}
    assert {one.shape for one in made.values()} == {(5, 24, 24, 1)}
    np.testing.assert_array_equal(made["nothing"], x[:5, 2:26, 2:26])
    assert all(not np.array_equal(one, made["nothing"]) for kind, one in made.items() if kind != "nothing")
    assert len(page.VIEWS(x[:1])) == 25


def test_colours_tell_the_class_or_nothing(page):
    (x, y), _ = data.coarse_mnist(14, 500)
    told = page.colored(x, y, 1, np.random.default_rng(0))
    assert told.shape == (500, 14, 14, 3)
    ratio = told.sum((1, 2)) / told.sum((1, 2, 3))[:, None]                     # of the three channels
    for k in range(10):
        assert np.ptp(ratio[y == k], axis=0).max() < 1e-5
    np.testing.assert_allclose(told.max(3), x.reshape(-1, 14, 14) * told.max((1, 2, 3))[:, None, None]
                               / x.max(1)[:, None, None], atol=1e-6)
    nothing = page.colored(x, y, 0, np.random.default_rng(0))
    assert np.ptp(nothing.sum((1, 2))[y == 3] / nothing.sum((1, 2, 3))[y == 3, None], axis=0).min() > 0.3


def test_the_page_runs_and_draws(said):
    assert "25 views" in said
