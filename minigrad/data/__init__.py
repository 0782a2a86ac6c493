"""Data: MNIST (inside the package, also in few pixels), IDX files, checked downloads, minibatches, augmentation, toy
sets, splits."""
from minigrad.data import augment, idx, toy
from minigrad.data.batches import batches, stream
from minigrad.data.coarse import coarse_mnist, standardized
from minigrad.data.fashion import fashion_mnist
from minigrad.data.mnist import mnist
from minigrad.data.mnist1d import mnist1d
from minigrad.data.split import split

__all__ = [
    "augment", "batches", "coarse_mnist", "fashion_mnist", "idx", "mnist", "mnist1d", "split", "standardized", "stream",
    "toy",
]
