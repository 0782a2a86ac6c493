"""The checks of 09_cg_and_newton. Oracles: the minimum over a Krylov space, found at once in a basis of it; NumPy's
solver; |H| as the root of H H. No loop of conjugate gradients."""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(
    title="Conjugate gradients, and Newton's method at saddles", sections="8.6.1, 8.6.2, 8.2.3", minutes=120,
    blocked=["minigrad.optim", "minigrad.testing.optimizers", "minigrad.testing.boxes"], mutant_points=5)


def definite(case, n, eigenvalues=None):
    """A symmetric matrix with these eigenvalues (default: between 1 and 30), its axes anywhere."""
    Q = np.linalg.qr(case.rng.standard_normal((n, n)))[0]
    eigenvalues = case.rng.uniform(1, 30, n) if eigenvalues is None else np.asarray(eigenvalues, dtype=float)
    return Q @ np.diag(eigenvalues) @ Q.T


def krylov(A, b, steps):
    """x_k for k = 0 ... steps, the best x in the space of b, Ab, ..., A^(k-1) b for 1/2 x'Ax - b'x: (steps + 1, n)."""
    path, basis = [np.zeros(len(b))], np.zeros((len(b), 0))
    v = b
    for _ in range(steps):
        for _ in range(2):                                        # twice is enough (Kahan)
            v = v - basis @ (basis.T @ v)
        basis = np.column_stack([basis, v / np.linalg.norm(v)])
        path.append(basis @ np.linalg.solve(basis.T @ A @ basis, basis.T @ b))
        v = A @ basis[:, -1]
    return np.array(path)


# ------------------------------------------------------------------------------------------------------ 1: linear CG

@task("1.1", "five unknowns in five steps", points=2, visibility="public")
def five(case):
    A, b = definite(case, 5), case.rng.standard_normal(5)
    got = case.ask("linear", A=A, b=b, tolerance=0.0, iterations=5)
    case.close(got["path"], krylov(A, b, 5), "after k steps x is the best of all in the space of the k directions: "
               "reread the paragraph on conjugate directions in 8.6.2, and the line d = r + ... d", tolerance=1e-7)
    case.equal(got["products"], np.array(5), "one product with A a step: r is updated, not computed anew")


@task("1.2", "as many steps as there are different eigenvalues", points=2)
def eigenvalues(case):
    A, b = definite(case, 9, np.repeat([1.0, 4.0, 11.0], 3)), case.rng.standard_normal(9)
    got = case.ask("linear", A=A, b=b, tolerance=1e-6, iterations=None)["path"]
    case.true(got.shape == (4, 9), "three different eigenvalues, so three steps: stop when |r| <= tolerance, and look "
              "whether the direction is conjugate to *all* before it (r.r over the *old* r.r)")
    case.close(got, krylov(A, b, 3), "reread how a, x, r and d follow from one another", tolerance=1e-7)


@task("1.3", "a direction of negative curvature", points=2)
def negative(case):
    A = definite(case, 4, [3.0, 1.0, 0.5, -2.0])
    b = np.linalg.eigh(A)[1][:, 0] + 0.1 * case.rng.standard_normal(4)        # mostly along the negative one
    got = case.ask("linear", A=A, b=b, tolerance=0.0, iterations=8)["path"]
    case.true(b @ A @ b < 0 and got.shape == (1, 4), "where d.A d <= 0 there is no minimum along d: stop with the x so "
              "far, before it is changed")


# --------------------------------------------------------------------------------------------------- 2: nonlinear CG

@task("2.1", "Fletcher-Reeves and Polak-Ribiere", points=1, visibility="public")
def formulas(case):
    before = case.rng.standard_normal((3, 4))
    g = 2 * before + 0.1 * case.rng.standard_normal((3, 4))
    got, bottom = case.ask("betas", g=g, before=before), (before ** 2).sum(axis=1)
    case.close(got["fletcher_reeves"], (g ** 2).sum(axis=1) / bottom, "reread 8.30: which gradient is below the line?")
    case.close(got["polak_ribiere"], ((g - before) * g).sum(axis=1) / bottom, "reread 8.31: g - g- above the line")


@task("2.2", "a beta that would turn back", points=1)
def clamped(case):
    before = case.rng.standard_normal((4, 3))
    g = 0.4 * before
    got = case.ask("betas", g=g, before=before)
    case.close(got["polak_ribiere"], np.zeros(4), "below 0 the method would turn back: reread the docstring, max(0, .)")
    case.close(got["fletcher_reeves"], np.full(4, 0.16), "reread 8.30")


@task("2.3", "on a quadratic it is linear CG", points=2, visibility="public")
def quadratic(case):
    H, theta = definite(case, 4), case.rng.standard_normal(4)
    for beta in ("fletcher_reeves", "polak_ribiere"):
        got = case.ask("minimize", H=H, theta=theta, steps=4, beta=beta, reset=None)["path"]
        case.close(got, theta + krylov(H, -H @ theta, 4), "with exact searches 8.9 finds the minimum in n steps: "
                   "reread its line `Compute search direction`; 8.29 has another sign", tolerance=1e-6)


