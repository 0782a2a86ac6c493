"""The site's own pieces: prose that keeps its meaning in Markdown, links that lead to pages, broken ones seen."""
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site():
    """docs/website/build.py as a module."""
    sys.path.insert(0, str(ROOT / "docs" / "website"))
    try:
        spec = importlib.util.spec_from_file_location("site_build", ROOT / "docs" / "website" / "build.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "docs" / "website"))
    return module


def test_prose_keeps_words_and_layout(site):
    lines = site.reference.prose("""A <- B of |g| and a*b (x_i).

        r <- r + g*g
          deeper

    1. not a list, `code_here` is code.
    """)
    assert lines[0] == r"A \<- B of \|g\| and a\*b (x\_i)."
    start = lines.index("```text")
    assert lines[start:start + 4] == ["```text", "r <- r + g*g", "  deeper", "```"]
    assert r"1\. not a list, `code_here` is code." in lines


def test_signatures_can_be_read(site):
    def f(x, *, weights=dict, rng=None, function=len, g=lambda: 0):
        pass
    text = site.reference.signature(f)
    assert text == "(x, *, weights=dict, rng=None, function=len, g=...)"


def test_links_to_examples_lead_to_their_pages_and_others_become_text(site, tmp_path):
    site.copy_text("examples/README.md", tmp_path, {"examples/particle.py": "examples/gallery/particle.md"})
    text = (tmp_path / "examples" / "README.md").read_text()
    assert "](../examples/gallery/particle.md)" in text and "](particle.py)" not in text
    assert "`batch_size.py`" in text and "](batch_size.py)" not in text               # it has no page here


def test_broken_links_and_anchors_are_seen(site, tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#there">x</a> <a href="b.html#gone">x</a> <img src="c.png">')
    (tmp_path / "b.html").write_text('<p id="there"><a href="https://example.org">x</a> <a href="a.html">x</a></p>')
    assert site.check_links(tmp_path) == ["a.html: b.html#gone (no such anchor)", "a.html: c.png"]


def test_every_example_has_a_title(site):
    for script in site.gallery.scripts(ROOT):
        kind, text = site.gallery.text_of(ROOT / script)[0]
        assert kind == "markdown" and text.startswith("# ") and " " in text.splitlines()[0][2:], script


@pytest.mark.long
def test_the_site_is_built_without_a_warning_and_all_links_lead_somewhere(tmp_path):
    for package in ("sphinx", "myst_nb", "furo", "jupytext"):
        pytest.importorskip(package)
    done = subprocess.run([sys.executable, "docs/website/build.py", "--quick", "--check", "--out", str(tmp_path)],
                          cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    assert "links: all lead somewhere" in done.stdout
