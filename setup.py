"""Builds the compiled kernels: one extension per .pyx file of minigrad_ext. Everything else is in pyproject.toml."""
import os
from pathlib import Path

from setuptools import Extension, setup

STEMS = sorted(path.stem for path in Path("minigrad_ext").glob("*.pyx"))
only = os.environ.get("MINIGRAD_ONLY")
stems = only.split(",") if only else STEMS


def extensions():
    from Cython.Build import cythonize
    modules = cythonize(
        [Extension(f"minigrad_ext.{stem}", [f"minigrad_ext/{stem}.pyx"],
                   extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp"],
                   extra_link_args=["-fopenmp"]) for stem in stems],
        compiler_directives={"language_level": "3", "boundscheck": False, "wraparound": False, "cdivision": True})
    for module in modules:
        module.optional = True
    return modules


setup(ext_modules=extensions() if stems else [])
