"""Reference tests for 09_cg_and_newton: what a student's own tests should find out. Run them with pytest."""
import cg_and_newton as mine
import numpy as np

A = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 2.0]])
B = np.array([1.0, -2.0, 3.0])


def product(v):
    return A @ v


def test_n_steps_solve_n_equations():
    path = mine.linear_cg(product, B, iterations=3)
    assert path.shape == (4, 3) and not path[0].any()
    np.testing.assert_allclose(path[-1], np.linalg.solve(A, B), rtol=1e-9)


def test_the_first_step_is_exact_along_b():
    np.testing.assert_allclose(mine.linear_cg(product, B, iterations=1)[1], B @ B / (B @ A @ B) * B, rtol=1e-12)


def test_directions_are_conjugate():
    steps = np.diff(mine.linear_cg(product, B, iterations=3), axis=0)
    products = steps @ A @ steps.T
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-9)


def test_it_stops_at_the_tolerance_and_not_before():
    """|r| is 0.1 after the first step here: between the tolerance, its root and its square."""
    D, b = np.array([1.0, 1.1]), np.array([1.0, 1.0])
    residual = np.linalg.norm(b - D * mine.linear_cg(lambda v: D * v, b, iterations=1)[-1])
    assert len(mine.linear_cg(lambda v: D * v, b, tolerance=2 * residual)) == 2
    assert len(mine.linear_cg(lambda v: D * v, b, tolerance=0.9 * residual)) == 3


def test_negative_curvature_stops_it():
    path = mine.linear_cg(lambda v: np.array([1.0, -2.0]) * v, np.array([0.0, 1.0]), iterations=5)
    assert path.shape == (1, 2)


def test_the_two_betas():
    g, before = np.array([3.0, -1.0]), np.array([1.0, 1.0])
    assert mine.fletcher_reeves(g, before) == 5.0
    assert mine.polak_ribiere(g, before) == 4.0                       # (2 * 3 + -2 * -1) / 2
    assert mine.polak_ribiere(0.5 * before, before) == 0.0


def test_resets():
    assert [mine.is_due(t, 3) for t in range(1, 8)] == [False, False, True, False, False, True, False]
    assert not mine.is_due(4, None)


def test_the_direction_goes_down_and_remembers():
    g, d = np.array([1.0, 2.0]), np.array([-1.0, 1.0])
    np.testing.assert_array_equal(mine.next_direction(g, d, 0.5), [-1.5, -1.5])
    np.testing.assert_array_equal(mine.next_direction(g, None, 0.0), -g)


def test_nonlinear_cg_solves_a_quadratic_in_n_steps():
    path = mine.minimize(lambda x: (x @ A @ x / 2, A @ x), B, 3, mine.fletcher_reeves)
    np.testing.assert_allclose(path[-1], 0, atol=1e-6)


def test_two_triangles():
    np.testing.assert_allclose(mine.solve_cholesky(np.linalg.cholesky(A), B), np.linalg.solve(A, B), rtol=1e-12)


def test_newton_ends_at_the_critical_point():
    for H in (A, np.diag([1.0, -2.0, 4.0])):
        np.testing.assert_allclose(H @ mine.newton(H, B), -B, rtol=1e-9)


def test_damping_until_it_descends():
    H, g = np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([1.0, -3.0])               # eigenvalues 3 and -1
    d, alpha = mine.damped_newton(H, g, 0.6)
    assert abs(alpha - 2.4) < 1e-12
    np.testing.assert_allclose((H + 2.4 * np.eye(2)) @ d, -g, rtol=1e-9)
    d, alpha = mine.damped_newton(A, B, 0.3)
    assert alpha == 0.3
    np.testing.assert_allclose((A + 0.3 * np.eye(3)) @ d, -B, rtol=1e-9)


def test_saddle_free_turns_round_where_it_curves_down():
    H, g = np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([1.0, 0.0])                # along (1, 1): 3, along (1, -1): -1
    np.testing.assert_allclose(mine.saddle_free_newton(H, g), [-1 / 6 - 1 / 2, -1 / 6 + 1 / 2], rtol=1e-9)
    Q = np.linalg.qr(np.arange(9.0).reshape(3, 3) + np.eye(3))[0]
    H = Q @ np.diag([1.0, -4.0, 9.0]) @ Q.T
    np.testing.assert_allclose(mine.saddle_free_newton(H, B), -Q @ ((Q.T @ B) / [1.0, 4.0, 9.0]), rtol=1e-9)


def test_small_eigenvalues_are_raised_to_a_share_of_the_largest():
    got = mine.saddle_free_newton(np.diag([0.0, 10.0]), np.array([1.0, 1.0]), floor=0.1)
    np.testing.assert_allclose(got, [-1.0, -0.1], rtol=1e-12)
