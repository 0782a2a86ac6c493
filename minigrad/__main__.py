"""`python -m minigrad`: what a bug report needs, and the commands.

    python -m minigrad                      the report
    python -m minigrad figures [8.5 ...]    the figures of the chapter
    python -m minigrad compare              optimizers compared on digits
    python -m minigrad grade ...            assignments: make, run, class, list
"""
from __future__ import annotations

import importlib
import os
import platform
import sys
from typing import Any

import numpy as np

import minigrad
from minigrad import kernels


def report() -> list[tuple[str, Any]]:
    """Name and value of everything that decides which code runs."""
    if kernels.compiled:
        built = "yes"
    elif kernels.missing:
        built = f"no: missing {', '.join(kernels.missing)} (their NumPy twins run)"
    elif os.environ.get("MINIGRAD_KERNELS") == "numpy":
        built = "switched off by MINIGRAD_KERNELS=numpy (the NumPy twins run)"
    else:
        built = "no (the NumPy twins run)"
    lines = [
        ("minigrad", minigrad.__version__),
        ("compiled kernels", built),
        ("engine", "text" if minigrad.core.sweep.__file__.endswith(".py") else "compiled"),
        ("instruction set", kernels.isa),
        ("threads", f"{kernels.get_num_threads()}{'' if kernels.threaded() else ' (the kernels use no more)'}"),
        ("NumPy", np.__version__),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("platform", f"{platform.platform()}, {os.cpu_count()} processors"),
    ]
    switches = {name: value for name, value in sorted(os.environ.items()) if name.startswith(("MINIGRAD_", "OMP_"))}
    return lines + [(name, value) for name, value in switches.items()]


COMMANDS = {"figures": ("minigrad.figures", "draw the figures of the chapter, all or some: figures 8.1 8.5"),
            "compare": ("minigrad.compare", "optimizers compared, with equal budgets: compare --optimizers sgd adam"),
            "grade": ("minigrad.grade.__main__", "assignments for a class: make, run, class, list")}


def main(arguments: list[str]) -> Any:
    """One of the commands with its arguments; without any the report. Returns the exit status."""
    if arguments and arguments[0] in COMMANDS:
        return importlib.import_module(COMMANDS[arguments[0]][0]).main(arguments[1:])
    if arguments and arguments[0] not in ("-h", "--help"):
        print(f"python -m minigrad: no command {arguments[0]!r}; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    rows = report() if not arguments else []
    rows += [("", "")] * bool(rows) + [(f"{name} ...", what) for name, (_, what) in COMMANDS.items()]
    width = max(len(name) for name, _ in rows) + 2
    print("\n".join(f"{name:<{width}}{what}".rstrip() for name, what in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
