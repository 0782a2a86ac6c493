"""What the grader calls, and what of yours it gets. Designed it otherwise? Change the bodies, keep the names.

    linear_cg(product, b, tolerance, iterations)  -> x after each step, from 0 (steps + 1, n); iterations None: 10 n
    fletcher_reeves(g, before) -> float           polak_ribiere(g, before) -> float
    minimize(J, theta, steps, beta, reset)        -> the path (steps made + 1, n); beta: one of the two above
    solve_cholesky(L, b)                          -> (n,)
    newton(H, g)                                  -> (n,)
    damped_newton(H, g, alpha)                    -> (d (n,), the alpha that it took)
    saddle_free_newton(H, g, floor)               -> (n,)
"""
import cg_and_newton as mine

linear_cg = mine.linear_cg
fletcher_reeves, polak_ribiere = mine.fletcher_reeves, mine.polak_ribiere
minimize = mine.minimize
solve_cholesky, newton, damped_newton = mine.solve_cholesky, mine.newton, mine.damped_newton
saddle_free_newton = mine.saddle_free_newton
