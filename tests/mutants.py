"""Can the tests fail? Small faults are planted one at a time, and the tests of the room they are in must notice.

    python tests/mutants.py                                 120 mutants, drawn from all rooms
    python tests/mutants.py --rooms search files --count 20 --seed 3
    python tests/mutants.py --since HEAD~5                  only in lines that have changed since
    python tests/mutants.py --list ops                      what could be planted there, without running anything

A mutant is one changed operator, number or condition, or a dropped call, in a copy of the checkout; the checkout itself
is not touched. Kernels are compiled anew for it, alone. It is killed by a failing test, a crash or a time-out. Every
result is a line of JSON in --out; a run that is started again goes on where the last one ended. What survives is either
a hole in the tests or equivalent: no input tells it from the original. Those are listed, with proofs, in mutants.toml.

Exit status: 0 if none survived, 1 if some did, 2 if the tests fail without any mutant.
"""
import argparse
import ast
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[1]

# room -> (its files, the tests that know it)
ROOMS = {
    "engine": (["minigrad/core/*.py"], ["tests/core", "tests/test_classic_bugs.py"]),
    "ops": (["minigrad/ops/*.py"], ["tests/ops", "tests/core", "tests/test_classic_bugs.py"]),
    "losses": (["minigrad/losses.py"], ["tests/test_losses.py", "tests/ops"]),
    "derivatives": (["minigrad/derivatives/*.py"], ["tests/test_derivatives.py", "tests/objective/test_curvature.py"]),
    "kernels": (["minigrad_ext/*.h", "minigrad_ext/*.pyx", "minigrad_ext/*.pxd"],
                ["tests/minigrad_ext", "tests/kernels", "tests/ops"]),
    "twins": (["minigrad/kernels/*.py"], ["tests/minigrad_ext", "tests/kernels", "tests/test_imports.py"]),
    "search": (["minigrad/optim/second_order/*.py", "minigrad/optim/minimize.py"],
               ["tests/optim/second_order", "tests/optim/test_minimize.py"]),
    "optimizers": (["minigrad/optim/first_order/*.py", "minigrad/optim/averaging.py"],
                   ["tests/optim/first_order", "tests/optim/test_*.py"]),
    "fields": (["minigrad/optim/__init__.py", "minigrad/optim/arguments.py", "minigrad/optim/fields.py",
                "minigrad/optim/optimizer.py", "minigrad/optim/parameters.py"],
               ["tests/optim/test_*.py", "tests/optim/first_order", "tests/test_imports.py"]),
    "schedules": (["minigrad/optim/schedules.py", "minigrad/optim/saving.py"],
                  ["tests/optim/test_*.py", "tests/optim/first_order", "tests/training/test_resume.py"]),
    "parameters": (["minigrad/nn/parameters.py", "minigrad/nn/module.py", "minigrad/nn/structure.py"],
                   ["tests/nn", "tests/optim/test_*.py"]),
    "layers": (["minigrad/nn/*.py"], ["tests/nn"]),
    "objective": (["minigrad/objective/*.py"], ["tests/objective", "tests/nn/test_copies.py"]),
    "init": (["minigrad/init/*.py", "minigrad/pytorch.py"],
             ["tests/test_init.py", "tests/test_book_initialization.py", "tests/test_pytorch.py"]),
    "files": (["minigrad/files.py", "minigrad/data/idx.py", "minigrad/data/download.py"],
              ["tests/test_files.py", "tests/data"]),
    "batches": (["minigrad/data/batches.py", "minigrad/random.py"], ["tests/data", "tests/test_random.py"]),
    "data": (["minigrad/data/*.py"], ["tests/data"]),
    "loop": (["minigrad/training/*.py"], ["tests/training"]),
    "diagnostics": (["minigrad/diagnostics/*.py"], ["tests/diagnostics"]),
    "strategies": (["minigrad/strategies/*.py"], ["tests/strategies"]),
    "compare": (["minigrad/compare/*.py"], ["tests/compare"]),
    "drawing": (["minigrad/graph/*.py"], ["tests/graph"]),
    "figures": (["minigrad/figures/*.py"], ["tests/figures"]),
    "testing": (["minigrad/testing/*.py", "minigrad/testing/problems/*.py"],
                ["tests/testing", "tests/optim/first_order/test_boxes.py", "tests/optim/second_order"]),
    "grade": (["minigrad/grade/*.py", "minigrad/grade/packs/*.py", "minigrad/grade/reports/*.py"], ["tests/grade"]),
    "package": (["minigrad/*.py"],
                ["tests/test_arguments.py", "tests/test_texts.py", "tests/test_notebook.py", "tests/test_packages.py",
                 "tests/test_imports.py", "tests/test_random.py", "tests/test_losses.py", "tests/test_files.py",
                 "tests/test_pytorch.py", "tests/figures"]),
}
SWAPS = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "//", "@": "*", "**": "*", "<": "<=", "<=": "<",
         ">": ">=", ">=": ">", "==": "!=", "!=": "==", "is": "is not", "is not": "is", "in": "not in", "not in": "in",
         "and": "or", "or": "and", "&&": "||", "||": "&&", "&": "|", "|": "&", "<<": ">>", ">>": "<<"}
