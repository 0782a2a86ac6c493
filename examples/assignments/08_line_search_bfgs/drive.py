"""What runs beside the student's code: lines to search and a valley to walk down. It knows no answer."""
import numpy as np


def cubic(student, ends):
    """The minimizer for each row a, fa, da, b, fb, db."""
    return {"t": np.array([student.cubic_minimizer(*map(float, row)) for row in ends], dtype=float)}


def polynomial(coefficients):
    """phi and its slope, of a polynomial with the constant first."""
    p = np.polynomial.Polynomial(coefficients)
    slope = p.deriv()
    return lambda t: (float(p(t)), float(slope(t)))


def valley(beta):
    """-t/(t^2 + beta): flat far out, a step can be too long without being too high (More and Thuente 1994)."""
    return lambda t: (-t / (t * t + beta), (t * t - beta) / (t * t + beta) ** 2)


def wall(at):
    """-2t - log(at - t): finite up to `at`, NaN beyond."""
    def phi(t):
        with np.errstate(all="ignore"):
            return float(-2 * t - np.log(at - t)), float(-2 + 1 / (at - t))
    return phi


LINES = {"polynomial": polynomial, "valley": valley, "wall": wall}


def search(student, kind, given, step, c1, c2):
    """The step that a search takes along a line, whether it calls that a success, and how often it looked."""
    phi, looked = LINES[kind](given), []

    def counted(t):
        looked.append(float(t))
        return phi(float(t))
    t, success = student.strong_wolfe(counted, float(step), float(c1), float(c2))
    return {"t": np.array(float(t)), "success": np.array(bool(success)), "evaluations": np.array(len(looked))}


def direction(student, M, g):
    """The direction for an M and a gradient."""
    return {"d": np.asarray(student.direction(M.copy(), g.copy()), dtype=float)}


def learn(student, s, y):
    """M after each pair, from I: (pairs, n, n)."""
    M, seen = np.eye(s.shape[1]), []
    for one, other in zip(s, y):
        M = np.array(student.learn(M, one.copy(), other.copy()), dtype=float)
        seen.append(M.copy())
    return {"M": np.array(seen)}


def rosenbrock(theta):
    """(1 - x)^2 + 100 (y - x^2)^2 and its gradient."""
    x, y = theta
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2, np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])


def minimize(student, theta, steps):
    """The path down Rosenbrock's valley."""
    return {"path": np.array(student.minimize(rosenbrock, theta.copy(), int(steps)), dtype=float)}


def quadratic(student, H, theta, steps):
    """The path down 1/2 theta' H theta."""
    return {"path": np.array(student.minimize(lambda x: (x @ H @ x / 2, H @ x), theta.copy(), int(steps)), dtype=float)}
