"""Schedules: closed forms, PyTorch's and optax' (which count from 0), Robbins-Monro, and back from their text."""
import math

import numpy as np
import pytest

from minigrad.optim import schedules
from minigrad.optim.schedules import (
    Chain,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    Inverse,
    Linear,
    OneCycle,
    PerEpoch,
    Power,
    Scaled,
    Stair,
    Warmup,
    describe,
    restore,
    robbins_monro,
)

EVERY = [Constant(0.1), Linear(0.1, 0.001, 100), Inverse(0.1, 5), Power(0.1, 0.6), Stair(0.1, 0.5, 30),
         Exponential(0.1, 0.97), Cosine(0.1, 0.01, 50), CosineRestarts(0.1, 0.0, 10, 2), Warmup(10, 0.1),
         Warmup(10, Linear(0.1, 0, 50)), Chain([(5, 0.1), (10, Linear(0.1, 0.05, 10)), Inverse(0.05)]),
         Scaled(0.5, Exponential(1, 0.9)), OneCycle(0.1, 80), OneCycle(0.1, 60, 0.5, 10, 100),
         PerEpoch(Stair(0.1, 0.5, 2), 7), PerEpoch(0.1, 3), Warmup(0, Cosine(0.1, 0, 9))]


def values(schedule, steps=120):
    return np.array([schedule(k) for k in range(1, steps + 1)])


def test_linear_is_8_14_clamped():
    schedule = Linear(1.0, 0.1, 4)
    np.testing.assert_allclose(values(schedule, 6), [0.775, 0.55, 0.325, 0.1, 0.1, 0.1])
    assert schedule(10 ** 9) == 0.1