MEMORY = 8 * 2**30               # bytes that the tests of a mutant may ask for: an endless list is a failure
ARITHMETIC = ["+", "-", "*", "/", "//", "%", "@", "**", "&", "|", "^", "<<", ">>"]
COMPARISONS = ["<", "<=", ">", ">=", "==", "!=", "is not", "is", "not in", "in"]


@dataclass(frozen=True)
class Mutant:
    """One change: `old` at an offset of a file becomes `new`."""
    room: str
    file: str
    start: int
    old: str
    new: str
    line: int
    text: str            # the line it is in, stripped
    nth: int             # which of the equal changes of that line: the key must outlive edits elsewhere

    @property
    def key(self):
        return f"{self.file}: {self.text}: {self.old!r} -> {self.new!r} ({self.nth})"

    def applied(self, text):
        assert text[self.start:self.start + len(self.old)] == self.old
        return text[:self.start] + self.new + text[self.start + len(self.old):]


# ---- what can be planted

class PythonChanges:
    """(offset, old, new) of every change of a Python file; messages, docstrings and annotations are left alone."""

    def __init__(self, text):
        self.text, self.raw, self.starts = text, text.encode(), [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line.encode()))

    def __iter__(self):
        return self.visit(ast.parse(self.text))

    def visit(self, node):
        """The changes of a node and of all below it."""
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Assert):
            return
        if isinstance(node, ast.FunctionDef) and node.name in ("__repr__", "__dir__"):
            return
        yield from self.of_operators(node)
        yield from self.of_values(node)
        for name, child in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list"):
                for item in child if isinstance(child, list) else [child]:
                    if isinstance(item, ast.AST):
                        yield from self.visit(item)

    def of_operators(self, node):
        """Another operator between two operands."""
        if isinstance(node, ast.BinOp):
            yield from self.between(node.left, node.right, ARITHMETIC)
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for left, right in zip(operands, operands[1:]):
                yield from self.between(left, right, COMPARISONS)
        elif isinstance(node, ast.BoolOp):
            yield from self.between(node.values[0], node.values[1], ("and", "or"))
        elif isinstance(node, ast.AugAssign):
            yield from self.between(node.target, node.value, ARITHMETIC, "=")

    def of_values(self, node):
        """No `not` and no minus, another truth value or number, no call."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield self.span(node)[0], "not ", ""
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield self.span(node)[0], "-", ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield self.span(node)[0], str(node.value), str(not node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int):
            yield self.whole(node, repr(node.value + 1))
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield self.whole(node, repr(node.value * 2 or 1.0))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield self.whole(node, "pass")

    def between(self, left, right, symbols, ending=""):
        """The operator between two operands, and the one to put there instead."""
        begin, end = self.span(left)[1], self.span(right)[0]
        found = re.search(f"(?:{'|'.join(map(re.escape, sorted(symbols, key=len, reverse=True)))}){ending}",
                          self.text[begin:end])
        if found and found[0].removesuffix(ending) in SWAPS:
            yield begin + found.start(), found[0], SWAPS[found[0].removesuffix(ending)] + ending

    def whole(self, node, new):
        """All of a node, and what to put there instead."""
        begin, end = self.span(node)
        return begin, self.text[begin:end], new

    def span(self, node):
        """Where a node begins and ends in the text."""
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def offset(self, line, column):
        """ast counts bytes of UTF-8 within a line; the place among the characters of the text."""
        return len(self.raw[:self.starts[line - 1] + column].decode())


def c_changes(text):
    """(offset, old, new) of every change of a C or Cython file: operators with spaces around, and small numbers."""
    hidden = re.compile(r'"""(?s:.)*?"""|/\*(?s:.)*?\*/|//[^\n]*'                            # docstrings, comments
                        r'|(?m:^[ \t]*#(?:\\\n|[^\n])*)|#[^\n]*|"(?:\\.|[^"\n])*"')          # preprocessor, strings
    code = hidden.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for found in re.finditer(r"(?<= )(\+|-|\*|/|<=?|>=?|==|!=|&&|\|\||and|or|%)(?= )|(?<![\w.])(0|1|2)(?![\w.])"
                             r"|([+\-*])=", code):
        old = found[0]
        new = SWAPS.get(old) or (SWAPS[old[0]] + "=" if old.endswith("=") else str(int(old) + 1))
        yield found.start(), old, new


def changed_lines(path, since):
    """The numbers of the lines of a file that are not those of the commit `since`."""
    diff = subprocess.run(["git", "diff", "--no-ext-diff", "--no-color", "--unified=0", since, "--", path], cwd=ROOT,
                          capture_output=True, text=True, check=True).stdout
    hunks = re.findall(r"^@@ \S+ \+(\d+)(?:,(\d+))? @@", diff, re.M)
    return {int(first) + i for first, count in hunks for i in range(int(count or 1))}


def candidates(room, since=None):
    """Every mutant of a room; of the lines that changed since a commit, if one is given."""
    for pattern in ROOMS[room][0]:
        for path in sorted(ROOT.glob(pattern)):
            text, changed = path.read_text(), since and changed_lines(path, since)
            seen = {}
            changes = PythonChanges(text) if path.suffix == ".py" else c_changes(text)
            for start, old, new in sorted(changes):
                line = text.count("\n", 0, start) + 1
                content = text.splitlines()[line - 1].strip()
                nth = seen[content, old, new] = seen.get((content, old, new), 0) + 1
                if since is None or line in changed:
                    yield Mutant(room, str(path.relative_to(ROOT)), start, old, new, line, content, nth)


def drawn(rooms, count, seed, since=None):
    """`count` mutants, the same number from every room, every file of a room about as often."""
    rng = random.Random(seed)
    pools = {}
    for room in rooms:
        files = {}
        for mutant in candidates(room, since):
            files.setdefault(mutant.file, []).append(mutant)
        for pool in files.values():
            rng.shuffle(pool)
        order = sorted(files)
        rng.shuffle(order)
        pools[room] = [files[file].pop() for _ in range(count) for file in order if files[file]]
    chosen = []
    while len(chosen) < count and any(pools.values()):
        for room in rooms:
            if pools[room] and len(chosen) < count:
                chosen.append(pools[room].pop(0))
    return chosen


# ---- a copy of the checkout, and what runs in it

def families(file):
    """The compiled families that a file of minigrad_ext is part of."""
    folder = ROOT / "minigrad_ext"

    def includes(path, seen):
        code = re.sub(r"/\*(?s:.)*?\*/", "", path.read_text())
        for name in re.findall(r'"(\w+\.h)"', code) + [
                f"{name}.pxd" for name in re.findall(r"from minigrad_ext\.(\w+) cimport", code)]:
            if name not in seen and (folder / name).exists():
                seen.add(name)
                includes(folder / name, seen)
        return seen

    return [path.stem for path in sorted(folder.glob("*.pyx"))
            if Path(file).name in includes(path, {path.name, path.with_suffix(".pxd").name})]


def bounded():
    """In the child: no more memory than MEMORY, where the system can hold it to that."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


