"""What is found in a module's attributes: every parameter, or an error that says where one would be overlooked."""
import copy
import functools
import weakref
from collections import OrderedDict, UserDict, UserList, deque, namedtuple
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pytest

from minigrad import nn, ops
from minigrad.core import Tensor, tensor


class Holds(nn.Module):
    """A module with the attributes that it is given."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


@dataclass
class Heads:
    left: nn.Module
    right: list = field(default_factory=list)


Pair = namedtuple("Pair", "first second")


def layer():
    return nn.Linear(2, 1, rng=0)


def names(model):
    return [name for name, _ in model.named_parameters()]


# ---------------------------------------------------------------------------------------------------------------- found

def test_a_sequential_with_modules_of_its_own_has_them_all():
    class Classifier(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(3, 4, rng=0), ops.relu)
            self.head = nn.Linear(4, 2, rng=1)
            self._norm = nn.BatchNorm(4)
            self.scale = nn.Parameter(np.ones(1, np.float32))

        def forward(self, x):
            return self.head(self._norm(super().forward(x))) * self.scale

    model = Classifier()
    assert names(model) == ["scale", "0.w", "0.b", "head.w", "head.b", "_norm.gamma", "_norm.beta"]
    assert model.parameters().n == 16 + 10 + 8 + 1 and "_norm.running_var" in model.state_dict()
    assert [path for path, _ in model.modules()] == ["", "0", "head", "_norm"]
    assert not model.eval().head.training and len(model) == 2 and "(head): Linear(4, 2)" in repr(model)


@pytest.mark.parametrize(("value", "wanted"), [
    ([[layer()], [layer(), layer()]], ["0.0", "1.0", "1.1"]),
    ((layer(), (layer(),)), ["0", "1.0"]),
    ({"a": {"b": layer()}, 3: layer()}, ["a.b", "3"]),
    (OrderedDict(z=layer(), a=layer()), ["z", "a"]),
    (Pair(layer(), [layer()]), ["0", "1.0"]),
    (Heads(layer(), [layer()]), ["left", "right.0"]),
    ([Heads(layer())], ["0.left"]),
], ids=lambda value: type(value).__name__)
def test_containers_are_searched_at_any_depth(value, wanted):
    model = Holds(_private=value)
    assert names(model) == [f"_private.{path}.{name}" for path in wanted for name in "wb"]
    assert model.parameters().n == 3 * len(wanted)
    assert names(copy.deepcopy(model)) == names(model)


def test_a_module_that_is_a_dataclass_is_a_module():
    @dataclass
    class Block(nn.Module):
        first: nn.Module
        again: nn.Module = None

        def forward(self, x):
            return self.again(self.first(x))

    model = nn.Sequential(Block(nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1)))
    assert names(model) == ["0.first.w", "0.first.b", "0.again.w", "0.again.b"]
    with model.mode(training=True):
        assert model(Tensor(np.ones((1, 2), np.float32))).shape == (1, 2)


def test_what_is_shared_counts_once_under_its_first_path():
    shared = layer()
    model = Holds(first=shared, again=[shared], tied=Holds(w=shared.w))
    assert names(model) == ["first.w", "first.b"] and list(model.state_dict()) == names(model)
    assert [path for path, _ in model.modules()] == ["", "first", "tied"]
    model.parameters().theta[...] = 7
    assert (model.tied.w.data == 7).all()


# --------------------------------------------------------------------------------------------------------- or an error

def test_two_things_of_one_path_are_an_error():
    p = nn.Parameter(np.ones((2, 1), np.float32))
    for model in (Holds(d={"a.w": p, "a": layer()}), Holds(d={1: p, "1": layer().w}),
                  Holds(d={"a.b": layer(), "a": {"b": layer()}})):
        for asked in (model.parameters, model.state_dict, lambda model=model: model.load_state_dict({})):
            with pytest.raises(ValueError, match=r"Holds: there are two things of the path d\.(a\.w|1|a\.b\.w)"):
                asked()
    norm, mean = nn.BatchNorm(2), nn.Parameter(np.ones(2, np.float32))
    with pytest.raises(ValueError, match=r"two things of the path d\.a\.running_mean"):
        Holds(d={"a.running_mean": mean, "a": norm}).state_dict()
    with pytest.raises(ValueError, match=r"two things of the path d\.a\.running_mean"):
        Holds(d={"a.b": norm, "a": {"b": nn.BatchNorm(2)}, "a.running_mean": 0} | {"a": nn.BatchNorm(2)} |
              {"a.running_mean": mean}).state_dict()
    with pytest.raises(ValueError, match=r"two things of the path d\.a\.rng"):
        list(Holds(d={"a.rng": np.random.default_rng(0), "a": nn.Dropout()}).generators())
    with pytest.raises(ValueError, match="two parameters have one name: w"):
        nn.Parameters([("w", p), ("w", layer().w)])


def method_of_a_layer():
    return layer().forward


@pytest.mark.parametrize("value", [
    {layer()}, frozenset([layer().w]), deque([layer()]), [{layer()}], {"a": deque([[layer()]])}, {layer(): 0.1},
    UserDict(a=layer()), UserList([layer()]), MappingProxyType({"a": layer()}), np.array([layer(), None]),
    {"a": layer()}.values(), functools.partial(ops.multiply, layer().w),
    functools.partial(layer()), method_of_a_layer(), (lambda f: lambda x: f(x))(layer()),
    (lambda fs: lambda x: fs[0](x))([layer()]),
], ids=lambda value: type(value).__name__)
def test_a_parameter_that_would_be_overlooked_is_an_error(value):
    with pytest.raises(ValueError, match=r"Holds\.parameters: parts(\.0|\.a)? .* would not be learned"):
        Holds(w=layer(), parts=value).parameters()


def test_parameters_of_the_class_itself_are_an_error():
    class Model(nn.Module):
        w = nn.Parameter(np.ones(2))

    with pytest.raises(ValueError, match=r"Sequential\.parameters: 0\.w belongs to the class Model and would not"):
        nn.Sequential(Model()).parameters()
    with pytest.raises(ValueError, match="w belongs to the class"):
        type("Derived", (Model,), {})().parameters()


@pytest.mark.parametrize("put", [lambda w: w, lambda w: [1, {"a": w}], lambda w: {w}])
def test_a_tensor_that_wants_a_gradient_and_is_no_parameter_is_an_error(put):
    w = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"Holds\.parameters: scale \(.*\) holds a Tensor \(2,\) that would not be "
                                         r"learned: make it an nn\.Parameter, or detach it"):
        Holds(w=layer(), scale=put(w)).parameters()
    assert Holds(w=layer(), scale=put(w.detach()), last=w * 2).parameters().n == 3           # a constant, a result


def test_what_is_found_elsewhere_or_frozen_may_lie_anywhere():
    first = layer()
    model = Holds(first=first, chosen={first}, rates={first.w: 0.1}, f=lambda x: first(x), teacher={layer().freeze()},
                  texts={"a", "b"}, numbers=np.arange(3), everything=object(), cell=functools.partial(ops.relu))
    assert names(model) == ["first.w", "first.b"] and model.parameters().n == 3


# ------------------------------------------------------------------------------------------------------------ in itself

def test_a_module_that_contains_itself_is_an_error():
    for build in (lambda model: [model], lambda model: model, lambda model: {"a": Holds(b=[model])}):
        model = Holds(w=layer())
        model.parts = build(model)
        for asked in (model.parameters, model.state_dict, model.train, model.summary):
            with pytest.raises(ValueError, match=r"Holds: parts.* is the module itself, or one that contains it"):
                asked()
        assert "..." in repr(model)


def test_a_container_that_contains_itself_is_an_error():
    a, b = [layer()], {}
    a.append(a)
    b["again"] = (b,)
    for value in (a, b):
        with pytest.raises(ValueError, match="contains itself"):
            Holds(parts=value).parameters()


def test_a_weak_reference_to_the_whole_is_none_of_its_parts():
    model = Holds(part=Holds(w=layer()))
    model.part.above = weakref.ref(model)
    assert names(model) == ["part.w.w", "part.w.b"]
