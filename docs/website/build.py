#!/usr/bin/env python
"""Builds the site: `python docs/website/build.py [--quick]`, then open build/site/html/index.html.

The pages are assembled in build/site/pages, laid out as the checkout is, so that links between texts hold: the texts of
docs/, the README's and CONTRIBUTING, a page for every example with what it printed and drew, the notebooks (run by
MyST-NB), the reference (reference.py) and the laboratory (lab.py). Then Sphinx, with warnings as errors.

--quick: the examples in their small versions (two minutes); without it as their texts speak of them (ten minutes).
The laboratory wants Pyodide and NumPy for it in html/pyodide, or --pyodide with an address that has them. What ran
before and has not changed is remembered in build/site/ran. --check: links are looked at too.
"""
import argparse
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import gallery
import lab
import reference

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TEXTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md",
         *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md")))]

INDEX = """# minigrad

Reverse-mode automatic differentiation on compiled kernels, built to be read beside one textbook chapter: *Optimization
for Training Deep Models* (chapter 8 of Goodfellow, Bengio and Courville). Every optimizer, initializer and second-order
method of it is a few lines that read as its algorithm box.

```{image} docs/pictures/figure_8_5.png
:alt: Momentum runs along a canyon that gradient descent crosses from wall to wall (figure 8.5)
```

**New here?** [The first hour](docs/tutorials/first_hour.md) needs nothing but Python. You know
[PyTorch](docs/pytorch.md)? You have the book open at [a section](docs/chapter8.md)? You [teach](docs/teaching.md)?
[The laboratory](lab.md) runs in this window, without an installation. Every picture and number of the
[gallery](examples/gallery.md) has the page that made it behind it; every public name has its shapes and an example in
the [reference](api/index.md); formulas that fail as the book prints them are among the [errata](docs/errata.md).

```{toctree}
:caption: Learn
:maxdepth: 1
:hidden:

About minigrad <README>
docs/tutorials/first_hour
docs/tutorials/write_an_op
docs/tutorials/write_an_optimizer
docs/tutorials/resume_and_save
lab
```

```{toctree}
:caption: The chapter
:maxdepth: 1
:hidden:

docs/chapter8
NOTEBOOKS
docs/errata
```

```{toctree}
:caption: Teach
:maxdepth: 1
:hidden:

docs/teaching
LABS
```

```{toctree}
:caption: Examples
:maxdepth: 1
:hidden:

examples/gallery
examples/README
```

```{toctree}
:caption: Look up
:maxdepth: 1
:hidden:

api/index
docs/optimizers
docs/pytorch
docs/conventions
OTHERS
CONTRIBUTING
CHANGELOG
```
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the examples in their small versions")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", help="folder (default: build/site)")
    parser.add_argument("--check", action="store_true", help="then look at every link inside the site")
    parser.add_argument("--pyodide", default="pyodide/", metavar="URL",
                        help="where the laboratory finds Pyodide with NumPy (default: pyodide/, beside the pages)")
    options = parser.parse_args(argv)
    pages, html = options.out / "pages", options.out / "html"
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir(parents=True)
    examples = gallery.write(ROOT, pages, options.out / "ran", options.quick)
    notebooks = copy_notebooks(pages)
    reference.write(ROOT, pages)
    lab.write(ROOT, pages, options.pyodide)
    shutil.copytree(ROOT / "docs" / "pictures", pages / "docs" / "pictures")
    for name in TEXTS:
        copy_text(name, pages, examples)
    others = [name.removesuffix(".md") for name in TEXTS
              if name.startswith("docs/") and f"\n{name.removesuffix('.md')}\n" not in INDEX]
    labs = [name for name in others if name.startswith("docs/labs/")]
    index = INDEX
    for place, names in (("NOTEBOOKS", notebooks), ("LABS", sorted(labs, key=lambda name: not name.endswith("README"))),
                         ("OTHERS", [name for name in others if name not in labs])):
        index = index.replace(place, "\n".join(names))
    (pages / "index.md").write_text(index, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", str(HERE),
                           "-D", f"html_static_path={HERE / 'static'},{pages / 'static'}",
                           str(pages), str(html)], check=False)
    if done.returncode == 0 and options.check:
        broken = check_links(html)
        print("\n".join(broken) or f"links: all lead somewhere, {len(list(html.rglob('*.html')))} pages")
        return bool(broken)
    return done.returncode


def copy_notebooks(pages):
    """The notebooks, as they are; MyST-NB runs them. Their names in the index."""
    folder = pages / "examples" / "notebooks"
    folder.mkdir(parents=True)
    for path in sorted((ROOT / "examples" / "notebooks").glob("8_*.py")):
        shutil.copy(path, folder)
    return [f"examples/notebooks/{path.stem}" for path in sorted(folder.glob("8_*.py"))]


def copy_text(name, pages, examples):
    """A Markdown file with its links: to an example they lead to its page, to other files that are no pages nowhere."""
    source = ROOT / name

    def link(match):
        text, target = match[1], match[2]
        if re.match(r"(https?:|mailto:|#)", target):
            return match[0]
        place, _, anchor = target.partition("#")
        path = (source.parent / place).resolve()
        inside = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""
        if inside in examples:
            return f"[{text}]({relative(examples[inside], name)})"
        if inside in TEXTS:
            return match[0]
        if inside.startswith("examples/notebooks"):
            return f"[{text}]({relative(inside if path.is_file() else 'examples/notebooks/8_1.py', name)})"
        return text if text.startswith("`") else f"`{text}`"
    text = re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", link, source.read_text(encoding="utf-8"))
    target = pages / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def relative(target, source):
    """The way from the page `source` to the page `target`, both below the site's root."""
    return "/".join([".."] * (len(Path(source).parts) - 1) + [target]) or target


class Links(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def check_links(html):
    """What no link inside the site may be: to a file or an anchor that is not there."""
    seen = {path: Links(path.read_text(encoding="utf-8")) for path in html.rglob("*.html")}
    broken = []
    for path, page in seen.items():
        for link in page.links:
            place, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:|//", link):
                continue
            target = (path.parent / place.partition("?")[0]).resolve() if place else path
            if not target.exists():
                broken.append(f"{path.relative_to(html)}: {link}")
            elif anchor and target in seen and anchor not in seen[target].anchors:
                broken.append(f"{path.relative_to(html)}: {link} (no such anchor)")
    return broken


if __name__ == "__main__":
    sys.exit(main())
