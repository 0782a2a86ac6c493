"""Data: MNIST (inside the package), IDX files, checked downloads, minibatches, augmentation, toy sets, splits."""
from minigrad.data import idx
from minigrad.data.batches import batches, stream
from minigrad.data.mnist import mnist
from minigrad.data.split import split

__all__ = ["batches", "idx", "mnist", "split", "stream"]
