"""Builds the compiled kernels: one extension per .pyx file of minigrad_ext. Everything else is in pyproject.toml.

    python setup.py build_ext --inplace      the kernels beside their sources
    MINIGRAD_DEBUG=1      every check of Cython on, -O1 -g
    MINIGRAD_PLAIN_C=1    no vector types, one instruction set: what a compiler without them builds
    MINIGRAD_OPENMP=0     no threads even where the compiler has OpenMP
    MINIGRAD_ONLY=a,b     only these .pyx files

There is no -march=native (the instruction set is chosen at run time) and no -ffast-math (NaN and Inf must survive).
Without Cython or a compiler the installation succeeds; the NumPy twins in minigrad.kernels run instead.
"""
import os
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("MINIGRAD_DEBUG") == "1"
PLAIN_C = os.environ.get("MINIGRAD_PLAIN_C") == "1"
OPENMP = os.environ.get("MINIGRAD_OPENMP") != "0"
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

# compiler type -> (optimise, debug, OpenMP when compiling, when linking, and silence about its pragmas where it is not)
# -fno-math-errno and -fno-trapping-math let loops with sqrt and comparisons vectorise; both keep NaN and Inf.
FLAGS = {
    "unix": (["-O3", "-fno-math-errno", "-fno-trapping-math", "-g0"], ["-O1", "-g", "-DMINIGRAD_DEBUG=1"],
             ["-fopenmp"], ["-fopenmp"], ["-Wno-unknown-pragmas", "-Wno-unused-but-set-variable"]),
    "msvc": (["/O2", "/fp:precise"], ["/Od", "/Zi", "/DMINIGRAD_DEBUG=1"], ["/openmp"], [], []),
}

PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


def stamp():
    """A file that changes when a build switch does: every extension depends on it and is then built anew."""
    path, text = Path("build/switches.txt"), f"debug={DEBUG} plain_c={PLAIN_C} openmp={OPENMP}\n"
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
    macros = [("MG_PLAIN_C", "1")] if PLAIN_C else []
    modules = cythonize(
        [Extension(f"minigrad_ext.{stem}", [f"minigrad_ext/{stem}.pyx"], include_dirs=["minigrad_ext"],
                   define_macros=macros, depends=depends) for stem in stems],
        compiler_directives=DIRECTIVES, build_dir="build/cython-debug" if DEBUG else "build/cython", quiet=True)
    for module in modules:
        module.optional = True        # cythonize forgets it
    return modules


class BuildKernels(build_ext):
    """build_ext that asks the compiler for OpenMP first, and says what was not built."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def has_openmp(self, compile_flags, link_flags):
        """Compile and link a program of one line."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(PROBE)
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=compile_flags)
                self.compiler.link_executable(objects, str(Path(folder, "probe")), extra_postargs=link_flags)
            except Exception as error:    # whatever the compiler's way of failing, the answer is no
                print(f"minigrad: built without OpenMP, kernels use one thread ({type(error).__name__})")
                return False
        return True

    def build_extensions(self):
        fast, checked, openmp_compile, openmp_link, quiet = FLAGS.get(self.compiler.compiler_type, FLAGS["unix"])
        threads = OPENMP and self.has_openmp(openmp_compile, openmp_link)
        for module in self.extensions:
            module.extra_compile_args = (checked if DEBUG else fast) + (openmp_compile if threads else quiet)
            module.extra_link_args = openmp_link if threads else []
        super().build_extensions()

    def run(self):
        super().run()
        missing = [module.name for module in self.extensions
                   if not Path(self.get_ext_fullpath(module.name)).exists()]
        if missing:
            print(f"minigrad: not compiled: {', '.join(missing)}; their NumPy twins will run")


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
