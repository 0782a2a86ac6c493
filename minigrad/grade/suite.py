"""Runs in the child: every test of the student's test_mine.py, beside a right or a wrong solution."""
import importlib
import itertools


def run_suite():
    """name -> 1 if that test passed. A test is a function test_...() of test_mine.py, parametrized or not."""
    tests = importlib.import_module("test_mine")
    found = {}
    for name, test in list(vars(tests).items()):
        if name.startswith("test") and callable(test):
            for label, arguments in variants(test):
                try:
                    test(**arguments)
                    found[name + label] = 1
                except Exception:
                    found[name + label] = 0
    return found


def variants(test):
    """(label, arguments) for every row of @pytest.mark.parametrize, or the one without."""
    marks = getattr(test, "parametrize_rows", [])
    if not marks:
        return [("", {})]
    rows = []
    for at, combination in enumerate(itertools.product(*marks)):
        arguments = {}
        for row in combination:
            arguments |= row
        rows.append((f"[{at}]", arguments))
    return rows
