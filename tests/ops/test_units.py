"""Embedding, maxout, dropout as functions."""
import numpy as np
import pytest

from minigrad import core, ops
from minigrad.core import Tensor, tensor
from minigrad.testing.gradients import gradcheck, gradgradcheck

X = np.random.default_rng(0).standard_normal((3, 2, 6))


@pytest.mark.parametrize("labels", [2, [1, 1, 0], [[0, 3], [3, 3]], np.empty((0, 2), int)])
def test_embedding_rows_and_derivatives(labels):
    table = X.reshape(-1, 9)
    np.testing.assert_array_equal(ops.embedding(table, labels), table[np.asarray(labels)])
    gradcheck(lambda t: ops.embedding(t, labels), table)
    gradgradcheck(lambda t: ops.tanh(ops.embedding(t, labels)), table)


@pytest.mark.parametrize("pieces", [1, 2, 3, 6])
def test_maxout_values_and_derivatives(pieces):
    np.testing.assert_array_equal(ops.maxout(X, pieces), X.reshape(3, 2, -1, pieces).max(axis=-1))
    gradcheck(lambda x: ops.maxout(x, pieces), X)
    gradgradcheck(lambda x: ops.tanh(ops.maxout(x, pieces)), X)


def test_dropout_is_its_mask_forward_and_back():
    for dtype in (np.float32, np.float64):
        x = tensor(X.astype(dtype), requires_grad=True)
        mask = ops.drop_mask(X.shape, 0.3, rng=5, dtype=dtype)
        y = ops.dropout(x, 0.3, rng=5)
        assert y.dtype == mask.dtype == dtype and set(np.unique(mask)) == {0, dtype(1 / 0.7)}
        np.testing.assert_array_equal(y.data, x.data * mask)
        np.testing.assert_array_equal(core.grad(y, x, np.ones(X.shape, dtype)).data, mask)
    gradcheck(lambda z: ops.dropout(z, 0.3, rng=5), X)
    gradgradcheck(lambda z: ops.dropout(ops.tanh(z), 0.3, rng=5), X)
    assert set(np.unique(ops.drop_mask((50,), 0.5, 0, scale=False))) == {0, 1}


def test_the_ends_of_p():
    np.testing.assert_array_equal(ops.dropout(X, 0), X)
    assert (ops.dropout(X, 1) == 0).all() and (ops.drop_mask((3,), 0) == 1).all()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: ops.embedding(X, [0]), r"table must be \(symbols, size\), got shape \(3, 2, 6\)"),
    (lambda: ops.embedding(X[0], [2]), r"\[0, 2\), got 2 to 2"), (lambda: ops.embedding(X[0], [-1]), "got -1 to -1"),
    (lambda: ops.embedding(X[0], [0.0]), "labels must be integers, got float64"),
    (lambda: ops.maxout(X, 4), r"divides the last axis of x \(3, 2, 6\), got 4"), (lambda: ops.maxout(X, 0), "got 0"),
    (lambda: ops.dropout(Tensor(X), 1.2), r"p, the probability of dropping, must be a number in \[0, 1\], got 1.2"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_dropout_takes_lists_and_refuses_integers_and_what_is_no_probability():
    assert ops.dropout([1.0, 2.0], 0.5, rng=0).dtype == np.float32
    with pytest.raises(ValueError, match="dropout: x must be floating-point, got int64"):
        ops.dropout(np.array([1, 2]), 0.5)
    for p in (None, "half", [0.5], np.nan):
        with pytest.raises(ValueError, match="drop_mask: p, the probability of dropping, must be"):
            ops.dropout(np.ones(2), p)


@pytest.mark.parametrize("pieces", [2.0, "2", None, 0])
def test_maxout_wants_a_whole_number_of_pieces(pieces):
    with pytest.raises(ValueError, match=f"maxout: pieces must be an integer >= 1 .* got {pieces!r}"):
        ops.maxout(np.ones((2, 4)), pieces)
