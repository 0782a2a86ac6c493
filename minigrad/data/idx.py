"""IDX, the file format of MNIST: two zero bytes, a type, the rank, the sizes (big-endian), the values (big-endian).

Files may be plain or gzip. Every size is checked before memory is asked for, and the file is read to its very end, so
that a wrong checksum, a missing end or extra bytes are seen: all are a FormatError.
"""
from __future__ import annotations

import contextlib
import math
import os
import zlib

import numpy as np

from minigrad.files import CHUNK, FormatError, open_regular, write_atomically
from minigrad.typing import Array, FilePath

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CAP = 512 << 20                                         # bytes of values that a reader accepts unless told otherwise


def read(path: FilePath, any_type: bool = False, cap: int = CAP) -> Array:
    """Read an IDX file -> a new array, rank 1 to 4, in the machine's byte order.

    any_type: also accept what is not unsigned bytes (int8, int16, int32, float32, float64). cap: largest size in bytes.
    Raises FormatError (a ValueError with path, field, expected, found), or OSError if the file cannot be opened.
    """
    with _bytes_of(path) as take:
        head = take(4, "magic number")
        if head[:2] != b"\0\0":
            raise FormatError(path, "magic number", "two zero bytes first", head[:2].hex(" "))
        allowed = TYPES if any_type else {0x08: TYPES[0x08]}
        if head[2] not in allowed:
            hint = "; any_type=True reads it" if head[2] in TYPES else ""          # the labels of QMNIST are int32
            raise FormatError(path, "type", " or ".join(f"0x{code:02x}" for code in allowed), f"0x{head[2]:02x}{hint}")
        if not 1 <= head[3] <= 4:
            raise FormatError(path, "rank", "1 to 4", head[3])
        sizes = take(4 * head[3], "sizes")
        shape = tuple(int.from_bytes(sizes[i:i + 4], "big") for i in range(0, len(sizes), 4))
        dtype = np.dtype(TYPES[head[2]])
        largest = math.prod(filter(None, shape)) * dtype.itemsize    # NumPy multiplies the sizes that are not 0
        if largest > cap:
            raise FormatError(path, "sizes", f"at most {cap} bytes", f"{shape}: {largest} bytes")
        array = np.empty(shape, dtype)                   # untouched pages cost nothing if the values are missing
        take(memoryview(array.reshape(-1).view(np.uint8)), "values")
        if take(1, "end", at_most=True):
            raise FormatError(path, "end", "the end of the data", "more bytes")
    return array.astype(dtype.newbyteorder("="), copy=False)


@contextlib.contextmanager
def _bytes_of(path):
    """A function take(n or buffer, field) over the decompressed bytes; it decompresses no more than was asked for."""
    with open(open_regular(path), "rb") as file:
        unzip = zlib.decompressobj(wbits=31) if file.peek(2)[:2] == b"\x1f\x8b" else None

        def some(limit):
            """At most limit bytes; b"" at the end, where a gzip stream's checksum and length were right."""
            if unzip is None:
                return file.read(limit)
            while not unzip.eof:
                packed = unzip.unconsumed_tail or file.read(CHUNK // 4)
                try:
                    data = unzip.decompress(packed, limit)
                except zlib.error as error:
                    raise FormatError(path, "gzip stream", "an intact stream", str(error)) from None
                if data:
                    return data
                if not packed and not unzip.eof:
                    raise FormatError(path, "gzip stream", "a complete stream", "the end of the file")
            if unzip.unused_data or file.read(1):
                raise FormatError(path, "gzip stream", "the end of the file", "more bytes after the first member")
            return b""

        def take(what, field, at_most=False):
            buffer = memoryview(bytearray(what) if isinstance(what, int) else what)
            filled = 0
            while filled < len(buffer):
                data = some(min(len(buffer) - filled, CHUNK))
                if not data:
                    if at_most:
                        break
                    raise FormatError(path, field, f"{len(buffer)} bytes", f"{filled} before the end")
                buffer[filled:filled + len(data)] = data
                filled += len(data)
            return bytes(buffer[:filled]) if isinstance(what, int) else None

        yield take


def write(path: FilePath, array: Array) -> None:
    """Write an array (rank 1 to 4; uint8, int8, int16, int32, float32, float64) as IDX; gzip if path ends in .gz.

    The file is replaced in one step (`files.write_atomically`); the same array gives the same bytes.
    """
    array = np.asarray(array)
    code = next((code for code, form in TYPES.items() if np.dtype(form) == array.dtype.newbyteorder(">")), None)
    if code is None:
        raise ValueError(f"idx.write: dtype must be uint8, int8, int16, int32, float32 or float64, not {array.dtype}")
    if not (1 <= array.ndim <= 4 and all(size < 2**32 for size in array.shape)):
        raise ValueError(f"idx.write: rank must be 1 to 4 and each size below 2^32, got shape {array.shape}")
    import gzip

    head = bytes([0, 0, code, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    data = head + np.asarray(array, dtype=TYPES[code], order="C").tobytes()
    write_atomically(path, [gzip.compress(data, mtime=0) if os.fspath(path).endswith(".gz") else data])
