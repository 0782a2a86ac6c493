"""J(theta) of a model: derivatives against differences, nothing of the model changes, and both loops give one theta."""
import inspect
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigrad import Objective, losses, nn, ops, optim
from minigrad.core import Tensor, no_grad, tensor

rng = np.random.default_rng(0)
x, labels = rng.standard_normal((7, 4)), rng.integers(0, 3, 7)


def mlp(seed=0):
    return nn.Sequential(nn.Linear(4, 5, rng=seed), nn.Tanh(), nn.Linear(5, 3, rng=seed + 1)).astype(np.float64)


def an_objective(**options):
    model = mlp()
    return Objective(model, losses.cross_entropy, x, labels, **options)


def test_value_gradient_and_hessian_vector_products_agree_with_differences():
    J = an_objective(regularizer=lambda model: 0.1 * (model[0].w ** 2).sum())
    theta, h = J.parameters.theta + 0.3, 1e-5
    g = J.grad(theta)
    for _ in range(5):
        v, u = rng.standard_normal(theta.size), rng.standard_normal(theta.size)
        np.testing.assert_allclose((J.value(theta + h * v) - J.value(theta - h * v)) / (2 * h), g @ v, rtol=1e-7)
        Hv = J.hvp(theta, v)
        np.testing.assert_allclose((J.grad(theta + h * v) - J.grad(theta - h * v)) / (2 * h), Hv, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(u @ Hv, v @ J.hvp(theta, u), rtol=1e-11)
    value, again = J.value_and_grad(theta)
    assert value == J.value(theta) == J(theta) and np.array_equal(again, g)


def test_results_are_fresh_and_the_model_is_untouched():
    J = an_objective()
    params, model = J.parameters, J.model
    losses.cross_entropy(model(Tensor(x)), labels).backward()
    theta, g = params.theta.copy(), params.g.copy()
    trial = theta + 1
    a, b = J.grad(trial), J.grad(trial)
    J.hvp(trial, a)
    J.value()
    own = J.grad()
    assert a is not b
    assert not any(np.shares_memory(part, params.g) or np.shares_memory(part, trial) for part in (a, b, own))
    assert np.array_equal(params.theta, theta) and np.array_equal(params.g, g) and not params.unwritten
    np.testing.assert_allclose(own, g, rtol=1e-13)
    assert np.array_equal(trial, theta + 1)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_theta_is_restored_whatever_the_model_raises(error):
    class Fails(nn.Module):
        def __init__(self):
            self.inner, self.raising = nn.Linear(4, 3, rng=0).astype(np.float64), False

        def forward(self, x):
            y = self.inner(x)
            if self.raising:
                raise error
            return y

    model = Fails()
    J = Objective(model, losses.cross_entropy, x, labels)
    theta = J.parameters.theta.copy()
    model.raising = True
    for call in (J.value, J.grad, lambda theta: J.hvp(theta, theta)):
        with pytest.raises(error):
            call(theta + 1)
        assert np.array_equal(J.parameters.theta, theta) and J.parameters.unwritten == {"inner.w", "inner.b"}
    model.raising = False
    assert J.value(theta) == J.value()


def test_theta_may_be_the_model_s_own_vector_or_overlap_it():
    J = an_objective()
    own = J.parameters.theta
    before = own.copy()
    assert J.value(own) == J.value() == J.value(own.copy()) == J.value(own[:])
    assert J.value(own[::-1]) == J.value(before[::-1].copy()) != J.value()
    assert np.array_equal(own, before)


def test_frozen_layers_have_zeros():
    J = an_objective()
    J.model[0].freeze()
    g = J.grad()
    assert (g[:25] == 0).all() and g[25:].all()
    v = rng.standard_normal(g.size)
    assert (J.hvp(None, v)[:25] == 0).all() and J.hvp(None, v)[25:].any()
    J.model.freeze()
    assert (J.grad() == 0).all() and (J.hvp(None, v) == 0).all()


def test_a_linear_objective_has_no_curvature():
    model = nn.Linear(4, 1, rng=0).astype(np.float64)
    J = Objective(model, lambda y, _: y.sum(), x, None)
    assert (J.hvp(None, np.ones(5)) == 0).all()


def test_what_does_not_fit_is_refused():
    J = an_objective()
    theta = J.parameters.theta.copy()
    for call in (lambda: J.value(np.zeros(3)), lambda: J.grad(np.zeros((43, 1))), lambda: J.hvp(theta, np.zeros(3))):
        with pytest.raises(ValueError, match=r"Objective: (theta|v) must have shape \(43,\), got"):
            call()
    assert np.array_equal(J.parameters.theta, theta)


def test_a_graph_made_at_a_trial_point_is_refused_afterwards():
    J = an_objective()
    with J.at(J.parameters.theta + 1):
        loss = J.tensor()
    with pytest.raises(RuntimeError, match="has changed since"):
        loss.backward()


def test_random_layers_draw_the_same_at_every_evaluation_and_their_generators_are_put_back():
    class Noisy(nn.Module):
        def __init__(self):
            self.w, self.rng = nn.Parameter(np.ones(3)), np.random.default_rng(4)

        def forward(self, x):
            return (self.w * self.rng.standard_normal(3)).sum()

    model = Noisy()
    J = Objective(model, lambda y, _: y * y, x, None)
    state = model.rng.bit_generator.state
    theta = np.array([1.0, 2.0, 3.0])
    assert J.value(theta) == J.value(theta)
    g, h = J.grad(theta), 1e-6
    for i, e in enumerate(np.eye(3)):
        np.testing.assert_allclose((J.value(theta + h * e) - J.value(theta - h * e)) / (2 * h), g[i], rtol=1e-6)
    assert model.rng.bit_generator.state == state


@pytest.mark.parametrize("method", ["value", "grad", "linearize"])
def test_threads_may_share_a_model_and_an_objective(method):
    """Evaluations wait for each other: the right values, and theta as it was."""
    J, points = an_objective(), [rng.standard_normal(43) for _ in range(60)]
    of_the_same_model = Objective(J.model, losses.cross_entropy, x[:3], labels[:3])

    def both(theta):
        results = [getattr(objective, method)(theta) for objective in (J, of_the_same_model)]
        return [at.value if method == "linearize" else at for at in results]

    before = J.parameters.theta.copy()
    wanted = [both(theta) for theta in points]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)                        # threads take turns as often as they can
    try:
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(both, points))
    finally:
        sys.setswitchinterval(switch)
    assert all(np.array_equal(a, b) for row, other in zip(got, wanted) for a, b in zip(row, other))
    assert J.parameters.theta.tobytes() == before.tobytes()


