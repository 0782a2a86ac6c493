"""The one room for arguments: what is accepted, what is refused, and that a number never widens float32."""
import numpy as np
import pytest

from minigrad.arguments import count, counts, flag, number, pair, within


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_a_count_is_any_integer(value):
    assert count("f", "n", value) == 3 and type(count("f", "n", value)) is int


@pytest.mark.parametrize("value", [0, -1, True, 3.0, np.float64(3), "3", None, [3], np.array([3, 4])])
def test_what_is_no_count_is_named(value):
    with pytest.raises(ValueError, match=r"^f: n must be an integer >= 1, got .*: try 2$"):
        count("f", "n", value, hint=": try 2")


def test_a_count_has_an_upper_end_too():
    assert count("f", "n", 5, 0, 5) == 5
    with pytest.raises(ValueError, match="f: n must be an integer from 0 to 5, got 6"):
        count("f", "n", 6, 0, 5)


@pytest.mark.parametrize("value, wanted", [(2, (2, 2)), ((1, 2), (1, 2)), ([np.int64(3), 4], (3, 4))])
def test_a_pair_is_one_number_or_two(value, wanted):
    assert pair("f", "stride", value) == wanted


@pytest.mark.parametrize("value", [0, (1, 0), (1, 2, 3), (1,), "11", 1.5, None])
def test_what_is_no_pair_is_named(value):
    with pytest.raises(ValueError, match="f: stride must be an integer >= 1 or a pair of them, got "):
        pair("f", "stride", value)


@pytest.mark.parametrize("value", [0.5, np.float64(0.5), np.float32(0.5), np.array(0.5)])
def test_a_number_is_a_python_float_and_widens_nothing(value):
    found = number("f", "p", value, "[0, 1)")
    assert type(found) is float and (np.ones(2, np.float32) * found).dtype == np.float32


@pytest.mark.parametrize("value", [1, -0.1, float("nan"), float("inf"), True, "0.5", None, 0.5j, [0.5], 10**400])
def test_what_is_no_such_number_is_named(value):
    with pytest.raises(ValueError, match=r"f: p must be a number in \[0, 1\), got "):
        number("f", "p", value, "[0, 1)")


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_a_flag_is_a_boolean(value):
    assert flag("f", "bias", value) is bool(value)


@pytest.mark.parametrize("value", [1, 0, None, "no", [], np.ones(2), len])
def test_what_is_no_flag_is_named(value):
    with pytest.raises(ValueError, match="^f: bias must be True or False, got .*: weights="):
        flag("f", "bias", value, hint=": weights=")


def test_counts_by_name():
    assert counts("f", inputs=2, outputs=np.int64(3)) == [2, 3]
    with pytest.raises(ValueError, match="f: outputs must be an integer >= 1, got 0"):
        counts("f", inputs=2, outputs=0)


def test_a_number_beside_which_something_else_may_stand():
    with pytest.raises(ValueError, match=r"^f: p must be in \[0, 1\) or None, got 2: try 0$"):
        number("f", "p", 2, "[0, 1)", hint=": try 0", wanted="in [0, 1) or None")


def test_the_ends_of_an_interval():
    inf = float("inf")
    assert within(0.0, "[0, 1)") and not within(0.0, "(0, 1)") and within(1.0, "[0, 1]") and not within(1.0, "[0, 1)")
    assert within(1e300, "[0, inf)") and not within(inf, "[0, inf)") and within(inf, "[0, inf]")
    assert not within(-inf, "(-inf, inf)") and not within(float("nan"), "(-inf, inf)")


def test_a_tensor_with_history_is_no_number():
    from minigrad import tensor
    assert number("f", "x", tensor(2.0)) == 2
    with pytest.raises(ValueError, match="f: x must be a number in .* got 'a Tensor with history'"):
        number("f", "x", tensor(2.0, requires_grad=True))
