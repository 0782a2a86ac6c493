"""ReduceOnPlateau: PyTorch's rates from the same figures, groups, schedules, and a run that is resumed."""
import numpy as np
import pytest

from minigrad import losses, nn, optim, training
from minigrad.data import batches
from minigrad.optim import schedules
from minigrad.training import ReduceOnPlateau

FIGURES = [1.0, 0.8, 0.8, 0.81, 0.79, np.nan, 0.795, 0.79, 0.8, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.45, 0.5]


@pytest.mark.parametrize("least", [0.0, 0.05])
@pytest.mark.parametrize("patience", [1, 2, 3])
def test_the_rates_are_those_of_pytorch(patience, least):
    """PyTorch reduces when more than its patience were bad, ours when as many were: theirs is one less."""
    torch = pytest.importorskip("torch")
    other = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        other, factor=0.5, patience=patience - 1, threshold=least, threshold_mode="abs", min_lr=0.04, eps=0)
    opt, plateau = optim.SGD(np.zeros(1), lr=0.4), ReduceOnPlateau(0.5, patience, least=least, lowest=0.04)
    for value in FIGURES:
        before = opt.lr
        assert plateau.hear(opt, value) or opt.lr == before
        scheduler.step(value)
        assert opt.lr == other.param_groups[0]["lr"]
    assert opt.lr < 0.4


def test_groups_and_schedules_are_reduced_too():
    opt = optim.SGD(np.zeros(4), lr=schedules.Inverse(0.1, 5), groups=[dict(params=slice(0, 2), lr=0.2),
                                                                        dict(params=slice(2, 3), weight_decay=0.1)])
    plateau = ReduceOnPlateau(0.5, patience=1)
    for _ in range(31):
        plateau.hear(opt, 1.0)
    assert opt.groups[1]["lr"] == 0.2 * 0.5**30 and "lr" not in opt.groups[2].own
    assert opt.now("lr", 6) == pytest.approx(0.05 * 0.5**30)
    fresh = optim.SGD(np.zeros(4), lr=0.1, groups=[dict(params=slice(0, 2), lr=0.2),
                                                   dict(params=slice(2, 3), weight_decay=0)])
    fresh.load_state_dict(opt.state_dict())                              # thirty times reduced, one scale in its text
    assert fresh.now("lr", 6) == opt.now("lr", 6)


def test_a_rate_below_the_lowest_is_not_raised():
    opt = optim.SGD(np.zeros(1), lr=0.01)
    for _ in range(2):
        ReduceOnPlateau(0.5, patience=1, lowest=0.1).hear(opt, np.nan)
    assert opt.lr == 0.01


class Case:
    """A small run on figures that do not improve: with a rate of 1e-12 the validation loss stays."""

    def __init__(self, lr=1e-12):
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((20, 3)).astype(np.float32), rng.integers(0, 2, 20)
        self.model = nn.Linear(3, 2, rng=0)
        self.opt, self.plateau = optim.SGD(self.model.parameters(), lr=lr), ReduceOnPlateau(0.5, patience=3, least=1e-3)
        self.data, self.validation = batches(x, y, batch_size=10, rng=0), (x, y)

    def run(self, epochs, **options):
        callbacks = [self.plateau, *options.pop("callbacks", [])]
        return training.fit(self.model, losses.cross_entropy, self.opt, self.data, epochs=epochs, progress=False,
                            validation=self.validation, callbacks=callbacks, **options)


def test_a_run_hears_the_figure_and_goes_on_exactly_when_it_is_resumed(tmp_path):
    whole, first, second = Case(), Case(), Case()
    whole.run(9)
    assert whole.opt.lr == 1e-12 * 0.25                                  # the first epoch is the best: 4, 7
    first.run(6, callbacks=[training.Checkpoint(tmp_path / "run")])
    assert (first.opt.lr, first.plateau.waited) == (0.5e-12, 2)
    second.run(9, resume=tmp_path / "run", callbacks=[training.Checkpoint(tmp_path / "run")])
    assert (second.opt.lr, second.plateau.best, second.plateau.waited) == (
        whole.opt.lr, whole.plateau.best, whole.plateau.waited)
    assert np.array_equal(second.model.w.data, whole.model.w.data)


def test_a_new_run_begins_anew_and_a_missing_figure_is_named():
    case = Case()
    case.run(3)
    assert case.plateau.waited == 2
    case.plateau.metric = "validation_f1"
    with pytest.raises(ValueError, match="ReduceOnPlateau: validation_f1 is not measured"):
        case.run(4)
    assert case.plateau.waited == 0 and case.plateau.best == np.inf


@pytest.mark.parametrize("state", [{}, {"best": 1.0}, {"best": np.nan, "waited": 0}, {"best": 1.0, "waited": -1},
                                   {"best": 1.0, "waited": True}])
def test_a_state_that_is_none_is_refused(state):
    plateau = ReduceOnPlateau()
    with pytest.raises(ValueError, match=r"ReduceOnPlateau.load_state_dict: best is"):
        plateau.load_state_dict(state)
    assert plateau.waited == 0


@pytest.mark.parametrize("wrong", [dict(factor=1), dict(factor=0), dict(patience=0), dict(least=-1), dict(lowest=-1)])
def test_arguments(wrong):
    with pytest.raises(ValueError, match=f"ReduceOnPlateau: {next(iter(wrong))} must be"):
        ReduceOnPlateau(**wrong)


def test_a_method_without_a_rate_is_named():
    with pytest.raises(ValueError, match="ReduceOnPlateau: LBFGS has no learning rate"):
        ReduceOnPlateau(patience=1).hear(optim.LBFGS(np.zeros(2)), np.nan)
