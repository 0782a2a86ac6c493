"""IDX: what is written is read back, and every damaged file is one FormatError."""
import gzip
import struct

import numpy as np
import pytest

from minigrad.data import idx
from minigrad.files import CHUNK, FormatError

ALL_TYPES = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]


def file(tmp_path, data, name="file"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def plain(shape=(2, 3), code=8, values=None):
    """An IDX file written by hand, apart from idx.write."""
    values = bytes(range(np.prod(shape, dtype=int))) if values is None else values
    return struct.pack(">BBBB", 0, 0, code, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + values


def packed(data):
    """data as gzip packs it, the same at any time."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (2, 1, 3, 2), (0,), (3, 0, 2)])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dtype", ALL_TYPES)
def test_round_trip(tmp_path, shape, suffix, dtype):
    array = (np.random.default_rng(0).normal(size=shape) * 50).astype(dtype)
    path = tmp_path / f"file{suffix}"
    idx.write(path, array)
    back = idx.read(path, any_type=True)
    assert back.dtype == dtype and back.dtype.isnative and back.shape == shape
    assert np.array_equal(back, array)
    assert path.read_bytes()[:2] == (b"\x1f\x8b" if suffix else b"\0\0")


def test_the_published_layout(tmp_path):
    assert np.array_equal(idx.read(file(tmp_path, plain())), [[0, 1, 2], [3, 4, 5]])
    big_endian = plain((2,), 0x0C, struct.pack(">2i", -2, 70_000))
    assert np.array_equal(idx.read(file(tmp_path, big_endian), any_type=True), [-2, 70_000])
    idx.write(tmp_path / "out", np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert (tmp_path / "out").read_bytes() == plain()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_truncation_at_every_byte(tmp_path, pack):
    data = pack(plain((4, 5)))
    idx.read(file(tmp_path, data))
    for n in range(len(data)):
        with pytest.raises(FormatError):
            idx.read(file(tmp_path, data[:n]))


@pytest.mark.parametrize("data, field", [
    (b"", "magic"), (b"\0\0\x08", "magic"), (b"\0\1\x08\1\0\0\0\0", "magic"), (plain(code=9), "type"),
    (plain(code=7), "type"), (plain(shape=()), "rank"), (plain(shape=(1, 1, 1, 1, 1)), "rank"),
    (plain() + b"x", "end"), (plain(values=b"12345"), "values"),
    (plain((2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1), values=b""), "sizes"),
    (plain((0, 2**32 - 1, 2**32 - 1, 2**32 - 1), values=b""), "sizes"),
    (plain((2**29 + 1,), values=b""), "sizes"), (plain((2**29,), values=b"12"), "values"),
    (packed(plain() + b"x"), "end"), (packed(plain()) + packed(b""), "gzip"),
    (packed(plain()) + b"x", "gzip"), (packed(plain()) + b"\0" * 8, "gzip"),
    (packed(b""), "magic"), (b"\x1f\x8b", "gzip"), (b"\x1f\x8b" + bytes(30), "gzip"),
])
def test_broken_files_name_the_field(tmp_path, data, field):
    path = file(tmp_path, data)
    with pytest.raises(FormatError, match=field) as caught:
        idx.read(path)
    error = caught.value
    assert error.path == str(path) and field in error.field and str(path) in str(error)
    assert str(error.expected) in str(error) and str(error.found) in str(error)


def test_bytes_behind_a_gzip_stream_are_seen_wherever_it_ends(tmp_path):
    """Also where it ends exactly at the end of what was read at once: the next byte is then still in the file."""
    block, data = CHUNK // 4, packed(plain())
    for end in (block - 1, block, block + 1, 2 * block):
        name = b"n" * (end - len(data) - 1) + b"\0"      # a file name in the header fills up
        padded = data[:3] + b"\x08" + data[4:10] + name + data[10:]
        assert len(padded) == end
        assert np.array_equal(idx.read(file(tmp_path, padded)), [[0, 1, 2], [3, 4, 5]])
        for more in (b"x", b"\0", packed(b""), bytes(2 * block)):
            with pytest.raises(FormatError, match="gzip stream.*more bytes"):
                idx.read(file(tmp_path, padded + more))


def test_bytes_behind_the_values_are_seen_wherever_they_end(tmp_path):
    for size in (1, CHUNK - 1, CHUNK, CHUNK + 1):
        data = plain((size,), values=bytes(size))
        for pack in (bytes, packed):
            assert idx.read(file(tmp_path, pack(data))).shape == (size,)
            with pytest.raises(FormatError, match="end"):
                idx.read(file(tmp_path, pack(data + b"x")))


def test_other_types_are_named_with_the_way_to_read_them(tmp_path):
    """QMNIST's labels are int32."""
    path = tmp_path / "qmnist-train-labels-idx2-int"
    idx.write(path, np.arange(6, dtype=np.int32).reshape(3, 2))
    with pytest.raises(FormatError, match="0x0c.*any_type=True") as caught:
        idx.read(path)
    assert caught.value.field == "type"
    assert idx.read(path, any_type=True).dtype == np.int32
    with pytest.raises(FormatError) as caught:
        idx.read(file(tmp_path, plain(code=7)))
    assert "any_type" not in str(caught.value)          # of no use there


@pytest.mark.parametrize("code, dtype", [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"),
                                         (0x0E, "f8")])
def test_the_codes_of_the_types_are_the_published_ones(tmp_path, code, dtype):
    """Two zeros, the type, the number of axes; each size, then the values, the most significant byte first."""
    values = np.array([[1, 2, 3]], dtype=f">{dtype}")
    path = tmp_path / "values"
    path.write_bytes(bytes([0, 0, code, 2, 0, 0, 0, 1, 0, 0, 0, 3]) + values.tobytes())
    read = idx.read(path, any_type=True)
    assert read.dtype == np.dtype(dtype) and read.tolist() == [[1, 2, 3]]
    idx.write(tmp_path / "again", read)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_wrong_checksum_is_seen(tmp_path):
    data = bytearray(gzip.compress(plain((200,))))
    for at in (-8, -1):                                  # CRC, length
        wrong = data.copy()
        wrong[at] ^= 1
        with pytest.raises(FormatError, match="gzip"):
            idx.read(file(tmp_path, wrong))


def test_a_bomb_is_stopped_after_the_expected_bytes(tmp_path, memory_peak):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb") as out:                  # 400 MiB of zeros behind a header for 6 bytes
        out.write(plain())
        for _ in range(400):
            out.write(bytes(1 << 20))
    with memory_peak() as peak, pytest.raises(FormatError, match="end"):
        idx.read(path)
    assert peak.bytes < 8 << 20


def test_cap(tmp_path):
    path = file(tmp_path, plain((10, 10)))
    assert idx.read(path, cap=100).shape == (10, 10)
    with pytest.raises(FormatError, match="99"):
        idx.read(path, cap=99)


def test_10000_mutants_are_equal_or_refused(tmp_path, mutate, count=10_000):
    original = plain((3, 4))
    packed = gzip.compress(original, mtime=0)
    expected = np.arange(12, dtype=np.uint8).reshape(3, 4)
    path = tmp_path / "mutant"
    rng = np.random.default_rng(0)
    for i in range(count):
        mutant = mutate(packed if i % 2 else original, rng)
        path.write_bytes(mutant)
        try:
            array = idx.read(path)
        except FormatError:
            continue
        if i % 2:                                       # a plain file has no checksum: other values, sizes are possible
            assert np.array_equal(array, expected), mutant
        else:
            assert mutant == plain(array.shape, values=array.tobytes())


@pytest.mark.parametrize("wrong", [np.zeros(2, np.int64), np.zeros((), np.uint8), np.zeros((1,) * 5, np.uint8),
                                   np.zeros(2, bool), np.array(["a"])])
def test_write_refuses_what_idx_cannot_hold(tmp_path, wrong):
    with pytest.raises(ValueError, match="idx.write"):
        idx.write(tmp_path / "file", wrong)
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        idx.read(tmp_path / "nothing")