@task("2.4", "resets, and a valley", points=2)
def resets(case):
    H, theta, want = definite(case, 6), case.rng.standard_normal(6), []
    got = case.ask("minimize", H=H, theta=theta, steps=8, beta="fletcher_reeves", reset=3)["path"]
    for steps in (2, 3, 3):                                                   # t = 3 and t = 6 begin anew
        part = theta + krylov(H, -H @ theta, steps)
        want, theta = [*want, *part[:-1]], part[-1]
    case.close(got, [*want, theta], "beta_t = 0 where t is a multiple of reset, t from 1: reread the sentence on "
               "resets below algorithm 8.9", tolerance=1e-5)
    path = case.ask("valley", theta=np.array([-1.2, 1.0]), steps=60, beta="polak_ribiere")["path"]
    case.true(bool(np.abs(path[-1] - 1).max() < 1e-6), "60 steps lead through Rosenbrock's valley to (1, 1): reread "
              "8.31, and that d is -g + beta d with the d of the step before")


# ------------------------------------------------------------------------------------------------ 3: Newton's method

@task("3.1", "a system with two triangles", points=2, visibility="public")
def triangles(case):
    A, b = definite(case, 4), case.rng.standard_normal(4)
    case.close(case.ask("substitution", L=np.linalg.cholesky(A), b=b)["x"], np.linalg.solve(A, b),
               "L z = b from the top, with the z that are known; then L' x = z from the bottom, with column i of L")


@task("3.2", "Newton's step, at a minimum and at a saddle", points=2)
def newton(case):
    for eigenvalues in ((1.0, 5.0, 20.0), (1.0, 5.0, -3.0)):
        H, g = definite(case, 3, eigenvalues), case.rng.standard_normal(3)
        case.close(case.ask("newton", H=H, g=g)["d"], np.linalg.solve(H, -g), "one step ends at the critical point of "
                   "the parabola, be it a minimum or a saddle: reread 8.27, and its minus sign")


@task("3.3", "alpha that makes it descend", points=2)
def damped(case):
    for eigenvalues, alpha, taken in (((1.0, 5.0, -3.0), 0.5, 8.0), ((1.0, 5.0, -3.0), 4.0, 4.0),
                                      ((2.0, 5.0, 9.0), 0.1, 0.1), ((1.0, -40.0, 0.0), 1.0, 64.0)):
        H, g = definite(case, 3, eigenvalues), case.rng.standard_normal(3)
        got = case.ask("damped", H=H, g=g, alpha=alpha)
        case.close(got["alpha"], taken, "alpha must exceed the most negative eigenvalue's size: it grows by 4 until "
                   "H + alpha I has a factor, and stays where it has one at once")
        case.close(got["d"], np.linalg.solve(H + taken * np.eye(3), -g), "alpha is added along the diagonal: reread "
                   "8.28, and mind that d = -(H + alpha I)^-1 g")


# ---------------------------------------------------------------------------------------------------- 4: saddle-free

def absolute(H, g, floor):
    """-|H|^-1 g with |H| the root of H H, whose eigenvalues are squares."""
    squares, V = np.linalg.eigh(H @ H)
    return -V @ ((V.T @ g) / np.sqrt(np.maximum(squares, floor ** 2 * squares.max())))


@task("4.1", "the step of saddle-free Newton", points=2, visibility="public")
def turned(case):
    H, g = definite(case, 3, (1.0, 5.0, -3.0)), case.rng.standard_normal(3)
    case.close(case.ask("saddle_free", H=H, g=g, floor=1e-8)["d"], absolute(H, g, 1e-8), "along negative curvature the "
               "step is turned round, along positive it is Newton's: |l|, not l, below the line")


@task("4.2", "flat directions", points=2)
def flat(case):
    for floor in (0.1, 0.5):
        H, g = definite(case, 4, (2.0, -4.0, 10.0, 0.0)), case.rng.standard_normal(4)
        case.close(case.ask("saddle_free", H=H, g=g, floor=floor)["d"], absolute(H, g, floor), "an eigenvalue near 0 "
                   "is raised to floor times the largest |l|, relative to it: reread the docstring")


@task("4.3", "a path away from the saddle", points=1, visibility="public")
def away(case):
    theta = np.array([1.0, 0.05 * np.sign(case.rng.standard_normal())])
    got, want = case.ask("leave", method="saddle_free_newton", theta=theta, steps=6)["path"], [theta]
    for _ in range(6):
        x, y = want[-1]
        want.append(want[-1] - [x, (y ** 3 - y) / abs(3 * y * y - 1)])
    if got.shape == (7, 2):
        case.picture(got, want)
    case.close(got, want, "from beside the saddle the path goes down to y = 1 or y = -1, and does not jump to the "
               "saddle: |H| in the place of H")
