"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- `value >= low[1]` for `value > low[1]` in strong_wolfe: differs only where two floats are equal.
- `rising` with `>` for `>= 0`: differs only at a slope of exactly 0, which the condition above has returned.
- the two factors of learn's product multiplied out, or not: algebra.
- `abs(slope) <= -c1 * slope0`, c1 for c2: stricter, since c1 < c2; whatever it returns is right.
- `abs(slope) <= c2 * abs(slope0)`: slope0 < 0 along a direction of descent.
"""
from minigrad.grade import Mutant

D1 = "d1 = da + db - 3 * (fa - fb) / (a - b)"
D2 = "d2 = math.copysign(math.sqrt(square), b - a)"
TEST = "abs(slope) <= -c2 * slope0"
DECREASED = "return value <= value0 + c1 * t * slope0"
OUT = "slope * (t - low[0]) > 0 if high is None else slope * (high[0] - low[0]) >= 0"
HALF = "half = np.outer(s, r * ((1 + r * dot(y, My)) / 2 * s - My))"
WORTH = "return np.isfinite(curvature) and curvature > CURVATURE * norm(s) * norm(y)"

MUTANTS = [
    Mutant("cubic-two", D1, D1.replace("3 *", "2 *"), "2 for 3 in d1"),
    Mutant("cubic-plus", D1, D1.replace("- 3", "+ 3"), "the sign in d1"),
    Mutant("cubic-root", D2, "d2 = math.sqrt(square)", "d2 without the sign of b - a"),
    Mutant("cubic-square", "square = d1 * d1 - da * db", "square = d1 * d1 + da * db", "the sign below the root"),
    Mutant("cubic-negative", "if not 0 <= square < math.inf:\n        return math.nan", "square = abs(square)",
           "a root of |...| where there is no minimum"),
    Mutant("cubic-bottom", "bottom = db - da + 2 * d2", "bottom = db + da + 2 * d2", "the sign in the bottom"),
    Mutant("cubic-from-a", "return b - (b - a) * (db", "return a - (b - a) * (db", "counted from a"),
    Mutant("cubic-division", " / bottom if bottom else math.nan", " / (bottom or 1.0)", "a number for a division by 0"),
    Mutant("wolfe-no-slope", DECREASED, "return value <= value0 - c1 * t", "c1 t without the slope"),
    Mutant("wolfe-no-c1", DECREASED, "return value <= value0 + c2 * t * slope0", "c2 for c1 in the first condition"),
    Mutant("wolfe-any", DECREASED, "return True", "no first condition"),
    Mutant("wolfe-simple", DECREASED, "return value < value0", "any decrease will do"),
    Mutant("wolfe-c2-alone", TEST, "abs(slope) <= c2", "c2 not compared with the slope at 0"),
    Mutant("wolfe-weak", TEST, "slope >= c2 * slope0", "the weak condition: a slope upwards of any size will do"),
    Mutant("wolfe-sign", TEST, "abs(slope) <= c2 * slope0", "a negative bound: never true"),
    Mutant("wolfe-armijo", TEST, "True", "no second condition"),
    Mutant("wolfe-ends", OUT, OUT.replace("slope * (high", "-slope * (high"), "the wrong end of the bracket is kept"),
    Mutant("wolfe-never-out", OUT, "False", "a minimum that was passed is not bracketed"),
    Mutant("wolfe-low-stays", "before, low, high = low, here,", "before, high = low,", "the low end never moves"),
    Mutant("uphill", "return -(M @ g)", "return M @ g", "the book's missing minus sign"),
    Mutant("steepest", "return -(M @ g)", "return -g", "steepest descent"),
    Mutant("inverse", "return -(M @ g)", "return -np.linalg.solve(M, g)", "M taken for the Hessian"),
    Mutant("learn-r", "r = 1 / dot(s, y)", "r = 1 / dot(y, y)", "r = 1/y.y"),
    Mutant("learn-swapped", "My = M @ y", "My = M @ s", "s for y in M y"),
    Mutant("learn-half", "M += half + half.T", "M += half", "half of the update: not symmetric"),
    Mutant("learn-minus", "M += half + half.T", "M -= half + half.T", "subtracted"),
    Mutant("learn-y", HALF, HALF.replace("np.outer(s,", "np.outer(y,"), "y for s in the outer product"),
    Mutant("learn-no-one", HALF, HALF.replace("(1 + r * dot(y, My)) / 2 * s", "r * dot(y, My) / 2 * s"),
           "r s s' forgotten"),
    Mutant("learn-new", "M += half + half.T", "M = np.eye(len(s)) + half + half.T", "from I at every step"),
    Mutant("worth-any", WORTH, "return True", "every pair is learned, of negative curvature too"),
    Mutant("worth-absolute", WORTH, WORTH.replace("curvature >", "abs(curvature) >"), "|s . y| is large enough"),
    Mutant("worth-none", WORTH, "return False", "no pair is learned"),
]

EQUIVALENTS = [
    Mutant("product", HALF, "half = -r * np.outer(s, My) + r * (1 + r * dot(y, My)) / 2 * np.outer(s, s)",
           "the same sum"),
    Mutant("slopes", TEST, "abs(slope) <= c2 * abs(slope0)", "slope0 < 0"),
]
