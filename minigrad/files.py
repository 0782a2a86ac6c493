"""Files that are read with suspicion and written all or not at all.

FormatError is what any damaged or hostile file raises. `write_atomically` replaces a file in one step.
`save_tensors` and `load_tensors` keep named arrays in the safetensors layout: 8 bytes with the length of a JSON header
(little-endian), the header, the raw bytes of the arrays. Reading runs no code, and no size in the file is believed
before it is checked. Our files also hold a SHA-256 over all their bytes, so that any changed bit is seen.
"""
from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.typing import Array, FilePath

try:
    import fcntl
except ImportError:                                     # Windows: an open file cannot be removed there anyway
    fcntl = None

MAX_HEADER = 1 << 20                                    # bytes
MAX_TENSORS = 10_000
MAX_NAME = 256                                          # characters
DTYPES = {"F64": "<f8", "I64": "<i8", "F32": "<f4", "I32": "<i4", "U8": "u1", "BOOL": "?"}
DIGEST = "minigrad.sha256"                              # metadata key: SHA-256 of the file, its own digits read as 0
WRITER = "minigrad.writer"                              # metadata key: a file that has it must have DIGEST too
CHUNK = 1 << 20
# A string of JSON, or one without an end, so that nothing is looked at twice: a possessive repeat never goes back.
STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)', re.DOTALL)


class FormatError(ValueError):
    """A file is not what it should be. Has path, field (the part at fault), expected, found."""
    path: str
    field: str
    expected: str
    found: Any

    def __init__(self, path: FilePath, field: str, expected: str, found: Any) -> None:
        self.path, self.field, self.expected, self.found = os.fspath(path), field, expected, found
        super().__init__(path, field, expected, found)

    def __str__(self) -> str:
        return f"{self.path}: {self.field}: expected {self.expected}, found {self.found}"


# --- regular files only

def open_regular(path: FilePath, flags: int = os.O_RDONLY) -> int:
    """The number of a newly opened regular file. Raises OSError for a FIFO (without waiting for its other end), a
    device, a socket, a folder: what is read there is no file, and what is written there would be lost."""
    with contextlib.suppress(FileNotFoundError):
        check_regular(path, os.stat(path).st_mode)
    fd = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
    try:
        check_regular(path, os.fstat(fd).st_mode)       # nobody put another in its place
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_regular(path: FilePath, mode: int) -> None:
    """OSError unless `mode`, the st_mode of what is at path, is that of a regular file."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))


# --- writing all or nothing

def write_atomically(path: FilePath, parts: Iterable[Any]) -> None:
    """Write the buffers `parts`, one after the other, as the file `path`: all of them, or path stays as it was.

    A temporary file in the same folder, fsync, os.replace, fsync of the folder. An existing file's mode is kept. A
    symbolic link stays: the file it leads to is written. Only a regular file is replaced, not a device or a FIFO.
    Temporary files left by writers that were killed are removed first. Raises OSError.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        check_regular(path, mode)
    _remove_stale(folder, name)
    temporary = os.path.join(folder, f".{name[:200]}.{os.urandom(8).hex()}.tmp")
    try:                                                # before the file is there: Ctrl-C comes at any moment
        fd = _open_locked(temporary)
        try:
            if fcntl and mode is not None:
                os.fchmod(fd, stat.S_IMODE(mode))
            for part in parts:
                _write_all(fd, part)
            os.fsync(fd)
            if fcntl:                                   # the lock is held until the temporary name is gone
                os.replace(temporary, path)
        finally:
            os.close(fd)
        if not fcntl:
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _fsync_folder(folder)


def _open_locked(temporary):
    """The new file `temporary`, locked by us so that no other writer takes it for a stale one."""
    while True:
        fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
        if not fcntl:
            return fd
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:                   # 0: removed as stale between open and lock; try again
                return fd
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP):
                return fd                               # a file system without locks
            os.close(fd)
            raise
        os.close(fd)


