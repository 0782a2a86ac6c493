"""Tensor as a container: what it takes in, what it shows, what it refuses."""
import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad.core import Tensor, tensor


def test_lists_and_floats_become_the_default_dtype_and_arrays_keep_theirs():
    assert tensor([1.0, 2.0]).dtype == np.float32 and tensor(1.5).dtype == np.float32
    assert tensor([1, 2]).dtype == np.int64 and tensor([True]).dtype == np.bool_
    for dtype in (np.float32, np.float64, np.int32, np.uint8, np.bool_):
        assert tensor(np.ones(2, dtype)).dtype == dtype
    assert tensor([1, 2], dtype=np.float64).dtype == np.float64
    assert tensor(np.array([1.0], ">f8")).dtype == np.float64 and tensor(np.array([1.0], ">f4")).data[0] == 1


def test_tensor_copies_and_Tensor_does_not():
    x = np.ones(2)
    tensor(x).data[0] = 5
    assert x[0] == 1
    Tensor(x).data[0] = 5
    assert x[0] == 5
    y = Tensor(x, requires_grad=True)
    assert not tensor(y).requires_grad


def test_unaligned_arrays_are_made_fit():
    raw = np.zeros(17, np.uint8)
    x = raw[1:].view(np.float64)
    x[:] = [1, 2]
    assert not x.flags.aligned and Tensor(x).data.flags.aligned and (Tensor(x) * 2).data.tolist() == [2, 4]


@pytest.mark.parametrize("bad", ["abc", [None], np.array([1j]), np.ones(2, np.float16), np.ones(2, np.longdouble),
                                 [[1], [1, 2]], np.array(["2020-01-01"], "M8[D]"), {}])
def test_what_is_not_numbers_is_refused(bad):
    with pytest.raises(ValueError):
        tensor(bad)


def test_properties_and_conversions():
    x = tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert (x.shape, x.ndim, x.size, len(x)) == ((3, 2), 2, 6, 3)
    assert x.T.shape == (2, 3) and [row.shape for row in x] == [(2,)] * 3
    assert float(x[0, 1]) == 2.0 and int(x[2, 0]) == 5 and x[1, 1].item() == 4.0
    assert bool(tensor(1.0)) and not bool(tensor([0.0]))
    assert np.array_equal(np.asarray(x), x.data)
    for bad, error in ((lambda: x.item(), ValueError), (lambda: bool(x), ValueError), (lambda: float(x), ValueError),
                       (lambda: len(tensor(1.0)), TypeError)):
        with pytest.raises(error):
            bad()


def test_numpy_is_read_only_and_data_is_not():
    x = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match="read-only"):
        x.numpy()[0] = 3
    assert x.numpy().base is x.data


