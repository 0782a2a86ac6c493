"""Reference tests for 01_op_and_rules: what a student's own tests should find out. Run them with pytest."""
import warnings

import numpy as np
from op_and_rules import logsumexp, softplus, tanh

from minigrad.core import Tensor, grad
from minigrad.testing import gradcheck, gradgradcheck

X = np.array([[-1.5, -0.3, 0.4], [2.0, 0.1, -0.7]])


def test_values_are_the_definitions():
    np.testing.assert_allclose(tanh(X), (np.exp(X) - np.exp(-X)) / (np.exp(X) + np.exp(-X)), rtol=1e-12)
    np.testing.assert_allclose(softplus(X), np.log(1 + np.exp(X)), rtol=1e-12)
    np.testing.assert_allclose(logsumexp(X), np.log(np.exp(X).sum(axis=1)), rtol=1e-12)
    assert logsumexp(X, axis=0, keepdims=True).shape == (1, 3)
    np.testing.assert_allclose(logsumexp(X, axis=(0, 1)), np.log(np.exp(X).sum()), rtol=1e-12)


def test_gradients_agree_with_differences():
    for op in (tanh, softplus, logsumexp):
        gradcheck(op, X)
    gradcheck(lambda x: logsumexp(x, axis=0, keepdims=True), X)


def test_second_derivatives_agree_with_differences():
    for op in (tanh, softplus, logsumexp):
        gradgradcheck(op, X)


def test_nothing_overflows_or_vanishes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(softplus(np.array([1000.0, -1000.0, -40.0])), [1000, 0, np.exp(-40)], rtol=1e-12)
        rows = np.array([[1000.0, 1000.0], [-1000.0, -1000.0], [-np.inf, -np.inf]])
        np.testing.assert_allclose(logsumexp(rows), [1000 + np.log(2), -1000 + np.log(2), -np.inf], rtol=1e-12)
        x = Tensor(rows, requires_grad=True)
        dx, = grad(logsumexp(x), [x], Tensor(np.ones(3)))
        np.testing.assert_allclose(dx.data, [[0.5, 0.5], [0.5, 0.5], [0, 0]], rtol=1e-12)