# ------------------------------------------------------------------------------------------------ both loops, one theta

FIRST_ORDER = sorted(name for name, cls in vars(optim).items()
                     if inspect.isclass(cls) and issubclass(cls, optim.FirstOrder) and cls is not optim.FirstOrder)
RATES = {"AdaDelta": {}, "VSGD": None, "SAM": None}


@pytest.mark.parametrize("name", FIRST_ORDER)
@pytest.mark.parametrize("extra", [{}, {"weight_decay": 0.01}])
def test_step_after_backward_equals_step_with_an_objective(name, extra):
    cls = getattr(optim, name)
    if RATES.get(name, {}) is None:
        pytest.skip(f"{name} asks its objective for more than a gradient")
    paths = []
    for with_objective in (False, True):
        model = mlp()
        params = model.parameters()
        lr = optim.schedules.Linear(0.05, 0.01, 8) if name not in ("DeltaBarDelta", "Rprop", "RpropMinus") else 0.05
        opt = cls(params, **RATES.get(name, {"lr": lr}), **extra)
        J, path = Objective(model, losses.cross_entropy, x, labels), []
        for _ in range(10):
            if with_objective:
                opt.step(J)
            else:
                opt.zero_grad()
                losses.cross_entropy(model(Tensor(x)), labels).backward()
                opt.step()
            with opt.at_theta() as theta:
                path.append(theta.copy())
        paths.append(path)
    np.testing.assert_allclose(paths[0], paths[1], rtol=0, atol=1e-13)
    assert not np.allclose(paths[0][0], paths[0][-1])


def test_a_second_order_method_moves_a_real_model():
    J = an_objective(regularizer=lambda model: 0.01 * sum((p * p).sum() for p in model.parameters()))
    start = J.value()
    from minigrad.optim.second_order.quasi_newton import LBFGS
    opt = LBFGS(J.parameters)
    for _ in range(20):
        opt.step(J)
    assert J.value() < 0.5 * start


