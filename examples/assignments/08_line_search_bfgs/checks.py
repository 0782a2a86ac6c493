"""The checks of 08_line_search_bfgs. Oracles: the two conditions themselves, the update as a product of matrices, and
minima known in closed form."""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(title="Line search and BFGS", sections="8.6.3", minutes=120, blocked=["minigrad.optim"],
                        mutant_points=5)

DECREASE = "phi(t) <= phi(0) + c1 t phi'(0): reread the first condition in strong_wolfe's docstring"
SLOPE = "|phi'(t)| <= c2 |phi'(0)|: reread the second condition in strong_wolfe's docstring"


# ---------------------------------------------------------------------------------------------------------- 1: a cubic

def ends(case, count):
    """Rows a, fa, da, b, fb, db of cubics x^3 - 3 w^2 x + constant, moved and stretched, and where their minima are."""
    rows, minima = [], []
    for _ in range(count):
        centre, w, scale = case.rng.uniform(-2, 2), case.rng.uniform(0.5, 2), case.rng.uniform(0.5, 3)
        p = scale * np.polynomial.Polynomial([1.0, -3 * w * w, 0.0, 1.0])
        a, b = centre + w + case.rng.uniform(0.3, 1, 2) * np.array([-1, 1]) * w
        a, b = (a, b) if case.rng.random() < 0.5 else (b, a)
        x, y = a - centre, b - centre
        rows.append([a, p(x), p.deriv()(x), b, p(y), p.deriv()(y)])
        minima.append(centre + w)
    return np.array(rows), np.array(minima)


@task("1.1", "the minimum of a cubic", points=2, visibility="public")
def cubic(case):
    rows, minima = ends(case, 4)
    case.close(case.ask("cubic", ends=rows)["t"], minima, "the minimum of the cubic with these values and slopes: "
               "reread d1, d2 and the quotient in the handout; d2 has the sign of b - a")


@task("1.2", "cubics without a minimum", points=1)
def cubic_none(case):
    slope = case.rng.integers(16, 32) / 16                    # no rounding
    rows = np.array([[0.0, 0.0, slope, 1.0, slope, slope],               # a straight line
                     [0.0, 0.0, 3.0, 1.0, 1.0 + 1.0 / 3, 1.5]])          # rises everywhere
    t = case.ask("cubic", ends=rows)["t"]
    case.true(bool(np.isnan(t).all()), "NaN where the cubic has no minimum: the number below the root is negative, "
              "or the quotient's bottom is 0; reread cubic_minimizer's docstring")
    rows, minima = ends(case, 12)
    case.close(case.ask("cubic", ends=rows)["t"], minima, "either end may be the right one: reread the sign of d2 in "
               "the handout")


# ------------------------------------------------------------------------------------------------------ 2: strong Wolfe

def line(kind, given):
    """phi and its slope, as in drive.py."""
    if kind == "polynomial":
        p = np.polynomial.Polynomial(given)
        return p, p.deriv()
    if kind == "valley":
        return lambda t: -t / (t * t + given), lambda t: (t * t - given) / (t * t + given) ** 2
    return lambda t: -2 * t - np.log(given - t), lambda t: -2 + 1 / (given - t)


def searched(case, kind, given, step, c1=1e-4, c2=0.9):
    got = case.ask("search", kind=kind, given=given, step=step, c1=c1, c2=c2)
    phi, slope = line(kind, given)
    t = float(got["t"])
    case.true(bool(got["success"]) and np.isfinite(t) and t > 0, "there is a step with both conditions, and the "
              "search is to find it: reread what becomes of `low` and `high` (algorithms 3.5 and 3.6)")
    case.true(bool(phi(t) <= phi(0.0) + c1 * t * slope(0.0) + 1e-12), DECREASE)
    case.true(bool(abs(slope(t)) <= c2 * abs(slope(0.0)) + 1e-12), SLOPE)
    case.true(bool(got["evaluations"] <= 31), "30 looks and the one at 0 are enough for these lines: reread which "
              "end of the bracket a new point replaces (algorithm 3.6)")


def parabola(case):
    a, b = case.rng.uniform(1, 5, 2)
    return np.array([case.rng.uniform(-1, 1), -a, b])


@task("2.1", "a step that is too long, and one too short", points=2, visibility="public")
def wolfe_parabola(case):
    for step in (1.0, 1e-3, 50.0):
        searched(case, "polynomial", parabola(case), step)


@task("2.2", "a small slope asked for", points=2)
def wolfe_narrow(case):
    for c2 in (0.5, 0.1, 0.01):
        searched(case, "polynomial", parabola(case), float(case.rng.uniform(0.5, 2)), c2=c2)
        searched(case, "polynomial", np.array([0.0, -1.0, 0.0, 0.0, case.rng.uniform(1, 9)]), 1.0, c2=c2)


@task("2.3", "sufficient decrease asked for", points=2)
def wolfe_steep(case):
    for c1 in (0.1, 0.3, 0.45):
        searched(case, "polynomial", parabola(case), float(case.rng.uniform(1, 3)), c1=c1, c2=0.5)


