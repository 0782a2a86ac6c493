"""The laboratory: a page in which minigrad itself runs, in the browser, on Pyodide; and the package packed for it."""
import html
import zipfile

OWN = '''import numpy as np
from minigrad import optim
from minigrad.optim import Array, Hyper, hyper, state

class SignMomentum(optim.FirstOrder):
    """Momentum on the sign of the gradient."""
    lr: Hyper
    momentum: Hyper = hyper(0.9)
    v: Array = state()

    def update(self, g):
        self.v = self.momentum * self.v - self.lr * np.sign(g)
        self.theta = self.theta + self.v
'''
SURFACES = ("canyon", "Rosenbrock's valley", "Beale", "Himmelblau, four minima", "saddle", "monkey saddle")

PAGE = """# The laboratory

Optimizers on surfaces, and a net that learns, in this window: Python, NumPy and minigrad run in the browser itself, and
nothing you write here leaves it. Tick methods, turn their numbers, click on the map to put the start (the star) there.

<div id="lab" data-pyodide="{pyodide}" data-minigrad="_static/minigrad.zip" data-lab="_static/lab.py">
<p id="lab-status" role="status"></p>
<p><label>surface <select id="lab-surface">{options}</select></label>
<label>steps <input id="lab-steps" type="range" min="1" max="200" value="40"></label>
<output id="lab-steps-said">40</output>
</p>
<div class="lab-two">
<canvas id="lab-map" width="440" height="330" role="img" aria-label="The surface from above, with the paths"></canvas>
<div><div id="lab-sliders"></div><div id="lab-said" aria-live="polite"></div>
<canvas id="lab-curve" width="250" height="190" role="img" aria-label="J over the steps"></canvas></div>
</div>
<div id="lab-methods"></div>
<div id="lab-own" hidden><p>A method of your own; it runs when you leave the box:</p>
<textarea id="lab-mine" rows="14" cols="84" spellcheck="false">{own}</textarea></div>
</div>

## A net learns

Ten digits drawn as curves of 40 numbers (MNIST-1D), 4,000 of them, a net of 5,110 parameters, Adam. Blue is the
training loss, orange the share of wrong answers on 1,000 other digits.

<p><button id="lab-train">Train it</button> <span id="lab-trained" role="status"></span></p>
<canvas id="lab-learning" width="620" height="240" role="img" aria-label="Loss and error over the epochs"></canvas>

<script type="module" src="_static/lab.js"></script>
"""


def write(root, pages, pyodide="pyodide/"):
    """The page, and beside it static/minigrad.zip: the package without its kernels and without the digits of MNIST."""
    options = "".join(f"<option>{html.escape(name)}</option>" for name in SURFACES)
    text = PAGE.format(pyodide=html.escape(pyodide), options=options, own=html.escape(OWN).replace("\n\n", "\n&#10;"))
    (pages / "lab.md").write_text(text, encoding="utf-8")
    (pages / "static").mkdir()
    with zipfile.ZipFile(pages / "static" / "minigrad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((root / "minigrad").rglob("*.py")):
            if "grade" not in path.relative_to(root).parts:
                archive.write(path, path.relative_to(root))
