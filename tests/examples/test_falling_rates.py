"""How a rate may fall: halved every ten epochs, and only 1/k satisfies (8.12) and (8.13)."""
import importlib.util
from pathlib import Path

import pytest

from minigrad.optim import schedules


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[2] / "examples" / "falling_rates.py"
    spec = importlib.util.spec_from_file_location("falling_rates", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rate_is_halved_every_ten_epochs_of_forty_steps(page):
    rate = page.falling(0.8, 2400, 60)["halved every 10 epochs"]
    assert [rate(k) for k in (1, 400, 401, 800, 801, 2400)] == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.8 / 32])


def test_only_one_over_k_satisfies_both_conditions(page):
    made = page.falling(1.0, 2400, 60)
    assert [name for name, one in made.items() if callable(one) and schedules.robbins_monro(one)] == ["1/k"]


def test_a_plateau_halves_and_never_raises_the_rate(page):
    _, rates, _ = page.learn("halved on a plateau", 2.0, 25, 0, *page.digits(100))
    assert all(later in (earlier, earlier / 2) for earlier, later in zip(rates, rates[1:])) and rates[-1] < rates[0]


def test_the_page_runs_and_draws(page, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    page.main(["--quick", "--out", str(tmp_path)])
    assert "one cycle" in capsys.readouterr().out
    assert (tmp_path / "falling_rates.png").read_bytes()[:4] == b"\x89PNG"