@pytest.mark.parametrize(("schedule", "wanted"), [
    (Constant(0.3), lambda k: 0.3),
    (Inverse(0.5), lambda k: 0.5 / k),
    (Inverse(0.5, 10), lambda k: 5 / (9 + k)),
    (Power(0.5, 0.75), lambda k: 0.5 / k ** 0.75),
    (Stair(0.8, 0.5, 10), lambda k: 0.8 * 0.5 ** math.floor((k - 1) / 10)),
    (Exponential(0.8, 0.9), lambda k: 0.8 * 0.9 ** (k - 1)),
    (Cosine(1.0, 0.2, 20), lambda k: 0.2 + 0.4 * (1 + math.cos(math.pi * min(k - 1, 20) / 20))),
    (CosineRestarts(1.0, 0.0, 5), lambda k: 0.5 * (1 + math.cos(math.pi * ((k - 1) % 5) / 5))),
    (Warmup(10, 0.5), lambda k: 0.5 * min(k / 10, 1)),
    (Scaled(0.5, Inverse(1.0)), lambda k: 0.5 / k), (Warmup(0, Inverse(0.5)), lambda k: 0.5 / k),
    (PerEpoch(Stair(0.8, 0.5, 3), 10), lambda k: 0.8 * 0.5 ** ((k - 1) // 30)),
    (PerEpoch(Inverse(1.0), 4), lambda k: 1 / math.ceil(k / 4)),
    (Chain([(3, 0.9), Inverse(0.5)]), lambda k: 0.9 if k <= 3 else 0.5 / (k - 3)),
], ids=lambda value: "" if hasattr(value, "__code__") else repr(value))
def test_closed_form(schedule, wanted):
    np.testing.assert_allclose(values(schedule), [wanted(k) for k in range(1, 121)], rtol=1e-13)


def test_the_first_step_after_a_stair_is_number_every_plus_one():
    assert Stair(1.0, 0.1, 30)(30) == 1.0 and Stair(1.0, 0.1, 30)(31) == pytest.approx(0.1)


def test_restarts_lengthen():
    schedule = CosineRestarts(1.0, 0.0, 2, longer=2)                  # periods 2, 4, 8
    assert [k for k in range(1, 15) if schedule(k) == 1.0] == [1, 3, 7]


def torch_values(make, start, steps=120):
    torch = pytest.importorskip("torch")
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
    scheduler, seen = make(torch.optim.lr_scheduler, opt), []
    for _ in range(steps):
        seen.append(opt.param_groups[0]["lr"])
        opt.step()
        scheduler.step()
    return np.array(seen)


@pytest.mark.parametrize(("schedule", "theirs"), [
    (Stair(0.1, 0.5, 30), lambda s, o: s.StepLR(o, 30, 0.5)),
    (Exponential(0.1, 0.97), lambda s, o: s.ExponentialLR(o, 0.97)),
    (CosineRestarts(0.1, 0.01, 10, 2), lambda s, o: s.CosineAnnealingWarmRestarts(o, 10, 2, 0.01)),
    (CosineRestarts(0.1, 0.01, 7), lambda s, o: s.CosineAnnealingWarmRestarts(o, 7, 1, 0.01)),
    (OneCycle(0.1, 120), lambda s, o: s.OneCycleLR(o, 0.1, 120, cycle_momentum=False)),
    (OneCycle(0.4, 121, 0.45, 10, 50),
     lambda s, o: s.OneCycleLR(o, 0.4, 121, pct_start=0.45, div_factor=10, final_div_factor=50, cycle_momentum=False)),
], ids=lambda value: "" if hasattr(value, "__code__") else repr(value))
def test_equals_pytorch(schedule, theirs):
    """PyTorch counts steps from 0: its value number k - 1 is ours at k."""
    np.testing.assert_allclose(values(schedule), torch_values(theirs, 0.1), rtol=0, atol=1e-14)


def test_linear_equals_pytorch_and_optax_one_step_later():
    """8.14 at k = 1 is one step below eps_0; the libraries begin at eps_0."""
    theirs = torch_values(lambda s, o: s.LinearLR(o, start_factor=1.0, end_factor=0.01, total_iters=100), 0.1, 121)
    np.testing.assert_allclose(values(Linear(0.1, 0.001, 100)), theirs[1:], rtol=0, atol=1e-15)
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    with jax.enable_x64(True):
        theirs = [float(optax.linear_schedule(0.1, 0.001, 100)(np.float64(k))) for k in range(1, 121)]
    np.testing.assert_allclose(values(Linear(0.1, 0.001, 100)), theirs, rtol=0, atol=1e-15)


def test_cosine_equals_optax_counted_from_0():
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    with jax.enable_x64(True):
        rule = optax.cosine_decay_schedule(0.1, 50, alpha=0.1)
        theirs = [float(rule(np.float64(k))) for k in range(120)]
    np.testing.assert_allclose(values(Cosine(0.1, 0.01, 50)), theirs, rtol=0, atol=1e-15)


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_a_schedule_is_its_text(schedule):
    text = describe(schedule)
    assert isinstance(text, str) and repr(restore(text)) == text
    np.testing.assert_array_equal(values(restore(text)), values(schedule))


@pytest.mark.parametrize("text", [
    "", "1 +", "print(1)", "Linear(1)", "Linear(1, 2, 3, 4)", "Linear(start=1, end=2, tau=3)", "Linear('a', 1, 2)",
    "Constant(True)", "__import__('os').system('x')", "Linear", "Constant(x)", "[Constant(1)].pop()", "Linear(1, 2, 0)",
])
def test_restore_reads_nothing_else(text):
    with pytest.raises(ValueError):
        restore(text)


def test_numbers_and_functions_of_ones_own():
    assert describe(0.1) == 0.1
    assert describe(lambda k: 1 / k) == "custom <lambda>"
    assert schedules.as_schedule(0.3)(7) == 0.3


@pytest.mark.parametrize(("schedule", "holds"), [
    (Inverse(0.1), True), (Inverse(0.1, 100), True), (Power(0.1, 1), True), (Power(0.1, 0.6), True),
    (Power(0.1, 0.5), False), (Power(0.1, 1.1), False), (Constant(0.1), False), (0.1, False),
    (Exponential(0.1, 0.99), False), (Exponential(0.1, 1.0), False), (Stair(0.1, 0.5, 10), False),
    (Linear(0.1, 0.001, 100), False), (Linear(0.1, 0.0, 100), False), (Cosine(0.1, 0, 10), False),
    (CosineRestarts(0.1, 0, 10), False), (Warmup(10, Inverse(0.1)), True),
    (OneCycle(0.1, 100), False), (PerEpoch(Inverse(0.1), 10), True), (PerEpoch(Power(0.1, 0.5), 10), False),
    (Chain([(10, 0.1), Inverse(0.1)]), True),
    (Chain([(10, Inverse(0.1)), 0.1]), False), (Scaled(2.0, Inverse(0.1)), True), (Inverse(0.0), False),
], ids=lambda value: "" if hasattr(value, "__code__") else repr(value))
def test_robbins_monro(schedule, holds):
    """8.12 and 8.13: 1/k passes, constant and geometric rates fail."""
    assert robbins_monro(schedule) is holds


@pytest.mark.parametrize("power", [0.4, 0.6, 0.8, 1.0, 1.3])
def test_robbins_monro_agrees_with_the_partial_sums(power):
    """Sums of 1/k^p and 1/k^2p up to 10^6: growing without bound or not, seen in the last decade."""
    k = np.arange(1, 10 ** 6 + 1, dtype=float)

    def diverges(p):                   # the last decade of k adds more than the decade before, or as much
        sums = [np.sum(k[10 ** d:10 ** (d + 1)] ** -p) for d in (4, 5)]
        return bool(sums[1] > 0.99 * sums[0])
    assert robbins_monro(Power(1.0, power)) is (diverges(power) and not diverges(2 * power))


def test_robbins_monro_does_not_guess():
    with pytest.raises(ValueError, match="cannot decide for"):
        robbins_monro(lambda k: 1 / k)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Linear(1, 0, 0), r"Linear: tau must be in \(0, inf\), got 0"),
    (lambda: Linear(math.nan, 0, 1), "start must be a finite number, got nan"),
    (lambda: Constant("x"), "Constant: value must be a finite number"),
    (lambda: Stair(1, 0, 5), "factor must be in"),
    (lambda: Exponential(1, -1), "factor must be in"),
    (lambda: Cosine(1, 0, -5), "period must be in"),
    (lambda: CosineRestarts(1, 0, 5, 0.5), r"longer must be in \[1, inf\), got 0.5"),
    (lambda: Warmup(-1, 1.0), "steps must be in"), (lambda: PerEpoch(0.1, 0), "steps must be in"),
    (lambda: OneCycle(0.1, 1), "steps must be in"), (lambda: OneCycle(0.1, 9, 1), "rising must be in"),
    (lambda: Chain([(0, 1.0), 2.0]), "steps must be in"),
])
def test_misuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