def _remove_stale(folder, name):
    """Remove the temporary files of writers that no longer live (nobody holds their lock)."""
    for temporary in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name[:200])}.{'[0-9a-f]' * 16}.tmp")):
        with contextlib.suppress(OSError):
            if not fcntl:
                os.unlink(temporary)                    # Windows refuses while the writer has it open
                continue
            fd = open_regular(temporary)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(temporary)
            finally:
                os.close(fd)


def _write_all(fd, part):
    left = memoryview(part).cast("B")
    while len(left):
        left = left[os.write(fd, left):]


def _fsync_folder(folder):
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):   # some file systems cannot sync a folder
            raise
    finally:
        os.close(fd)


# --- tensors

def save_tensors(path: FilePath, tensors: dict[str, Array], metadata: dict[str, str] | None = None) -> None:
    """Write named arrays and a metadata dict of strings to one file, atomically (`write_atomically`).

    tensors: dict name (1 to 256 printable characters) -> array of float64, float32, int64, int32, uint8 or bool, at
    most 10,000; they must not change meanwhile. metadata: dict str -> str; names and metadata together stay below
    1 MiB (longer text: a uint8 tensor). The file opens in the safetensors package. Wider dtypes come first in
    it, so that every tensor is aligned. Raises ValueError naming the tensor at fault, before anything is written.
    """
    arrays = {name: _checked(name, value) for name, value in tensors.items()}
    if len(arrays) > MAX_TENSORS:
        raise ValueError(f"save_tensors: at most {MAX_TENSORS} tensors, got {len(arrays)}")
    metadata = dict(metadata or {})
    for name, value in metadata.items():
        if not (isinstance(name, str) and isinstance(value, str) and _encodable(name) and _encodable(value)):
            raise ValueError(f"save_tensors: metadata must be a dict of text to text, got {name!r}: {value!r:.80}")
        if name in (DIGEST, WRITER):
            raise ValueError(f"save_tensors: the metadata key {name!r} is reserved")
    metadata = {DIGEST: "0" * 64, WRITER: "1", **metadata}     # first, so that its digits are the first 64 zeros
    header, begin = {"__metadata__": metadata}, 0
    ordered = sorted(arrays, key=lambda name: -arrays[name][1].itemsize)
    for name in ordered:
        dtype, array = arrays[name]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, begin + array.nbytes]}
        begin += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise ValueError(f"save_tensors: names and metadata need {len(text)} bytes, at most {MAX_HEADER}; "
                         f"put long text into a uint8 tensor")
    length = len(text).to_bytes(8, "little")
    buffers = [arrays[name][1].reshape(-1).view(np.uint8) for name in ordered]
    digest = hashlib.sha256(length + text)
    for buffer in buffers:
        digest.update(buffer)
    text = text.replace(b"0" * 64, digest.hexdigest().encode(), 1)
    write_atomically(path, [length + text, *buffers])


def _checked(name, value):
    """(dtype's name in the file, contiguous little-endian array)"""
    if not _good_name(name):
        raise ValueError(f"save_tensors: a name is 1 to {MAX_NAME} printable characters, got {name!r:.80}")
    array = np.asarray(value)
    for dtype, form in DTYPES.items():
        if array.dtype.newbyteorder("<") == np.dtype(form):
            return dtype, np.asarray(array, dtype=form, order="C")
    raise ValueError(f"save_tensors: {name!r} is {array.dtype}; can be float64, float32, int64, int32, uint8 or bool")


def _good_name(name):
    return isinstance(name, str) and 1 <= len(name) <= MAX_NAME and name.isprintable() and name != "__metadata__"


def _encodable(text):
    try:
        text.encode()
    except UnicodeEncodeError:                          # a lone surrogate
        return False
    return True


