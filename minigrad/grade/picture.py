"""Two paths in the plane as a small PNG, without matplotlib: the reports that show pictures take this one."""
from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from minigrad.typing import Array

SIZE, MARGIN = 240, 12
RED, BLACK = (200, 30, 30), (0, 0, 0)


def png(got: Any, want: Any) -> bytes:
    """got (red) over want (black), each (steps, 2) or more columns of which two are drawn: the bytes of a PNG.

    The scale is that of `want`; what leaves it, or is not finite, is not drawn.
    """
    want = plane(want)
    low, high = want.min(axis=0), want.max(axis=0)
    span = max(float(np.max(high - low)), 1e-300)
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    for path, color in ((want, BLACK), (plane(got), RED)):
        with np.errstate(all="ignore"):
            points = MARGIN + (path - (low + high - span) / 2) / span * (SIZE - 2 * MARGIN)
            for start, stop in zip(points, points[1:]):
                line(image, start, stop, color)
    rows = b"".join(b"\0" + row.tobytes() for row in image[::-1])
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in (
        (b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")))


def plane(path: Any) -> Array:
    """The first two columns of a path; a path of one column is drawn against the step."""
    path = np.asarray(path, dtype=float)
    path = path.reshape(len(path), -1) if path.size else np.zeros((0, 2))
    return path[:, :2] if path.shape[1] >= 2 else np.column_stack([np.arange(len(path)), path])


def line(image: Any, start: Any, stop: Any, color: Any) -> None:
    """The pixels from start to stop that lie in the image."""
    if not np.all(np.isfinite([start, stop])) or np.max(np.abs([start, stop])) > 100 * SIZE:
        return
    count = int(np.max(np.abs(stop - start))) + 2
    at = np.rint(start + (stop - start) * np.linspace(0, 1, count)[:, None]).astype(int)
    x, y = at[np.all((at >= 0) & (at < SIZE), axis=1)].T
    image[y, x] = color


def chunk(kind: Any, data: Any) -> bytes:
    """length, kind, data, checksum: the unit of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
