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
    (optim.VSGD, dict(lr=0.1), "VSGD: no argument 'lr'; there are slow, delta, samples, seed"),
], ids=str)
def test_an_unknown_argument_is_refused_and_the_known_ones_are_named(kind, argument, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        kind(np.ones(3), **argument)


def test_the_classes_that_have_the_argument_are_named():
    with pytest.raises(TypeError, match="Momentum, .*Nesterov"):
        optim.SGD(np.ones(3), lr=0.1, momentum=0.9)
    with pytest.raises(TypeError, match=re.escape("docs/optimizers.md")):
        optim.SGD(np.ones(3), lr=0.1, dampening=0.9)


class Inner(optim.FirstOrder):
    """A student's class that gives the base a hyperparameter which its own signature does not name."""
    def __init__(self, params, lr, **options):
        super().__init__(params, lr=lr, gain=2.0, **options)

    def update(self, g):
        self.theta = self.theta - self.lr * self.gain * g


class Bare(optim.FirstOrder):
    """And one without a signature: whatever it is given is a hyperparameter."""
    def update(self, g):
        self.theta = self.theta - self.speed * g


class Open(optim.FirstOrder):
    def __init__(self, params, **hyper):
        super().__init__(params, **hyper)


def test_subclasses_keep_their_freedom():
    assert Inner(np.ones(3), lr=0.1, weight_decay=0.2).gain == 2.0
    with pytest.raises(TypeError, match="Inner: no argument 'gain'"):
        Inner(np.ones(3), lr=0.1, gain=3.0)
    assert Bare(np.ones(3), speed=0.1).speed == 0.1
    assert Open(np.ones(3), speed=0.1).speed == 0.1
    assert copy.deepcopy(Bare(np.ones(3), speed=0.1)).speed == 0.1
