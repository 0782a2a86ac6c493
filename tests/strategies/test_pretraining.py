"""Pretraining (8.7.4): greedy, layer by layer, from an unsupervised task, from another net, from a teacher's hints."""
import numpy as np
import pytest

from minigrad import Tensor, data, losses, nn, ops, optim, training
from minigrad.strategies import fitnet, greedy_pretrain, hint_loss, transfer, unsupervised_pretrain

x, y = data.toy.blobs(60, noise=0.3, rng=0)


def trainer(loss=losses.cross_entropy, epochs=10, seen=None):
    def train(model, inputs, targets):
        if seen is not None:
            seen.append((model, inputs, targets))
        training.fit(model, loss, optim.Adam(model.parameters(), lr=0.05),
                     data.batches(inputs, targets, batch_size=20, rng=0), epochs=epochs, progress=False)
    return train


def block(inputs, units, seed, norm=False):
    parts = [nn.BatchNorm(units)] if norm else []
    return nn.Sequential(nn.Linear(inputs, units, rng=seed), *parts, nn.Tanh())


def bits(*modules):
    return [value.tobytes() for module in modules for value in module.state_dict().values()]


# ---------------------------------------------------------------------------------------------------------- greedy

def test_each_layer_is_trained_as_the_hidden_layer_of_a_shallow_net_on_those_below():
    layers, heads, seen = [block(2, 6, 0, norm=True), block(6, 5, 1), block(5, 4, 2)], [], []
    frozen = []

    def head(i):
        heads.append(nn.Linear((6, 5, 4)[i], 3, rng=i))
        return heads[-1]

    def train(model, inputs, targets):
        below = layers[:len(seen)]
        before = bits(*below)
        trainer(seen=seen)(model, inputs, targets)
        frozen.append(bits(*below) == before)

    model = greedy_pretrain(layers, head, train, x, y)
    assert [len(stage) for stage, *_ in seen] == [2, 2, 2] and all(frozen)
    for i, (stage, inputs, targets) in enumerate(seen):
        assert stage.layers == [layers[i], heads[i]] and targets is y
        wanted = training.predict(nn.Sequential(*layers[:i]), x) if i else x
        assert np.array_equal(inputs, wanted)               # batch norm in test mode: its running averages
    assert model.layers == [*layers, heads[-1]]
    assert training.evaluate(model, losses.cross_entropy, x, y).error < 0.1


def test_all_layers_so_far_can_be_trained_together_at_each_stage():
    layers, seen = [block(2, 6, 0), block(6, 5, 1)], []
    greedy_pretrain(layers, lambda i: nn.Linear((6, 5)[i], 3, rng=i), trainer(seen=seen), x, y, joint=True)
    assert [len(stage) for stage, *_ in seen] == [2, 2, 3] and seen[2][1] is x


def test_unsupervised_pretraining_gives_back_the_input_and_needs_no_labels():
    layers, seen = [block(2, 6, 0), block(6, 3, 1)], []
    train = trainer(losses.mean_squared_error, 30, seen)
    found = unsupervised_pretrain(layers, lambda i: nn.Linear((6, 3)[i], (2, 6)[i], rng=i), train, x)
    assert found.layers == layers and [targets is inputs for _, inputs, targets in seen] == [True, True]
    assert np.array_equal(seen[1][1], training.predict(layers[0], x))
    autoencoder = seen[0][0]
    assert training.evaluate(autoencoder, losses.mean_squared_error, x, x).loss < 0.05 * np.mean(x**2)


def never(*_):
    raise AssertionError("trained")


