"""Module: names, modes, state, observers, and the block in which nothing of a model changes."""
import asyncio
import copy
import pickle
import threading

import numpy as np
import pytest

from minigrad import Objective, losses, nn, ops, optim
from minigrad.core import Tensor

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


class Net(nn.Module):
    """Modules and parameters as attributes and in lists."""

    def __init__(self, rng=0):
        self.scale = nn.Parameter([2.0])
        self.first = nn.Linear(4, 5, rng=rng)
        self.blocks = [nn.Residual(nn.Linear(5, 5, rng=rng)), nn.Dropout(0.5, rng=rng), ops.relu]
        self.biases = [nn.Parameter(np.zeros(5, np.float32)), nn.Parameter(np.zeros(5, np.float32))]
        self.norm = nn.BatchNorm(5)

    def forward(self, x):
        x = self.first(x) * self.scale
        for block, b in zip(self.blocks, [*self.biases, 0]):
            x = block(x) + b
        return self.norm(x)


NAMES = ["scale", "biases.0", "biases.1", "first.w", "first.b", "blocks.0.f.w", "blocks.0.f.b", "norm.gamma",
         "norm.beta"]


def test_names_are_paths_in_order_of_definition():
    model = Net()
    assert [path for path, _ in model.named_parameters()] == NAMES
    assert [path for path, _ in model.modules()] == ["", "first", "blocks.0", "blocks.0.f", "blocks.1", "norm"]
    assert [path for path, _ in model.generators()] == ["blocks.1.rng"]
    assert list(model.parameters().slices) == NAMES
    assert set(model.state_dict()) == {*NAMES, "norm.running_mean", "norm.running_var"}


def test_modes_reach_every_module():
    model = Net()
    assert all(module.training for _, module in model.modules())
    assert model.eval() is model and not any(module.training for _, module in model.modules())
    assert model.train().blocks[1].training


def modes(model):
    return {path: module.training for path, module in model.modules()}


def test_a_mode_holds_inside_its_block_and_every_module_gets_its_own_back():
    model = Net()
    model.norm.training = False
    before = modes(model)
    with pytest.raises(ZeroDivisionError), model.mode(training=False) as inside:
        assert inside is model and not any(modes(model).values())
        with model.mode(training=True):
            assert model.blocks[1].training
        assert not any(modes(model).values())
        raise ZeroDivisionError
    assert modes(model) == before
    with Net().eval().mode(training=True) as other:
        assert all(modes(other).values())                            # the whole was evaluated: nothing is set apart


@pytest.mark.parametrize("evaluated", [False, True])
def test_learning_mode_leaves_alone_what_was_put_into_test_mode_by_itself(evaluated):
    model = Net()
    model.blocks[0].freeze().eval()
    if evaluated:
        model.eval()                                                 # for a look at its predictions
    before = modes(model)
    for _ in range(2):
        with model.mode(training=True):
            assert [path for path, learning in modes(model).items() if not learning] == ["blocks.0", "blocks.0.f"]
            with model.mode(training=False):
                assert not any(modes(model).values())
            assert model.norm.training and not model.blocks[0].training
    assert modes(model) == before
    model.train()                                                    # said of the whole, it holds for the whole
    assert all(modes(model).values())
    with model.eval().mode(training=True):
        assert all(modes(model).values())


def test_the_name_of_that_mark_is_not_one_a_model_might_use():
    model = nn.Sequential(Net(), nn.Identity())
    model[0].evaluated = 7                                           # how often, say
    with model.mode(training=True):
        assert all(modes(model).values())


def test_parts_set_by_hand_or_within_a_part_in_test_mode_stay_as_they_are():
    model = Net()
    model.norm.training = False
    model.blocks[0].eval().f.train()                                 # one part of it learns
    with model.mode(training=True):
        assert [path for path, learning in modes(model).items() if not learning] == ["blocks.0", "norm"]
    model.blocks[0].train()
    with model.mode(training=True):
        assert [path for path, learning in modes(model).items() if not learning] == ["norm"]


def test_frozen_batch_norm_in_test_mode_keeps_its_running_averages_while_the_rest_learns():
    model = nn.Sequential(nn.BatchNorm(4), nn.Linear(4, 4, rng=0), nn.BatchNorm(4))
    model[0].freeze().eval()
    with model.mode(training=True):
        y = model(Tensor(X))
    assert (model[0].running_mean == 0).all() and (model[0].running_var == 1).all() and model[2].running_mean.all()
    np.testing.assert_allclose(y.data.mean(axis=0), 0, atol=1e-6)    # the second one used its batch


