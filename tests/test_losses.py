"""Losses: PyTorch's values and derivatives, closed forms, extremes, and what they refuse."""
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from minigrad import core, losses, nn, ops
from minigrad.core import Tensor, tensor
from minigrad.testing.gradients import gradcheck, gradgradcheck

rng = np.random.default_rng(4)
LOGITS = rng.standard_normal((6, 5))
LABELS = np.array([0, 4, 2, 2, 1, 0])
WEIGHTS = np.array([1.0, 0.5, 2.0, 3.0, 0.25])
A, B = rng.standard_normal((6, 5)), rng.standard_normal((6, 5))
PROBABILITIES = rng.dirichlet(np.ones(5), 6)
YES = rng.random((6, 5))
PRECISION = np.exp(rng.standard_normal(5))
IGNORED = np.array([0, -100, 2, 2, -100, 0])
IMAGES, PLACES = rng.standard_normal((2, 3, 2, 5)), rng.integers(0, 5, (2, 3, 2))


@dataclass(frozen=True)
class Case:
    """A loss of the prediction x and of options, x, and PyTorch's twin(torch.nn.functional, torch.tensor, x)."""
    loss: Callable[..., Any]
    x: Any
    twin: Callable[..., Any]


CASES = {
    "cross_entropy": Case(lambda x, **o: losses.cross_entropy(x, LABELS, **o), LOGITS,
                          twin=lambda F, t, x, **o: F.cross_entropy(x, t(LABELS), **o)),
    "cross_entropy smoothed": Case(lambda x, **o: losses.cross_entropy(x, LABELS, 0.2, **o), LOGITS,
                                   twin=lambda F, t, x, **o: F.cross_entropy(x, t(LABELS), label_smoothing=0.2, **o)),
    "cross_entropy weighted": Case(lambda x, **o: losses.cross_entropy(x, LABELS, weights=WEIGHTS, **o), LOGITS,
                                   twin=lambda F, t, x, **o: F.cross_entropy(x, t(LABELS), weight=t(WEIGHTS), **o)),
    "cross_entropy both": Case(
        lambda x, **o: losses.cross_entropy(x, LABELS, 0.3, WEIGHTS, **o), LOGITS,
        twin=lambda F, t, x, **o: F.cross_entropy(x, t(LABELS), weight=t(WEIGHTS), label_smoothing=0.3,
                                                  **o)),
    "binary_cross_entropy": Case(lambda x, **o: losses.binary_cross_entropy(x, YES, **o), A,
                                 twin=lambda F, t, x, **o: F.binary_cross_entropy_with_logits(x, t(YES), **o)),
    "cross_entropy, some ignored": Case(
        lambda x, **o: losses.cross_entropy(x, IGNORED, 0.1, WEIGHTS, ignore_index=-100, **o), LOGITS,
        twin=lambda F, t, x, **o: F.cross_entropy(x, t(IGNORED), weight=t(WEIGHTS), label_smoothing=0.1, **o)),
    "cross_entropy, a class ignored": Case(
        lambda x, **o: losses.cross_entropy(x, LABELS, ignore_index=2, **o), LOGITS,
        twin=lambda F, t, x, **o: F.cross_entropy(x, t(LABELS), ignore_index=2, **o)),
    "cross_entropy of probabilities": Case(lambda x, **o: losses.cross_entropy(x, PROBABILITIES, **o), LOGITS,
                                           twin=lambda F, t, x, **o: F.cross_entropy(x, t(PROBABILITIES), **o)),
    "cross_entropy of probabilities, weighted": Case(
        lambda x, **o: losses.cross_entropy(x, PROBABILITIES, 0.2, WEIGHTS, **o), LOGITS,
        twin=lambda F, t, x, **o: F.cross_entropy(x, t(PROBABILITIES), weight=t(WEIGHTS), label_smoothing=0.2, **o)),
    "cross_entropy of places": Case(
        lambda x, **o: losses.cross_entropy(x, PLACES, 0.1, WEIGHTS, ignore_index=1, **o), IMAGES,
        twin=lambda F, t, x, **o: F.cross_entropy(x.movedim(-1, 1), t(PLACES), weight=t(WEIGHTS), label_smoothing=0.1,
                                                  ignore_index=1, **o)),
    "cross_entropy of places, plain": Case(lambda x, **o: losses.cross_entropy(x, PLACES, **o), IMAGES,
                                           twin=lambda F, t, x, **o: F.cross_entropy(x.movedim(-1, 1), t(PLACES), **o)),
    "categorical_nll": Case(lambda x, **o: losses.categorical_nll(x, LABELS, WEIGHTS, ignore_index=1, **o), LOGITS,
                            twin=lambda F, t, x, **o: F.nll_loss(x, t(LABELS), weight=t(WEIGHTS), ignore_index=1, **o)),
    "categorical_nll of places": Case(
        lambda x, **o: losses.categorical_nll(x, PLACES, **o), IMAGES,
        twin=lambda F, t, x, **o: F.nll_loss(x.movedim(-1, 1).contiguous(), t(PLACES), **o)),
    "binary_cross_entropy weighted": Case(
        lambda x, **o: losses.binary_cross_entropy(x, YES, weights=YES[:, :1], pos_weight=WEIGHTS, **o), A,
        twin=lambda F, t, x, **o: F.binary_cross_entropy_with_logits(
            x, t(YES), weight=t(YES[:, :1]), pos_weight=t(WEIGHTS), **o)),
    "bernoulli_nll": Case(
        lambda x, **o: losses.bernoulli_nll(x, YES, weights=WEIGHTS, **o), PROBABILITIES,
        twin=lambda F, t, x, **o: F.binary_cross_entropy(x, t(YES), weight=t(WEIGHTS).expand(6, 5), **o)),
    "mean_squared_error": Case(lambda x, **o: losses.mean_squared_error(x, B, **o), A,
                               twin=lambda F, t, x, **o: F.mse_loss(x, t(B), **o)),
    "absolute_error": Case(lambda x, **o: losses.absolute_error(x, B, **o), A,
                           twin=lambda F, t, x, **o: F.l1_loss(x, t(B), **o)),
    "huber": Case(lambda x, **o: losses.huber(x, B, 0.7, **o), A,
                  twin=lambda F, t, x, **o: F.huber_loss(x, t(B), delta=0.7, **o)),
    "hinge": Case(lambda x, **o: losses.hinge(x, LABELS, 0.8, **o), LOGITS,
                  twin=lambda F, t, x, **o: 5 * F.multi_margin_loss(x, t(LABELS), margin=0.8, **o)),
    "kl_divergence": Case(lambda x, **o: losses.kl_divergence(x, PROBABILITIES, **o), LOGITS,
                          twin=lambda F, t, x, reduction="mean": {"mean": lambda v: v.mean(), "sum": lambda v: v.sum(),
                                                                  "none": lambda v: v}[reduction](
                                   F.kl_div(x.log_softmax(1), t(PROBABILITIES), reduction="none").sum(1))),
    "gaussian_nll": Case(
        lambda x, **o: losses.gaussian_nll(x, B, PRECISION, **o), A,
        twin=lambda F, t, x, **o: F.gaussian_nll_loss(x, t(B), t(1 / PRECISION).expand(6, 5), full=True, **o)),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", CASES)
def test_equals_pytorch_forward_and_back(name, reduction):
    torch = pytest.importorskip("torch")
    case = CASES[name]
    loss, x = case.loss, case.x
    a = tensor(x, requires_grad=True)
    b = torch.tensor(x, requires_grad=True)
    y = loss(a, reduction=reduction)
    z = case.twin(torch.nn.functional, torch.tensor, b, reduction=reduction)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-12, atol=1e-13)
    u = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(u)
    z.backward(torch.tensor(u))
    np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", CASES)
