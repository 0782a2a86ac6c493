#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""The checks of CONTRIBUTING.md, each in an environment of its own: `nox -l` lists them, `nox -s lint` runs one."""
import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session):
    """The quick tests, on compiled kernels."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", *session.posargs, env={"MINIGRAD_REQUIRE_EXT": "1"})


@nox.session
def lint(session):
    """ruff and cython-lint."""
    session.install("ruff>=0.6", "cython-lint>=0.16")
    session.run("ruff", "check", ".")
    session.run("cython-lint", "minigrad_ext")


@nox.session(default=False)
def docs(session):
    """The site, with its links checked, into build/site."""
    session.install("-e", ".[docs]")
    session.run("python", "docs/website/build.py", "--quick", "--check", *session.posargs)


@nox.session(default=False)
def wheels(session):
    """A source distribution, a wheel with kernels and a wheel of Python alone, into dist/."""
    session.install("build")
    session.run("python", "-m", "build")
    session.run("python", "-m", "build", "--wheel", env={"MINIGRAD_PURE": "1"})


if __name__ == "__main__":
    nox.main()
