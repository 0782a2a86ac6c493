"""Second-order methods beside SciPy's on the classic problems: what they reach, and at how many evaluations.

    python benchmarks/second_order.py [--methods BFGS,CG] [--far] [--quiet]

Evaluations = values + gradients + Hessian products, counted outside both libraries. SciPy stops at |g| <= 1e-6 (its
Newton-CG at steps of 1e-8, which is all it offers); minigrad at |g| <= 1e-7 (Levenberg-Marquardt: 1e-9), so it does
more work in the same count.
A problem counts where SciPy says success; "reached" is f <= SciPy's f + 1e-8 (1 + |f|). Levenberg-Marquardt is compared
from both starts with least_squares(method="lm") at its defaults.
"""
import argparse
import warnings
from dataclasses import dataclass

import numpy as np

from minigrad import optim
from minigrad.testing import problems

STEPS = 10_000
SLOW = {"powell_singular4", "penalty1_10", "gulf", "watson9", "meyer", "wood", "biggs_exp6", "powell_badly_scaled",
        "brown_badly_scaled", "osborne1"}      # thousands of evaluations for one method or another, in both libraries
METHODS = {
    # ours: SciPy's name, its options
    "BFGS": ("BFGS", {"gtol": 1e-6, "norm": 2}),
    "LBFGS": ("L-BFGS-B", {"gtol": 1e-6, "ftol": 0, "maxfun": 100_000}),
    "ConjugateGradient": ("CG", {"gtol": 1e-6, "norm": 2}),
    "NewtonCG": ("Newton-CG", {"xtol": 1e-8}),
    "TrustRegion": ("trust-ncg", {"gtol": 1e-6}),
    "LevenbergMarquardt": ("lm", {}),
}


@dataclass
class Row:
    """One method on one problem. ours, scipys: (f, |g|, evaluations). counts: SciPy converged. reached: f as low."""
    method: str
    problem: str
    start: str
    ours: tuple
    scipys: tuple
    reason: str
    counts: bool
    reached: bool

    @property
    def ratio(self):
        return self.ours[2] / self.scipys[2]

    def __str__(self):
        verdict = ("" if self.reached else "MISSED") if self.counts else "(SciPy failed)"
        return (f"{self.method:19} {self.problem:29} {self.start:5} "
                f"{self.ours[0]:13.6e} {self.ours[1]:8.1e} {self.ours[2]:6} | "
                f"{self.scipys[0]:13.6e} {self.scipys[1]:8.1e} {self.scipys[2]:6}  {self.ratio:5.2f}  "
                f"{self.reason:28} {verdict}")


def scipys(name, options, J, start):
    """SciPy's point and whether it says success."""
    from scipy import optimize
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if name == "lm":
            result = optimize.least_squares(J.residuals, start, J.jacobian, method="lm", x_scale="jac", max_nfev=3000)
        else:
            products = {"hessp": J.hvp} if name in ("Newton-CG", "trust-ncg") else {}
            result = optimize.minimize(J.value, start, jac=J.grad, method=name, options={"maxiter": STEPS} | options,
                                       **products)
    return result.x, bool(result.success)


def compare(method, problem, start="start"):
    """One Row: `method` (a name of METHODS) on `problem`, from its "start" or its "far" start."""
    name, options = METHODS[method]
    theta0 = getattr(problem, start)
    J, K = problems.Counting(problem), problems.Counting(problem)
    result = optim.minimize(getattr(optim, method)(theta0.copy()), J, STEPS,
                           tolerance=1e-9 if name == "lm" else 1e-7, path=False)
    theirs, success = scipys(name, options, K, theta0.copy())
    f, g = problem.value_and_grad(theirs)
    return Row(method, problem.name, start, (result.value, result.grad_norm, J.evaluations),
               (f, float(np.linalg.norm(g)), K.evaluations), result.reason, success,
               result.value <= f + 1e-8 * (1 + abs(f)))


def table(methods=tuple(METHODS), starts=("start",), skip=()):
    """All rows but those of problems named in `skip`. Levenberg-Marquardt: the sums of squares, from both starts."""
    for method in methods:
        squares = method == "LevenbergMarquardt"
        for start in ("start", "far") if squares else starts:
            for problem in problems.least_squares_collection() if squares else problems.collection():
                if problem.name in skip:
                    continue
                yield compare(method, problem, start)


def summary(rows):
    """Per method: problems that count, reached, median ratio of evaluations, missed ones."""
    for method in dict.fromkeys(row.method for row in rows):
        counting = [row for row in rows if row.method == method and row.counts]
        missed = [f"{row.problem} ({row.start})" for row in counting if not row.reached]
        yield method, len(counting), len(counting) - len(missed), float(np.median([r.ratio for r in counting])), missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--far", action="store_true", help="the far starts as well (no part of the criteria)")
    parser.add_argument("--quiet", action="store_true", help="the summary only")
    arguments = parser.parse_args()
    print(f"{'method':19} {'problem':29} {'start':5} {'f':>13} {'|g|':>8} {'evals':>6} | "
          f"{'SciPy f':>13} {'|g|':>8} {'evals':>6}  ratio  stopped by")
    rows = []
    for row in table(arguments.methods.split(","), ("start", "far") if arguments.far else ("start",)):
        rows.append(row)
        if not arguments.quiet:
            print(row, flush=True)
    print()
    for method, counting, reached, ratio, missed in summary(rows):
        print(f"{method:19} reached {reached} of {counting} where SciPy converged; "
              f"median ratio of evaluations {ratio:.2f}{'; missed: ' + ', '.join(missed) if missed else ''}")


if __name__ == "__main__":
    main()