def test_running_averages_are_put_back_after_a_block_exception_or_not():
    model = nn.Sequential(nn.BatchNorm(4), nn.Linear(4, 4, rng=0), nn.BatchNorm(4))
    model(Tensor(X))
    parameters = model.parameters()
    before = model.state_dict()
    with pytest.raises(ZeroDivisionError), parameters.buffers_put_back():
        model[2].running_var[...] = 7                                # in place too
        model(Tensor(X))
        assert not np.array_equal(model[0].running_mean, before["0.running_mean"])
        raise ZeroDivisionError
    for name, value in model.state_dict().items():
        assert value.tobytes() == before[name].tobytes(), name
    other, its = copy.deepcopy((model, parameters))
    with its.buffers_put_back():
        other(Tensor(X))
    assert np.array_equal(other[0].running_mean, before["0.running_mean"])
    with nn.Parameters({"w": nn.Parameter(np.ones(2))}).buffers_put_back():
        pass                                                         # no model, nothing to keep


def test_a_module_is_learned_by_the_usual_loop():
    model, y = Net(), np.arange(6) % 5
    opt = optim.Adam(model.parameters(), lr=0.05)
    start = losses.cross_entropy(model(Tensor(X)), y).item()
    for _ in range(30):
        loss = losses.cross_entropy(model(Tensor(X)), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    assert loss.item() < 0.7 * start


def test_freezing_keeps_bits_and_thawing_goes_on():
    model, y = Net(), np.arange(6) % 5
    opt = optim.Momentum(model.parameters(), lr=0.1, momentum=0.9)
    model.first.freeze()
    before = {name: p.data.copy() for name, p in model.named_parameters()}
    losses.cross_entropy(model(Tensor(X)), y).backward()
    assert model.first.w.grad is None and model.scale.grad is not None
    opt.step()
    for name, p in model.named_parameters():
        assert np.array_equal(p.data, before[name]) == name.startswith("first"), name
    assert model.unfreeze() is model
    model.zero_grad()
    losses.cross_entropy(model(Tensor(X)), y).backward()
    assert model.first.w.grad is not None


# ---------------------------------------------------------------------------------------------------------------- state

def test_state_round_trip():
    a, b = Net(0), Net(1)
    a(Tensor(X))
    b.load_state_dict(a.state_dict())
    np.testing.assert_array_equal(a.eval()(Tensor(X)).data, b.eval()(Tensor(X)).data)
    state = a.state_dict()
    a.scale.data = a.scale.data + 1
    assert state["scale"] == 2                                       # a copy


def test_loading_lists_every_mismatch_and_then_changes_nothing():
    model = Net()
    state = Net(1).state_dict()
    del state["scale"]
    state["first.w"] = state["first.w"].T
    state["first.b"] = state["first.b"].astype(np.float64)
    state["extra"] = np.zeros(3)
    before = model.state_dict()
    with pytest.raises(ValueError) as error:
        model.load_state_dict(state)
    for part in ("scale is missing", "extra is not in the model", r"first.w is float32 (5, 4), wanted float32 (4, 5)",
                 "first.b is float64 (5,), wanted float32 (5,)"):
        assert part in str(error.value)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    good = {name: value for name, value in state.items() if not name.startswith("first")}
    model.load_state_dict(good, strict=False)
    np.testing.assert_array_equal(model.norm.gamma.data, good["norm.gamma"])
    np.testing.assert_array_equal(model.first.w.data, before["first.w"])


def test_what_cannot_be_loaded_says_what_to_do():
    model = nn.Sequential(nn.Linear(2, 1, rng=0), nn.BatchNorm(1))
    state = model.state_dict()
    for wrong, message in (
            ("model.npz", r"wanted a dict path -> array.* got str; a file is read by minigrad\.load"),
            (model, "got Sequential"),
            ({0: np.ones(1)}, r"wanted a dict path -> array.* got dict"),
            ({"0.weight": np.ones((1, 2)), "0.bias": np.ones(1)}, r"0\.weight is not in the model.*load_pytorch"),
            ({f"module.{name}": value for name, value in state.items()}, "fit without their 'module' in front"),
            ({name: value.astype(np.float64) for name, value in state.items()}, r"astype\(float64\) makes them fit")):
        with pytest.raises(ValueError, match=message):
            model.load_state_dict(wrong)
    with pytest.raises(ValueError, match="fit the part '0' of the model"):
        nn.Sequential(model).load_state_dict(state)
    with pytest.raises(ValueError, match="gamma is not in the model"):
        model.load_state_dict({"gamma": np.ones(1)}, strict=False)            # none of its names is known
    assert all(np.array_equal(value, state[name]) for name, value in model.state_dict().items())
    model.load_state_dict({}, strict=False)
    given = model.state_dict()
    model.load_state_dict(given)
    given["1.running_mean"][...] = 9
    assert (model[1].running_mean != 9).all()                        # what is loaded is a copy
    model.load_state_dict({name: Tensor(value + 1) for name, value in state.items()})
    model.load_state_dict(dict(model.named_parameters()), strict=False)
    assert all(np.array_equal(value, state[name] + 1) for name, value in model.state_dict().items())


def test_loading_writes_into_theta_so_an_optimizer_goes_on():
    model = Net()
    parameters = model.parameters()
    model.load_state_dict(Net(1).state_dict())
    np.testing.assert_array_equal(parameters.theta[parameters.slices["first.w"]], model.first.w.data.ravel())
    assert np.may_share_memory(parameters.theta, model.first.w.data)


def test_a_deep_copy_shares_nothing_and_keeps_ties():
    model = Net()
    model.blocks[0].f.w = nn.Parameter(np.eye(5, dtype=np.float32))
    model.tied = model.blocks[0].f.w
    model.parameters()
    twin = copy.deepcopy(model)
    assert twin.tied is twin.blocks[0].f.w and twin.tied is not model.tied
    assert not any(np.may_share_memory(p.data, q.data) for (_, p), (_, q)
                   in zip(model.named_parameters(), twin.named_parameters()))
    twin.parameters().theta[...] = 0
    assert (model.tied.data == np.eye(5)).all() and (twin.tied.data == 0).all()
    assert twin.blocks[1].rng is not model.blocks[1].rng


# ------------------------------------------------------------------------------------------------------------ observers

def test_observers_see_calls_in_order_of_execution_and_leave_on_exceptions():
    model, seen = Net(), []
    with nn.observe(lambda module, inputs, y: seen.append((type(module).__name__, inputs[0].shape, y.shape))):
        model(Tensor(X))
    assert [name for name, _, _ in seen] == ["Linear", "Linear", "Residual", "Dropout", "BatchNorm", "Net"]
    assert seen[0] == ("Linear", (6, 4), (6, 5))
    with pytest.raises(ZeroDivisionError), model.observe(lambda *_: 1 / 0):
        model(Tensor(X))
    count = len(seen)
    model(Tensor(X))
    assert len(seen) == count


def test_fixed_statistics_is_restored_after_exceptions_nested_and_does_not_leak_into_other_threads():
    model = Net()

    def mean():
        return model.norm.running_mean.copy()

    with pytest.raises(ValueError, match="w must be"), nn.fixed_statistics(model), model.fixed_statistics():
        model(Tensor(X[:, :3]))
    with nn.fixed_statistics(model):
        with nn.fixed_statistics(model):
            model(Tensor(X))
        model(Tensor(X))
        assert (mean() == 0).all()
        other = threading.Thread(target=lambda: model(Tensor(X)))
        other.start()
        other.join()
        assert (mean() != 0).any()
    before = mean()
    model(Tensor(X))
    assert not np.array_equal(mean(), before)


def test_observers_and_fixed_statistics_hold_for_one_task_of_asyncio():
    model, seen = nn.BatchNorm(4), []

    async def looks(fixed):
        with nn.fixed_statistics(model), nn.observe(lambda module, inputs, y: seen.append(module)):
            fixed.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        model(Tensor(X))

    async def learns(fixed):
        await fixed.wait()
        model(Tensor(X))
        assert not seen and model.running_mean.any()
        model.running_mean[...] = 0

    async def both():
        fixed = asyncio.Event()
        await asyncio.gather(looks(fixed), learns(fixed))

    asyncio.run(both())
    assert not seen and model.running_mean.any()


def test_summary_counts_parameters_and_shows_shapes_without_a_trace():
    model = Net()
    before, state = model.state_dict(), model.blocks[1].rng.bit_generator.state
    text = model.summary(X)
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert "(6, 5)" in rows["first"] and rows["first"].endswith("25") and "Dropout(0.5)" in rows["blocks.1"]
    assert rows["norm"].endswith("10") and text.splitlines()[-1].split()[-1] == str(model.parameters().n)
    assert model.training and model.blocks[1].rng.bit_generator.state == state
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert "Linear(4, 5)" in repr(model) and "(blocks.0): Residual" in repr(model)


# -------------------------------------------------------------------------------------------------------------- errors

def text_of_error(call):
    with pytest.raises(ValueError) as error:
        call()
    return str(error.value)


def test_a_shape_error_names_the_layer_by_its_path():
    wrong = nn.Linear(3, 2, rng=0)
    alone = text_of_error(lambda: wrong(Tensor(X)))
    assert alone.startswith("linear: ")
    within = nn.Sequential(nn.Linear(4, 4, rng=0), ops.relu, wrong)
    assert text_of_error(lambda: within(Tensor(X))) == f"Sequential[2] (Linear): {alone}"
    deeper = nn.Sequential(nn.Identity(), nn.Residual(within))
    assert text_of_error(lambda: deeper(Tensor(X))) == f"Sequential[1.f.2] (Linear): {alone}"
    model = Net()
    model.blocks[0].f = deeper
    assert text_of_error(lambda: model(Tensor(X[:, :4]))) != alone
    model.first = nn.Identity()
    assert text_of_error(lambda: model(Tensor(X))) == f"Net[blocks.0.f.1.f.2] (Linear): {alone}"
    with pytest.raises(ValueError, match=r"^Sequential\[2\] \(Linear\): linear") as error:
        model = nn.Sequential(nn.Linear(4, 4, rng=0), lambda x: x, wrong)
        model(Tensor(X))
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)      # as other processes see it
    with pytest.raises(ValueError, match=r"^Sequential\[2\] \(Linear\): linear"):
        Objective(within, losses.cross_entropy, X, None).value()


