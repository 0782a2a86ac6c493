"""doctor: what kind of place is theta? Section 8.2's challenges told apart by gradient, curvature and a few probes."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minigrad.diagnostics.operators import Local, place
from minigrad.diagnostics.spectrum import lanczos, ritz, tridiagonal
from minigrad.notebook import Number, table
from minigrad.random import generator
from minigrad.typing import Array, Random

DENSE = 100                               # up to so many parameters all eigenvalues are computed

# What the verdicts mean, in ratios without units; `scale` is how far theta is likely to move.
FLAT = 1e-3                               # J changes by less than this part of its range over `scale`: plateau
CRITICAL = 0.02                           # the Newton step is shorter than this part of `scale`: critical point
CONFIRMED = 0.35                          # ... and after it |g| is below this part of what it was (exponential: 0.37)
SIGN = 1e-3                               # eigenvalues below this part of the largest have no sign
STEEP = 10.0                              # the slope promises so many times what J then changes: cliff
CONDITION = 100.0                         # ratio of the extreme eigenvalues of a positive definite H: ill-conditioned
SLOW = 0.02                               # the best safe gradient step gains this part of what a Newton step would


@dataclass
class Report:
    """The doctor's verdict and the figures it rests on.

    verdict: "plateau", "near a minimum", "near a maximum", "saddle", "cliff", "ill-conditioned", "none of these", or
    "not finite". reasons: sentences. value: J. gradient_norm: |g|. curvature: g.Hg / g.g. lowest, highest: extreme
    eigenvalues of H (exact up to 100 parameters, else by Lanczos). newton: length of the step H^-1 g.
    lr, predicted, actual: a small gradient step and its effect on J, by (8.10) and in truth. products: of H and a
    vector.
    """
    verdict: str
    reasons: list[Any] = field(default_factory=list)
    value: float = np.nan
    gradient_norm: float = np.nan
    curvature: float = np.nan
    lowest: float = np.nan
    highest: float = np.nan
    newton: float = np.nan
    scale: float = np.nan
    lr: float = np.nan
    predicted: float = np.nan
    actual: float = np.nan
    products: int = 0

    def __str__(self) -> str:
        return "\n".join([
            f"verdict            {self.verdict}",
            f"J                  {self.value:.6g}",
            f"|g|                {self.gradient_norm:.4g}",
            f"g.Hg / g.g         {self.curvature:.4g}     (gradient steps above lr = "
            f"{2 / self.curvature if self.curvature > 0 else np.inf:.3g} increase J)",
            f"eigenvalues of H   {self.lowest:.4g} ... {self.highest:.4g}",
            f"|H^-1 g|           {self.newton:.4g}     (scale of theta: {self.scale:.4g})",
            f"step lr = {self.lr:.2g}: J changes by {self.actual:.4g}, predicted by (8.10) {self.predicted:.4g}",
            *self.reasons])

    def _repr_html_(self):
        """In a notebook: the verdict, its reasons, and the figures."""
        from html import escape
        names = ("value", "gradient_norm", "curvature", "lowest", "highest", "newton", "scale", "lr", "predicted",
                 "actual", "products")
        figures = table((), [(name.replace("_", " "), Number(f"{getattr(self, name):.4g}")) for name in names])
        return f"<p><b>{escape(self.verdict)}</b>: {escape(' '.join(self.reasons))}</p>\n{figures}"


def doctor(J: Any, theta: Array | None = None, lr: float | None = None, scale: Any = None, steps: int = 60,
           rng: Random = 0) -> Report:
    """Examine J at theta and say what makes it hard (sections 8.2.1, 8.2.3, 8.2.4). Prints well; returns a `Report`.

    J: an objective with value, gradient and hvp. theta: (n,); default: where its model is. lr: a learning rate that is
    in use: also "ill-conditioned" if lr^2 g.Hg / 2 > lr g.g. scale: how far theta may move, default max(|theta|, 1).
    The verdicts are tried in this order, and each names its figures:
      plateau          |g| scale + |H| scale^2 / 2 is below 0.1 % of how much J varies at that distance
      cliff            within scale / 10 downhill the slope promises ten times what J changes at all
      near a minimum, near a maximum, saddle    the Newton step H^-1 g is below 2 % of scale, and after it |g| is
                       below 35 %; by the signs of H
      ill-conditioned  no negative eigenvalue and a condition above 100; or a gradient step of the safe length 1 /
                       highest eigenvalue gains below 2 % of what a Newton step within `scale` would
    Cost: two Lanczos runs of `steps` products (n products up to n = 100) and 33 values of J.
    """
    theta = place(J, theta, "doctor")
    local = Local(J, theta, "doctor")
    g = local.g.astype(np.float64)
    scale = float(scale or max(np.linalg.norm(theta), 1.0))
    norm = float(np.linalg.norm(g))
    report = Report("none of these", value=local.value, gradient_norm=norm, scale=scale)
    if not (np.isfinite(local.value) and np.isfinite(norm)):
        report.verdict = "not finite"
        report.reasons = ["J or its gradient is NaN or infinite: run the step under detect_anomaly()."]
        return report
    rng = generator(rng)
    spectrum = _spectrum(local, g, steps, rng)
    _curvature(report, local, g, spectrum)
    probes = _probe(local, g, norm, scale, rng)
    for examine in (_flat, _cliff, _critical, _conditioning):
        finding = examine(report, local, spectrum, probes, lr)
        if finding is not None:
            report.verdict, report.reasons = finding
            return report
    report.reasons = ["the gradient is large enough, the curvature even enough for gradient steps."]
    return report


# ------------------------------------------------------------------------------------------------------------- figures

class _Spectrum:
    """Eigenvalues (k,), their vectors V (n, k) and the components of g along them; all, or those Lanczos finds from g.
    lowest, highest: of all. exact: whether these are the eigenvalues themselves."""

    def __init__(self, values, V, parts, lowest, highest, exact):
        self.values, self.V, self.parts, self.exact = values, V, parts, exact
        self.lowest, self.highest, self.size = lowest, highest, max(abs(lowest), abs(highest))

    def newton(self):
        """The Newton step -H^-1 g (n,), to the critical point of the parabola; eigenvalues below 1e-4 of the largest,
        which rounding may have made, count as that large."""
        l = np.copysign(np.maximum(abs(self.values), 1e-4 * self.size), self.values)
        return -self.V @ np.divide(self.parts, l, out=np.zeros_like(l), where=self.parts != 0)

    def gain(self, damping):
        """What the step -(|H| + damping)^-1 g would gain if J were |H|'s parabola."""
        l = abs(self.values) + damping
        return float(np.sum(np.divide(self.parts**2, l, out=np.zeros_like(l), where=l > 0))) / 2


