"""Every first-order method against its box, transcribed on its own in minigrad.testing.boxes."""
import inspect

import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import schedules
from minigrad.testing import boxes
from minigrad.testing.optimizers import LeastSquares, check_optimizer

BOXES = {
    optim.SGD: boxes.sgd, optim.Momentum: boxes.momentum, optim.Nesterov: boxes.nesterov,
    optim.NesterovNotes: boxes.nesterov_notes, optim.MomentumNotes: boxes.momentum_notes, optim.AdaGrad: boxes.adagrad,
    optim.RMSProp: boxes.rmsprop, optim.RMSPropNesterov: boxes.rmsprop_nesterov, optim.AdaDelta: boxes.adadelta,
    optim.Adam: boxes.adam, optim.AdaMax: boxes.adamax, optim.AdamW: boxes.adamw,
    optim.DeltaBarDelta: boxes.delta_bar_delta, optim.Rprop: boxes.rprop, optim.RpropMinus: boxes.rprop_minus,
    optim.VSGD: boxes.vsgd, optim.AMSGrad: boxes.amsgrad, optim.NAdam: boxes.nadam, optim.RAdam: boxes.radam,
    optim.Lion: boxes.lion, optim.Muon: boxes.muon, optim.SAM: boxes.sam, optim.ScheduleFree: boxes.schedule_free,
}
EVERY = pytest.mark.parametrize(("method", "box"), BOXES.items(), ids=lambda value: value.__name__)
RISING = schedules.Linear(0.5, 0.95, 100)


def test_every_first_order_method_has_its_box():
    public = (getattr(optim, name) for name in optim.__all__)
    assert set(BOXES) == {value for value in public if isinstance(value, type) and issubclass(value, optim.FirstOrder)
                          and value is not optim.FirstOrder}


@EVERY
def test_its_defaults_are_those_of_the_box(method, box):
    ours, theirs = inspect.signature(method).parameters, inspect.signature(box).parameters
    shared = [name for name in theirs if name in ours]
    assert {name: ours[name].default for name in shared} == {name: theirs[name].default for name in shared}
    assert shared


@EVERY
def test_equals_its_box_over_200_steps_with_a_decaying_rate(method, box):
    report = check_optimizer(method, box, steps=200, tolerance=1e-12)
    assert set(report.differences) >= {"g", "theta", *method.state}


@EVERY
def test_the_numpy_text_equals_the_box(method, box):
    """A subclass that repeats update runs its text, not the kernel."""
    plain = type(method.__name__, (method,), {"update": lambda self, g: method.update(self, g)})
    check_optimizer(plain, box, steps=200, tolerance=1e-12)


@pytest.mark.parametrize(("method", "box", "hyper"), [
    (optim.Momentum, boxes.momentum, dict(momentum=RISING)),
    (optim.Nesterov, boxes.nesterov, dict(momentum=RISING)),
    (optim.NesterovNotes, boxes.nesterov_notes, dict(momentum=RISING)),
    (optim.RMSPropNesterov, boxes.rmsprop_nesterov, dict(momentum=RISING, delta=1e-3)),
    (optim.RMSPropNesterov, boxes.rmsprop_nesterov, dict(delta=0)),
    (optim.AdamW, boxes.adamw, dict(weight_decay=0.01, eta=schedules.Cosine(1, 0.1, 100))),
    (optim.Adam, boxes.adam, dict(rho1=0.5, rho2=0.9, delta=0.1)),
    (optim.Rprop, boxes.rprop, dict(up=1, down=1)),
    (optim.Rprop, boxes.rprop, dict(largest=0.2, smallest=0.05)),
    (optim.DeltaBarDelta, boxes.delta_bar_delta, dict(kappa=0.02, phi=0.5, rho=0.2)),
    (optim.VSGD, boxes.vsgd, dict(slow=10)), (optim.VSGD, boxes.vsgd, dict(delta=1e-5)),
], ids=lambda value: getattr(value, "__name__", str(value)))
def test_equals_its_box_with_other_hyperparameters(method, box, hyper):
    check_optimizer(method, box, steps=200, tolerance=1e-12, **hyper)


