"""A page for every example: its text and code, what it printed, and the pictures it drew; and one page of them all."""
import ast
import hashlib
import html
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

QUICK_ALWAYS = {"examples/mnist/compare_optimizers.py", "examples/mnist/second_order.py"}    # minutes on every core
SMALLEST = {"examples/mnist/convnet.py": ["--examples", "6000", "--epochs", "1"],
            "examples/mnist/mlp.py": ["--epochs", "1"]}


def scripts(root):
    """Every example and figure that can be run, as its path in the checkout."""
    found = [*(root / "minigrad" / "figures").glob("fig_*.py"), *(root / "examples").rglob("*.py")]
    return sorted(str(path.relative_to(root)) for path in found
                  if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
                  and "assignments" not in path.parts and "notebooks" not in path.parts)


def write(root, pages, remembered, quick):
    """Run them and write their pages. Returns {path in the checkout: page}."""
    made = {}
    (pages / "pictures").mkdir()
    cards = []
    for script in scripts(root):
        small = quick or script in QUICK_ALWAYS
        options = [] if not small else SMALLEST.get(script, ["--quick"])
        printed, pictures = run(root, script, options, remembered)
        for picture in pictures:
            (pages / "pictures" / picture.name).write_bytes(picture.read_bytes())
        page = Path("examples", "gallery", Path(script).stem + ".md")
        if str(page) in made.values():
            page = page.with_name("_".join(Path(script).with_suffix("").parts[1:]) + ".md")
        made[script] = str(page)
        title = text_of(root / script)[0][1].splitlines()[0].lstrip("# ")
        cards.append((title, page, pictures))
        (pages / page).parent.mkdir(parents=True, exist_ok=True)
        (pages / page).write_text(page_of(root / script, script, options, printed, pictures), encoding="utf-8")
    lines = ["# Gallery", "", "Every picture is drawn by the page behind it, on this machine's processor.", "",
             '<div class="gallery">']
    for title, page, pictures in cards:
        shown = next((p for p in pictures if p.suffix == ".png"), None)
        image = f'<img src="../_images/{shown.name}" alt="">' if shown else ""
        lines.append(f'<a href="gallery/{page.stem}.html">{image}<span>{html.escape(title)}</span></a>')
    pages_of = [f"gallery/{page.stem}" for _, page, _ in cards]
    lines += ["</div>", "", "```{toctree}", ":hidden:", "", *pages_of, "```", ""]
    (pages / "examples" / "gallery.md").write_text("\n".join(lines), encoding="utf-8")
    return made


def run(root, script, options, remembered):
    """What it printed, and its pictures; as remembered if neither it nor minigrad nor the options have changed."""
    code = [root / script, *sorted((root / "minigrad").rglob("*.py"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in code) + " ".join(options).encode()).hexdigest()[:16]
    folder = remembered / f"{Path(script).stem}-{digest}"
    note = folder / "ran.json"
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(root), "MPLBACKEND": "Agg"}
        done = subprocess.run([sys.executable, str(root / script), *options, "--out", str(folder)], cwd=root, text=True,
                              capture_output=True, env=environment, timeout=1800)
        if done.returncode == 2 and " needs " in done.stderr:              # such as MPI
            done.stdout = f"(not run for this page: {done.stderr.strip()})"
        elif done.returncode:
            raise RuntimeError(f"{script} failed:\n{done.stderr}")
        note.write_text(json.dumps({"printed": done.stdout, "seconds": time.perf_counter() - began}))
        print(f"ran {script} {' '.join(options)}: {time.perf_counter() - began:.0f} s", flush=True)
    printed = re.sub(rf"^wrote {re.escape(str(folder))}/.*\n?", "", json.loads(note.read_text())["printed"], flags=re.M)
    pictures = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".gif"))
    return printed.replace(f"{folder}/", ""), pictures


def text_of(path):
    """The cells of a script: ("markdown" or "code", text)."""
    cells = []
    for part in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        if "[markdown]" in head:
            body = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines())
            cells.append(("markdown", body.strip()))
        elif body.strip():
            cells.append(("code", body.strip("\n")))
    if not cells:                                    # a script without cells: its docstring is its text
        tree = ast.parse(path.read_text(encoding="utf-8"))
        first, _, rest = (ast.get_docstring(tree) or path.stem).partition("\n")
        rest = re.sub(r"^(What it shows|What to look at|Try):", r"\n**\1.**", rest, flags=re.M)
        code = "\n".join(path.read_text(encoding="utf-8").splitlines()[tree.body[0].end_lineno:])
        cells = [("markdown", f"# {first.rstrip('.:')}\n{rest}"), ("code", code.strip("\n"))]
    return cells


def page_of(path, script, options, printed, pictures):
    (_, first), *cells = text_of(path)
    lines = [first, ""]
    for picture in pictures:
        lines += [f"```{{image}} ../../pictures/{picture.name}", f":alt: {picture.stem.replace('_', ' ')}", "```", ""]
    if printed.strip():
        how = f"It printed this, run with `{' '.join(options)}` (a small version):" if options else "It printed:"
        lines += [how, "", "```text", printed.strip("\n"), "```", ""]
    lines += [f"## {script}", ""]
    for kind, text in cells:
        lines += [text, ""] if kind == "markdown" else ["```python", text, "```", ""]
    return "\n".join(lines)
