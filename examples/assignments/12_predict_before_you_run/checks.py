"""The checks of 12_predict_before_you_run. Oracle: the methods themselves, run here on the student's own problem.

Every student has other numbers (the seed is the student's), so there is nobody to copy them from.
"""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(title="Predict before you run", sections="8.2.1, 8.2.3, 8.3.2, 8.3.3, 8.6.1, 8.6.2", minutes=90,
                        blocked=["minigrad.optim", "minigrad.diagnostics", "minigrad.testing.boxes"], mutant_points=5)


def frame(case, n):
    return np.linalg.qr(case.rng.standard_normal((n, n)))[0]


def hessian(q, eigenvalues):
    H = (q * np.asarray(eigenvalues)) @ q.T
    return (H + H.T) / 2


# ------------------------------------------------------------------------------------------- 1: the largest stable rate

def grows(eigenvalue, lr, momentum, nesterov):
    """Does (theta, v) grow along that eigenvector? One pass of the box is a matrix, whose largest root decides."""
    at = np.array([1.0, momentum * nesterov])                    # theta, or theta + alpha v
    v = np.array([0.0, momentum]) - lr * eigenvalue * at
    return np.abs(np.linalg.eigvals([np.array([1.0, 0.0]) + v, v])).max() > 1


def border(eigenvalues, momentum, nesterov):
    """The rate where the first eigenvector begins to grow, by bisection."""
    low, high = 0.0, 10 / min(eigenvalues)
    for _ in range(50):
        lr = (low + high) / 2
        if any(grows(one, lr, momentum, nesterov) for one in eigenvalues):
            high = lr
        else:
            low = lr
    return low


def rate(case, method, momentum, message):
    eigenvalues = case.rng.uniform(0.5, 50, 4)
    got = case.ask("rate", H=hessian(frame(case, 4), eigenvalues), method=method, momentum=momentum)["rate"]
    case.close(got, border(eigenvalues, momentum, method == "nesterov"), message, tolerance=1e-6)


@task("1.1", "the largest stable rate of gradient descent", points=2, visibility="public")
def descent(case):
    rate(case, "gradient descent", 0.0, "the second-order term of J's Taylor series, 1/2 epsilon^2 g'Hg, exceeds the "
         "first beyond 2 over the largest eigenvalue: reread 8.2.1")


@task("1.2", "the largest stable rate with momentum", points=2)
def momentum(case):
    for alpha in (0.5, 0.9, float(case.rng.uniform(0.1, 0.99))):
        rate(case, "momentum", alpha, "momentum allows *larger* rates, (1 + alpha) times: write (theta, v) of the "
             "last two lines of algorithm 8.2 as a matrix for one eigenvector, and look for the root -1")


@task("1.3", "the largest stable rate with Nesterov momentum", points=2)
def nesterov(case):
    for alpha in (0.5, 0.9, float(case.rng.uniform(0.1, 0.99))):
        rate(case, "nesterov", alpha, "the gradient is taken at theta + alpha v, and so the rate must be smaller "
             "than with momentum: reread the first line of the loop of algorithm 8.3, and look for the root -1")


# ------------------------------------------------------------------------------------ 2: steps of conjugate gradients

def run_cg(H, g):
    """Conjugate gradients on 1/2 d'Hd + g'd, until the residual is gone: the steps made."""
    residual, direction, steps = -g, -g, 0
    while np.linalg.norm(residual) > 1e-7 * np.linalg.norm(g):
        length = residual @ residual / (direction @ H @ direction)
        after = residual - length * H @ direction
        direction = after + after @ after / (residual @ residual) * direction
        residual, steps = after, steps + 1
    return steps


def compare_cg(case, problems, message):
    H, g = (np.array(values) for values in zip(*problems))
    case.equal(case.ask("cg", H=H, g=g)["steps"], [run_cg(*problem) for problem in problems], message)


@task("2.1", "conjugate gradients on bowls with few different eigenvalues", points=2, visibility="public")
def repeated(case):
    problems = []
    for _ in range(4):
        different = case.rng.choice(np.arange(1, 9), int(case.rng.integers(1, 5)), replace=False)
        eigenvalues = np.concatenate([different, case.rng.choice(different, 6 - len(different))])
        problems.append((hessian(frame(case, 6), eigenvalues), case.rng.standard_normal(6)))
    compare_cg(case, problems, "directions conjugate to the last ones undo no progress, and what has one eigenvalue "
               "is done in one step: count the *different* eigenvalues; reread 8.6.2")


@task("2.2", "a gradient without parts in some directions", points=3)
def missing(case):
    problems = []
    for count in (1, 2, 3, 4):
        q, eigenvalues = frame(case, 7), np.array([1.0, 2.0, 2.0, 4.0, 5.0, 7.0, 7.0])
        parts = np.zeros(7)
        parts[case.rng.choice(7, count, replace=False)] = case.rng.uniform(0.5, 2, count)
        problems.append((hessian(q, eigenvalues), q @ parts))
    compare_cg(case, problems, "along an eigenvector on which the gradient has no part there is nothing to do: count "
               "the eigenvalues that the gradient meets; reread 8.6.2")


