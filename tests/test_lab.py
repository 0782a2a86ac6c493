"""The laboratory's Python as the page in the browser calls it: through JSON, on the twins, without MNIST's files."""
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


def module(path, name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "website" / path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


lab, page = module("static/lab.py", "lab_in_the_browser"), module("lab.py", "lab_page")


def call(function, **options):
    return json.loads(lab.call(function, json.dumps(options)))


@pytest.mark.parametrize("surface", lab.SURFACES)
def test_every_method_runs_on_every_surface(surface):
    seen = call("surface", name=surface)
    heights = np.array(seen["heights"])
    assert heights.shape == (seen["side"], seen["side"]) and np.isfinite(heights).all() and np.ptp(heights) > 1
    for method, settings in call("methods").items():
        found = call("path", surface=surface, method=method, settings=settings, start=seen["start"], steps=20)
        assert "error" not in found, (method, found)
        assert found["path"][0] == seen["start"] and np.isfinite(found["values"]).all()
        assert len(found["path"]) == len(found["values"]) <= 21


def test_what_diverges_ends_where_it_is_finite():
    found = call("path", surface="Rosenbrock's valley", method="SGD", settings={"lr": 10.0}, start=[-1.2, 1.0],
                 steps=40)
    assert 1 <= len(found["path"]) < 41 and found["reason"] == "not finite" and np.isfinite(found["path"]).all()


def test_a_method_of_ones_own_runs_and_its_errors_are_words():
    settings = {"lr": 0.05}
    mine = {"surface": "canyon", "method": "mine", "settings": settings, "start": [3.0, 1.0], "steps": 5}
    found = call("path", **mine, source=page.OWN)
    assert np.allclose(np.abs(np.subtract(found["path"][1], found["path"][0])), 0.05)       # lr times a sign
    for source, word in (("x = ", "SyntaxError"), ("x = 1", "no class"), ("1 / 0", "ZeroDivisionError")):
        assert word in call("path", **mine, source=source)["error"]


def test_the_page_and_its_script_speak_of_the_same_things(tmp_path):
    page.write(ROOT, tmp_path)
    text, script = (tmp_path / "lab.md").read_text(), (ROOT / "docs" / "website" / "static" / "lab.js").read_text()
    for name in re.findall(r'\$\("([\w-]+)"\)', script):
        assert f'id="{name}"' in text, name
    assert set(page.SURFACES) == set(lab.SURFACES)
    named = re.search(r"const scales = \{(.*?)\};", script, re.S)[1]
    assert set(re.findall(r"(\w+): \[", named)) == set(lab.SLIDERS)
    with zipfile.ZipFile(tmp_path / "static" / "minigrad.zip") as packed:
        packed.extractall(tmp_path / "there")
        assert sum(info.compress_size for info in packed.infolist()) < 1_000_000
    code = """
import sys
sys.platform = "emscripten"                                                  # no word about compilers there
sys.modules["minigrad_ext"] = None                                           # nor kernels; here some are installed
import json, lab, minigrad
for k in range(3):
    found = json.loads(lab.call("train", json.dumps({"begin": k == 0})))
print(minigrad.kernels.isa, found["epoch"], found["loss"] < 1.9, minigrad.__file__)
"""
    places = os.pathsep.join([str(tmp_path / "there"), str(ROOT / "docs" / "website" / "static")])
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120,
                          cwd=tmp_path, env=os.environ | {"PYTHONPATH": places, "MINIGRAD_REQUIRE_EXT": "0"})
    assert done.returncode == 0, done.stderr
    isa, epoch, learned, where = done.stdout.split()
    assert (isa, epoch, learned) == ("numpy", "3", "True") and where.startswith(str(tmp_path))


IN_PYODIDE = """
const [folder, packed, script] = process.argv.slice(2);
const { loadPyodide } = await import(`${folder}/pyodide.mjs`);
const { readFileSync } = await import("node:fs");
const python = await loadPyodide({ indexURL: folder });
await python.loadPackage("numpy");
python.unpackArchive(readFileSync(packed), "zip");
python.runPython(readFileSync(script, "utf8"));
const call = python.globals.get("call");
let found;
for (let epoch = 0; epoch < 15; epoch++) found = call("train", JSON.stringify({ begin: epoch === 0 }));
console.log(found);
"""


@pytest.mark.skipif("MINIGRAD_PYODIDE" not in os.environ or not shutil.which("node"),
                    reason="MINIGRAD_PYODIDE names a folder with Pyodide and NumPy for it, and node runs it")
def test_in_pyodide(tmp_path):
    """The real thing, by node in place of a browser: Pyodide, NumPy's own build for it, the page's script."""
    page.write(ROOT, tmp_path)
    (tmp_path / "run.mjs").write_text(IN_PYODIDE)
    done = subprocess.run(["node", tmp_path / "run.mjs", os.environ["MINIGRAD_PYODIDE"],
                           tmp_path / "static" / "minigrad.zip", ROOT / "docs" / "website" / "static" / "lab.py"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[:300]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["epoch"] == 15 and found["error"] < 0.6
