"""Runs the student's tests on one program after the other. It does not know which of them are right."""
import sys
import types

import numpy as np


def judge(student, texts, prefix):
    """Which tests pass on which program: (programs, tests) of booleans. prefix: how the tests' names begin."""
    rows = []
    for text in texts:
        module = sys.modules["training"] = types.ModuleType("training")
        exec(compile(text, "training", "exec"), vars(module))
        tests = student.tests()
        rows.append([passes(tests[name]) for name in sorted(tests) if name.startswith(prefix)])
    return {"passed": np.array(rows, dtype=bool).reshape(len(texts), -1)}


def passes(test):
    """Does it return, for every row of a @pytest.mark.parametrize?"""
    try:
        for arguments in variants(test):
            test(**arguments)
    except KeyboardInterrupt:
        raise
    except BaseException:                                      # what pytest.raises and pytest.fail raise, too
        return False
    return True


def variants(test):
    """The arguments of every run: the grader's stand-in for pytest has rows, pytest itself has marks."""
    groups = list(getattr(test, "parametrize_rows", []))
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names = mark.args[0].replace(" ", "").split(",") if isinstance(mark.args[0], str) else mark.args[0]
            groups.append([dict(zip(names, value if len(names) > 1 else [value])) for value in mark.args[1]])
    found = [{}]
    for rows in groups:
        found = [one | other for one in found for other in rows]
    return found
