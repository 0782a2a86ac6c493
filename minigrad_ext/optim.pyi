"""Optimizer updates: an object for every signature in updates.h, called with its arrays and numbers in their order."""
from inspect import Signature

from numpy import ndarray

class _Update:
    __name__: str
    signature: str
    arguments: tuple[str, ...]
    @property
    def __signature__(self) -> Signature: ...
    def __call__(self, *arguments: ndarray | float) -> None: ...

def __getattr__(name: str) -> _Update: ...
