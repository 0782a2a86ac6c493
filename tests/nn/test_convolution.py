"""Image layers: sizes, initial scales, random windows, and what they refuse. (Values: test_every_layer.)"""
import math
import os
import re

import numpy as np
import pytest

from minigrad import init, kernels, losses, nn, ops, optim
from minigrad.core import Tensor


def images(n=2, h=6, w=5, c=4, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal((n, h, w, c)).astype(dtype)


@pytest.mark.parametrize(("layer", "shape"), [
    (nn.Conv2d(4, 7, 3, rng=0), (2, 4, 3, 7)), (nn.Conv2d(4, 7, 3, padding="same", rng=0), (2, 6, 5, 7)),
    (nn.Conv2d(4, 7, (1, 5), stride=2, rng=0), (2, 3, 1, 7)), (nn.Conv2d(4, 8, 2, groups=4, rng=0), (2, 5, 4, 8)),
    (nn.Conv2d(4, 2, 2, dilation=(5, 1), rng=0), (2, 1, 4, 2)),
    (nn.ConvTranspose2d(4, 3, 2, stride=2, rng=0), (2, 12, 10, 3)), (nn.MaxPool2d(2), (2, 3, 2, 4)),
    (nn.MaxPool2d((3, 2), stride=(1, 2)), (2, 4, 2, 4)), (nn.AvgPool2d(3, stride=1, padding=1), (2, 6, 5, 4)),
    (nn.GlobalAvgPool(), (2, 4)), (nn.FractionalMaxPool2d((4, 3), rng=0), (2, 4, 3, 4)),
    (nn.FractionalMaxPool2d(0.6, rng=0), (2, 3, 3, 4)),
], ids=lambda value: value.describe() if isinstance(value, nn.Module) else "")
def test_shapes(layer, shape):
    assert layer(Tensor(images())).shape == shape
    assert layer(Tensor(images(n=0))).shape == (0, *shape[1:]) or isinstance(layer, nn.GlobalAvgPool)


def test_a_transposed_convolution_undoes_the_shape_of_a_convolution_and_is_its_gradient():
    down = nn.Conv2d(4, 7, 3, stride=2, padding=1, bias=False, rng=0, dtype=np.float64)
    up = nn.ConvTranspose2d(7, 4, 3, stride=2, padding=1, output_padding=(1, 0), bias=False, rng=0, dtype=np.float64)
    assert up.w.shape == down.w.shape
    up.w.data = down.w.data
    x, g = Tensor(images(dtype=np.float64)), images(2, 3, 3, 7, np.float64, 1)
    x.requires_grad = True
    down(x).backward(g)
    np.testing.assert_allclose(up(Tensor(g)).data, x.grad, rtol=1e-13, atol=1e-14)


def test_fans_count_the_kernel_and_what_a_group_sees():
    bounds = {nn.Conv2d(4, 60, 5, rng=0): 1 / math.sqrt(5 * 5 * 4),
              nn.Conv2d(40, 80, 5, groups=4, rng=0): 1 / math.sqrt(5 * 5 * 10),
              nn.ConvTranspose2d(4, 60, 5, rng=0): 1 / math.sqrt(5 * 5 * 4)}
    for layer, bound in bounds.items():
        assert 0.98 * bound < np.abs(layer.w.data).max() <= bound
    he = nn.Conv2d(16, 300, 3, weights=init.he_normal, rng=0)
    assert he.w.data.var() == pytest.approx(2 / (9 * 16), rel=0.05)


def test_he_weights_keep_the_scale_of_relu_convolutions_and_others_lose_it():
    x = images(4, 20, 20, 32)
    for rule, wanted in ((init.he_normal, 1.0), (init.fan_in_uniform, 6.0 ** -5)):
        layers = [f for i in range(5) for f in (nn.Conv2d(32, 32, 3, weights=rule, rng=i), ops.relu)]
        y = nn.Sequential(*layers)(Tensor(x)).data
        assert 0.5 < np.square(y).mean() / np.square(x).mean() / wanted < 2


def test_fractional_windows_are_drawn_while_learning_and_fixed_otherwise():
    layer, x = nn.FractionalMaxPool2d((5, 5), rng=0), Tensor(images(2, 9, 9, 2))
    drawn = [layer(x).data for _ in range(6)]
    assert len({y.tobytes() for y in drawn}) > 1
    layer.eval()
    np.testing.assert_array_equal(layer(x).data, layer(x).data)
    layer.train()
    with nn.fixed_statistics(layer):
        first = layer(x).data
    np.testing.assert_array_equal(layer(x).data, first)                   # its generator was put back


def test_fractional_pooling_equals_pytorchs_for_the_same_samples():
    torch = pytest.importorskip("torch")
    layer, x = nn.FractionalMaxPool2d((5, 4), size=2, rng=7), images(3, 9, 8, 2, np.float64)
    samples = np.random.default_rng(7).random(2)
    theirs = torch.nn.functional.fractional_max_pool2d(
        torch.tensor(x).permute(0, 3, 1, 2), 2, (5, 4),
        _random_samples=torch.tensor(samples[::-1].copy()).expand(3, 2, 2))
    ours = layer(Tensor(x)).data
    np.testing.assert_array_equal(ours, theirs.permute(0, 2, 3, 1).numpy())


def test_a_lenet_learns_one_batch_by_heart():
    """All layers together: the loss of a batch falls to nothing under plain gradient descent."""
    model = nn.Sequential(nn.Conv2d(1, 6, 5, bias=False, rng=0), nn.BatchNorm(6, relu=True), nn.MaxPool2d(2),
                          nn.Conv2d(6, 12, 3, bias=False, rng=1), nn.BatchNorm(12, relu=True), nn.MaxPool2d(2),
                          nn.Flatten(), nn.Dropout(0.1, rng=0), nn.Linear(48, 4, rng=2))
    x, y = Tensor(images(16, 18, 18, 1)), np.arange(16) % 4
    opt = optim.Momentum(model.parameters(), lr=0.1, momentum=0.5)
    model.train()
    for _ in range(40):
        opt.zero_grad()
        loss = losses.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    assert losses.cross_entropy(model(x), y).item() < 0.05
    assert losses.zero_one_error(model.eval()(x), y) == 0


@pytest.mark.no_asan                       # page faults, and every block the sanitizer gives is fresh
@pytest.mark.skipif(not kernels.compiled or os.environ.get("MINIGRAD_KEEP_MEMORY") == "0", reason="nothing is kept")
def test_a_training_step_of_a_convnet_faults_no_fresh_pages():
    resource = pytest.importorskip("resource")
    model = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2, bias=False, rng=0), nn.BatchNorm(16), nn.ReLU(),
                          nn.MaxPool2d(2), nn.Conv2d(16, 32, 5, rng=1), nn.ReLU(), nn.Flatten(),
                          nn.Linear(3200, 10, rng=2))                  # activations of some 10 MB: 2,500 pages
    opt = optim.Momentum(model.parameters(), lr=0.01)
    x, y, faults = Tensor(images(64, 28, 28, 1)), np.arange(64) % 10, []
    for _ in range(12):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        opt.zero_grad()
        losses.cross_entropy(model(x), y).backward()
        opt.step()
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert np.median(faults[4:]) < 50, faults


