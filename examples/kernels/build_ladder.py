"""Builds the ladder for this machine: `build(folder)` returns the compiled module.

As Cython's `cythonize` and setuptools do it for any extension, with two options: -O3, and -march=native (on ARM
-mcpu=native), which lets the compiler use whatever this processor has; the library itself must run everywhere and asks
at run time instead.
"""
import importlib.util
import platform
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIRECTIVES = {"language_level": "3", "boundscheck": False, "wraparound": False, "cdivision": True,
              "initializedcheck": False}
OPTIONS = ("-O3", f"-m{'arch' if platform.machine() in ('x86_64', 'AMD64') else 'cpu'}=native", "-g0")


def build(folder, options=OPTIONS):
    """Compile ladder.pyx into a folder, if a page has changed. Returns the module; RuntimeError if it cannot."""
    try:
        from Cython.Build import cythonize
        from setuptools import Distribution, Extension
    except ImportError as error:
        raise RuntimeError(f"the ladder is compiled here: pip install cython setuptools ({error})") from error
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ladder = Extension("ladder", [str(HERE / "ladder.pyx")], extra_compile_args=list(options))
    try:
        made = cythonize([ladder], compiler_directives=DIRECTIVES, build_dir=str(folder / "c"), quiet=True)
        command = Distribution({"ext_modules": made}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(folder), str(folder / "o")
        command.ensure_finalized()
        command.run()
    except Exception as error:                            # setuptools and its compilers have a dozen kinds of them
        raise RuntimeError(f"the ladder needs a C compiler, gcc or clang: {error}") from error
    place = importlib.util.spec_from_file_location("ladder", command.get_ext_fullpath("ladder"))
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module
