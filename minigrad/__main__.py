"""`python -m minigrad`: what a bug report needs."""
import os
import platform

import numpy as np

import minigrad
from minigrad import kernels


def report():
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
        ("instruction set", kernels.isa),
        ("threads", f"{kernels.get_num_threads()}{'' if kernels.threaded() else ' (the kernels use no more)'}"),
        ("NumPy", np.__version__),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("platform", f"{platform.platform()}, {os.cpu_count()} processors"),
    ]
    switches = {name: value for name, value in sorted(os.environ.items()) if name.startswith(("MINIGRAD_", "OMP_"))}
    return lines + [(name, value) for name, value in switches.items()]


if __name__ == "__main__":
    lines = report()
    width = max(len(name) for name, _ in lines) + 2
    for name, value in lines:
        print(f"{name:<{width}}{value}")