@EVERY
def test_float32_stays_float32_and_follows_the_box(method, box):
    J, seen = LeastSquares(), []
    theta = np.linspace(-1.0, 1.5, 5).astype(np.float32)
    opt = method(theta) if method in (optim.VSGD,) else method(theta, lr=0.01)
    for _ in range(10):
        opt.step(J)
        seen.append(theta.astype(float))
    extra = dict(example_grads=J.example_grads, hessian_diagonal=J.hessian_diagonal) if method is optim.VSGD else {}
    wanted = box(np.linspace(-1.0, 1.5, 5), J.grad, **extra, **({} if method is optim.VSGD else dict(lr=0.01)))
    for got, symbols in zip(seen, wanted):
        np.testing.assert_allclose(got, symbols["theta"], rtol=1e-5, atol=1e-5)
    assert theta.dtype == np.float32 and all(getattr(opt, name).dtype == np.float32 for name in opt.state)


@EVERY
def test_a_zero_gradient_at_the_first_step_moves_nothing(method, box):
    class Flat:
        value = staticmethod(lambda theta: 1.0)
        grad = staticmethod(np.zeros_like)
        hessian_diagonal = staticmethod(np.zeros_like)
        example_grads = staticmethod(lambda theta: np.zeros((3, len(theta))))
    theta = np.array([1.0, -2.0, 0.0])
    opt = method(theta) if method is optim.VSGD else method(theta, lr=0.1)
    if method is optim.AdamW:
        opt.weight_decay = 0
    for _ in range(3):
        opt.step(Flat)
    assert np.array_equal(theta, [1.0, -2.0, 0.0])
    assert all(np.isfinite(getattr(opt, name)).all() for name in opt.state)


@EVERY
def test_no_rate_leaves_the_parameters_bit_equal(method, box):
    if method in (optim.VSGD, optim.DeltaBarDelta, optim.Rprop, optim.RpropMinus):
        pytest.skip("its rates are its own")
    theta = np.linspace(-1.0, 1.5, 5)
    opt = method(theta, lr=0, **(dict(weight_decay=0) if method is optim.AdamW else {}))
    for _ in range(5):
        opt.step(LeastSquares())
    assert np.array_equal(theta, np.linspace(-1.0, 1.5, 5))


@EVERY
def test_the_order_of_the_parameters_does_not_matter(method, box):
    """Classic bug 40: permuted parameters give the permuted result."""
    J, order = LeastSquares(), np.array([3, 0, 4, 1, 2])
    shuffled = LeastSquares()
    shuffled.x = J.x[:, order]
    first, second = np.linspace(-1.0, 1.5, 5), np.linspace(-1.0, 1.5, 5)[order]
    options = {} if method is optim.VSGD else dict(lr=0.01)
    one, two = method(first, **options), method(second, **options)
    for _ in range(20):
        one.step(J)
        two.step(shuffled)
    np.testing.assert_allclose(first[order], second, rtol=0, atol=1e-10 if "Prop" in method.__name__ else 1e-12)


@EVERY
def test_a_nan_gradient_is_not_swallowed(method, box):
    theta = np.array([1.0, -2.0])
    opt = method(theta) if method is optim.VSGD else method(theta, lr=0.1)

    class Broken:
        value = staticmethod(lambda theta: 0.0)
        grad = staticmethod(lambda theta: np.array([np.nan, 1.0]))
        hessian_diagonal = staticmethod(np.ones_like)
        example_grads = staticmethod(lambda theta: np.array([[np.nan, 1.0]]))
    opt.step(Broken)
    assert np.isnan(theta[0]) and np.isfinite(theta[1])
