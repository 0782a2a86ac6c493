"""What a student's tests may ask of pytest in the grader: raises, approx, mark.parametrize, skip of nothing else.

The grader has no pytest inside its walls: a plugin, a conftest or a rewritten assert would be code beside the tests.
"""
import re

import numpy as np


class raises:
    """`with pytest.raises(ValueError, match="..."):` as in pytest."""

    def __init__(self, expected, match=None):
        self.expected, self.match, self.value = expected, match, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        assert kind is not None, f"DID NOT RAISE {self.expected}"
        if not issubclass(kind, self.expected):
            return False
        self.value = error
        assert self.match is None or re.search(self.match, str(error)), f"{error} does not match {self.match!r}"
        return True


class approx:
    """`x == pytest.approx(y)`: equal to a relative 1e-6, or an absolute 1e-12."""
    __array_ufunc__ = None

    def __init__(self, expected, rel=1e-6, abs=1e-12):
        self.expected, self.rel, self.abs = np.asarray(expected, dtype=float), rel, abs

    def __eq__(self, other):
        other = np.asarray(other, dtype=float)
        return other.shape == self.expected.shape and \
            bool(np.all(np.abs(other - self.expected) <= np.maximum(self.abs, self.rel * np.abs(self.expected))))

    __hash__ = None


class mark:
    """Marks: parametrize is heard, every other one is ignored."""

    @staticmethod
    def parametrize(names, values, ids=None):
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        rows = [dict(zip(names, value if len(names) > 1 else [value])) for value in values]

        def register(test):
            test.parametrize_rows = [rows, *getattr(test, "parametrize_rows", [])]
            return test
        return register

    def __getattr__(self, name):
        return lambda *args, **kwargs: args[0] if len(args) == 1 and callable(args[0]) else lambda test: test


mark = mark()
