"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- a = r.d / d.A d: r.d is r.r, since r is orthogonal to the directions before.
- d = -V (V' g / size): the minus sign may stand anywhere.
- next_direction without its `if coefficient`: the same numbers, where there was a direction before.
"""
from minigrad.grade import Mutant

NEXT = "d = r + rr / before * d"
DIRECTION = "return -g + coefficient * d if coefficient else -g"
FR, PR = "return dot(g, g) / dot(before, before)", "return max(0.0, dot(g - before, g) / dot(before, before))"
FORWARD, BACKWARD = "x[i] = (x[i] - L[i, :i] @ x[:i]) / L[i, i]", "x[i] = (x[i] - L[i + 1:, i] @ x[i + 1:]) / L[i, i]"
ABSOLUTE = "d = -V @ ((V.T @ g) / np.maximum(size, floor * size.max()))"

MUTANTS = [
    Mutant("cg-steepest", NEXT, "d = r", "steepest descent: no direction is conjugate to the last"),
    Mutant("cg-beta-inverted", NEXT, "d = r + before / rr * d", "old r.r over the new"),
    Mutant("cg-beta-sign", NEXT, "d = r - rr / before * d", "the last direction subtracted"),
    Mutant("cg-residual-sign", "r = r - a * Ad", "r = r + a * Ad", "r grows: A x is added to it"),
    Mutant("cg-residual-of-b", "r = r - a * Ad", "r = b - a * Ad", "r from b, as if x had been 0"),
    Mutant("cg-step-norm", "a = rr / curvature", "a = rr / dot(d, d)", "the step does not look at A"),
    Mutant("cg-step-half", "a = rr / curvature", "a = rr / (2 * curvature)", "half a step: no exact minimum along d"),
    Mutant("cg-x-backwards", "x = x + a * d", "x = x - a * d", "x goes uphill"),
    Mutant("cg-negative-goes-on", "if curvature <= 0:", "if curvature == 0:", "negative curvature is not seen"),
    Mutant("cg-no-tolerance", "if norm(r) <= tolerance:", "if norm(r) <= 0:", "the tolerance is not looked at"),
    Mutant("cg-tolerance-squared", "if norm(r) <= tolerance:", "if dot(r, r) <= tolerance:", "|r|^2 compared, not |r|"),
    Mutant("fr-inverted", FR, "return dot(before, before) / dot(g, g)", "8.30 upside down"),
    Mutant("fr-root", FR, "return norm(g) / norm(before)", "norms, not their squares"),
    Mutant("pr-sign", PR, PR.replace("g - before, g", "before - g, g"), "the difference the other way round"),
    Mutant("pr-hestenes", PR, PR.replace("dot(g - before, g)", "dot(g - before, before)"), "the wrong gradient above"),
    Mutant("pr-no-clamp", PR, "return dot(g - before, g) / dot(before, before)", "no max(0, .)"),
    Mutant("reset-every-step", "t % reset == 0", "t >= reset", "after the first reset it resets always"),
    Mutant("reset-never", "reset is not None and t % reset == 0", "False", "reset is not looked at"),
    Mutant("direction-8-29", DIRECTION, "return g + coefficient * d if coefficient else g", "8.29's sign: uphill"),
    Mutant("direction-no-memory", DIRECTION, "return -g", "beta is forgotten"),
    Mutant("forward-no-division", FORWARD, "x[i] = x[i] - L[i, :i] @ x[:i]", "forward without the diagonal"),
    Mutant("backward-rows", BACKWARD, "x[i] = (x[i] - L[i, i + 1:] @ x[i + 1:]) / L[i, i]", "L where L' is meant"),
    Mutant("backward-from-top", "for i in reversed(range(n)):", "for i in range(n):", "backward in the wrong order"),
    Mutant("newton-sign", "d = solve(H, -g)", "d = solve(H, g)", "no minus sign"),
    Mutant("newton-product", "d = solve(H, -g)", "d = -H @ g", "H for its inverse"),
    Mutant("damped-everywhere", "H + alpha * np.eye(len(g))", "H + alpha", "alpha added to every entry"),
    Mutant("damped-sign", "d = -solve_cholesky(L, g)", "d = solve_cholesky(L, g)", "no minus sign"),
    Mutant("damped-doubles", "alpha *= 4", "alpha *= 2", "alpha grows by 2"),
    Mutant("free-no-abs", "size = abs(l)", "size = l", "plain Newton: it goes to the saddle"),
    Mutant("free-sign", ABSOLUTE, ABSOLUTE.replace("-V", "V"), "a step uphill"),
    Mutant("free-transposed", ABSOLUTE, "d = -V.T @ ((V @ g) / np.maximum(size, floor * size.max()))",
           "V and V' exchanged"),
    Mutant("free-floor-absolute", ABSOLUTE, ABSOLUTE.replace("floor * size.max()", "floor"),
           "the floor is not relative to the largest"),
    Mutant("free-floor-small", ABSOLUTE, ABSOLUTE.replace("size.max()", "size.min()"), "relative to the smallest |l|"),
]

EQUIVALENTS = [
    Mutant("right-residual-with-d", "a = rr / curvature", "a = float(r @ d) / curvature", "the same up to rounding"),
    Mutant("right-absolute", ABSOLUTE, "d = -(V / np.maximum(size, floor * size.max())) @ (V.T @ g)",
           "another order of the products"),
]