NUMPYS = [
    (Constant, np.float64(0.1)), (Linear, np.float32(0.5), np.float64(0.25), np.int64(4)),
    (Inverse, np.float64(0.1), np.int8(5)), (Power, np.array(0.1), np.float64(0.6)),
    (Stair, np.float64(0.1), np.float32(0.5), np.int64(30)), (Exponential, np.float64(0.1), np.float64(0.97)),
    (Cosine, np.float64(0.1), 0, 10), (CosineRestarts, 0.1, np.float64(0.0), np.int32(10), np.float64(2)),
    (Warmup, np.int64(10), np.float64(0.1)), (Warmup, 10, Linear(np.float64(0.1), 0, 50)),
    (Chain, [(np.int64(5), np.float64(0.1)), (10, Linear(0.1, np.float64(0.05), 10)), np.float32(0.5)]),
    (Scaled, np.float64(0.5), Exponential(np.float64(1), 0.9)), (OneCycle, np.float64(0.1), np.int64(80)),
    (PerEpoch, Stair(np.float32(0.5), 0.5, 2), np.int64(7)),
]


@pytest.mark.parametrize(("kind", "arguments"), [(kind, arguments) for kind, *arguments in NUMPYS],
                         ids=lambda value: getattr(value, "__name__", ""))