def _spectrum(local, g, steps, rng):
    n = len(g)
    if n <= DENSE:
        H = np.array([local.product(e) for e in np.eye(n)])
        _finite(H)
        values, V = np.linalg.eigh((H + H.T) / 2)
        return _Spectrum(values, V, V.T @ g, values[0], values[-1], True)
    relative = np.finfo(local.theta.dtype).eps * 10
    alpha, beta, _ = lanczos(local.product, local.direction(rng), steps, relative)
    anywhere = ritz(alpha, beta)[0]
    values, V, parts = anywhere, np.zeros((n, len(anywhere))), np.zeros(len(anywhere))
    if g.any():
        alpha, beta, Q = lanczos(local.product, g, steps, relative)
        values, S = np.linalg.eigh(tridiagonal(alpha, beta))
        V, parts = Q.T @ S, S[0] * np.linalg.norm(g)
    lowest, highest = min(values[0], anywhere[0]), max(values[-1], anywhere[-1])
    return _Spectrum(values, V, parts, lowest, highest, False)


def _finite(H):
    if not np.isfinite(H).all():
        raise ValueError("doctor: the Hessian is not finite although J and its gradient are")


def _curvature(report, local, g, spectrum):
    """Fill in the figures, and try a small gradient step: 0.5 % of the way to the parabola's minimum, at most 0.3 % of
    scale."""
    report.lowest, report.highest = float(spectrum.lowest), float(spectrum.highest)
    report.newton = float(np.linalg.norm(spectrum.newton())) if spectrum.size > 0 else (np.inf if g.any() else 0.0)
    gg = float(g @ g)
    if gg > 0:
        gHg = float(g @ local.product(g))
        report.curvature = gHg / gg
        report.lr = 0.003 * report.scale / report.gradient_norm
        if gHg != 0:
            report.lr = min(report.lr, 0.005 / abs(report.curvature))
        report.predicted = report.lr**2 * gHg / 2 - report.lr * gg
        report.actual = local.along(-g, report.lr) - local.value
    report.products = local.products


