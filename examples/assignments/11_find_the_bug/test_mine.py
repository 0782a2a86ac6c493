"""Reference tests for 11_find_the_bug: right rules and wrong ones, planted on purpose. Run them with pytest."""
import numpy as np
from find_the_bug import difference, first_wrong, wrong_arguments

X = np.array([[0.5, -1.0, 0.8], [-0.3, 0.7, 1.2]])


def wrong(forward, rules, *arrays):
    with np.errstate(all="ignore"):
        return list(wrong_arguments(forward, rules, [a.copy() for a in arrays], np.random.default_rng(0)))


def test_a_difference_is_exact_for_a_parabola_and_moves_one_argument_only():
    def J(values):
        return float(np.sum(values[0] ** 2) + 3 * np.sum(values[1] ** 2))
    arrays, d = [X.copy(), 2 * X], np.array([[1.0, 0.0, -2.0], [0.5, 0.0, 0.0]])
    assert np.isclose(difference(J, arrays, 0, d, 0.1), 2 * np.sum(X * d), rtol=1e-10)
    assert np.isclose(difference(J, arrays, 1, d, 1e-3), 12 * np.sum(X * d), rtol=1e-8)
    assert np.array_equal(arrays[0], X) and np.array_equal(arrays[1], 2 * X)


def test_right_rules_are_called_right():
    assert wrong(lambda a, b: a * b, [lambda g, y, a, b: g * b, lambda g, y, a, b: g * a], X, 1 + X) == []
    assert wrong(lambda a: 1e6 * np.sin(a), [lambda g, y, a: 1e6 * g * np.cos(a)], X) == []


def test_the_wrong_argument_is_named():
    assert wrong(lambda a, b: a * b, [lambda g, y, a, b: g * a, lambda g, y, a, b: g * a], X, 1 + X) == [0]
    assert wrong(lambda a, b: a * b, [lambda g, y, a, b: g * b, lambda g, y, a, b: -g * a], X, 1 + X) == [1]


def test_a_forgotten_g_is_found():
    assert wrong(lambda a: np.exp(a), [lambda g, y, a: y], X) == [0]
    assert wrong(lambda a: a - a.mean(), [lambda g, y, a: 0 * g], X) == [0]


def test_small_mistakes_and_small_gradients():
    assert wrong(lambda a: a ** 3, [lambda g, y, a: 3.003 * g * a * a], X) == [0]
    assert wrong(lambda a: 1e-3 * a, [lambda g, y, a: 2e-3 * g], X) == [0]
    assert wrong(lambda a: a ** 2, [lambda g, y, a: 2 * g * np.abs(a)], X) == [0]


def test_shapes_nan_and_the_last_entry():
    b = np.array([1.0, 2.0, 3.0])
    for rule in (lambda g, y, a, b: g, lambda g, y, a, b: g.sum(axis=0, keepdims=True)):
        assert wrong(lambda a, b: a + b, [lambda g, y, a, b: g, rule], X, b) == [1]
    assert wrong(lambda a: a.sum(axis=0), [lambda g, y, a: g], X) == [0]
    assert wrong(lambda a: a + 1, [lambda g, y, a: g * np.nan], X) == [0]
    last = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.5]])
    assert wrong(lambda a: a + 1, [lambda g, y, a: g * last], X) == [0]


def test_the_first_step_that_backward_gets_wrong():
    tanh, sine = (np.tanh, lambda g, y, a: g * (1 - y * y)), (np.sin, lambda g, y, a: g * np.cos(a))
    bad_tanh, bad_sine = (np.tanh, lambda g, y, a: g * (1 - y)), (np.sin, lambda g, y, a: -g * np.cos(a))
    # right at the chain's input and wrong beyond it, and the other way round
    beyond = (lambda a: a ** 2, lambda g, y, a: 2 * g * np.where(a > 3, 0, a))
    within = (lambda a: a + 4, lambda g, y, a: g * np.where(a > 3, 0, 1))
    for chain, step in (([tanh, sine], -1), ([bad_tanh, sine], 0), ([tanh, bad_sine], 1), ([bad_sine, bad_tanh], 1),
                        ([bad_tanh, sine, sine], 0), ([within, beyond], 1), ([within, tanh], -1)):
        assert first_wrong(chain, X.copy(), np.random.default_rng(0)) == step
