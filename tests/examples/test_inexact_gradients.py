"""Inexact gradients: the machine's gradient is that of its likelihood, CD-k's bias falls as the chain's eigenvalue
says, and what truncated backpropagation leaves out is w^(2k) of the whole."""
import numpy as np
import pytest


@pytest.fixture
def theta():
    return 0.7 * np.random.default_rng(1).standard_normal(27)


def test_the_exact_gradient_is_that_of_the_divergence(page, theta):
    J, h = page.Machine(page.data_of(3)), 1e-6
    numeric = [(J.value(theta + h * e) - J.value(theta - h * e)) / (2 * h) for e in np.eye(27)]
    np.testing.assert_allclose(J.grad(theta), numeric, atol=1e-8)


def test_the_chain_keeps_the_models_distribution(page, theta):
    T, p = page.transitions(theta), page.probabilities(theta)
    np.testing.assert_allclose(T.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(p @ T, p, atol=1e-12)


def test_the_bias_falls_by_the_second_eigenvalue(page, theta):
    biases, second = page.bias(theta, page.data_of(3), [1, 8, 9])
    assert biases[0] > biases[1] > 1e-12
    assert biases[2] / biases[1] == pytest.approx(second, rel=0.03)


def test_samples_are_unbiased_and_cd_is_not(page, theta):
    data = page.data_of(3)
    exact = page.Machine(data).grad(theta)
    draw = page.Machine(data, samples=100, seed=0)
    mean = np.mean([draw.grad(theta) for _ in range(400)], axis=0)
    assert np.abs(mean - exact).max() < 5 * np.sqrt(2 * 0.25 / (100 * 400))          # five standard errors
    assert np.linalg.norm(page.Machine(data, 1).grad(theta) - exact) > 0.005


@pytest.mark.parametrize("w, k", [(0.5, 1), (0.8, 3), (0.9, 10)])
def test_a_share_of_w_to_the_2k_lies_beyond_the_cut(page, w, k):
    assert page.beyond_the_cut(w, k, length=150, m=800) == pytest.approx(w ** (2 * k), rel=0.15)


def test_the_page_runs_draws_and_cd_ends_above(said):
    assert "second eigenvalue" in said