def _probe(local, g, norm, scale, rng):
    """J - J(theta): downhill at 1 to 10 % of scale; and up and down the gradient and in six random ways, (2, k): at a
    tenth of scale, at scale."""
    down = [np.nan if norm == 0 else local.along(-g / norm, r * scale) - local.value for r in (0.01, 0.02, 0.05, 0.1)]
    directions = [] if norm == 0 else [g / norm]
    for _ in range(6 if norm else 7):
        d = local.direction(rng)
        directions.append(d / (np.linalg.norm(d) or 1.0))
    around = [[local.along(s * d, r * scale) - local.value for d in directions for s in (-1, 1)] for r in (0.1, 1)]
    return np.array(down), np.array(around)


# ------------------------------------------------------------------------------------------------------------ verdicts
# Each examiner reads the report's figures, the spectrum and the probes, and returns a Finding, or None.

class Finding(NamedTuple):
    """What an examiner found: a verdict of `Report`, and the sentences that give its figures."""
    verdict: str
    reasons: list[Any]


def _flat(report, local, spectrum, probes, lr):
    near, far = probes[1]
    most = 1e6 * (abs(local.value) + max(-far.min(), 0.0))      # where J explodes, its range says nothing
    span = max(min(abs(far).max(), most), 1e-6 * abs(local.value))
    change = report.gradient_norm * report.scale + spectrum.size * report.scale**2 / 2
    if change > FLAT * span:
        return None
    if far.min() >= 0.01 * span > 0 and near.min() > 1e-8 * span:
        return Finding("near a minimum", [
            f"gradient and Hessian are almost zero, and J rises in every direction tried (by {far.min():.3g} to "
            f"{far.max():.3g} at distance {report.scale:.3g})."])
    return Finding("plateau", [
        f"gradient and Hessian are almost zero: within {report.scale:.3g} they change J by at most {change:.3g}, and J "
        f"varies by {span:.3g} at that distance."])


def _cliff(report, local, spectrum, probes, lr):
    reach, slope = 0.1 * report.scale, report.gradient_norm
    change, promised = float(np.nanmax(abs(probes[0]))) if slope > 0 else 0.0, slope * reach
    rounding = 100 * np.finfo(local.theta.dtype).eps * abs(local.value)
    if promised < STEEP * change or promised <= rounding:
        return None
    return Finding("cliff", [
        f"within {reach:.3g} downhill the slope promises a fall of {promised:.3g}, and J changes by {change:.3g} "
        "there; a gradient step says little: clip the gradient (section 8.2.4)."])


def _critical(report, local, spectrum, probes, lr):
    if report.newton > CRITICAL * report.scale:
        return None
    rounding = 100 * np.finfo(local.theta.dtype).eps * spectrum.size * report.scale
    after = np.linalg.norm(local.gradient_at(spectrum.newton()))
    if np.isnan(after) or after > max(CONFIRMED * report.gradient_norm, rounding):
        return None
    low, high, size = report.lowest, report.highest, spectrum.size
    if low < -SIGN * size and high > SIGN * size:
        return Finding("saddle", [
            f"a critical point lies {report.newton:.3g} away, and H has eigenvalues of both signs, {low:.3g} and "
            f"{high:.3g}."])
    verdict, missing = ("near a minimum", "negative") if high > SIGN * size else ("near a maximum", "positive")
    return Finding(verdict, [
        f"a critical point lies {report.newton:.3g} away, and H has no {missing} eigenvalue ({low:.3g} to "
        f"{high:.3g})."])


def _conditioning(report, local, spectrum, probes, lr):
    low, high, reasons = report.lowest, report.highest, []
    if lr is not None and lr * report.curvature / 2 > 1:
        reasons.append(f"with lr = {lr:g}, lr^2 g.Hg / 2 exceeds lr g.g {lr * report.curvature / 2:.3g} times: "
                       "steps along -g increase J (8.10).")
    if low > 1e-8 * high and high >= CONDITION * low:
        least = "" if spectrum.exact else "at least "
        reasons.append(f"H has no negative eigenvalue, and its condition is {least}{high / low:.3g}.")
    if high > 0:
        safe = report.gradient_norm**2 / high * (1 - report.curvature / high / 2)
        newton = spectrum.gain(report.gradient_norm / report.scale)
        if safe < SLOW * newton:
            reasons.append(f"a gradient step that is safe in every direction (lr = {1 / high:.3g}) gains {safe:.3g}; a "
                           f"Newton step within {report.scale:.3g} would gain {newton:.3g}.")
    if reasons and low < -SIGN * spectrum.size:
        reasons.append(f"H has negative curvature as well ({low:.3g}).")
    return Finding("ill-conditioned", reasons) if reasons else None
