"""What the grader calls, and what of yours it gets. Designed it otherwise? Change the bodies, keep the names.

    cubic_minimizer(a, fa, da, b, fb, db) -> float, NaN if there is none
    strong_wolfe(phi, step, c1, c2)       phi(t) -> (value, slope); -> (step, success)
    direction(M, g)                       -> (n,)
    learn(M, s, y)                        -> the new M (n, n)
    minimize(J, theta, steps)             J(theta) -> (value, gradient); -> the path (steps made + 1, n)
"""
import line_search_bfgs as mine

cubic_minimizer = mine.cubic_minimizer
direction = mine.direction
learn = mine.learn
minimize = mine.minimize


def strong_wolfe(phi, step, c1, c2):
    found = mine.strong_wolfe(phi, step, c1, c2)
    return found.step, found.success