def test_an_objective_of_a_bare_function():
    class Bowl(nn.Module):
        def __init__(self):
            self.theta = nn.Parameter(np.array([3.0, -1.0]))

        def forward(self, scale):
            return ops.sum(self.theta ** 2 * scale)

    J = Objective(Bowl(), lambda y, _: y, tensor([1.0, 10.0], dtype=np.float64), None)
    assert J.value() == 19 and J.grad().tolist() == [6, -20] and J.hvp(None, np.ones(2)).tolist() == [2, 20]


def test_theta_comes_back_also_if_the_model_is_laid_out_anew_meanwhile():
    J = an_objective()
    before = J.parameters.theta.copy()
    with J.at(before + 1):
        larger = nn.Sequential(nn.Linear(4, 4, rng=9).astype(np.float64), J.model).parameters()
        assert np.array_equal(larger.theta[-43:], before + 1)
    assert np.array_equal(J.parameters.theta, before) and np.array_equal(larger.theta[-43:], before)
    assert np.array_equal(J.model[2].b.data, before[-3:])


def test_derivatives_do_not_depend_on_whether_ops_are_recorded_outside():
    J = an_objective()
    theta, v = J.parameters.theta + 1, np.ones(43)
    for call in (J.value, J.grad, lambda theta: J.hvp(theta, v), lambda theta: J.ggnvp(theta, v), J.example_grads):
        wanted = call(theta)
        with no_grad():
            np.testing.assert_array_equal(call(theta), wanted)


# --------------------------------------------------------------------------------------------------------------- misuse

class Forgets(nn.Module):
    """A forward without a return."""

    def __init__(self):
        self.layer = nn.Linear(4, 3, rng=0)

    def forward(self, x):
        self.layer(x)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Objective(lambda x: x, losses.cross_entropy, x, labels), "model must be a Module, got <function"),
    (lambda: Objective(nn.Linear, losses.cross_entropy, x, labels), "model must be a Module, got <class"),
    (lambda: Objective(mlp(), "cross_entropy", x, labels), "loss must be a function .*, got 'cross_entropy' and None"),
    (lambda: an_objective(regularizer=0.1), "regularizer None or a function model -> Tensor, got .* and 0.1"),
])
def test_what_no_objective_is_made_of(make, message):
    with pytest.raises(ValueError, match=f"Objective: .*{message}"):
        make()


@pytest.mark.parametrize(("loss", "regularizer", "message"), [
    (lambda z, y: 1.0, None, r"loss\(output, y\) must be a Tensor with a single number, got 1.0"),
    (lambda z, y: z.data.sum(), None, r"loss\(output, y\) must be a Tensor"),
    (lambda z, y: None, None, "a single number, got None"),
    (lambda z, y: z, None, r"a single number, got shape \(7, 3\)"),
    (losses.cross_entropy, lambda model: None, r"regularizer\(model\) must be a Tensor with a single number, got None"),
    (losses.cross_entropy, lambda model: model[0].w, r"regularizer\(model\) must be .*, got shape \(4, 5\)"),
])
def test_what_is_no_number_is_named(loss, regularizer, message):
    J = Objective(mlp(), loss, x, labels, regularizer)
    theta = J.parameters.theta.copy()
    for call in (J.value, J.grad, J.linearize, J.example_grads):
        with pytest.raises(ValueError, match=f"Objective: .*{message}"):
            call(theta + 1)
        assert np.array_equal(J.parameters.theta, theta)


def test_a_forward_without_a_return_is_named():
    for model, name in ((Forgets(), "Forgets.forward"),
                        (nn.Sequential(Forgets(), ops.relu), r"Sequential\[0\] \(Forgets\): Forgets.forward"),
                        (nn.Sequential(nn.Linear(4, 3), lambda x: None), r"Sequential\[1\] \(<lambda>\):")):
        with pytest.raises(ValueError, match=f"^{name} returned None: is a return missing"):
            model(Tensor(x.astype(np.float32)))


def test_a_regularizer_that_is_a_constant_is_part_of_the_value_only():
    J, K = an_objective(), an_objective(regularizer=lambda model: 2.5)
    theta, v = J.parameters.theta + 1, np.ones(43)
    at = K.linearize(theta)
    assert K.value(theta) == at.value == pytest.approx(J.value(theta) + 2.5, rel=1e-15)
    for name in ("grad", "example_grads", "example_grad_squares"):
        np.testing.assert_array_equal(getattr(K, name)(theta), getattr(J, name)(theta))
    np.testing.assert_array_equal(at.hvp(v), J.hvp(theta, v))
    np.testing.assert_array_equal(at.ggnvp(v), J.ggnvp(theta, v))