def test_a_schedule_of_numpys_numbers_is_its_text_too(kind, arguments):
    """np.float64(0.1) prints as 'np.float64(0.1)' from NumPy 2 on, which no checkpoint can read back."""
    schedule = kind(*arguments)
    text = describe(schedule)
    assert "np" not in text and not text.startswith("custom")
    np.testing.assert_array_equal(values(restore(text)), values(schedule))
    assert {type(schedule(k)) for k in range(1, 20)} <= {int, float}


def test_whole_numbers_of_numpys_stay_whole_in_the_text():
    assert describe(Linear(np.float32(0.5), np.float64(0.25), np.int64(4))) == "Linear(0.5, 0.25, 4)"
    assert describe(Chain([(np.array(3), 1), 0.5])) == "Chain(((3, Constant(1)), Constant(0.5)))"


def test_every_kind_of_schedule_is_tried_with_numpys_numbers():
    assert {kind for kind, *_ in NUMPYS} == set(schedules.KINDS.values())


@pytest.mark.parametrize("text", [
    "not " * 50_000 + "1", "-" * 50_000 + "1", "lambda: " * 50_000 + "1", "(" * 50_000 + ")" * 50_000,
    "Warmup(1, " * 5_000 + "1" + ")" * 5_000, "Constant(0x" + "f" * 100_000 + ")", "Constant(1" + "0" * 100_000 + ")",
    "Constant(1" + "0" * 400 + ")", "Constant(1e999)", "Constant(" + "1_" * 50_000 + "1)",
    "Constant(" * 40 + "1" + ")" * 40, "Linear(1,2,3)" * 50_000,
    "Linear(1, 2, 3) 4", "Linear(1, 2, 3", "Linear(1 2 3)", "Chain([(1, 2), 3)]",
    "1", "(1, 2)", "Constant(\ud800)", "Constant(\x00)", "Constant(1)\n+1", "Linear(1, 2, 3,,)",
], ids=lambda text: f"{text[:20]!r} {len(text)}")
def test_a_hostile_text_is_refused_in_no_time_and_in_a_short_message(text):
    with pytest.raises(ValueError, match="restore: not a schedule") as caught:
        restore(text)
    assert len(str(caught.value)) < 300


def test_texts_of_earlier_versions_are_read():
    """Numbers as Python prints them, tuples with and without a last comma, lists."""
    assert restore("Chain([(5, Constant(0.1)), Inverse(1e-05, 1)])") == Chain([(5, 0.1), Inverse(1e-5)])
    assert restore("Chain(((5, Constant(0.1)), Inverse(-1, 1),))") == Chain([(5, 0.1), Inverse(-1)])
    assert restore(" Linear( 0.1,\n +1E+3, .5 ) ") == Linear(0.1, 1e3, 0.5)


def test_a_number_that_no_text_can_hold_is_a_plain_float():
    assert describe(Constant(10 ** 50)) == "Constant(1e+50)"
    with pytest.raises(ValueError, match="value must be a finite number"):
        Constant(10 ** 400)


def test_one_cycle_peaks_once_and_stays_low():
    schedule = OneCycle(1.0, 100, rising=0.25)
    seen = values(schedule, 300)
    assert seen[0] == pytest.approx(1 / 25) and seen[24] == 1.0 and seen.argmax() == 24
    assert (np.diff(seen[:25]) > 0).all() and (np.diff(seen[24:100]) < 0).all()
    np.testing.assert_allclose(seen[99:], 1 / 25 / 10_000, rtol=1e-9)
    short = values(OneCycle(1.0, 3, 0.1), 4)                      # no step is left for the way up
    assert short[0] == 1.0 and short[-1] == pytest.approx(4e-6)


def test_halving_every_few_epochs():
    """Epochs of 5 steps, halved after every second: steps 1 to 10, 11 to 20, ..."""
    seen = values(PerEpoch(Stair(0.8, 0.5, 2), 5), 40)
    np.testing.assert_array_equal(seen, np.repeat([0.8, 0.4, 0.2, 0.1], 10))