# ------------------------------------------------------------------------------------------ 3: what one step does

def step(method, H, theta, setting):
    """One step of the method on theta'H theta / 2."""
    g = H @ theta
    if method == "gradient descent":
        return theta - setting * g
    if method == "damped newton":
        H = H + setting * np.eye(len(H))
    if method == "saddle-free newton":
        eigenvalues, q = np.linalg.eigh(H)
        H = (q * np.abs(eigenvalues)) @ q.T
    return theta - np.linalg.solve(H, g)


def compare_factors(case, method, setting, message):
    eigenvalues = np.concatenate([case.rng.uniform(0.5, 9, 2), case.rng.uniform(-1.5, -0.5, 2)])
    wanted = [step(method, np.array([[one]]), np.ones(1), setting)[0] for one in eigenvalues]
    case.close(case.ask("factors", method=method, eigenvalues=eigenvalues, setting=setting)["factors"], wanted, message)


@task("3.1", "the factors of gradient descent and of Newton's method", points=2, visibility="public")
def factors(case):
    compare_factors(case, "gradient descent", float(case.rng.uniform(0.01, 0.2)), "theta - lr g, and g = lambda "
                    "theta along an eigenvector: reread 8.2.1")
    compare_factors(case, "newton", 0.0, "Newton's step goes to the critical point at once, whatever the sign of the "
                    "eigenvalue: reread 8.2.3 and 8.27")


@task("3.2", "the factors of the damped and of the saddle-free method", points=2)
def more_factors(case):
    for alpha in (0.2, 2.0):
        compare_factors(case, "damped newton", alpha, "alpha is added to every eigenvalue: reread 8.28")
    compare_factors(case, "saddle-free newton", 0.0, "|H| has the absolute values of the eigenvalues, and so the "
                    "step goes downhill along each: reread the end of 8.2.3")


# --------------------------------------------------------------------------------------- 4: which one leaves the saddle

def run(method, eigenvalues, theta, setting):
    """Is it further away after many steps? Run in the frame of the eigenvectors, where a part of 0 stays 0."""
    H, start = np.diag(eigenvalues), np.linalg.norm(theta)
    for _ in range(100 if method == "gradient descent" else 30):
        theta = step(method, H, theta, setting)
    return bool(np.linalg.norm(theta) > start)


def compare_leaves(case, method, setting, eigenvalues, starts, message):
    q = frame(case, len(eigenvalues))
    H, theta = hessian(q, eigenvalues), np.array([q @ one for one in starts])
    case.equal(case.ask("leaves", H=H, theta=theta, method=method, setting=setting)["leaves"],
               [run(method, eigenvalues, one, setting) for one in starts], message)


def starts(case, n):
    """A start with all parts, one without the first (the most negative), one with it alone."""
    whole, without, alone = case.rng.uniform(0.5, 1, (3, n)) * case.rng.choice([-1, 1], (3, n))
    without[0], alone[1:] = 0, 0
    return [whole, without, alone]


@task("4.1", "gradient descent and Newton's method at a saddle", points=2, visibility="public")
def saddle(case):
    eigenvalues = np.array([-case.rng.uniform(0.5, 1), 1.0, 3.0, 4.0])
    compare_leaves(case, "gradient descent", 0.1, eigenvalues, starts(case, 4), "gradient descent *seems to be able to "
                   "escape*, if it has any part along a direction of negative curvature: reread 8.2.3")
    compare_leaves(case, "newton", 0.0, eigenvalues, starts(case, 4), "Newton's method solves for the point where the "
                   "gradient is zero, and jumps to the saddle: reread 8.2.3")


@task("4.2", "the damped and the saddle-free method at a saddle", points=2)
def other_methods(case):
    eigenvalues = np.array([-1.0, 0.7, 3.0, 4.0])
    for alpha in (0.3, 0.7, 1.5):
        compare_leaves(case, "damped newton", alpha, eigenvalues, starts(case, 4), "alpha must outweigh the most "
                       "negative eigenvalue (half of it, to leave at all): with less, the step is still drawn to the "
                       "saddle; reread the paragraph on 8.28")
    compare_leaves(case, "saddle-free newton", 0.0, eigenvalues, starts(case, 4), "it doubles what it has along "
                   "negative curvature, and makes nothing of nothing: reread the end of 8.2.3")


@task("4.3", "bowls, and rates that are too large", points=1)
def bowls(case):
    eigenvalues = np.array([0.5, 1.0, 3.0, case.rng.uniform(8, 12)])
    for lr in (0.1, 0.5):
        compare_leaves(case, "gradient descent", lr, eigenvalues, starts(case, 4), "a factor below -1 grows as well "
                       "as one above 1: reread your task 1, and 8.2.1")
