"""MNIST, inside the package, and the checks that any data set in its four files goes through.

The .gz files in `files/` were compressed anew; what they hold is the published data, byte for byte: SHA256 are the
hashes of the *decompressed* files, computed from them here. Other projects pin the same ones for the originals;
files/LICENSE.md says which, and names authors and licence.
"""
from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

from minigrad.data import idx
from minigrad.files import FormatError
from minigrad.typing import Array, DType, FilePath, Halves

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FOLDER = os.path.join(os.path.dirname(__file__), "files")


def mnist(flat: bool = False, dtype: DType = np.float32) -> Halves:
    """The 70,000 digits of MNIST: (x, y), (x_test, y_test), 60,000 to train on and 10,000 to test.

    x: (n, 28, 28, 1) in [0, 1], flat=True: (n, 784); dtype float32 or float64. y: (n,) int64, 0 to 9.
    Read once and kept (float64 is computed anew), therefore read-only: a change needs `x.copy()`.
    """
    halves = _float32() if np.dtype(dtype) == np.float32 else prepare(digits(), dtype)
    return flattened(halves) if flat else halves


@functools.cache
def digits() -> dict[str, Array]:
    """The four files as they are stored, bytes; read once."""
    return load(FOLDER)


@functools.cache
def _float32():
    return prepare(digits(), np.float32)


def load(folder: FilePath, classes: int = 10) -> dict[str, Array]:
    """The four files of an MNIST-like set (plain, else with .gz) in a folder -> {file name: read-only uint8 array}.

    Images (n, h, w) and labels (n,) of each half must be equally many, the labels below `classes`. Raises FormatError.
    """
    arrays, paths = {}, {}
    for name in FILES:
        paths[name] = os.path.join(folder, name)
        if not os.path.exists(paths[name]):
            paths[name] += ".gz"
        arrays[name] = idx.read(paths[name])
        arrays[name].flags.writeable = False
    for images, labels in (FILES[:2], FILES[2:]):
        for name, rank in ((images, 3), (labels, 1)):
            if arrays[name].ndim != rank:
                raise FormatError(paths[name], "rank", rank, arrays[name].ndim)
        if len(arrays[images]) != len(arrays[labels]):
            raise FormatError(paths[labels], "sizes", f"{len(arrays[images])} labels as there are images",
                              len(arrays[labels]))
        if len(arrays[labels]) and arrays[labels].max() >= classes:
            raise FormatError(paths[labels], "values", f"labels 0 to {classes - 1}", int(arrays[labels].max()))
    return arrays


def prepare(arrays: dict[str, Array], dtype: DType = np.float32) -> Any:
    """The arrays of `load` -> (x, y), (x_test, y_test) as `mnist` describes them."""
    dtype = float_type("mnist", dtype)
    return tuple((_unit(arrays[images], dtype), _fixed(arrays[labels].astype(np.int64)))
                 for images, labels in (FILES[:2], FILES[2:]))


def float_type(who: str, dtype: DType) -> np.dtype[Any]:
    """float32 or float64 as NumPy's dtype; ValueError else."""
    found = np.dtype(dtype)
    if found not in (np.float32, np.float64):
        raise ValueError(f"{who}: dtype is float32 or float64, got {found}")
    return found


def flattened(halves: Any) -> Halves:
    """x (n, h, w, 1) -> (n, h w), views of the same memory"""
    return tuple((x.reshape(len(x), -1), y) for x, y in halves)


def _unit(images, dtype):
    """Bytes 0..255 (n, h, w) -> numbers in [0, 1] (n, h, w, 1)"""
    return _fixed(np.divide(images[..., None], dtype.type(255), dtype=dtype))


def _fixed(array):
    """A view that cannot be made writable again: the array under it is read-only too."""
    array.flags.writeable = False
    return array.view()
