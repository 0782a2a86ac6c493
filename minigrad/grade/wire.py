"""Plain arrays over a pipe: a JSON header, then raw bytes. Nothing that is read is ever run; there is no pickle.

    8 bytes   "minigrad"
    8 bytes   length of the header, 8 bytes length of the body (little endian)
    header    {"plain": {...}, "arrays": [[name, dtype, shape], ...]}
    body      the arrays, C order, one after another

Also read by the child, which has no minigrad but the copy it is given: this file imports only NumPy.
"""
from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

MAGIC = b"minigrad"
FRONT = struct.Struct("<8sQQ")
MOST = {"header": 1 << 20, "body": 64 << 20, "arrays": 1000}
TYPES = {"f4": "<f4", "f8": "<f8", "i8": "<i8", "u1": "|u1", "b1": "|b1"}


class WireError(ValueError):
    """What came is not what this file writes, or is too large."""


def plain_array(name: str, value: Any) -> Any:
    """value as one of the five types that travel: floats f4 or f8, integers i8, booleans b1, bytes u1."""
    array = np.asarray(value)
    kind = array.dtype.kind
    name_of_type = {"b": "b1", "u": "u1" if array.dtype.itemsize == 1 else "i8", "i": "i8",
                    "f": "f8" if array.dtype.itemsize >= 8 else "f4"}.get(kind)
    if name_of_type is None:
        raise WireError(f"{name} must be an array of numbers, got {type(value).__name__} of {array.dtype}")
    return name_of_type, np.ascontiguousarray(array, dtype=TYPES[name_of_type]).reshape(array.shape)


def pack(plain: Any, arrays: Any) -> bytes:
    """The bytes of a message. plain: what JSON can say; arrays: name -> array. WireError for anything else."""
    if not isinstance(arrays, dict):
        raise WireError(f"a drive returns a dict of arrays, got {type(arrays).__name__}")
    rows, parts = [], []
    for name, value in arrays.items():
        kind, array = plain_array(name, value)
        rows.append([str(name), kind, list(array.shape)])
        parts.append(array.tobytes())
    header, body = json.dumps({"plain": plain, "arrays": rows}).encode(), b"".join(parts)
    for what, size in (("header", len(header)), ("body", len(body)), ("arrays", len(rows))):
        if size > MOST[what]:
            raise WireError(f"too much data: the {what} of a message must not exceed {MOST[what]}, got {size}")
    return FRONT.pack(MAGIC, len(header), len(body)) + header + body


def unpack(data: Any) -> tuple[Any, Any]:
    """(plain, arrays) of a message. WireError for anything that `pack` would not have written."""
    header_size, body_size = front(data)
    if len(data) != FRONT.size + header_size + body_size:
        raise WireError("the message is shorter than it says")
    try:
        header = json.loads(data[FRONT.size:FRONT.size + header_size])
        plain, rows = header["plain"], header["arrays"]
        rows = [(str(name), TYPES[kind], tuple(shape)) for name, kind, shape in rows]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WireError("the header cannot be read") from error
    arrays, at = {}, FRONT.size + header_size
    for name, kind, shape in rows:
        if len(shape) > 16 or any(type(n) is not int or not 0 <= n <= MOST["body"] for n in shape):
            raise WireError(f"{name!r:.60} has the shape {shape!r:.60}")
        size = np.dtype(kind).itemsize
        for n in shape:
            size *= n
        if size > len(data) - at or name in arrays:
            raise WireError(f"{name!r:.60} is larger than what came, or came twice")
        raw = np.frombuffer(data, np.uint8, count=size, offset=at)
        arrays[name] = (raw != 0 if kind == "|b1" else raw.view(kind)).reshape(shape).copy()
        at += size
    if at != len(data) or len(arrays) > MOST["arrays"]:
        raise WireError("there is more data than the header names")
    return plain, arrays


def front(data: Any) -> tuple[int, int]:
    """(bytes of the header, bytes of the body) from the first 24 bytes. WireError if they are not ours or too many."""
    if len(data) < FRONT.size:
        raise WireError("no message")
    magic, header, body = FRONT.unpack_from(data)
    if magic != MAGIC or header > MOST["header"] or body > MOST["body"]:
        raise WireError("not a message of a drive, or too large")
    return header, body
