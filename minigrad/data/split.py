"""Setting examples aside for validation, class by class if asked."""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import random
from minigrad.arguments import count
from minigrad.typing import ArrayLike, Random


def split(*arrays: ArrayLike, validation: int | float, rng: Random = None, stratify: bool | ArrayLike = False) -> Any:
    """Set examples aside: `(x, y), (x_val, y_val) = split(x, y, validation=10_000, rng=0, stratify=True)`.

    arrays: equally long, one or more. validation: how many (int), or what fraction (float in (0, 1)) of the examples.
    stratify: True takes the last array for the classes, an array is taken itself: each class then has its share in
    both parts, to within one example (largest remainders). Both parts are copies in the order as stored.
    One array gives two arrays, several give two tuples. Raises ValueError.
    """
    arrays = [np.asarray(array) for array in arrays]
    if not arrays or any(array.ndim == 0 for array in arrays) or len({len(array) for array in arrays}) > 1:
        raise ValueError(f"split: wanted arrays of equal length, got shapes {[array.shape for array in arrays]}")
    m = len(arrays[0])
    if isinstance(validation, float) and 0 < validation < 1:
        aside = count("split", "validation", round(validation * m), 1, m - 1, f" of {m} for the fraction {validation}")
    else:
        aside = count("split", "validation", validation, 1, m - 1, " (a fraction would lie in (0, 1))")
    rng = random.generator(rng)
    if stratify is False:
        chosen = rng.permutation(m)[:aside]
    else:
        labels = arrays[-1] if stratify is True else np.asarray(stratify)
        if labels.shape != (m,):
            raise ValueError(f"split: stratify wants one class for each of {m} examples, got shape {labels.shape}")
        chosen = _by_class(labels, aside, rng)
    taken = np.zeros(m, bool)
    taken[chosen] = True
    parts = [tuple(array[which] for array in arrays) for which in (~taken, taken)]
    return tuple(part if len(arrays) > 1 else part[0] for part in parts)


def _by_class(labels, n, rng):
    """Indices of n examples; of each class its exact share rounded down, the rest by largest remainder."""
    _, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    share, remainder = np.divmod(sizes * n, len(labels))
    share[np.argsort(-remainder, kind="stable")[:n - share.sum()]] += 1
    return np.concatenate([rng.permutation(np.flatnonzero(which == i))[:take] for i, take in enumerate(share)])
