"""Minibatches: the closed form of the error of H^-1 g, copies that teach nothing, and what shuffling is worth."""
import numpy as np
import pytest

from minigrad import Objective, data, losses, nn


@pytest.mark.parametrize("condition", [1, 100])
def test_measured_errors_are_those_of_the_closed_form(page, condition):
    l, e = np.geomspace(1, 1 / condition, 6), np.array([1.0, -1, 2, 0.5, 1, 1])
    measured = page.measured_errors(l, e, 50, 2000, np.random.default_rng(0))
    np.testing.assert_allclose(measured[:2], page.relative_errors(l, e, 50), rtol=0.05)      # 1/sqrt(2000) = 2 %


def test_the_error_falls_with_the_root_of_n_and_grows_with_the_condition(page):
    e = np.ones(4)
    g, newton = page.relative_errors(np.ones(4), e, 10)
    assert g == pytest.approx(newton, rel=1e-12)                                # condition 1: H^-1 changes nothing
    assert page.relative_errors(np.ones(4), e, 1000)[1] == pytest.approx(newton / 10, rel=1e-12)
    assert page.relative_errors(np.geomspace(1, 1e-4, 4), e, 10)[1] > 20 * newton


def test_one_of_m_identical_copies_gives_the_gradient_of_all():
    rng = np.random.default_rng(1)
    x, y = np.repeat(rng.standard_normal((1, 5)), 64, axis=0), np.full(64, 2)
    model = nn.Linear(5, 3, rng=0, dtype=np.float64)
    whole = Objective(model, losses.cross_entropy, x, y).grad()
    for rows, labels in data.batches(x, y, batch_size=1, rng=0):
        np.testing.assert_allclose(Objective(model, losses.cross_entropy, rows, labels).grad(), whole, rtol=1e-12)


def test_every_way_sees_equally_many_examples_and_the_stream_none_twice(page):
    x, y = np.arange(60_000.0)[:, None], np.zeros(60_000, int)
    for name, (_, batches) in page.ways(x, y, seed=3).items():
        seen = np.concatenate([rows[:, 0] for rows, _ in batches])
        assert len(seen) == page.EXAMPLES * page.PASSES, name
        different = 100 if name.startswith("a tenth") else 5000 if name.startswith("a stream") else 1000
        assert len(np.unique(seen)) == different, name


def test_the_page_runs_draws_and_shows_what_shuffling_is_worth(said):
    test_error = {line[:30].strip(): float(line[30:].split()[3]) for line in said.splitlines()
                  if line.startswith(("never", "shuffled", "a stream"))}
    assert test_error["never shuffled, by class"] > 2 * test_error["shuffled once"]
    assert abs(test_error["shuffled once"] - test_error["shuffled each epoch"]) < 4
