"""The real MNIST: the published bytes, shapes and ranges, and a cache that nobody can spoil."""
import gzip
import hashlib
import importlib
import pathlib
import shutil
import time

import numpy as np
import pytest

from minigrad.data import idx, mnist
from minigrad.files import FormatError

module = importlib.import_module("minigrad.data.mnist")


def test_the_decompressed_files_are_the_pinned_ones():
    for name, digest in module.SHA256.items():
        packed = pathlib.Path(module.FOLDER, f"{name}.gz").read_bytes()
        assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == digest


def test_the_licence_note_names_authors_licence_and_the_same_hashes():
    note = pathlib.Path(module.FOLDER, "LICENSE.md").read_text()
    for words in ("Yann LeCun", "Corinna Cortes", "Burges", "CC BY-SA 3.0", "compressed anew"):
        assert words in note
    for name, digest in module.SHA256.items():
        md5 = hashlib.md5(gzip.decompress(pathlib.Path(module.FOLDER, f"{name}.gz").read_bytes())).hexdigest()
        assert f"{digest} | {md5} |" in note


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_ranges_and_dtypes(flat, dtype):
    (x, y), (x_test, y_test) = mnist(flat=flat, dtype=dtype)
    size = (784,) if flat else (28, 28, 1)
    assert x.shape == (60_000, *size) and x_test.shape == (10_000, *size)
    assert x.dtype == x_test.dtype == dtype and x.flags.c_contiguous and x_test.flags.c_contiguous
    assert x.min() == x_test.min() == 0 and x.max() == x_test.max() == 1
    assert y.shape == (60_000,) and y_test.shape == (10_000,) and y.dtype == y_test.dtype == np.int64
    assert np.bincount(y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_pixels_are_bytes_over_255():
    raw = gzip.decompress(pathlib.Path(module.FOLDER, "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    expected = np.frombuffer(raw, np.uint8).astype(np.float64) / 255
    assert np.array_equal(mnist(dtype=np.float64)[1][0].ravel(), expected)
    assert np.array_equal(mnist()[1][0].ravel(), expected.astype(np.float32))


def test_the_cache_cannot_be_spoiled():
    (x, y), _ = mnist()
    for array in (x, y, mnist(flat=True)[0][0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        with pytest.raises(ValueError):
            array.flags.writeable = True
    copy = x[:5].copy()
    copy[:] = 7
    assert mnist()[0][0].max() == 1 and np.shares_memory(mnist(flat=True)[0][0], x)


def test_loading_is_quick_and_the_second_time_immediate():
    module.digits.cache_clear()
    module._float32.cache_clear()
    start = time.process_time()                     # not disturbed by what else runs
    mnist()
    first = time.process_time()
    mnist(flat=True)
    assert first - start < 2 and time.process_time() - first < 0.01      # 0.3 to 0.8 s on two cores


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, int])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="float32 or float64"):
        mnist(dtype=dtype)


def small(folder, **other):
    """Four small files; `other` replaces some of them by key (images, labels: of the training half)."""
    arrays = dict(zip(module.FILES, (np.zeros((4, 3, 2), np.uint8), np.arange(4, dtype=np.uint8),
                                     np.full((2, 3, 2), 255, np.uint8), np.array([9, 0], np.uint8))))
    for key, array in other.items():
        arrays[next(name for name in module.FILES if f"train-{key}" in name)] = array
    for name, array in arrays.items():
        idx.write(folder / f"{name}.gz", array)


def test_a_folder_of_another_set(tmp_path):
    small(tmp_path)
    (x, y), (x_test, y_test) = module.prepare(module.load(tmp_path))
    assert x.shape == (4, 3, 2, 1) and y.tolist() == [0, 1, 2, 3] and x_test.min() == 1 and y_test.tolist() == [9, 0]


@pytest.mark.parametrize("other, field", [
    ({"labels": np.array([0, 1, 2, 10], np.uint8)}, "values"), ({"labels": np.zeros(3, np.uint8)}, "sizes"),
    ({"labels": np.zeros((4, 1), np.uint8)}, "rank"), ({"images": np.zeros((4, 6), np.uint8)}, "rank"),
    ({"labels": np.zeros(4, np.float32)}, "type")])
def test_labels_and_images_must_agree(tmp_path, other, field):
    small(tmp_path, **other)
    with pytest.raises(FormatError, match=field):
        module.load(tmp_path)


def test_plain_files_are_found_first(tmp_path):
    small(tmp_path)
    with gzip.open(tmp_path / f"{module.FILES[0]}.gz") as packed, open(tmp_path / module.FILES[0], "wb") as plain:
        shutil.copyfileobj(packed, plain)
    (tmp_path / f"{module.FILES[0]}.gz").write_bytes(b"broken")
    assert module.load(tmp_path)[module.FILES[0]].shape == (4, 3, 2)
