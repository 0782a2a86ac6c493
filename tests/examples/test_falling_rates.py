"""How a rate may fall: halved every ten epochs, and only 1/k satisfies (8.12) and (8.13)."""
import pytest

from minigrad.optim import schedules


def test_the_rate_is_halved_every_ten_epochs_of_forty_steps(page):
    rate = page.falling(0.8, 2400, 60)["halved every 10 epochs"]
    assert [rate(k) for k in (1, 400, 401, 800, 801, 2400)] == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.8 / 32])


def test_only_one_over_k_satisfies_both_conditions(page):
    made = page.falling(1.0, 2400, 60)
    assert [name for name, one in made.items() if callable(one) and schedules.robbins_monro(one)] == ["1/k"]


def test_a_plateau_halves_and_never_raises_the_rate(page):
    _, rates, _ = page.learn("halved on a plateau", 2.0, 25, 0, *page.digits(100))
    assert all(later in (earlier, earlier / 2) for earlier, later in zip(rates, rates[1:])) and rates[-1] < rates[0]


def test_the_page_runs_and_draws(said):
    assert "one cycle" in said