class Copy:
    """A copy of the checkout with its kernels, in which mutants are planted one after the other."""

    def __init__(self, folder):
        self.folder = Path(folder)
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True,
                                text=True, check=True)
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name)
        self.built = [path for package in ("minigrad", "minigrad_ext") for path in (ROOT / package).rglob("*")
                      if path.suffix in (".so", ".pyd") or path.name == "built_from.txt"]
        self.restore()

    def restore(self):
        for path in self.built:
            shutil.copy2(path, self.folder / path.relative_to(ROOT))

    def run(self, command, seconds, **environment):
        """(how the command ended, its last lines); it and what it started are ended after `seconds`."""
        process = subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True, preexec_fn=bounded,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "MINIGRAD_REQUIRE_EXT": "1"} | environment)
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)           # its own session: nothing else is in that group
            process.communicate()
            return "time-out", ""

    def tests(self, room, file, seconds):
        """The tests of the file, which are collected quickly; if they pass, all of its room."""
        own = [f"tests/minigrad_ext/test_{name}.py" for name in families(file)] if "minigrad_ext" in file else \
            [str(Path("tests", *Path(file).parts[1:-1], f"test_{Path(file).stem}.py"))]
        stages = [[path for pattern in patterns for path in sorted(map(str, self.folder.glob(pattern)))]
                  for patterns in (own, ROOMS[room][1])]
        for paths in filter(None, stages):
            code, output = self.run([sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p",
                                     "no:cacheprovider", *paths], seconds)
            if code != 0:
                break
        return code, output

    def judge(self, mutant, seconds):
        """What became of a mutant: (killed, survived or stillborn; by what)."""
        path = self.folder / mutant.file
        original = path.read_text()
        path.write_text(mutant.applied(original))
        try:
            for compiled in path.parent.glob(f"{path.stem}.*"):      # of the engine: its text is what runs
                if path.suffix == ".py" and compiled.suffix in (".so", ".pyd"):
                    compiled.unlink()
            if path.suffix != ".py":
                names = families(mutant.file)
                for name in names:
                    for built in (self.folder / "minigrad_ext").glob(f"{name}.*.so"):
                        built.unlink()               # a failed build must not leave the original to be tested
                self.run([sys.executable, "setup.py", "build_ext", "--inplace"], 900, MINIGRAD_ONLY=",".join(names))
                if not all(list((self.folder / "minigrad_ext").glob(f"{name}.*.so")) for name in names):
                    return "stillborn", "it does not compile"
            code, output = self.tests(mutant.room, mutant.file, seconds)
        finally:
            path.write_text(original)
            self.restore()
        if code == 0:
            return "survived", ""
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.M)
        return "killed", failed[0] if failed else f"exit {code}"