def test_first_and_second_derivatives_by_differences(name, reduction):
    loss, x = CASES[name].loss, CASES[name].x
    gradcheck(lambda z: loss(z, reduction=reduction), x)
    gradgradcheck(lambda z: loss(z, reduction=reduction), x)


def test_targets_with_history_and_a_learned_precision_are_differentiated_too():
    for loss in (losses.mean_squared_error, losses.absolute_error, losses.huber):
        gradcheck(loss, A, B)
    gradcheck(losses.gaussian_nll, A, B, PRECISION)
    gradgradcheck(losses.gaussian_nll, A, B, PRECISION)
    gradcheck(losses.kl_divergence, LOGITS, np.full((6, 5), 0.2), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_have_the_dtype_of_the_prediction(name, dtype):
    loss, x = CASES[name].loss, CASES[name].x               # targets are float64
    for reduction in ("mean", "sum", "none"):
        a = tensor(x.astype(dtype), requires_grad=True)
        y = loss(a, reduction=reduction)
        assert y.dtype == dtype
        y.backward(np.ones(y.shape, dtype))
        assert a.grad.dtype == dtype


@pytest.mark.parametrize("name", CASES)
def test_a_loss_of_arrays_is_a_number_without_graph(name):
    loss, x = CASES[name].loss, CASES[name].x
    np.testing.assert_allclose(loss(x), loss(Tensor(x)).data, rtol=1e-12)


TARGETS = {"categorical_nll": LABELS, "bernoulli_nll": YES, "cross_entropy": LABELS,
           "hinge": LABELS, "zero_one_error": LABELS,
           "binary_cross_entropy": YES,
           "mean_squared_error": B, "absolute_error": B, "huber": B, "kl_divergence": PROBABILITIES, "gaussian_nll": B}


def test_every_loss_has_a_target_here():
    public = {name for name, f in vars(losses).items() if callable(f) and f.__module__ == losses.__name__}
    assert {name for name in public if not name.startswith("_")} == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_predictions_and_targets_may_be_arrays_or_lists(name):
    loss, target, A = getattr(losses, name), TARGETS[name], PROBABILITIES if name == "bernoulli_nll" else B + 1
    wanted = loss(A, target)
    assert not isinstance(wanted, Tensor)
    for x in (A.tolist(), tuple(map(tuple, A.tolist()))):
        y = loss(x, target.tolist())
        assert y == wanted and np.asarray(y).dtype == np.float64 and not isinstance(y, Tensor)
    assert float(loss(Tensor(A), target.tolist())) == wanted == float(loss(Tensor(A), Tensor(target)))
    x = tensor(A, requires_grad=True)
    if name != "zero_one_error":
        loss(x, target.tolist()).backward()
        assert x.grad.any()


def test_a_parameter_is_a_prediction_and_a_file_in_memory_keeps_its_dtype(tmp_path):
    p = nn.Parameter(A.astype(np.float32))
    losses.mean_squared_error(p, B).backward()
    assert p.grad.any()
    mapped = np.memmap(tmp_path / "a", np.float32, "w+", shape=A.shape)
    assert losses.mean_squared_error(mapped, B).dtype == np.float32


@pytest.mark.parametrize("name", TARGETS)
def test_integers_as_predictions_count_as_float64_and_do_not_round_the_target(name):
    loss, target, x = getattr(losses, name), TARGETS[name], ((3 if name != "bernoulli_nll" else 0.4) * A).astype(int)
    wanted = loss(x.astype(float), target)
    assert loss(x, target) == loss(x.tolist(), target) == float(loss(Tensor(x), target)) == wanted


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_no_array_of_numbers_is_refused(name):
    loss, target = getattr(losses, name), TARGETS[name]
    wanted = f"{name}: the prediction must be a Tensor or an array of numbers, got "
    for x, message in ((None, "NoneType"), ("ab", "str"), (np.array(["a"]), "dtype <U1")):
        with pytest.raises(ValueError, match=wanted + message):
            loss(x, target)
    with pytest.raises(ValueError, match=f"{name}: the prediction must be .* a list whose parts differ in length"):
        loss([[1.0, 2.0], [3.0]], target)
    with pytest.raises(ValueError, match=f"{name}: the prediction is a list of Tensors; join them first: ops.stack"):
        loss([tensor(row, requires_grad=True) for row in A], target)
    if name not in ("categorical_nll", "cross_entropy", "hinge", "zero_one_error"):
        with pytest.raises(ValueError, match=f"{name}: the target is a list of Tensors"):
            loss(A, [tensor(row, requires_grad=True) for row in target])
        with pytest.raises(ValueError, match=f"{name}: the target must hold numbers, got dtype <U1"):
            loss(np.ones(2), ["a", "b"])


# -------------------------------------------------------------------------------------------------------- cross-entropy

def test_plain_cross_entropy_is_the_fused_op_and_equals_the_long_way():
    x = tensor(LOGITS, requires_grad=True)
    y = losses.cross_entropy(x, LABELS)
    assert y.node.op.name == "softmax_cross_entropy"
    long = losses.cross_entropy(Tensor(LOGITS), LABELS, weights=np.ones(5))
    np.testing.assert_allclose(y.data, long.data, rtol=1e-13)


def test_label_smoothing_has_its_least_value_at_the_smoothed_distribution():
    s, k = 0.1, 5
    t = np.full(k, s / k)
    t[2] += 1 - s
    x = tensor(np.log(t)[None], requires_grad=True)
    y = losses.cross_entropy(x, [2], label_smoothing=s)
    assert y.item() == pytest.approx(-(t * np.log(t)).sum(), rel=1e-12)       # its entropy, not 0
    y.backward()
    assert np.abs(x.grad).max() < 1e-15


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weights": np.ones(2)}], ids=str)
def test_equal_logits_of_any_size_cost_log_k(options):
    for size in 10.0 ** np.arange(9):
        x = np.full((3, 2), size, np.float32)
        assert losses.cross_entropy(x, [0, 1, 0], **options) == pytest.approx(math.log(2), rel=1e-6)


def test_classes_that_are_ruled_out_by_a_logit_of_minus_infinity():
    x = np.array([[0.5, -np.inf, 1.5], [1.0, 2.0, -np.inf]])
    wanted = losses.cross_entropy(x, [0, 1])
    assert np.isfinite(wanted)
    for options in ({"weights": np.ones(3)}, {"reduction": "none"}):
        z = tensor(x, requires_grad=True)
        y = losses.cross_entropy(z, [0, 1], **options)
        assert np.mean(y.data) == pytest.approx(wanted, rel=1e-13)
        y.backward(np.ones(y.shape))
        assert np.isfinite(z.grad).all() and z.grad[0, 1] == 0
    assert losses.kl_divergence(x, np.eye(3)[[0, 1]]) == pytest.approx(wanted, rel=1e-13)


def test_cross_entropy_of_extreme_logits_is_finite():
    for dtype in (np.float32, np.float64):
        for options in ({}, {"label_smoothing": 0.1}, {"weights": np.ones(3)}):
            x = tensor(np.array([[1e4, -1e4, 0.0]], dtype), requires_grad=True)
            y = losses.cross_entropy(x, [1], **options)
            y.backward()
            assert np.isfinite(y.data) and np.isfinite(x.grad).all() and y.item() > 1e4


# ------------------------------------------------------------------------------------------------- binary cross-entropy

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_cross_entropy_at_plus_and_minus_1000(dtype):
    z = tensor(np.array([1000, -1000, 1000, -1000, 0, -60, 60], dtype), requires_grad=True)
    t = np.array([1, 0, 0, 1, 1, 0, 1])
    y = losses.binary_cross_entropy(z, t, reduction="none")
    wanted = np.array([0, 0, 1000, 1000, math.log(2), math.exp(-60), math.exp(-60)])
    np.testing.assert_allclose(y.data, wanted.astype(dtype), rtol=1e-6)         # e^-60 is not rounded to 0
    y.backward(np.ones(7, dtype))
    np.testing.assert_allclose(z.grad, np.array([0, 0, 1, -1, -0.5, math.exp(-60), -math.exp(-60)]), rtol=1e-5,
                               atol=1e-7)


def test_labels_are_never_modified():
    for name, target in (("binary_cross_entropy", YES), ("mean_squared_error", B), ("kl_divergence", PROBABILITIES),
                         ("absolute_error", B), ("huber", B), ("gaussian_nll", B)):
        for values in (target.copy(), target.round().astype(np.float32)):
            if name == "kl_divergence" and values.dtype == np.float32:
                continue
            before = values.copy()
            values.flags.writeable = False
            x = tensor(A, requires_grad=True)
            getattr(losses, name)(x, values).backward()
            np.testing.assert_array_equal(values, before)
    labels = LABELS.copy()
    for loss in (losses.cross_entropy, losses.hinge, losses.zero_one_error):
        loss(Tensor(LOGITS), labels)
        np.testing.assert_array_equal(labels, LABELS)


def test_boolean_and_integer_targets():
    t = YES > 0.5
    wanted = losses.binary_cross_entropy(A, t.astype(float))
    assert losses.binary_cross_entropy(A, t) == wanted == losses.binary_cross_entropy(A, t.astype(int))
    assert losses.mean_squared_error(np.ones(2, np.float32), [0, 3]).dtype == np.float32


# --------------------------------------------------------------------------------------------------------- closed forms

def test_huber_is_quadratic_inside_linear_outside_and_smooth_at_its_centre():
    d = tensor(np.array([0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0]), requires_grad=True)
    y = losses.huber(d, np.zeros(7), 1.0, reduction="none")
    np.testing.assert_allclose(y.data, [0, 0.125, 0.125, 0.5, 0.5, 2.5, 2.5])
    g = core.grad(y, d, np.ones(7), create_graph=True)
    np.testing.assert_allclose(g.data, [0, 0.5, -0.5, 1, -1, 1, -1])
    h = core.grad(g, d, np.ones(7))
    np.testing.assert_allclose(h.data[[0, 1, 2, 5, 6]], [1, 1, 1, 0, 0])


def test_hinge_is_zero_beyond_the_margin():
    scores = np.array([[3.0, 1.0, 1.9], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(losses.hinge(scores, [0, 1], reduction="none"), [0, 2])
    np.testing.assert_allclose(losses.hinge(scores, [2, 1], reduction="none"), [2.1 + 0.1, 2])


def test_kl_divergence_is_zero_for_equal_distributions_and_takes_zeros():
    x = tensor(np.log(PROBABILITIES), requires_grad=True)
    y = losses.kl_divergence(x, PROBABILITIES, "none")
    assert np.abs(y.data).max() < 1e-14
    one_hot = np.eye(5)[LABELS]
    np.testing.assert_allclose(losses.kl_divergence(LOGITS, one_hot), losses.cross_entropy(LOGITS, LABELS), rtol=1e-12)


def test_gaussian_nll_is_the_density_and_its_best_precision_is_the_inverse_variance():
    stats = pytest.importorskip("scipy.stats")
    y = losses.gaussian_nll(A, B, PRECISION, "none")
    np.testing.assert_allclose(y, -stats.norm.logpdf(B, A, PRECISION ** -0.5), rtol=1e-12)
    log_beta = tensor(np.array(np.log(1 / np.mean((A - B) ** 2))), requires_grad=True)
    losses.gaussian_nll(A, B, ops.exp(log_beta)).backward()
    assert abs(log_beta.grad) < 1e-14


def test_zero_one_error_counts_and_can_be_zero_where_the_surrogate_is_not():
    x = np.array([[2.0, 1.0], [0.0, 0.1], [5.0, 4.0], [0.0, 3.0]])
    assert losses.zero_one_error(x, [0, 1, 1, 1]) == 0.25
    assert losses.zero_one_error(Tensor(x), np.array([0, 1, 0, 1])) == 0.0
    assert losses.cross_entropy(x, np.array([0, 1, 0, 1])) > 0.1
    assert isinstance(losses.zero_one_error(x, [0, 1, 1, 1]), float)


# -------------------------------------------------------------------------------------------------------------- refused

@pytest.mark.parametrize("name", ["mean_squared_error", "absolute_error", "huber", "gaussian_nll",
                                  "binary_cross_entropy", "kl_divergence"])
def test_m_against_m_1_is_refused(name):
    loss = getattr(losses, name)
    with pytest.raises(ValueError, match=rf"{name}: .*one shape.*\(4, 1\).*\(4,\).*reshape"):
        loss(Tensor(np.ones((4, 1))), np.ones(4))
    with pytest.raises(ValueError, match=rf"{name}: .*one shape"):
        loss(Tensor(np.ones((4, 2))), np.ones((4, 3)))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: losses.cross_entropy(LOGITS, LABELS[:, None], reduction="sum"), r"\(m,\), got \(6, 5\) and \(6, 1\)"),
    (lambda: losses.cross_entropy(LOGITS, LABELS[:, None]), r"labels \(m,\), got \(6, 5\) and \(6, 1\)"),
    (lambda: losses.cross_entropy(LOGITS, LABELS * 1.0, 0.1), "labels must be integers, got float64"),
    (lambda: losses.cross_entropy(LOGITS, LABELS + 1, 0.1), r"\[0, 5\), got 1 to 5"),
    (lambda: losses.cross_entropy(LOGITS, LABELS - 1, reduction="none"), r"\[0, 5\), got -1 to 3"),
    (lambda: losses.cross_entropy(LOGITS, LABELS, 1.5), "label_smoothing must be a number"),
    (lambda: losses.cross_entropy(LOGITS, LABELS, weights=[1, 2]), r"weights must be \(5,\).*\(2,\)"),
    (lambda: losses.cross_entropy(LOGITS, LABELS, weights=-WEIGHTS), "none negative"),
    (lambda: losses.cross_entropy(LOGITS, LABELS, weights=np.zeros(5)), "weights of all labels are 0"),
    (lambda: losses.cross_entropy(LOGITS, LABELS, reduction="average"), 'reduction must be "mean", "sum" or "none"'),
    (lambda: losses.cross_entropy(LOGITS, B), "cross_entropy: each row of the target must hold probabilities"),
    (lambda: losses.cross_entropy(LOGITS, PROBABILITIES, ignore_index=0), "of probabilities none can be ignored"),
    (lambda: losses.cross_entropy(LOGITS, LABELS, ignore_index=0.5), "ignore_index must be an integer"),
    (lambda: losses.cross_entropy(LOGITS, np.full(6, 3), ignore_index=3), "but for those that are ignored.*no mean"),
    (lambda: losses.cross_entropy(np.moveaxis(IMAGES, -1, 1), PLACES), r"the classes are the last axis: ops.moveaxis"),
    (lambda: losses.categorical_nll(LOGITS, LABELS + 1), r"categorical_nll: labels must lie in \[0, 5\)"),
    (lambda: losses.binary_cross_entropy(A, YES, weights=np.ones(4)), r"weights must be none negative and broadcast"),
    (lambda: losses.binary_cross_entropy(A, YES, pos_weight=-1.0), "pos_weight must be none negative"),
    (lambda: losses.bernoulli_nll(A, YES), r"probabilities must lie in \[0, 1\].*binary_cross_entropy"),
    (lambda: losses.bernoulli_nll(PROBABILITIES, A), r"bernoulli_nll: targets must lie in \[0, 1\]"),
    (lambda: losses.hinge(LOGITS, LABELS + 1), r"hinge: labels must lie in \[0, 5\)"),
    (lambda: losses.hinge(LOGITS[0], LABELS[0]), r"hinge: wanted logits \(m, k\)"),
    (lambda: losses.binary_cross_entropy(A, B), r"binary_cross_entropy: targets must lie in \[0, 1\]"),
    (lambda: losses.binary_cross_entropy(A, np.full((6, 5), np.nan)), "targets must lie"),
    (lambda: losses.kl_divergence(LOGITS, B), "probabilities that sum to 1"),
    (lambda: losses.kl_divergence(A[0], PROBABILITIES[0]), r"wanted logits \(m, k\)"),
    (lambda: losses.huber(A, B, 0), r"threshold must be a number in \(0, inf\], got 0"),
    (lambda: losses.gaussian_nll(A, B, -1.0), "precision must be positive, got -1"),
    (lambda: losses.gaussian_nll(A, B, np.ones((6, 1, 1))), r"broadcast to the mean's shape \(6, 5\), got \(6, 1, 1\)"),
    (lambda: losses.gaussian_nll(A, B, np.ones(6)), r"broadcast to the mean's shape \(6, 5\), got \(6,\)"),
    (lambda: losses.zero_one_error(np.empty((0, 3)), np.empty(0, int)), "no examples"),
    (lambda: losses.mean_squared_error(np.empty(0), np.empty(0)), "no elements"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_probabilities_of_0_and_1_cost_what_they_cost_in_pytorch():
    torch = pytest.importorskip("torch")
    p, t = (np.array(x) for x in ([0.0, 0, 0, 1, 1, 1, 0.5, 1e-13], [0.0, 1, 0.5, 0, 1, 0.5, 0.5, 1]))
    a, b = tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    y, z = losses.bernoulli_nll(a, t), torch.nn.functional.binary_cross_entropy(b, torch.tensor(t))
    y.backward()
    z.backward()
    np.testing.assert_allclose(y.data, z.item(), rtol=1e-13)
    wanted = b.grad.numpy()
    wanted[[0, 4]] = [1 / 8, -1 / 8]                    # PyTorch has 0 there, the derivatives are those of log(1 +- x)
    np.testing.assert_allclose(a.grad, wanted, rtol=1e-8)


def test_ignored_examples_have_no_part_in_the_loss():
    x = tensor(np.where(LABELS[:, None] == 2, [[0.0, -np.inf, 0, -np.inf, 1]], LOGITS), requires_grad=True)
    y = losses.cross_entropy(x, LABELS, ignore_index=2)
    y.backward()
    assert y.item() == pytest.approx(losses.cross_entropy(LOGITS[LABELS != 2], LABELS[LABELS != 2]), rel=1e-14)
    assert not x.grad[LABELS == 2].any() and x.grad[LABELS != 2].all()
    assert losses.zero_one_error(IMAGES, PLACES) == np.mean(IMAGES.argmax(-1) != PLACES)


def test_the_divisor_of_a_batch_makes_batches_a_whole():
    for options, x, target in (({}, IMAGES, PLACES), ({"ignore_index": 2}, LOGITS, LABELS), ({}, LOGITS, PROBABILITIES),
                               ({"weights": WEIGHTS, "ignore_index": -100}, LOGITS, IGNORED),
                               ({"weights": WEIGHTS}, LOGITS, PROBABILITIES)):
        parts = [slice(0, 1), slice(1, None)]
        divisors = [losses.cross_entropy.denominator(target[part], **options) for part in parts]
        whole = sum(losses.cross_entropy(x[part], target[part], **options) * n for part, n in zip(parts, divisors))
        assert whole / sum(divisors) == pytest.approx(losses.cross_entropy(x, target, **options), rel=1e-13)


@pytest.mark.parametrize("number", [np.float64(0.1), np.float32(0.1)])
def test_a_label_smoothing_of_numpys_does_not_widen_the_loss(number):
    assert losses.cross_entropy(Tensor(np.zeros((2, 3), np.float32)), [0, 1], number).dtype == np.float32


@pytest.mark.parametrize("smoothing", [[1.0, 1.0, 1.0], np.ones(3), "0.1", None, 1.5])
def test_what_is_no_label_smoothing_is_refused_and_weights_are_pointed_at(smoothing):
    with pytest.raises(ValueError, match=r"cross_entropy: label_smoothing must be a number .* weights="):
        losses.cross_entropy(np.zeros((2, 3)), [0, 1], smoothing)


@pytest.mark.parametrize("total, accepted", [(1.0005, True), (0.9995, True), (1.002, False), (0.998, False)])
def test_probabilities_sum_to_one_within_a_thousandth(total, accepted):
    logits, p = np.zeros((1, 2)), np.array([[0.25, 0.75]]) * total
    if accepted:
        assert np.isfinite(losses.kl_divergence(logits, p))
    else:
        with pytest.raises(ValueError, match="probabilities that sum to 1"):
            losses.kl_divergence(logits, p)
