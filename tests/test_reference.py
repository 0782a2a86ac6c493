"""The reference: every public name has an example, which prints what it shows (numbers to 4 digits)."""
import doctest
import importlib.util
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "website" / "reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)
ROOMS = dict(reference.rooms())
NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:e[-+]?\d+)?")


class Numbers(doctest.OutputChecker):
    """The same words, and numbers that agree to 4 digits or 1e-6."""

    def check_output(self, want, got, flags):
        words = [re.sub(r"\s+", "", NUMBER.sub("#", text)) for text in (want, got)]
        numbers = [np.array([float(number) for number in NUMBER.findall(text)]) for text in (want, got)]
        return words[0] == words[1] and np.allclose(*numbers, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_has_an_example(room):
    shown = reference.examples(ROOT, room)
    assert set(ROOMS[room]) == set(shown)
    for name, text in shown.items():
        if inspect.isfunction(ROOMS[room][name]):
            assert re.search(rf"\b{name}\(", text), f"{room}.{name}: the example does not call it"


@pytest.mark.parametrize("room", ROOMS)
def test_the_examples_print_what_they_show(room, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser, runner, said = doctest.DocTestParser(), doctest.DocTestRunner(Numbers(), verbose=False), []
    for name, text in reference.examples(ROOT, room).items():
        if ".png" in text and importlib.util.find_spec("matplotlib") is None:
            continue
        names = {}
        exec(reference.PREAMBLE, names)
        runner.run(parser.get_doctest(text + "\n", names, f"{room}.{name}", None, 0), out=said.append)
    assert runner.tries > 0 and not runner.failures, "".join(said)


def test_the_checker_sees_what_is_wrong():
    same = Numbers().check_output
    assert same("array([1. , 0.3333])\n", "array([1.       , 0.33330001])\n", 0)
    assert not same("1.5\n", "1.6\n", 0) and not same("[1.]\n", "[1., 1.]\n", 0) and not same("True\n", "False\n", 0)
