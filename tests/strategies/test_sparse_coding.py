"""Sparse coding (8.38): equal to scikit-learn's Lasso and sparse_encode; monotone; atoms of norm 0; norms limited."""
import numpy as np
import pytest

from minigrad.strategies import dictionary, sparse_codes, sparse_coding, sparse_coding_cost


@pytest.fixture
def problem():
    """X (40, 12), made of few of 8 unit atoms W (8, 12), with noise."""
    rng = np.random.default_rng(0)
    W = rng.standard_normal((8, 12))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    H = rng.standard_normal((40, 8)) * 3 * (rng.random((40, 8)) < 0.3)
    return H @ W + 0.1 * rng.standard_normal((40, 12)), H, W


def test_codes_equal_scikit_learns(problem):
    linear = pytest.importorskip("sklearn.linear_model")
    from sklearn.decomposition import sparse_encode
    X, _, W = problem
    H = sparse_codes(X, W, sweeps=2000, tolerance=1e-13)
    lasso = linear.Lasso(alpha=1 / (2 * X.shape[1]), fit_intercept=False, tol=1e-12, max_iter=100_000)
    assert pytest.approx(lasso.fit(W.T, X.T).coef_, abs=1e-8) == H
    assert pytest.approx(sparse_encode(X, W, alpha=0.5, algorithm="lasso_cd", max_iter=100_000), abs=1e-2) == H
    assert (H == 0).mean() > 0.3


def test_codes_meet_the_conditions_of_a_minimum(problem):
    """2 w_j . (x - h W) = sign(h_j) where h_j is not 0, and within [-1, 1] where it is."""
    X, _, W = problem
    H = sparse_codes(X, 3 * W, sweeps=5000, tolerance=1e-14)
    slope = 2 * (X - H @ (3 * W)) @ (3 * W).T
    assert slope[H != 0] == pytest.approx(np.sign(H[H != 0]), abs=1e-9)
    assert np.abs(slope[H == 0]).max() <= 1 + 1e-9


def test_one_atom_has_threshold_one_half():
    """h = soft(w . x, 1/2) / |w|^2, in closed form."""
    w = np.array([[2.0, 0.0]])
    x = np.array([[3.0, 5.0], [0.24, 5.0], [-0.3, 0.0]])
    assert sparse_codes(x, w).ravel() == pytest.approx([(6 - 0.5) / 4, 0, -(0.6 - 0.5) / 4], rel=1e-14)


def test_an_atom_of_norm_zero_has_no_codes(problem):
    X, H, W = problem
    W = W.copy()
    W[2] = 0
    with np.errstate(all="raise"):
        found = sparse_codes(X, W, H, sweeps=500)
    assert (found[:, 2] == 0).all() and np.isfinite(found).all()
    others = np.arange(8) != 2
    assert found[:, others] == pytest.approx(sparse_codes(X, W[others], sweeps=500), abs=1e-9)


def test_the_dictionary_is_the_minimum_within_the_norms(problem):
    """Against SciPy's SLSQP, and against least squares where the limit does not bind."""
    optimize = pytest.importorskip("scipy.optimize")
    X, H, W = problem
    X, H, W = X[:, :3], H[:, :3], W[:3, :3]
    free = dictionary(X, H, W, limit=1e3, sweeps=5000, tolerance=1e-14)
    assert free == pytest.approx(np.linalg.lstsq(H, X, rcond=None)[0], abs=1e-10)
    limit = 0.6 * np.linalg.norm(free, axis=1).min()
    found = dictionary(X, H, W, limit=limit, sweeps=5000, tolerance=1e-14)
    wanted = optimize.minimize(
        lambda w: np.sum((X - H @ w.reshape(3, 3))**2), found.ravel() * 0.5, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda w: limit**2 - np.sum(w.reshape(3, 3)**2, axis=1)},
        options={"ftol": 1e-14, "maxiter": 500})
    assert np.linalg.norm(found, axis=1).max() <= limit * (1 + 1e-12)
    assert sparse_coding_cost(X, H, found) == pytest.approx(sparse_coding_cost(X, H, wanted.x.reshape(3, 3)), rel=1e-7)


@pytest.mark.parametrize("dtype, slack", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_the_cost_falls_in_every_half_round(problem, dtype, slack):
    X = problem[0].astype(dtype)
    found = sparse_coding(X, atoms=8, rounds=30, rng=0)
    assert len(found.values) == 61
    assert (np.diff(found.values) <= slack * found.values[0]).all() and found.values[-1] < 0.7 * found.values[1]
    assert np.linalg.norm(found.W, axis=1).max() <= 1 + 1e-6
    assert found.H.dtype == found.W.dtype == dtype and found.H.shape == (40, 8) and found.W.shape == (8, 12)
    assert found.values[-1] == pytest.approx(sparse_coding_cost(X, found.H, found.W))


def test_without_a_limit_the_codes_shrink_and_the_dictionary_grows(problem):
    X = problem[0]
    small, large = (sparse_coding(X, 8, 30, limit=limit, rng=0) for limit in (1, 1e4))
    assert large.values[-1] < small.values[-1] and np.abs(large.H).sum() < 0.2 * np.abs(small.H).sum()


def test_the_same_seed_gives_the_same_bits_and_arguments_are_left_alone(problem):
    X, H, W = problem
    before = [a.copy() for a in problem]
    first, second = (sparse_coding(X, 8, 3, rng=1) for _ in range(2))
    assert np.array_equal(first.H, second.H) and np.array_equal(first.W, second.W)
    sparse_coding(X, 8, 2, W=W)
    sparse_codes(X, W, H)
    dictionary(X, H, W)
    assert all(np.array_equal(a, b) for a, b in zip(problem, before))


def test_an_atom_that_no_code_uses_is_left(problem):
    X, H, W = problem
    H = H.copy()
    H[:, 4] = 0
    with np.errstate(all="raise"):
        assert np.array_equal(dictionary(X, H, 0.5 * W)[4], 0.5 * W[4])


@pytest.mark.parametrize("call, words", [
    (lambda X, H, W: sparse_coding(X, 0, 1), "atoms"), (lambda X, H, W: sparse_coding(X, 8, 1, limit=0), "limit"),
    (lambda X, H, W: sparse_coding(X, 7, 1, W=W), "W must be .7, 12."),
    (lambda X, H, W: sparse_codes(X[0], W), "X must be .m, d."), (lambda X, H, W: sparse_codes(X, W[:, 1:]), "W must"),
    (lambda X, H, W: sparse_codes(X, W, H.T), "H must be .40, 8., got .8, 40."),
    (lambda X, H, W: dictionary(X, H[:-1], W), "H must be"), (lambda X, H, W: sparse_codes(X * np.nan, W), "finite"),
])
def test_wrong_arguments_are_refused(problem, call, words):
    with pytest.raises(ValueError, match=words):
        call(*problem)