@pytest.mark.parametrize(("call", "message"), [
    (lambda: nn.Conv2d(1, 8, 0), "Conv2d: size must be an integer >= 1 or a pair of them, got 0"),
    (lambda: nn.Conv2d(1, 8, (3, -1)), r"Conv2d: size must be an integer >= 1 or a pair of them, got \(3, -1\)"),
    (lambda: nn.Conv2d(0, 8, 3), "Conv2d: inputs must be an integer >= 1, got 0"),
    (lambda: nn.Conv2d(4, 6, 3, groups=4), "groups must divide inputs and outputs, got 4 for 4 and 6"),
    (lambda: nn.ConvTranspose2d(4, 6, 3, groups=3), "ConvTranspose2d: groups must divide inputs and outputs"),
    (lambda: nn.Conv2d(3, 8, 3)(Tensor(images())), r"conv2d: w has 3 input channels but x has 4 \(x \(2, 6, 5, 4\)"),
    (lambda: nn.Conv2d(4, 8, 7)(Tensor(images())), "the window, 7 x 7, is larger than the image"),
    (lambda: nn.Conv2d(4, 8, 3)(Tensor(images(dtype=np.float64))), "both be float32 or both float64"),
    (lambda: nn.Conv2d(4, 8, 3)(Tensor(np.ones((5, 4), np.float32))), r"x must be \(n, h, w, c\)"),
    (lambda: nn.MaxPool2d(7)(Tensor(images())), "a window of 7 does not fit into 6 pixels"),
    (lambda: nn.AvgPool2d("2"), "AvgPool2d: size must be an integer >= 1"),
    (lambda: nn.GlobalAvgPool()(Tensor(np.ones((5, 4)))), r"wanted images \(n, h, w, c\), got shape \(5, 4\)"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


CONVOLUTIONS = {"Conv2d": lambda **o: nn.Conv2d(4, 6, **{"size": 3} | o),
                "ConvTranspose2d": lambda **o: nn.ConvTranspose2d(4, 6, **{"size": 3} | o)}
POOLS = {"MaxPool2d": lambda **o: nn.MaxPool2d(**{"size": 3} | o),
         "AvgPool2d": lambda **o: nn.AvgPool2d(**{"size": 3} | o)}
WHOLE = "must be an integer >= 1 or a pair of them, got"


def refused(message, make, **options):
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        make(**options)


@pytest.mark.parametrize("wrong", [0, -1, 1.0, 2.5, "2", None, True, (1, 2, 3), (2, 0), [1, "1"], ()], ids=repr)
@pytest.mark.parametrize("layer", [*CONVOLUTIONS, *POOLS])
def test_windows_are_checked_when_the_layer_is_made(layer, wrong):
    """The message names the layer and the argument; forward would say it long after the line that is wrong."""
    make = (CONVOLUTIONS | POOLS)[layer]
    for argument in ("size", "stride") + (("dilation",) if layer != "AvgPool2d" else ()):
        if not (wrong is None and argument == "stride" and layer in POOLS):             # None: the size
            refused(f"{layer}: {argument} {WHOLE} {wrong!r}", make, **{argument: wrong})


@pytest.mark.parametrize("layer", [*CONVOLUTIONS, *POOLS])
def test_padding_is_checked_when_the_layer_is_made(layer):
    make = (CONVOLUTIONS | POOLS)[layer]
    for wrong in (-1, 0.5, None, True, (1, -1), (1, 2, 3), [1.0, 1]):
        refused(f"{layer}: padding must be an integer >= 0 or a pair of them, got {wrong!r}", make, padding=wrong)
    if layer in POOLS:
        assert make(padding="same").padding == "same"
        refused(f"{layer}: padding must be numbers or \"same\", got 'valid'", make, padding="valid")
        refused(f"{layer}: padding must be smaller than the window, got padding 3 and size (3, 3)", make, padding=3)
        refused(f"{layer}: padding must be smaller than the window, got padding (0, 2) and size (4, 2)", make,
                size=(4, 2), padding=(0, 2))
    else:
        refused(f"{layer}: padding must be an integer >= 0 or a pair of them, got (1, -1)", make,
                padding=((0, 1), (1, -1)))
        wanted = 'numbers or "same"' if layer == "Conv2d" else "numbers"
        refused(f"{layer}: padding must be {wanted}, got 'valid'", make, padding="valid")
        for groups in (0, 1.0, True, "2"):
            refused(f"{layer}: groups must be an integer >= 1, got {groups!r}", make, groups=groups)
        refused(f"{layer}: groups must divide inputs and outputs, got 4 for 4 and 6", make, groups=4)


def test_output_padding_is_checked_when_the_layer_is_made():
    make = CONVOLUTIONS["ConvTranspose2d"]
    refused("ConvTranspose2d: padding must be numbers, got 'same'", make, padding="same")
    refused("ConvTranspose2d: output_padding must be an integer >= 0 or a pair of them, got -1", make,
            output_padding=-1)
    refused("ConvTranspose2d: output_padding must be smaller than stride or dilation, got (0, 2) for stride 2 and "
            "dilation 1", make, stride=2, output_padding=(0, 2))
    assert make(stride=2, dilation=(1, 3), output_padding=(1, 2)).output_padding == (1, 2)


@pytest.mark.parametrize("wrong", [0.0, 1.0, 1.5, float("nan"), np.float32(2)], ids=repr)
def test_the_ratio_of_fractional_pooling_is_checked_when_the_layer_is_made(wrong):
    refused(f"FractionalMaxPool2d: output must be a number in (0, 1), got {float(wrong)!r}: a ratio, or sizes (oh, ow)",
            nn.FractionalMaxPool2d, output=wrong)


def test_the_sizes_of_fractional_pooling_are_checked_when_the_layer_is_made():
    for wrong in (0, None, "half", (3, 0), (3, 3, 3), (0.5, 0.5)):
        refused(f"FractionalMaxPool2d: output {WHOLE} {wrong!r}", nn.FractionalMaxPool2d, output=wrong)
    refused(f"FractionalMaxPool2d: size {WHOLE} 0", nn.FractionalMaxPool2d, output=3, size=0)


def test_numpys_integers_are_integers():
    two = np.int64(2)
    layer = nn.Conv2d(4, 6, two, stride=(two, 1), padding=[two, 0], dilation=two, groups=two, rng=0)
    assert layer(Tensor(images())).shape == (2, 4, 3, 6)
    assert nn.MaxPool2d(two, stride=two, padding=np.int32(1))(Tensor(images())).shape == (2, 4, 3, 4)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_grouped_transposed_convolution_keeps_the_scale_and_sees_its_own_channels(groups):
    up = nn.ConvTranspose2d(64, 64, 3, padding=1, groups=groups, weights=init.he_normal, rng=0, dtype=np.float64)
    assert up.w.data.var() == pytest.approx(2 / (9 * 64 / groups), rel=0.05)
    x = images(4, 12, 12, 64, np.float64)
    y = up(Tensor(x)).data[:, 1:-1, 1:-1]
    assert np.square(y).mean() / np.square(x).mean() == pytest.approx(2, rel=0.1)
    x[..., 64 // groups:] = 0                                                      # only the first group speaks
    y = up(Tensor(x)).data
    assert not y[..., 64 // groups:].any() and y[..., :64 // groups].any()


def test_a_transposed_convolution_draws_what_its_initializer_is_asked_for():
    def counting(shape, rng=None, dtype=None):
        assert shape == (3, 5, 2, 6)                                               # (kh, kw, inputs / groups, outputs)
        return np.arange(180.0).reshape(shape)
    w = nn.ConvTranspose2d(4, 6, (3, 5), groups=2, weights=counting, dtype=np.float64).w.data
    for group in range(2):
        for i in range(2):
            for j in range(3):
                np.testing.assert_array_equal(w[:, :, j, 2 * group + i],
                                              np.arange(180.0).reshape(3, 5, 2, 6)[:, :, i, 3 * group + j])
