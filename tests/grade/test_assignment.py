"""A folder as an assignment: markers, stubs and every step between, names, numbers."""
import numpy as np
import pytest

from minigrad.grade import Assignment, Case, Mutant, Outcome, load, task
from minigrad.grade.__main__ import main
from minigrad.grade.assignment import Task, regions, render

SOURCE = '''def half(x):
    # BEGIN SOLUTION task 1: divide by two
    y = x / 2
    return y
    # END SOLUTION


def third(x):
    # BEGIN SOLUTION task 2: divide by three
    return x / 3
    # END SOLUTION
'''


@pytest.fixture
def folder(tmp_path):
    """A small assignment of two tasks."""
    home = tmp_path / "07_parts"
    home.mkdir()
    (home / "source.py").write_text(SOURCE)
    (home / "checks.py").write_text(
        "from minigrad.grade import Assignment, task\n"
        "assignment = Assignment(title='Parts')\n"
        "@task('1.1', 'half', points=2, visibility='public')\ndef half(case): pass\n"
        "@task('2.1', 'third')\ndef third(case): pass\n")
    return home


def test_a_region_becomes_the_error_that_names_its_task():
    stub = render(SOURCE)
    assert stub.count("raise NotImplementedError") == 2 and "x / 2" not in stub and "SOLUTION" not in stub
    space = {}
    exec(stub, space)
    with pytest.raises(NotImplementedError, match="^task 1: divide by two$"):
        space["half"](1)


def test_every_step_between_stub_and_solution_can_be_made():
    assert "x / 2" in render(SOURCE, {1}) and "x / 3" not in render(SOURCE, {1})
    whole = render(SOURCE, "all")
    assert whole == render(SOURCE, {1, 2}) and "raise" not in whole and "SOLUTION" not in whole
    assert regions(SOURCE) == [1, 2]


@pytest.mark.parametrize("broken, named", [
    (SOURCE.replace("    # END SOLUTION\n", "", 1), "region inside a region"),
    (SOURCE.replace("    # BEGIN SOLUTION task 2: divide by three\n", ""), "END without BEGIN"),
    (SOURCE.rpartition("    # END")[0], "has no end"),
    (SOURCE.replace("SOLUTION task 1: divide by two", "SOLUTION"), "a marker reads")])
def test_broken_markers_are_named_with_their_line(broken, named):
    with pytest.raises(ValueError, match=named):
        render(broken)


def test_a_folder_is_loaded_by_its_path(folder):
    parts = load(folder)
    assert (parts.name, parts.module, parts.points) == ("07_parts", "parts", 3)
    assert [(one.number, one.id, one.points, one.visibility, one.group) for one in parts.tasks] == [
        ("1.1", "half", 2, "public", 1), ("2.1", "third", 1, "hidden", 2)]
    assert parts.text({2}) == render(SOURCE, {2})


def test_two_checks_with_one_number_are_refused(folder):
    checks = folder / "checks.py"
    checks.write_text(checks.read_text().replace("'2.1'", "'1.1'"))
    with pytest.raises(ValueError, match="a number of its own"):
        load(folder)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(ValueError, match="no assignment 'homework 99': a folder with a checks.py, or one of "):
        load("homework 99")


def test_an_installed_library_says_where_the_assignments_are(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("minigrad.grade.assignment.shelf", lambda: tmp_path)
    for arguments in (["list"], ["run", "08_line_search_bfgs", str(tmp_path)]):
        assert main(arguments) == 2 and "examples/assignments of a checkout" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, named", [
    (("1", "x"), "number must read like"), (("1.1", "x", -1), "points"), (("1.1", "x", 1, "secret"), "visibility")])
def test_a_task_checks_its_arguments(arguments, named):
    with pytest.raises(ValueError, match=named):
        task(*arguments)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"memory": 1}, {"mutant_points": -1}, {"seconds": np.nan}])
def test_an_assignment_checks_its_limits(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Assignment("x", **wrong)


@pytest.mark.parametrize("old, new", [("nowhere", "x"), ("return", "yield"), ("x / 2", "x / 2")])
def test_a_mutant_changes_one_place(folder, old, new):
    with pytest.raises(ValueError, match="mutant m"):
        load(folder).mutated(Mutant("m", old, new, ""))


def case(visibility="public", seed="ada"):
    return Case(None, Task("1.1", "x", 1, visibility, None), seed)


def test_public_tests_have_one_seed_and_hidden_ones_the_student_s():
    assert case().seed == case(seed="bob").seed
    assert case("hidden").seed == case("hidden").seed != case("hidden", seed="bob").seed != case().seed


@pytest.mark.parametrize("got", [np.nan, [1.0, np.nan], [1.0, 2.1], [1.0], [[1.0, 2.0]], ["a", "b"], [1.0, np.inf]])
def test_close_refuses_what_is_not_the_answer(got):
    with pytest.raises(Outcome, match="reread"):
        case().close(np.array(got), np.array([1.0, 2.0]), "reread")


def test_close_accepts_the_answer_and_infinities_of_one_sign():
    case().close(np.array([1, 2 + 1e-10, np.inf]), np.array([1, 2, np.inf]), "reread")
    with pytest.raises(Outcome):
        case().close(np.array([-np.inf]), np.array([np.inf]), "reread")


def test_only_public_tests_say_numbers():
    for visibility, said in [("public", True), ("hidden", False)]:
        with pytest.raises(Outcome) as found:
            case(visibility).close(np.array([3.0, 7.5]), np.array([3.0, 4.25]), "reread")
        assert ("7.5" in found.value.message and "4.25" in found.value.message) == said


def test_true_takes_no_value_that_only_counts_as_true():
    with pytest.raises(TypeError):
        case().true(np.ones(1), "x")