def test_repr():
    assert repr(tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(tensor([1, 2])) == "Tensor([1, 2], dtype=int64)"
    assert repr(tensor([1.0], requires_grad=True)) == "Tensor([1.], requires_grad=True)"
    assert repr(tensor([1.0], requires_grad=True) * 2) == "Tensor([2.], op=multiply)"


def test_one_number_can_be_formatted():
    assert f"{tensor([0.25]):.3f}" == "0.250" and f"{tensor([1.0, 2.0])}" == "Tensor([1., 2.])"
    with pytest.raises(ValueError, match=r"item: wanted a Tensor of size 1, got shape \(2,\)"):
        format(tensor([1.0, 2.0]), ".3f")


def test_comparisons_give_booleans_without_gradient():
    x = tensor([1.0, 2.0, 3.0], requires_grad=True)
    for y, wanted in ((x > 2, [0, 0, 1]), (x >= 2, [0, 1, 1]), (x < 2, [1, 0, 0]), (x <= 2, [1, 1, 0]),
                      (x == 2, [0, 1, 0]), (x != np.array([1, 0, 3]), [0, 1, 0]),
                      (np.array([1, 2, 4]) == x, [1, 1, 0])):
        assert isinstance(y, Tensor) and y.dtype == np.bool_ and not y.requires_grad and y.data.tolist() == wanted
    assert x != "text" and x is not None and len({x, x, tensor(1.0)}) == 2


def test_detach_shares_values_and_not_history():
    x = tensor([1.0], requires_grad=True)
    y = (x * 2).detach()
    assert not y.requires_grad and y.data[0] == 2


def test_a_tensor_with_history_never_becomes_an_array_silently():
    x = tensor([1.0], requires_grad=True)
    for make in (lambda: np.asarray(x), lambda: np.array([x, x]), lambda: tensor([x])):
        with pytest.raises(ValueError, match="history.*ops.stack for a list of Tensors"):
            make()
    with pytest.raises(TypeError, match="np.cbrt of a Tensor is not differentiable; use .data"):
        np.cbrt(x)


def test_other_libraries_share_the_values_without_a_copy_and_without_history():
    x = tensor(np.arange(6.0).reshape(2, 3))
    y = np.from_dlpack(x)
    assert np.shares_memory(x.data, y) and x.__dlpack_device__() == x.data.__dlpack_device__()
    leaf = tensor([1.0], requires_grad=True)
    for with_history in (leaf, leaf * 2):
        with pytest.raises(BufferError, match=r"a Tensor with history .*x.detach\(\)"):
            np.from_dlpack(with_history)
    assert np.shares_memory(np.from_dlpack(leaf.detach()), leaf.data)


def test_pytorch_shares_the_values_without_a_copy():
    torch = pytest.importorskip("torch")
    x = tensor(np.arange(6.0).reshape(2, 3))
    for make in (torch.from_dlpack, torch.as_tensor):
        y = make(x)
        assert y.data_ptr() == x.data.ctypes.data and y.dtype == torch.float64 and tuple(y.shape) == (2, 3)
        with pytest.raises(BufferError, match=r"x.detach\(\)"):
            make(tensor([1.0], requires_grad=True) * 2)
    assert np.array_equal(Tensor(torch.ones(2).numpy()).data, np.ones(2))


def test_data_can_be_assigned_for_leaves_of_equal_shape_and_dtype():
    x = tensor([1.0, 2.0], requires_grad=True)
    x.data = np.array([3.0, 4.0], np.float32)
    assert x.data.tolist() == [3, 4] and x.requires_grad
    with pytest.raises(ValueError, match=r"expected float32 of shape \(2,\), got float64 of \(2,\)"):
        x.data = np.array([3.0, 4.0])
    with pytest.raises(ValueError, match=r"\(3,\)"):
        x.data = np.zeros(3, np.float32)
    with pytest.raises(RuntimeError, match="result of multiply"):
        (x * 2).data = x.data


def test_requires_grad_can_be_switched_for_leaves_only():
    x = tensor([1.0])
    x.requires_grad = True
    y = x * 2
    assert y.requires_grad and y.grad is None
    with pytest.raises(RuntimeError, match="result of multiply"):
        y.requires_grad = False
    x.requires_grad = False
    assert not (x * 2).requires_grad
    with pytest.raises(ValueError, match="only floating-point Tensors have gradients, not int64"):
        tensor([1], requires_grad=True)


def test_grad_is_copied_in_and_checked():
    x = tensor([1.0, 2.0], requires_grad=True)
    g = np.array([1.0, 2.0])
    x.grad = g
    assert x.grad is not g and x.grad.dtype == np.float32
    with pytest.raises(ValueError, match=r"expected shape \(2,\), got \(3,\)"):
        x.grad = np.zeros(3)
    x.zero_grad()
    assert x.grad is None
    with pytest.raises(RuntimeError, match="only a leaf"):
        (x * 2).grad = g
    tensor([1.0]).zero_grad()                       # nothing to forget


def test_deepcopy():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = copy.deepcopy(x)
    y.data[0] = 7
    assert x.data[0] == 1 and y.requires_grad and y.dtype == x.dtype
    with pytest.raises(ValueError, match="result of multiply"):
        copy.deepcopy(x * 2)


def test_astype_carries_gradients_between_floats_only():
    x = tensor([1.5, -2.5], requires_grad=True)
    y = x.astype(np.float64)
    (y * y).sum().backward()
    assert x.grad.tolist() == [3, -5] and x.grad.dtype == np.float32
    assert x.astype(np.float32) is x
    assert not x.astype(np.int64).requires_grad and x.astype(int).data.tolist() == [1, -2]


def test_everything_is_reached_from_the_package():
    assert mg.Tensor is Tensor and mg.tensor is tensor and mg.grad and mg.no_grad and mg.is_recording()
