"""What the grader runs: the functions test_...() of test_mine.py, imported anew for every program that they are run on.

    tests() -> name -> function                 Yours are in more files than one? Import those here too.
"""
import importlib
import sys


def tests():
    sys.modules.pop("test_mine", None)
    mine = vars(importlib.import_module("test_mine"))
    return {name: value for name, value in mine.items() if name.startswith("test_")}
