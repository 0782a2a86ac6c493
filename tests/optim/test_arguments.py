"""An argument that a first-order optimizer does not have is refused: a foreign or misspelled one is not ignored."""
import copy
import re

import numpy as np
import pytest

from minigrad import optim


@pytest.mark.parametrize(("kind", "argument", "message"), [
    (optim.SGD, dict(lr=0.1, momentum=0.9), "SGD: no argument 'momentum'; there are lr, groups, weight_decay"),
    (optim.SGD, dict(lr=0.1, nesterov=1), "SGD: no argument 'nesterov'"),
    (optim.Adam, dict(eps=1e-8), "Adam: no argument 'eps'; there are lr, rho1, rho2, delta"),
    (optim.Adam, dict(betas=(0.9, 0.99)), "Adam: no argument 'betas'"),
    (optim.AdamW, dict(wd=0.1), "AdamW: no argument 'wd'; there are lr, weight_decay, eta"),
    (optim.RMSProp, dict(momentum=0.9), "RMSProp: no argument 'momentum'"),
    (optim.NesterovNotes, dict(lr=0.1, alpha=0.9), "NesterovNotes: no argument 'alpha'; there are lr, momentum"),
    (optim.VSGD, dict(lr=0.1), "VSGD: no argument 'lr'; there are slow, delta, samples, rng"),
], ids=str)
def test_an_unknown_argument_is_refused_and_the_known_ones_are_named(kind, argument, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        kind(np.ones(3), **argument)


def test_the_classes_that_have_the_argument_are_named():
    with pytest.raises(TypeError, match="Momentum, .*Nesterov"):
        optim.SGD(np.ones(3), lr=0.1, momentum=0.9)
    with pytest.raises(TypeError, match=re.escape("docs/optimizers.md")):
        optim.SGD(np.ones(3), lr=0.1, dampening=0.9)


def test_a_class_is_named_once_and_only_if_it_is_ours():
    """Also when a step has made a View of it, a class of its name that is derived from it."""
    class Mine(optim.AMSGrad):
        def update(self, g):
            super().update(g)
    for kind in (optim.AMSGrad, Mine):
        kind(np.ones(3)).step(g=np.ones(3))
    with pytest.raises(TypeError) as caught:
        optim.SGD(np.ones(3), lr=0.1, rho1=0.9)
    *_, owners = str(caught.value).removesuffix(" have it").split(". ")
    assert owners.split(", ").count("AMSGrad") == 1 and "Mine" not in owners


class Inner(optim.FirstOrder):
    """A student's class that gives the base a hyperparameter which its own signature does not name."""
    def __init__(self, params, lr, **options):
        super().__init__(params, lr=lr, gain=2.0, **options)

    def update(self, g):
        self.theta = self.theta - self.lr * self.gain * g


class Bare(optim.FirstOrder):
    """And one that declares nothing."""
    def update(self, g):
        self.theta = self.theta - self.speed * g


class Open(optim.FirstOrder):
    def __init__(self, params, **hyper):
        super().__init__(params, **hyper)


class Declares(Bare):
    speed: optim.Hyper = optim.hyper(0.5, "(0, 1)")


def test_subclasses_keep_their_freedom():
    assert Inner(np.ones(3), lr=0.1, weight_decay=0.2).gain == 2.0
    with pytest.raises(TypeError, match="Inner: no argument 'gain'"):
        Inner(np.ones(3), lr=0.1, gain=3.0)
    assert Declares(np.ones(3)).speed == 0.5 and Declares(np.ones(3), speed=0.1).speed == 0.1
    assert copy.deepcopy(Declares(np.ones(3), speed=0.1)).speed == 0.1
    assert copy.deepcopy(Inner(np.ones(3), lr=0.1)).gain == 2.0


@pytest.mark.parametrize("kind", [Bare, Open])
def test_a_name_that_a_students_class_does_not_declare_is_refused_with_the_line_that_does(kind):
    with pytest.raises(TypeError, match=r"no argument 'speed'; there are groups, .*: speed: Hyper = hyper\(0.1\)"):
        kind(np.ones(3), speed=0.1)


# -------------------------------------------------------------------------------------------- methods of section 8.6

@pytest.mark.parametrize(("kind", "argument", "message"), [
    (optim.LBFGS, dict(lr=0.1), "LBFGS: no argument 'lr'; there are memory, search, scale. PRONG has it"),
    (optim.LBFGS, dict(history_size=5), "LBFGS: no argument 'history_size'; there are memory, search, scale: docs/"),
    (optim.BFGS, dict(memory=5), "BFGS: no argument 'memory'; there are search, scale. LBFGS has it"),
    (optim.Newton, dict(damping=1.0), "Newton: no argument 'damping'; there are search. HessianFree, "),
    (optim.NewtonCG, dict(radius=1.0), "there are search. LevenbergMarquardt, TrustRegion have it"),
    (optim.DampedNewton, dict(search="wolfe"), "no argument 'search'; there are damping, tries, adaptive. "),
    (optim.SaddleFreeNewton, dict(dimension=3), "there are floor, search. KrylovSaddleFree has it"),
    (optim.KrylovSaddleFree, dict(size=3), "KrylovSaddleFree: no argument 'size'; there are dimension, floor, search:"),
    (optim.ConjugateGradient, dict(restart=3), "no argument 'restart'; there are beta, reset, search, orthogonality"),
    (optim.ScaledConjugateGradient, dict(lam=1), "no argument 'lam'; there are damping, sigma, tries"),
    (optim.HessianFree, dict(damp=1), "there are damping, warm, progress, iterations, precondition, search"),
    (optim.LevenbergMarquardt, dict(damping=1), "LevenbergMarquardt: no argument 'damping'; there are radius, tries."),
    (optim.TrustRegion, dict(largets=2), "no argument 'largets'; there are radius, largest, accept, tries"),
    (optim.PRONG, dict(groups=None), "PRONG: no argument 'groups'; there are lr, momentum, delta, interval"),
], ids=str)
def test_a_second_order_method_names_the_arguments_it_has(kind, argument, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        kind(np.ones(3), **argument)


class Steepest(optim.Newton.__mro__[1]):
    """A student's Descent."""
    factor: optim.Hyper = optim.hyper(1.0)

    def direction(self, J, theta, value, g):
        return -self.factor * g


def test_a_descent_of_ones_own_may_have_more():
    assert Steepest(np.ones(3), search="full", factor=0.5).factor == 0.5


# ----------------------------------------------------------------------------------------------- attributes assigned

@pytest.mark.parametrize(("make", "name", "message"), [
    (lambda: optim.Adam(np.ones(3)), "learning_rate",
     "Adam has no attribute 'learning_rate' to assign; did you mean lr? There are lr, rho1, rho2, delta, weight_decay"),
    (lambda: optim.Adam(np.ones(3)), "lrr", "Adam has no attribute 'lrr' to assign; did you mean lr? There are lr,"),
    (lambda: optim.Adam(np.ones(3)), "eps", "did you mean delta?"),
    (lambda: optim.Adam(np.ones(3)), "beta2", "did you mean rho2?"),
    (lambda: optim.Momentum(np.ones(3), lr=0.1), "momemtum", "did you mean momentum?"),
    (lambda: optim.Momentum(np.ones(3), lr=0.1), "alpha", "did you mean momentum?"),
    (lambda: optim.RMSProp(np.ones(3)), "alpha", "did you mean rho?"),
    (lambda: optim.SGD(np.ones(3), lr=0.1), "momentum",
     "SGD has no attribute 'momentum' to assign; there are lr, weight_decay, "),
    (lambda: optim.LBFGS(np.ones(3)), "lr", "LBFGS has no attribute 'lr' to assign; there are s, y, "),
    (lambda: optim.DampedNewton(np.ones(3)), "damping", "DampedNewton has no attribute 'damping' to assign; there "),
    (lambda: optim.BFGS(np.ones(3)), "line_search", "did you mean search?"),
])
def test_an_attribute_that_is_none_cannot_be_assigned(make, name, message):
    opt = make()
    with pytest.raises(AttributeError, match=re.escape(message)):
        setattr(opt, name, 0.1)
    assert name not in vars(opt)


def test_neither_from_a_function_nor_from_a_method_of_something_else():
    opt = optim.Adam(np.ones(3))

    def decay(opt):
        opt.learning_rate = 0.1

    class Loop:
        def run(self, opt):
            opt.lrr = 0.1

    for run in (decay, Loop().run):
        with pytest.raises(AttributeError, match=r"did you mean lr\?"):
            run(opt)


class Busy(optim.FirstOrder):
    """A student's class that sets attributes wherever it likes."""
    state = ("v",)
    note = None

    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
        self.count = 0
        self.prepare()

    def prepare(this):
        this.prepared = True

    def begin(self):
        self.began = True
        self.v = 1.0

    def update(self, g):
        self.count += 1
        self.last_norm = float(np.linalg.norm(g))
        [setattr(self, f"step_{i}", i) for i in range(2)]
        self.theta = self.theta - self.lr * g

    @property
    def speed(self):
        return self.lr

    @speed.setter
    def speed(self, value):
        self.lr = value


class Busier(Busy):
    def update(self, g):
        super().update(g)
        self.after = True


def test_a_subclass_sets_attributes_of_its_own_in_any_method():
    opt = Busier(np.ones(3), lr=0.1)
    opt.step(g=np.ones(3))
    assert opt.count == 1 and opt.began and opt.prepared and opt.after and opt.last_norm == pytest.approx(3 ** 0.5)
    opt.speed, opt.note, opt.count, opt.last_norm = 0.2, "mine", 5, 0.0         # what exists anyone may assign
    assert opt.lr == 0.2
    again = copy.deepcopy(opt)
    again.lr = 0.3
    assert again.count == 5 and opt.lr == 0.2
    with pytest.raises(AttributeError, match="Busier has no attribute 'cuont' to assign; did you mean count?"):
        opt.cuont = 1