@pytest.mark.parametrize("call, words", [
    (lambda: greedy_pretrain([], lambda i: None, never, x, y), "one or more modules"),
    (lambda: greedy_pretrain([ops.tanh], lambda i: None, never, x, y), "modules, got"),
    (lambda: greedy_pretrain([block(2, 3, 0)], nn.Linear(3, 3), 5, x, y), "wanted functions"),
    (lambda: greedy_pretrain([block(2, 3, 0)], lambda i: None, never, x, y[:-1]), "60 and 59"),
    (lambda: unsupervised_pretrain([block(2, 3, 0)], lambda i: None, never, x[:0]), "0 and 0"),
])
def test_wrong_arguments_are_refused_before_any_training(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# -------------------------------------------------------------------------------------------------------- transfer

def convnet(seed, classes=3, width=5):
    return nn.Sequential(nn.Conv2d(1, 4, 3, rng=seed), nn.BatchNorm(4), ops.relu, nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(36, width, rng=seed), nn.ReLU(), nn.Linear(width, classes, rng=seed))


images = np.random.default_rng(0).standard_normal((30, 8, 8, 1)).astype(np.float32)
classes = np.arange(30) % 3


def test_the_first_layers_are_copied_and_not_shared():
    source, target = convnet(0), convnet(1, classes=2)
    source[1].running_mean[...] = 0.5
    above = bits(*target.layers[5:6], target[7])
    assert transfer(source, target, first=1) is target
    assert bits(*target.layers[:2]) == bits(*source.layers[:2]) and bits(target[5], target[7]) == above
    target[0].w.data += 1
    target[1].running_mean += 1
    assert np.abs(target[0].w.data - source[0].w.data - 1).max() < 1e-6 and (source[1].running_mean == 0.5).all()


def test_frozen_layers_keep_every_bit_in_fit_the_rest_learns():
    target = transfer(convnet(0), convnet(1), first=2, frozen=1)
    before, above = bits(target[0], target[1]), bits(target[5])
    params = target.parameters()
    training.fit(target, losses.cross_entropy, optim.Momentum(params, lr=0.1, momentum=0.9, weight_decay=0.1),
                 [(images, classes)], epochs=3, progress=False)
    assert bits(target[0], target[1]) == before and bits(target[5]) != above      # running averages too
    assert target[0].w.grad is None and target[1].gamma.grad is None and target[5].w.grad is not None
    target[0].unfreeze().train()
    training.fit(target, losses.cross_entropy, optim.SGD(params, lr=0.1), [(images, classes)], epochs=1, progress=False)
    assert bits(target[0]) != before[:2]


def test_first_and_last_layers_of_a_shallow_net_begin_a_deeper_one():
    """Simonyan and Zisserman: the middle is new."""
    shallow = nn.Sequential(*(block(4, 4, k) for k in range(3)), nn.Linear(4, 3, rng=9))
    deep = nn.Sequential(*(block(4, 4, 10 + k) for k in range(6)), nn.Linear(4, 3, rng=8))
    middle = bits(*deep.layers[2:5])
    transfer(shallow, deep, first=2, last=2)
    assert bits(*deep.layers[:2], *deep.layers[5:]) == bits(*shallow.layers)
    assert bits(*deep.layers[2:5]) == middle


@pytest.mark.parametrize("options, words", [
    (dict(first=2), "0.5.w is float32 .36, 5., wanted float32 .36, 6."), (dict(first=4), "from 0 to 3.*have 3 and 3"),
    (dict(first=1, frozen=2), "frozen must be .*first=1"), (dict(first=2, last=2), "last must be .*first=2"),
    (dict(first=-1), "first"),
])
def test_what_does_not_fit_changes_nothing(options, words):
    target = convnet(1, width=6)
    before = bits(target)
    with pytest.raises(ValueError, match=f"transfer: .*{words}"):
        transfer(convnet(0), target, **options)
    assert bits(target) == before and target[0].w.requires_grad and target[0].training


def test_transfer_wants_sequentials():
    with pytest.raises(ValueError, match="target must be a Sequential, got Linear"):
        transfer(convnet(0), nn.Linear(2, 3), first=0)
    with pytest.raises(ValueError, match="first must be an integer from 0 to 0"):
        transfer(nn.Sequential(nn.Tanh()), nn.Sequential(nn.Tanh()), first=1)


# --------------------------------------------------------------------------------------------------------- FitNets

def test_the_hint_loss_is_half_the_squared_distance_per_example():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 5, 4))
    wanted = 0.5 * np.mean([np.linalg.norm(p - q)**2 for p, q in zip(a, b)])
    assert hint_loss(Tensor(a), b).item() == pytest.approx(wanted, rel=1e-14)
    with pytest.raises(ValueError, match=r"hint_loss: .*\(5, 4\) and \(5,\)"):
        hint_loss(Tensor(a), b[:, 0])


def test_hints_train_the_students_lower_half_and_nothing_else():
    teacher = nn.Sequential(nn.Linear(2, 8, rng=0), nn.BatchNorm(8), nn.Tanh(), nn.Dropout(0.5, rng=0),
                            nn.Linear(8, 3, rng=1))
    student = nn.Sequential(block(2, 4, 2), block(4, 4, 3), block(4, 4, 4), nn.Linear(4, 3, rng=5))
    regressor, seen = nn.Linear(4, 8, rng=6), []
    before, upper, drawn = bits(teacher), bits(*student.layers[2:]), teacher[3].rng.bit_generator.state
    modes = [module.training for _, module in teacher.modules()]
    lower = student[:2]
    assert fitnet(teacher[:4], lower, regressor, trainer(hint_loss, 40, seen), x) is lower
    (guided, inputs, hints), = seen
    assert bits(teacher) == before and teacher[3].rng.bit_generator.state == drawn
    assert [module.training for _, module in teacher.modules()] == modes
    assert all(p.grad is None for p in teacher.parameters())
    assert np.array_equal(hints, training.predict(teacher[:4], x)) and inputs is x
    assert bits(*student.layers[2:]) == upper and not any(module is regressor for _, module in student.modules())
    assert training.evaluate(guided, hint_loss, x, hints).loss < 0.1 * 0.5 * np.mean(np.sum(hints**2, axis=1))


@pytest.mark.parametrize("arguments, words", [
    ((block(2, 8, 0), block(2, 4, 0), nn.Linear(4, 7), never), "shape .7,. for an example, .*hint layer .8,."),
    ((ops.tanh, block(2, 4, 0), nn.Linear(4, 7), never), "teacher must be a module"),
    ((block(2, 8, 0), block(2, 4, 0), nn.Linear(4, 8), None), "train must be a function"),
])
def test_fitnet_refuses_before_any_training(arguments, words):
    with pytest.raises(ValueError, match=f"fitnet: .*{words}"):
        fitnet(*arguments, x)