def test_errors_of_functions_in_a_sequential_and_of_other_kinds():
    def halves(x):
        return ops.reshape(x, (5, 2))

    model = nn.Sequential(nn.Sequential(ops.relu, ops.relu, halves))
    assert text_of_error(lambda: model(Tensor(X))).startswith("Sequential[0.2] (halves): ")

    class Fails(nn.Module):
        def __init__(self, error):
            self.error = error

        def forward(self, x):
            raise self.error

    for error in (KeyError("x"), UnicodeDecodeError("ascii", b"x", 0, 1, "no"), ValueError(), ValueError("a", 2)):
        args = error.args
        with pytest.raises(type(error)) as caught:
            nn.Sequential(Fails(error))(Tensor(X))
        assert caught.value is error and error.args == args
    elsewhere = nn.Sequential(nn.Linear(3, 2, rng=0))                # no part of the model that calls it
    outer = nn.Sequential(lambda x: elsewhere(x))
    assert text_of_error(lambda: outer(Tensor(X))).startswith("Sequential[0] (Linear): linear")


@pytest.mark.parametrize("buffers", [[np.zeros(3)], np.zeros(3), ["missing"], "mean", [("mean",)], [3]])
def test_buffers_that_are_no_names_are_refused_with_the_way(buffers):
    class Model(nn.Module):
        def __init__(self):
            self.w, self.mean = nn.Parameter([1.0]), np.zeros(3)
            self.buffers = buffers

    for asked in (lambda model: model.state_dict(), lambda model: model.parameters()):
        with pytest.raises(ValueError, match=r"Model\.buffers: wanted names of attributes.*buffers = \(\"mean\",\)"):
            asked(nn.Sequential(Model()))


def test_a_buffer_that_is_no_array_is_refused():
    class Model(nn.Module):
        buffers = ("count",)

        def __init__(self):
            self.count = 3

    with pytest.raises(ValueError, match=r"Model\.count is a buffer and must be an array, got int"):
        Model().state_dict()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Net().train("eval"), "Net.train: training must be True or False, got 'eval'"),
    (lambda: Net().freeze("first.*"), r"Net.freeze: frozen must be True or False, got 'first\.\*'"),
    (lambda: Net().mode(None).__enter__(), "Net.mode: training must be True or False, got None"),
    (lambda: Net().astype(np.float16), "wanted float32 or float64, got float16"),
    (lambda: nn.Parameter(np.arange(3)), "wanted floating-point values, got int64"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty.forward is not written"):
        Empty()(Tensor(X))