@task("2.4", "lines that are flat far out, wave, or end", points=3)
def wolfe_hard(case):
    for step in (1e-2, 1.0, 30.0, 1e3):
        searched(case, "valley", float(case.rng.uniform(1, 3)), step, c2=0.1)
    searched(case, "wall", float(case.rng.uniform(0.7, 1.5)), 1.4999, c2=0.1)
    # a dip, a hill and a deeper dip: a step beyond the hill may be low enough, and slope towards it
    p = np.polynomial.Polynomial.fromroots([0.0, 1.0, 2.0, 3.2]) * case.rng.uniform(0.5, 2)
    for step in (0.1, 1.8, 3.0, 4.0):
        searched(case, "polynomial", p.coef, step, c2=0.1)


# -------------------------------------------------------------------------------------------------------------- 3: BFGS

@task("3.1", "the direction goes downhill", points=1, visibility="public")
def downhill(case):
    A, g = case.rng.standard_normal((4, 4)), case.rng.standard_normal(4)
    M = A @ A.T + np.eye(4)
    case.close(case.ask("direction", M=M, g=g)["d"], -M @ g, "d = -M g: the book's rho_t = M_t g_t lacks the minus "
               "sign that 8.32 has; reread the sentence above 8.33 beside 8.32")


def updated(pairs_s, pairs_y):
    """M after each pair, by the definition; pairs without positive curvature change nothing."""
    M, I = np.eye(pairs_s.shape[1]), np.eye(pairs_s.shape[1])
    for s, y in zip(pairs_s, pairs_y):
        if s @ y > 0:
            r = 1 / (s @ y)
            M = (I - r * np.outer(s, y)) @ M @ (I - r * np.outer(y, s)) + r * np.outer(s, s)
        yield M


@task("3.2", "one update of M", points=2, visibility="public")
def one_update(case):
    s, A = case.rng.standard_normal(3), case.rng.standard_normal((3, 3))
    y = (A @ A.T + np.eye(3)) @ s
    M = case.ask("learn", s=s[None], y=y[None])["M"][0]
    case.close(M @ y, s, "M y = s, the one thing that the pair says of the inverse Hessian: reread learn's docstring")
    case.close(M, list(updated(s[None], y[None]))[0], "M <- (I - r s y') M (I - r y s') + r s s': reread learn's "
               "docstring, first which of s and y stands where")


@task("3.3", "many updates of M, and a pair that is skipped", points=3)
def many_updates(case):
    A, s = case.rng.standard_normal((5, 5)), case.rng.standard_normal((7, 5))
    y = s @ (A @ A.T + np.eye(5))
    case.close(case.ask("learn", s=s, y=y)["M"], list(updated(s, y)), "each update starts from the M before it: reread "
               "learn's docstring", tolerance=1e-7)
    y[3] = -y[3]
    case.close(case.ask("learn", s=s, y=y)["M"], list(updated(s, y)), "a pair with s . y <= 0 would make M indefinite, "
               "and the next direction go uphill: reread the comment on CURVATURE", tolerance=1e-7)
    s[2] = 0
    case.close(case.ask("learn", s=s, y=y)["M"], list(updated(s, y)), "a step of length 0 has nothing to say: reread "
               "the comment on CURVATURE, and mind `>`", tolerance=1e-7)


@task("3.4", "down Rosenbrock's valley", points=2, visibility="public")
def rosenbrock(case):
    path = case.ask("minimize", theta=np.array([-1.2, 1.0]) + case.rng.uniform(-0.1, 0.1, 2), steps=80)["path"]
    case.true(path.ndim == 2 and path.shape[1] == 2, "minimize returns the path (steps + 1, 2): reread its docstring")
    case.picture(path, np.ones((1, 2)), "your path (red) and the minimum (black)")
    x, y = path.T
    J = (1 - x) ** 2 + 100 * (y - x * x) ** 2
    case.true(bool((np.diff(J) <= 1e-12).all()), "J falls at every step: reread 8.33 and the first Wolfe condition")
    case.close(path[-1], np.ones(2), "80 steps are more than enough to (1, 1) with an M that learns, too few for "
               "steepest descent: reread learn's docstring", tolerance=1e-6)


@task("3.5", "a quadratic bowl in twenty dimensions", points=2)
def bowl(case):
    q, _ = np.linalg.qr(case.rng.standard_normal((20, 20)))
    H = (q * np.geomspace(1, 100, 20)) @ q.T
    path = case.ask("quadratic", H=(H + H.T) / 2, theta=case.rng.standard_normal(20), steps=90)["path"]
    case.true(path.ndim == 2 and path.shape[1] == 20, "minimize returns the path (steps + 1, 20): reread its docstring")
    case.close(path[-1], np.zeros(20), "M becomes the inverse of H on a quadratic, and the last steps are Newton's: "
               "reread 8.32", tolerance=1e-5)
