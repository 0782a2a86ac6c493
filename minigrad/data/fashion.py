"""Fashion-MNIST: 70,000 pictures of clothes in the form of MNIST, by checked download.

Han Xiao, Kashif Rasul, Roland Vollgraf: Fashion-MNIST, arXiv:1708.07747. MIT licence, Zalando SE.
"""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.data import download
from minigrad.data.mnist import flattened, load, prepare
from minigrad.typing import DType, FilePath, Halves

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

# MD5: the table in the authors' README (github.com/zalandoresearch/fashion-mnist, section "Get the Data").
# SHA-256 and size: tensorflow/datasets, tensorflow_datasets/url_checksums/fashion_mnist.txt; the same SHA-256 stand in
# pytorch/vision, torchvision/prototype/datasets/_builtin/mnist.py. All of them are of the .gz files. They were copied
# from there: the files themselves could not be reached where this was written.
_SOURCE = "MD5: zalandoresearch/fashion-mnist, README; SHA-256 and size: tensorflow/datasets, url_checksums"
PINS = {
    "train-images-idx3-ubyte.gz": download.Pin(
        26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d", _SOURCE),
    "train-labels-idx1-ubyte.gz": download.Pin(
        29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "25c81989df183df01b3e8a0aad5dffbe", _SOURCE),
    "t10k-images-idx3-ubyte.gz": download.Pin(
        4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "bef4ecab320f06d8554ea6380940ec79", _SOURCE),
    "t10k-labels-idx1-ubyte.gz": download.Pin(
        5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "bb300cfdad3c16e7a12a480ee83cd310", _SOURCE),
}
MIRRORS = ("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
           "https://storage.googleapis.com/tensorflow/tf-keras-datasets/")


def fashion_mnist(folder: FilePath | None = None, url: str | Sequence[str] | None = None,
                  offline: bool | None = None, flat: bool = False, dtype: DType = np.float32, **options: Any) -> Halves:
    """Fashion-MNIST as `mnist` gives MNIST: (x, y), (x_test, y_test); y counts CLASSES.

    folder: where the four .gz files are or shall be kept; None: `cache_folder()`. What is missing there is
    downloaded; a file that is there but is not the published one is refused (FormatError) and left alone.
    url: the folder's address (https) instead of the known mirrors, or several. offline: True: never download.
    The other options are those of `download.fetch`. Raises FormatError, DownloadError, FileNotFoundError.
    """
    folder = cache_folder() if folder is None else os.fspath(folder)
    bases = MIRRORS if url is None else (url,) if isinstance(url, str) else tuple(url)
    for name, pin in PINS.items():
        urls = [f"{base.rstrip('/')}/{name}" for base in bases]
        download.fetch(urls, os.path.join(folder, name), pin, offline=offline, **options)
    halves = prepare(load(folder), dtype)
    return flattened(halves) if flat else halves


def cache_folder() -> str:
    """$MINIGRAD_DATA/fashion-mnist, else ~/.cache/minigrad/fashion-mnist (with XDG_CACHE_HOME, there)."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(os.environ.get("MINIGRAD_DATA") or os.path.join(cache, "minigrad"), "fashion-mnist")
