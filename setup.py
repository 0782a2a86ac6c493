"""Builds the compiled kernels: one extension per .pyx file of minigrad_ext. Everything else is in pyproject.toml.

    python setup.py build_ext --inplace      the kernels beside their sources
    MINIGRAD_DEBUG=1      every check of Cython on, -O1 -g
    MINIGRAD_PLAIN_C=1    no vector types, one instruction set: what a compiler without them builds
    MINIGRAD_THREADS=0    kernels that never start a thread (on Windows they are always built so)
    MINIGRAD_ONLY=a,b     only these .pyx files

There is no -march=native (the instruction set is chosen at run time) and no -ffast-math (NaN and Inf must survive).
Without Cython or a compiler the installation succeeds; the NumPy twins in minigrad.kernels run instead.
"""
import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


def switch(name, default):
    """An environment variable that is 0 or 1."""
    wish = os.environ.get(name) or default
    if wish not in ("0", "1"):
        raise ValueError(f"{name}={wish}: must be 0 or 1, or unset")
    return wish == "1"


DEBUG = switch("MINIGRAD_DEBUG", "0")
PLAIN_C = switch("MINIGRAD_PLAIN_C", "0")
THREADS = switch("MINIGRAD_THREADS", "1")
ONLY = os.environ.get("MINIGRAD_ONLY")

DIRECTIVES = {
    "language_level": "3",
    "boundscheck": DEBUG,             # sizes are checked once, in the gate
    "wraparound": DEBUG,              # no kernel counts from the end
    "cdivision": not DEBUG,           # no kernel divides by a zero integer
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "overflowcheck": DEBUG,
}

# compiler type -> (optimise, debug, for POSIX threads when compiling and linking)
# -fno-math-errno and -fno-trapping-math let loops with sqrt and comparisons vectorise; both keep NaN and Inf.
FLAGS = {
    "unix": (["-O3", "-fno-math-errno", "-fno-trapping-math", "-g0"], ["-O1", "-g", "-DMINIGRAD_DEBUG=1"],
             ["-pthread"]),
    "msvc": (["/O2", "/fp:precise"], ["/Od", "/Zi", "/DMINIGRAD_DEBUG=1"], []),
}


def stamp():
    """A file that changes when a build switch does: every extension depends on it and is then built anew."""
    path, text = Path("build/switches.txt"), f"debug={DEBUG} plain_c={PLAIN_C} threads={THREADS}\n"
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return str(path)


def extensions():
    stems = ONLY.split(",") if ONLY else sorted(path.stem for path in Path("minigrad_ext").glob("*.pyx"))
    try:
        from Cython.Build import cythonize
    except ImportError:
        print("minigrad: no Cython, so the kernels are not compiled; their NumPy twins will run")
        return []
    depends = [stamp(), *map(str, sorted(Path("minigrad_ext").glob("*.h")))]
    macros = [("MG_PLAIN_C", "1")] * PLAIN_C + [("MG_ONE_THREAD", "1")] * (not THREADS)
    modules = cythonize(
        [Extension(f"minigrad_ext.{stem}", [f"minigrad_ext/{stem}.pyx"], include_dirs=["minigrad_ext"],
                   define_macros=macros, depends=depends) for stem in stems],
        compiler_directives=DIRECTIVES, build_dir="build/cython-debug" if DEBUG else "build/cython", quiet=True)
    for module in modules:
        module.optional = True        # cythonize forgets it
    return modules


class BuildKernels(build_ext):
    """build_ext that says what was not built."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self):
        fast, checked, threads = FLAGS.get(self.compiler.compiler_type, FLAGS["unix"])
        for module in self.extensions:
            module.extra_compile_args = (checked if DEBUG else fast) + threads * THREADS
            module.extra_link_args = threads * THREADS
        super().build_extensions()

    def run(self):
        super().run()
        missing = [module.name for module in self.extensions
                   if not Path(self.get_ext_fullpath(module.name)).exists()]
        if missing:
            print(f"minigrad: not compiled: {', '.join(missing)}; their NumPy twins will run")


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
