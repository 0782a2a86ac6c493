"""Five faults are found by their tools, and right programs are not accused."""
import pytest


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", ["overflow", "wrong_rule", "by_hand", "broadcast", "stuck"])
def test_the_fault_is_found_and_the_right_program_is_not_accused(page, fault, seed):
    assert getattr(page, fault)(seed, True) is not None
    assert getattr(page, fault)(seed, False) is None


def test_what_is_said_names_the_place(page):
    assert "exp made" in page.overflow(0, True) and "e = ops.exp(z)" in page.overflow(0, True)
    assert page.wrong_rule(0, True).startswith("squash: argument 0")
    assert "dJ/dz" in page.by_hand(0, True) and "factor 6" in page.by_hand(0, True)
    assert "subtract" in page.broadcast(0, True)


def test_the_page_runs_and_draws(said):
    assert said.count(": found 2 of 2, 0 false alarms") == 5