# ---- the command

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--count", type=int, default=120, help="how many mutants (default 120)")
    parser.add_argument("--seed", type=int, default=0, help="which of them (default 0)")
    parser.add_argument("--since", metavar="COMMIT", help="only in lines that have changed since this commit")
    parser.add_argument("--jobs", type=int, default=1, help="copies of the checkout that run side by side (default 1)")
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"), help="results, and where a run goes on")
    parser.add_argument("--list", choices=ROOMS, help="print the mutants of a room and stop")
    options = parser.parse_args()
    if options.list:
        for mutant in candidates(options.list, options.since):
            print(f"{mutant.file}:{mutant.line}: {mutant.old!r} -> {mutant.new!r}   {mutant.text}")
        return 0

    equivalent = {entry["mutant"] for entry in tomllib.loads((ROOT / "tests" / "mutants.toml").read_text())["mutants"]}
    results = {}
    if options.out.exists():
        results = {row["mutant"]: row for row in map(json.loads, options.out.read_text().splitlines())}
    chosen = drawn(options.rooms, options.count, options.seed, options.since)
    waiting = [mutant for mutant in chosen if mutant.key not in results and mutant.key not in equivalent]
    print(f"{len(chosen)} mutants, {sum(m.key in equivalent for m in chosen)} of them listed as equivalent, "
          f"{len(waiting)} to run", flush=True)

    with tempfile.TemporaryDirectory(prefix="minigrad-mutants-") as folder:
        copies = SimpleQueue()
        for i in range(options.jobs):
            copies.put(Copy(Path(folder, str(i))))

        def without(room):
            """(room, how its tests end without a mutant, their output, their seconds)."""
            copy, start = copies.get(), time.perf_counter()
            try:
                return room, *copy.tests(room, "minigrad/none.py", 1800), time.perf_counter() - start
            finally:
                copies.put(copy)

        limits = {}
        with ThreadPoolExecutor(options.jobs) as pool:
            for room, code, output, seconds in pool.map(without, sorted({mutant.room for mutant in waiting})):
                if code != 0:
                    print(f"the tests of {room} fail without a mutant:\n{output[-2000:]}")
                    return 2
                limits[room] = 60 + 5 * seconds

        def judge(mutant):
            copy, start = copies.get(), time.perf_counter()
            try:
                fate, by = copy.judge(mutant, limits[mutant.room])
            finally:
                copies.put(copy)
            row = {"mutant": mutant.key, "room": mutant.room, "line": mutant.line, "fate": fate, "by": by,
                   "seconds": round(time.perf_counter() - start, 1)}
            with options.out.open("a") as out:
                out.write(json.dumps(row) + "\n")
            print(f"{fate:9} {mutant.file}:{mutant.line}: {mutant.old!r} -> {mutant.new!r}  {by}", flush=True)
            return row

        with ThreadPoolExecutor(options.jobs) as pool:
            for row in pool.map(judge, waiting):
                results[row["mutant"]] = row

    rows = [results[mutant.key] for mutant in chosen if mutant.key in results]
    fates = [row["fate"] for row in rows]
    survivors = [row for row in rows if row["fate"] == "survived" and row["mutant"] not in equivalent]
    print(f"{fates.count('killed')} killed, {len(survivors)} survived, {fates.count('stillborn')} do not compile, "
          f"{sum(m.key in equivalent for m in chosen)} equivalent")
    for row in survivors:
        print("survived:", row["mutant"])
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
