"""Builds the compiled kernels: one extension per .pyx file of minigrad_ext. Everything else is in pyproject.toml.

    python setup.py build_ext --inplace      the kernels beside their sources
    MINIGRAD_DEBUG=1      every check of Cython on, -O1 -g
    MINIGRAD_PLAIN_C=1    no vector types, one instruction set: what a compiler without them builds
    MINIGRAD_THREADS=0    kernels that never start a thread (on Windows they are always built so)
    MINIGRAD_ONLY=a,b     only these .pyx files
    MINIGRAD_PURE=1       no kernels and no minigrad_ext: a wheel for every place without a compiler, such as a browser

Six files of minigrad itself are compiled as they are (minigrad/texts.py says which, and what happens when they are
edited); not into a wheel of the stable ABI, where they would gain nothing: there they run as text.

From Python 3.12 on the kernels keep to the stable ABI: one wheel serves every later Python. They do not on 3.11, whose
stable ABI knows no vectorcall (every call of a kernel would take 20 % more time; on 3.12 it takes the same), nor where
there is no global lock, which the stable ABI has no word for.

There is no -march=native (the instruction set is chosen at run time) and no -ffast-math (NaN and Inf must survive).
Without Cython or a compiler the installation succeeds; the NumPy twins in minigrad.kernels run instead.
"""
import os
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from setuptools import Extension, find_packages, setup
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
PURE = switch("MINIGRAD_PURE", "0")
ONLY = os.environ.get("MINIGRAD_ONLY")
STABLE_ABI = (sys.implementation.name == "cpython" and sys.version_info >= (3, 12)
              and not sysconfig.get_config_var("Py_GIL_DISABLED"))

DIRECTIVES = {
    "language_level": "3",
    "boundscheck": DEBUG,             # sizes are checked once, in the gate
    "wraparound": DEBUG,              # no kernel counts from the end
    "cdivision": not DEBUG,           # no kernel divides by a zero integer
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "overflowcheck": DEBUG,
    "binding": False,                 # builtins, called without Cython's own layer (5 % of a call), ...
    "embedsignature": True,           # ... which say their parameters to inspect.signature and help
    "embedsignature.format": "clinic",
}

ENGINE_DIRECTIVES = {                 # Python's own meaning of every line, and of annotations that they mean nothing
    "language_level": "3",
    "annotation_typing": False,
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


def load_texts():
    """minigrad/texts.py by itself: the rest of minigrad needs NumPy."""
    spec = spec_from_file_location("texts", "minigrad/texts.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


texts = load_texts()


def extensions():
    if PURE:
        return []
    stems = ONLY.split(",") if ONLY else sorted(path.stem for path in Path("minigrad_ext").glob("*.pyx"))
    try:
        from Cython.Build import cythonize
    except ImportError:
        print("minigrad: no Cython, so the kernels are not compiled; their NumPy twins will run")
        return []
    depends = [stamp(), *map(str, sorted(Path("minigrad_ext").glob("*.h")))]
    macros = [("MG_PLAIN_C", "1")] * PLAIN_C + [("MG_ONE_THREAD", "1")] * (not THREADS)
    macros += [("Py_LIMITED_API", "0x030C0000")] * STABLE_ABI
    modules = cythonize(
        [Extension(f"minigrad_ext.{stem}", [f"minigrad_ext/{stem}.pyx"], include_dirs=["minigrad_ext"],
                   define_macros=macros, depends=depends, py_limited_api=STABLE_ABI) for stem in stems],
        compiler_directives=DIRECTIVES, build_dir="build/cython-debug" if DEBUG else "build/cython", quiet=True)
    if not ONLY and (not STABLE_ABI or "--inplace" in sys.argv):
        modules += cythonize([Extension(name, [f"minigrad/{texts.file_of(name)}"]) for name in texts.ENGINE],
                             compiler_directives=ENGINE_DIRECTIVES, build_dir="build/cython", quiet=True)
    for module in modules:
        module.optional = True        # cythonize forgets it
    return modules


def compiled_from(name):
    """The text of all that a kernel module is compiled from."""
    parts = [Path(f"{name.replace('.', '/')}.pyx"), *sorted(Path("minigrad_ext").glob("*.pxd")),
             *sorted(Path("minigrad_ext").glob("*.h"))]
    return "".join(part.read_text(encoding="utf-8") for part in parts)


def remove_namesakes(built):
    """What an earlier build left beside a kernel under another ABI's name, and Python would find in its place."""
    stem = built.name.partition(".")[0]
    for suffix in EXTENSION_SUFFIXES:
        namesake = built.with_name(stem + suffix)
        if namesake != built:
            namesake.unlink(missing_ok=True)


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
        self.record([module for module in self.extensions if module.name not in missing])
        if self.inplace:
            for module in self.extensions:
                if module.name not in missing:
                    remove_namesakes(Path(self.get_ext_fullpath(module.name)))

    def record(self, compiled):
        """Write down which texts were compiled, where minigrad/texts.py looks for it."""
        place = (Path() if self.inplace else Path(self.build_lib)) / "minigrad_ext" / Path(texts.RECORD).name
        before, names = texts.read(place), []
        for module in compiled:
            text = Path(f"minigrad/{texts.file_of(module.name)}")
            text = text if module.name in texts.ENGINE else Path(f"{module.name.replace('.', '/')}.pyx")
            if Path(self.get_ext_fullpath(module.name)).stat().st_mtime >= text.stat().st_mtime:
                names.append(module.name)         # else it was left by a build before, and this one failed
        engine = [name for name in names if name in texts.ENGINE]
        sources = {name.removeprefix("minigrad_ext."): compiled_from(name) for name in names if name not in engine}
        lines = texts.record({} if self.force else before, sources, engine)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(texts.written(before | lines if ONLY else lines), encoding="utf-8")


setup(
    ext_modules=extensions(),
    packages=find_packages(include=["minigrad", "minigrad.*"] + ["minigrad_ext"] * (not PURE)),
    cmdclass={"build_ext": BuildKernels},
    options={"bdist_wheel": {"py_limited_api": "cp312"}} if STABLE_ABI and not PURE else {},
)
