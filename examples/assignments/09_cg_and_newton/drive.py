"""What runs beside the student's code: systems, quadratics and a saddle. It knows no answer."""
import numpy as np


def linear(student, A, b, tolerance, iterations):
    """The path of linear CG, and how many products it took."""
    asked = []

    def product(v):
        asked.append(0)
        return A @ v
    path = student.linear_cg(product, b.copy(), float(tolerance), iterations)
    return {"path": np.array(path, dtype=float), "products": np.array(len(asked))}


def betas(student, g, before):
    """Both formulas for each row of g and before (k, n)."""
    return {name: np.array([getattr(student, name)(*pair) for pair in zip(g, before)], dtype=float)
            for name in ("fletcher_reeves", "polak_ribiere")}


def minimize(student, H, theta, steps, beta, reset):
    """The path of nonlinear CG down 1/2 theta' H theta."""
    path = student.minimize(lambda x: (x @ H @ x / 2, H @ x), theta.copy(), int(steps), getattr(student, beta), reset)
    return {"path": np.array(path, dtype=float)}


def rosenbrock(theta):
    """(1 - x)^2 + 100 (y - x^2)^2 and its gradient."""
    x, y = theta
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2, np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])


def valley(student, theta, steps, beta):
    """The path of nonlinear CG down Rosenbrock's valley."""
    return {"path": np.array(student.minimize(rosenbrock, theta.copy(), int(steps), getattr(student, beta), None))}


def substitution(student, L, b):
    return {"x": np.asarray(student.solve_cholesky(L.copy(), b.copy()), dtype=float)}


def newton(student, H, g):
    return {"d": np.asarray(student.newton(H.copy(), g.copy()), dtype=float)}


def damped(student, H, g, alpha):
    d, taken = student.damped_newton(H.copy(), g.copy(), float(alpha))
    return {"d": np.asarray(d, dtype=float), "alpha": np.array(float(taken))}


def saddle_free(student, H, g, floor):
    return {"d": np.asarray(student.saddle_free_newton(H.copy(), g.copy(), float(floor)), dtype=float)}


def leave(student, method, theta, steps):
    """Full steps on J = x^2/2 + (y^2 - 1)^2/4, with a saddle at the origin and minima at y = 1 and y = -1."""
    path = [theta]
    for _ in range(int(steps)):
        x, y = path[-1]
        H, g = np.diag([1.0, 3 * y * y - 1]), np.array([x, y ** 3 - y])
        path.append(path[-1] + getattr(student, method)(H, g))
    return {"path": np.array(path, dtype=float)}