def load_tensors(path: FilePath, hashed: bool = False) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a file in the safetensors layout -> (dict name -> array, metadata dict).

    The arrays are new and writable. A SHA-256 of ours is checked if present; hashed=True refuses a file without one
    (use it where only our own files are expected). Every other flaw raises FormatError too; a file that cannot be
    opened or read, or is no regular file, OSError. Time and memory are at most proportional to the file's size.
    """
    with open(open_regular(path), "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        length = _read(path, file, 8, "header length")
        n = int.from_bytes(length, "little")
        if n > min(MAX_HEADER, size - 8):
            raise FormatError(path, "header length", f"at most {min(MAX_HEADER, size - 8)}", n)
        text = _read(path, file, n, "header")
        metadata, entries = _parse(path, text, size - 8 - n)
        claimed = metadata.pop(DIGEST, None)
        if claimed is None and (hashed or WRITER in metadata):
            way = "" if WRITER in metadata else "; minigrad.files.load_tensors(path) reads a file of another program"
            raise FormatError(path, f"metadata {DIGEST}", "64 hexadecimal digits", f"nothing{way}")
        metadata.pop(WRITER, None)
        digest = None
        if claimed is not None:
            zeroed = text.replace(claimed.encode(), b"0" * 64, 1) if len(claimed) == 64 else text
            digest = hashlib.sha256(length + zeroed)
        tensors = {}
        for name, (dtype, shape) in entries.items():
            tensors[name] = _read_array(path, file, name, dtype, shape, digest)
        if file.read(1):
            raise FormatError(path, "end", "the end of the file", "more bytes")
    if digest is not None and digest.hexdigest() != claimed:
        raise FormatError(path, f"metadata {DIGEST}", digest.hexdigest(), f"{claimed!r:.80}")
    return tensors, metadata


def _read(path, file, n, field):
    """Exactly n bytes."""
    data = bytearray()
    while len(data) < n:
        more = file.read(min(n - len(data), CHUNK))
        if not more:
            raise FormatError(path, field, f"{n} bytes", f"{len(data)} before the end of the file")
        data += more
    return bytes(data)


def _read_array(path, file, name, dtype, shape, digest):
    array = np.empty(shape, DTYPES[dtype])
    rest = memoryview(array.reshape(-1).view(np.uint8))
    while len(rest):
        got = file.readinto(rest[:CHUNK])
        if not got:
            raise FormatError(path, f"tensor {name!r}", f"{array.nbytes} bytes", f"{array.nbytes - len(rest)}")
        if digest is not None:
            digest.update(rest[:got])
        rest = rest[got:]
    if dtype == "BOOL" and array.size and array.view(np.uint8).max() > 1:
        raise FormatError(path, f"tensor {name!r}", "bytes 0 or 1", int(array.view(np.uint8).max()))
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _parse(path, text, data_size):
    """The header -> metadata, dict name -> (dtype, shape) in the order of the data. Nothing is allocated from sizes."""
    header = _json(path, text)
    metadata = header.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
            and all(_encodable(name + value) for name, value in metadata.items())):
        raise FormatError(path, "__metadata__", "an object of strings", f"{metadata!r:.80}")
    if len(header) > MAX_TENSORS:
        raise FormatError(path, "header", f"at most {MAX_TENSORS} tensors", len(header))
    places = []
    for name, entry in header.items():
        field = f"tensor {name!r:.80}"
        if not _good_name(name):
            raise FormatError(path, "tensor name", f"1 to {MAX_NAME} printable characters", f"{name!r:.80}")
        if not (isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"}):
            raise FormatError(path, field, "dtype, shape and data_offsets", f"{entry!r:.80}")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not (isinstance(dtype, str) and dtype in DTYPES):
            raise FormatError(path, f"{field} dtype", " ".join(DTYPES), f"{dtype!r:.80}")
        if not (_naturals(shape) and len(shape) <= 32):
            raise FormatError(path, f"{field} shape", "at most 32 whole numbers >= 0", f"{shape!r:.80}")
        if not (_naturals(offsets) and len(offsets) == 2):
            raise FormatError(path, f"{field} data_offsets", "two whole numbers >= 0", f"{offsets!r:.80}")
        itemsize = np.dtype(DTYPES[dtype]).itemsize
        if math.prod(filter(None, shape)) * itemsize >= 2**63:    # without the zeros: NumPy multiplies the rest
            raise FormatError(path, f"{field} shape", "fewer than 2^63 bytes", f"{shape!r:.80}")
        if offsets[1] - offsets[0] != math.prod(shape) * itemsize:
            raise FormatError(path, f"{field} data_offsets", f"{math.prod(shape) * itemsize} bytes", f"{offsets!r:.80}")
        places.append((*offsets, name, dtype, tuple(shape)))
    end, entries = 0, {}
    for begin, stop, name, dtype, shape in sorted(places):        # no holes, no overlap, up to the end of the file
        if begin != end:
            raise FormatError(path, f"tensor {name!r:.80} data_offsets", f"to begin at {end}", begin)
        end, entries[name] = stop, (dtype, shape)
    if end != data_size:
        raise FormatError(path, "size", f"{end} bytes of data", data_size)
    return metadata, entries


def _naturals(values):
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _json(path, text):
    """A JSON object at most three deep, without repeated keys, NaN or fractions; only spaces may follow it."""
    if text[:1] != b"{" or text.rstrip(b" ")[-1:] != b"}":
        raise FormatError(path, "header", "a JSON object", f"{text[:20]!r}")
    depth = 0
    for bracket in re.findall(rb"[][{}]", STRINGS.sub(b"", text)):
        depth += 1 if bracket in b"[{" else -1
        if depth > 3:
            raise FormatError(path, "header", "at most 3 levels of brackets", "more")

    def pairs(items):
        found = {}
        for name, value in items:
            if name in found:
                raise ValueError(f"repeated key {name!r:.80}")
            found[name] = value
        return found

    def refuse(literal):
        raise ValueError(f"the number {literal:.80}")

    try:
        header = json.loads(text.decode(), object_pairs_hook=pairs, parse_constant=refuse, parse_float=refuse)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, "header", "a JSON object", str(error)) from None
    return header


# --- models

def save(path: FilePath, model: Any) -> None:
    """Write a model's parameters and buffers to one file, atomically; it opens in the safetensors package.

    model: anything with state_dict() -> {name: array}. For an optimizer that looks ahead, inside `opt.at_theta()`.
    """
    if not hasattr(model, "state_dict"):
        raise ValueError("save: wanted save(path, model), the model with state_dict(), got "
                         f"{type(path).__name__} and {type(model).__name__}; save_tensors takes a dict of arrays")
    state = model.state_dict()
    words = [name for name, value in state.items() if isinstance(value, str)]
    if words:
        raise ValueError(f"save: the state of {type(model).__name__} has more than arrays ({', '.join(words):.60}); an "
                         "optimizer is saved with its model: training.save_checkpoint(path, training.Run(model, loss, "
                         "optimizer, batches)), and load_checkpoint with a new Run")
    save_tensors(path, state, {"minigrad.kind": "model"})


def load(path: FilePath, model: Any) -> Any:
    """Take over the parameters and buffers that `save` wrote, or those of the model in a checkpoint. Returns the model.

    Raises FormatError for a damaged file, ValueError with every mismatch for one of another model; nothing has changed
    then. A file without our checksum is refused: see `load_tensors`, and `minigrad.pytorch` for models of PyTorch.
    """
    tensors, metadata = load_tensors(path, hashed=True)
    if metadata.get("minigrad.kind") == "checkpoint":
        tensors = {name.removeprefix("model/"): array for name, array in tensors.items() if name.startswith("model/")}
    model.load_state_dict(tensors)
    return model
