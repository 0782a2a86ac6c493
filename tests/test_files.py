"""Files: what is saved is loaded bit for bit, nothing broken is believed, and a writer may die at any moment."""
import ast
import contextlib
import errno
import hashlib
import json
import opcode
import os
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigrad import files
from minigrad.data import download, idx
from minigrad.files import DIGEST, FormatError, load_tensors, save_tensors

TENSORS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1.5, np.nan, -np.inf]),
           "k": np.array(7, np.int64), "empty": np.zeros((0, 3), np.int32), "u": np.arange(3, dtype=np.uint8),
           "flag": np.array([True, False])}
METADATA = {"step": "12", "note": 'quotes " and \\ and \n and ümlaut', "zeros": "0" * 64}


def equal(one, other):
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes() for name in one)


def craft(header, data=b"", length=None):
    """A file written by hand: header is an object or the bytes of one."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


posix = pytest.mark.skipif(files.fcntl is None, reason="POSIX only")


def run(script, *arguments, limit=600):
    result = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True,
                            cwd=os.path.dirname(os.path.dirname(files.__file__)), timeout=limit, check=True)
    return result.stdout.split(maxsplit=4)


# --- round trip

def test_round_trip(tmp_path):
    path = tmp_path / "model"
    save_tensors(path, TENSORS, METADATA)
    for hashed in (False, True):
        tensors, metadata = load_tensors(path, hashed=hashed)
        assert equal(tensors, TENSORS) and metadata == METADATA
        assert all(array.flags.writeable and array.flags.owndata and array.flags.aligned and array.dtype.isnative
                   for array in tensors.values())
    save_tensors(tmp_path / "again", TENSORS, METADATA)
    assert path.read_bytes() == (tmp_path / "again").read_bytes()
    save_tensors(path, {})
    assert load_tensors(path) == ({}, {})


def test_every_layout_is_saved_as_its_values(tmp_path):
    a = np.arange(24.0).reshape(4, 6)
    layouts = {"t": a.T, "step": a[::2, ::-1], "f": np.asfortranarray(a), "big": a.astype(">f8"),
               "stretched": np.broadcast_to(a[:1], (3, 6)), "unaligned": np.frombuffer(b"x" + a.tobytes(), "f8", 24, 1),
               "list": [1.0, 2.0]}
    save_tensors(tmp_path / "f", layouts)
    tensors, _ = load_tensors(tmp_path / "f")
    for name, array in layouts.items():
        assert np.array_equal(tensors[name], array) and tensors[name].flags.c_contiguous


@pytest.mark.parametrize("tensors, metadata, words", [
    ({"h": np.zeros(2, np.float16)}, {}, "'h' is float16"), ({"c": np.zeros(2, complex)}, {}, "complex"),
    ({"o": np.array([None])}, {}, "object"), ({"u": np.zeros(1, np.uint32)}, {}, "uint32"),
    ({"": np.zeros(1)}, {}, "name"), ({"x" * 257: np.zeros(1)}, {}, "name"), ({"a\n": np.zeros(1)}, {}, "name"),
    ({"__metadata__": np.zeros(1)}, {}, "name"), ({3: np.zeros(1)}, {}, "name"), ({"\ud800": np.zeros(1)}, {}, "name"),
    ({}, {"a": 1}, "text"), ({}, {1: "a"}, "text"), ({}, {"a": "\ud800"}, "text"), ({}, {DIGEST: "a"}, "reserved"),
    ({}, {"a": "x" * 2**20}, "at most 1048576"), (dict.fromkeys(map(str, range(10_001)), np.zeros(1)), {}, "10000")])
def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path, tensors, metadata, words):
    with pytest.raises(ValueError, match=words):
        save_tensors(tmp_path / "f", tensors, metadata)
    assert not list(tmp_path.iterdir())


def test_the_largest_number_of_tensors_and_of_metadata(tmp_path):
    many = {f"{i}": np.array([i % 256], np.uint8) for i in range(10_000)}
    save_tensors(tmp_path / "f", many)
    assert equal(load_tensors(tmp_path / "f")[0], many)
    save_tensors(tmp_path / "f", {}, {"text": "x" * (2**20 - 200)})
    assert len(load_tensors(tmp_path / "f")[1]["text"]) == 2**20 - 200


# --- the safetensors package, an independent reader and writer

def test_the_safetensors_package_opens_our_files(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    save_tensors(tmp_path / "f", TENSORS, METADATA)
    assert equal(numpy.load_file(tmp_path / "f"), TENSORS)
    with pytest.importorskip("safetensors").safe_open(tmp_path / "f", "np") as file:
        assert METADATA.items() <= file.metadata().items()


def test_we_open_the_files_of_the_safetensors_package(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file(TENSORS, tmp_path / "f", METADATA)
    tensors, metadata = load_tensors(tmp_path / "f")
    assert equal(tensors, TENSORS) and metadata == METADATA
    with pytest.raises(FormatError, match="64 hexadecimal digits"):
        load_tensors(tmp_path / "f", hashed=True)
    numpy.save_file({"half": np.zeros(2, np.float16)}, tmp_path / "f")
    with pytest.raises(FormatError, match="'half' dtype.*F16"):
        load_tensors(tmp_path / "f")


def test_what_we_accept_of_damaged_foreign_files_is_what_the_package_reads(tmp_path, mutate):
    """Without a checksum a changed byte may be other data, but never something the package sees differently."""
    numpy = pytest.importorskip("safetensors.numpy")
    original = numpy.save({name: TENSORS[name] for name in ("w", "k", "u", "empty")}, {"a": "b"})
    rng, accepted = np.random.default_rng(0), 0
    for _ in range(3000):
        mutant = mutate(original, rng)
        (tmp_path / "f").write_bytes(mutant)
        with contextlib.suppress(FormatError):
            tensors, _ = load_tensors(tmp_path / "f")
            assert equal(tensors, numpy.load(mutant))
            accepted += 1
    assert accepted > 20


# --- damage

def test_truncation_at_every_byte(tmp_path):
    save_tensors(tmp_path / "f", TENSORS, METADATA)
    data = (tmp_path / "f").read_bytes()
    for n in range(len(data)):
        (tmp_path / "f").write_bytes(data[:n])
        with pytest.raises(FormatError):
            load_tensors(tmp_path / "f")


def test_every_single_byte_matters(tmp_path):
    """All bits of every byte flipped at once, and the lowest alone: the checksum covers header and data."""
    save_tensors(tmp_path / "f", TENSORS, METADATA)
    data = (tmp_path / "f").read_bytes()
    for n in range(len(data)):
        for bits in (0xFF, 0x01, 0x20):                 # 0x20: upper and lower case
            (tmp_path / "f").write_bytes(data[:n] + bytes([data[n] ^ bits]) + data[n + 1:])
            with pytest.raises(FormatError):
                load_tensors(tmp_path / "f")


def check_mutants(path, mutate, seed, count):
    save_tensors(path, TENSORS, METADATA)
    original = path.read_bytes()
    rng = np.random.default_rng(seed)
    for _ in range(count):
        mutant = mutate(original, rng)
        path.write_bytes(mutant)
        try:
            tensors, metadata = load_tensors(path, hashed=True)
        except FormatError:
            continue
        assert equal(tensors, TENSORS) and metadata == METADATA, mutant


def test_10000_mutants_are_equal_or_refused(tmp_path, mutate):
    check_mutants(tmp_path / "f", mutate, seed=0, count=10_000)


@pytest.mark.long
def test_200000_mutants_are_equal_or_refused(tmp_path, mutate):
    seed = int.from_bytes(os.urandom(4), "little")
    print("seed", seed)
    check_mutants(tmp_path / "f", mutate, seed, count=200_000)


HOSTILE = {
    "nothing": b"",
    "seven bytes": b"\0" * 7,
    "no header": craft(b""),
    "a header of 2^64 - 1 bytes": craft({}, length=2**64 - 1),
    "a header longer than the file": craft({}, length=3),
    "a header above 1 MiB": craft(b"{" + b" " * 2**20 + b"}"),
    "not an object": craft(b"[]"),
    "white space before the object": craft(b" {}"),
    "not UTF-8": craft(b'{"\xff":1}'),
    "not JSON": craft(b"{,}"),
    "two objects": craft(b"{}{}"),
    "a repeated tensor": craft(b'{"a":%b,"a":%b}' % ((json.dumps(entry()).encode(),) * 2), bytes(4)),
    "a repeated key": craft(b'{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "100,000 keys and the last one repeated": craft(
        b'{"a":{' + b",".join(b'"%x":0' % i for i in range(100_000)) + b',"1869f":0}}'),
    "a repeated metadata key": craft(b'{"__metadata__":{"a":"b","a":"b"}}'),
    "NaN": craft(b'{"a":NaN}'),
    "Infinity": craft(b'{"a":{"dtype":"F32","shape":[Infinity],"data_offsets":[0,4]}}', bytes(4)),
    "a fraction": craft({"a": entry(shape=(1.0,))}, bytes(4)),
    "an exponent": craft(b'{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}', bytes(4)),
    "true for a number": craft({"a": entry(shape=(True,))}, bytes(4)),
    "a number of 5000 digits": craft(b'{"a":{"dtype":"F32","shape":[%b],"data_offsets":[0,4]}}' % (b"9" * 5000)),
    "deep nesting": craft(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep lists": craft(b'{"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}"),
    "four levels": craft({"a": {**entry(), "shape": [[1]]}}, bytes(4)),
    "brackets hidden behind a quote": craft(b'{"\\"":{"a":[{"b":1}]}}'),
    "metadata that is a list": craft({"__metadata__": []}),
    "metadata that holds a number": craft({"__metadata__": {"a": 1}}),
    "metadata with a lone surrogate": craft({"__metadata__": {"a": "\ud800"}}),
    "an entry that is a number": craft({"a": 1}),
    "an entry without shape": craft({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)),
    "an entry with more keys": craft({"a": {**entry(), "x": 1}}, bytes(4)),
    "an unknown dtype": craft({"a": entry("F16", (2,))}, bytes(4)),
    "a dtype that is a list": craft({"a": entry(["F32"])}, bytes(4)),
    "a negative size": craft({"a": entry(shape=(-1,))}, bytes(4)),
    "sizes whose product overflows to 4 bytes": craft({"a": entry(shape=(2**32, 2**32, 1))}, bytes(4)),
    "sizes beyond 2^63 beside a zero": craft({"a": entry(shape=(0, 2**62, 2**62), offsets=(0, 0))}),
    "33 axes": craft({"a": entry(shape=(1,) * 33)}, bytes(4)),
    "sizes and offsets that disagree": craft({"a": entry(shape=(2,))}, bytes(4)),
    "one offset": craft({"a": {**entry(), "data_offsets": [4]}}, bytes(4)),
    "a negative offset": craft({"a": entry(offsets=(-4, 0))}, bytes(4)),
    "offsets that go back": craft({"a": entry(offsets=(4, 0))}, bytes(4)),
    "a gap at the start": craft({"a": entry(offsets=(4, 8))}, bytes(8)),
    "a hole": craft({"a": entry(), "b": entry(offsets=(8, 12))}, bytes(12)),
    "an overlap": craft({"a": entry(shape=(2,), offsets=(0, 8)), "b": entry(offsets=(4, 8))}, bytes(8)),
    "the same place twice": craft({"a": entry(), "b": entry()}, bytes(4)),
    "nothing inside something": craft({"a": entry(shape=(2,), offsets=(0, 8)),
                                       "b": entry(shape=(0,), offsets=(4, 4))}, bytes(8)),
    "too little data": craft({"a": entry()}, bytes(3)),
    "too much data": craft({"a": entry()}, bytes(5)),
    "a tensor of 2^60 bytes": craft({"a": entry(shape=(2**58,), offsets=(0, 2**60))}, bytes(4)),
    "a name with a line break": craft({"a\n": entry()}, bytes(4)),
    "an empty name": craft({"": entry()}, bytes(4)),
    "a name of 257 characters": craft({"a" * 257: entry()}, bytes(4)),
    "10,001 tensors": craft({f"{i}": entry("U8", (0,), (0, 0)) for i in range(10_001)}),
    "a bool that is 2": craft({"a": entry("BOOL", (1,), (0, 1))}, b"\2"),
    "a wrong checksum": craft({"__metadata__": {DIGEST: "0" * 64}}),
    "a checksum that is none": craft({"__metadata__": {DIGEST: ""}}),
    "our mark without a checksum": craft({"__metadata__": {files.WRITER: "1"}}),
    "gzip": b"\x1f\x8b\x08" + bytes(30),
    "pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_one_clear_error(tmp_path, data, memory_peak):
    path = tmp_path / "hostile"
    path.write_bytes(data)
    with memory_peak() as peak, pytest.raises(FormatError) as caught:
        load_tensors(path)
    error = caught.value
    assert error.path == str(path) and str(path) in str(error) and len(str(error)) < 600 and error.field
    assert peak.bytes < 2 * len(data) + (64 << 20)


LONG = 900_000                                          # bytes of header; a quadratic parser takes an hour for them
LONG_HEADERS = {
    "quotes outside a string": b"{" + b'\\"' * (LONG // 2) + b"}", "quotes": b"{" + b'"' * LONG + b"}",
    "a string without an end": b'{"' + b"a" * LONG + b"}", "backslashes": b'{"' + b"\\" * LONG + b"}",
    "a string of escapes": b'{"' + b'\\"' * (LONG // 2) + b'":1}',
    "half an escape": b'{"' + b"\\u" * (LONG // 2) + b'"}', "spaces": b"{" + b" " * LONG + b"x}",
    "brackets": b"{" + b"[]" * (LONG // 2) + b"}", "digits": b'{"a":' + b"9" * LONG + b"}",
    "a fraction": b'{"a":0.' + b"1" * LONG + b"}", "commas": b"{" + b"," * LONG + b"}",
    "keys": b"{" + b",".join(b'"%x":0' % i for i in range(LONG // 10)) + b"}",
    "colons": b"{" + b'"":' * (LONG // 3) + b"}",
}


def test_any_header_is_refused_in_linear_time(tmp_path):
    """13 headers of 0.9 MB: seconds in all, and the limit of a minute tells linear from quadratic on any machine."""
    for i, header in enumerate(LONG_HEADERS.values()):
        (tmp_path / f"{i}").write_bytes(craft(header))
    script = ("import pathlib, sys\nfrom minigrad.files import FormatError, load_tensors\n"
              "for path in pathlib.Path(sys.argv[1]).iterdir():\n"
              "    try: load_tensors(path)\n    except FormatError as error: assert len(str(error)) < 600\n"
              "    else: raise SystemExit(f'{path} is accepted')\n")
    subprocess.run([sys.executable, "-c", script, tmp_path], timeout=60, check=True,
                   cwd=os.path.dirname(os.path.dirname(files.__file__)))


def test_only_the_digits_of_the_checksum_itself_are_left_out_of_it(tmp_path):
    """A file whose metadata repeats the checksum, computed as if both were zeros, is not what it claims."""
    def header(first, second):
        return craft({"__metadata__": {DIGEST: first, "note": second}})

    digest = hashlib.sha256(header("0" * 64, "0" * 64)).hexdigest()
    (tmp_path / "f").write_bytes(header(digest, digest))
    with pytest.raises(FormatError, match=DIGEST):
        load_tensors(tmp_path / "f")
    digest = hashlib.sha256(header("0" * 64, "x")).hexdigest()
    (tmp_path / "f").write_bytes(header(digest, "x"))
    assert load_tensors(tmp_path / "f") == ({}, {"note": "x"})


def not_regular(folder):
    """Paths of what is there but is no regular file."""
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket"))
    os.symlink("fifo", folder / "link")
    os.symlink("b", folder / "a")
    os.symlink("a", folder / "b")                        # a circle
    return [folder / "fifo", folder / "socket", folder / "link", folder / "a", "/dev/null", "/dev/zero"]


@posix
def test_what_is_no_regular_file_is_neither_read_nor_replaced(tmp_path, monkeypatch):
    """Without waiting for a writer into the FIFO; the device's node, the FIFO and the links stay what they are."""
    monkeypatch.chdir(tmp_path)
    for path in not_regular(tmp_path):
        before = os.lstat(path)
        for act in (load_tensors, lambda path: save_tensors(path, TENSORS), idx.read,
                    lambda path: idx.write(path, np.zeros(3, np.uint8)), lambda path: files.load(path, None),
                    lambda path: download.fetch("https://minigrad.invalid/x", path, download.Pin(3, "0" * 64))):
            with pytest.raises(OSError, match="not a regular file|Too many levels|No such device or address"):
                act(path)
            assert os.path.samestat(os.lstat(path), before) and os.lstat(path).st_mode == before.st_mode
    with pytest.raises(IsADirectoryError):
        load_tensors(tmp_path)
    with pytest.raises(IsADirectoryError):
        save_tensors(tmp_path, TENSORS)
    assert not temporaries(tmp_path) and sorted(os.listdir(tmp_path)) == ["a", "b", "fifo", "link", "socket"]


@posix
def test_a_fifo_put_in_a_files_place_at_the_last_moment_is_not_waited_for(tmp_path):
    """What was looked at may be another thing when it is opened: opening must not wait for a writer, and look again."""
    os.mkfifo(tmp_path / "fifo")
    script = ("import os, sys\nfrom minigrad.files import load_tensors\n"
              "def stat(*_): raise FileNotFoundError\nos.stat = stat\n"
              "try: load_tensors(sys.argv[1])\nexcept OSError as error: print(error)\n")
    assert "not a regular file" in " ".join(run(script, tmp_path / "fifo", limit=30))


@posix
def test_a_link_to_a_file_stays_a_link(tmp_path):
    """Also one to a file that is not there yet, through other links, in another folder."""
    (tmp_path / "far").mkdir()
    os.symlink("far/f", tmp_path / "near")
    os.symlink("near", tmp_path / "link")
    for value in (0.0, 1.0):
        save_tensors(tmp_path / "link", {"a": np.array([value])})
        assert os.readlink(tmp_path / "link") == "near" and os.readlink(tmp_path / "near") == "far/f"
        assert load_tensors(tmp_path / "far" / "f")[0]["a"] == value
    assert sorted(os.listdir(tmp_path)) == ["far", "link", "near"] and os.listdir(tmp_path / "far") == ["f"]


def test_names_are_never_paths(tmp_path):
    names = ["../../escape", "/etc/passwd", "C:\\x", "a/b"]
    save_tensors(tmp_path / "f", {name: np.zeros(1) for name in names})
    assert set(load_tensors(tmp_path / "f")[0]) == set(names) and [p.name for p in tmp_path.iterdir()] == ["f"]


def test_loading_needs_no_more_memory_than_the_file(tmp_path, memory_peak):
    save_tensors(tmp_path / "f", {"a": np.zeros(1 << 22), "b": np.zeros(1 << 22, np.float32)})      # 48 MiB
    with memory_peak() as peak:
        load_tensors(tmp_path / "f")
    assert peak.bytes < (48 + 8) << 20
    with memory_peak() as peak:
        save_tensors(tmp_path / "f", {"a": np.zeros(1)})
    assert peak.bytes < 1 << 20


CLAIMS = """
import resource, sys
from minigrad.data import idx
from minigrad.files import FormatError, load_tensors
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    (idx.read if sys.argv[2] == "idx" else load_tensors)(sys.argv[1])
except FormatError:
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) // (1024 if sys.platform == "linux" else 1 << 20))
"""


@posix
@pytest.mark.parametrize("kind, data", [
    ("idx", b"\0\0\x08\x01" + (2**29).to_bytes(4, "big")),
    ("tensors", craft({"a": entry(shape=(2**26,), offsets=(0, 2**28))}))])
def test_a_size_that_is_only_claimed_costs_no_memory(tmp_path, kind, data):
    """512 MiB and 256 MiB are claimed; what the process really occupies grows by less than 16 MiB."""
    (tmp_path / "f").write_bytes(data)
    assert int(run(CLAIMS, tmp_path / "f", kind)[0]) < 16


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "nothing")


def test_the_package_never_runs_what_it_reads():
    """No pickle, marshal or shelve, no eval or exec, no unpacking of archives, no shell, anywhere in minigrad."""
    root, wrong = os.path.dirname(files.__file__), []
    for folder, _, names in os.walk(root):
        for path in (os.path.join(folder, name) for name in names if name.endswith(".py")):
            with open(path, encoding="utf-8") as file:
                tree = ast.parse(file.read())
            for node in ast.walk(tree):
                called = node.func if isinstance(node, ast.Call) else None
                said = ([alias.name for alias in node.names] if isinstance(node, ast.Import)
                        else [node.module] if isinstance(node, ast.ImportFrom)
                        else [called.id] if isinstance(called, ast.Name)
                        else [called.attr] if isinstance(called, ast.Attribute) and called.attr not in ("eval", "exec")
                        else [node.arg] if isinstance(node, ast.keyword) else [])
                wrong += [(path, word) for word in said if word in
                          ("pickle", "marshal", "shelve", "dill", "eval", "exec", "extractall", "system", "shell",
                           "allow_pickle")]
    assert not wrong


# --- a writer may fail or die at any moment

def temporaries(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


@posix
def test_the_mode_is_kept_and_a_link_followed(tmp_path):
    path, link = tmp_path / "f", tmp_path / "link"
    save_tensors(path, TENSORS)
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    path.chmod(0o640)
    link.symlink_to("f")
    save_tensors(link, {"a": np.ones(2)})
    assert path.stat().st_mode & 0o777 == 0o640 and link.is_symlink()
    assert load_tensors(path)[0]["a"].tolist() == [1, 1] and not temporaries(tmp_path)


@posix
def test_stale_temporaries_go_and_those_of_a_living_writer_stay(tmp_path):
    stale = tmp_path / ".f.0123456789abcdef.tmp"
    stale.write_bytes(b"left behind")
    living = str(tmp_path / f".f.{'0' * 16}.tmp")
    fd = files._open_locked(living)
    others = [tmp_path / name
              for name in (".g.0123456789abcdef.tmp", ".f.tmp", ".f.0123.tmp", "f.0123456789abcdef.tmp")]
    for path in others:
        path.touch()
    save_tensors(tmp_path / "f", TENSORS)
    assert not stale.exists() and os.path.exists(living) and all(path.exists() for path in others)
    os.close(fd)
    save_tensors(tmp_path / "f", TENSORS)
    assert not os.path.exists(living)


def test_many_writers_of_one_file(tmp_path):
    """Four threads save and a fifth reads: every state is one writer's whole file, and nothing is left over."""
    path = tmp_path / "f"
    save_tensors(path, {"a": np.zeros(5000)})
    errors = []

    def write(k):
        try:
            for i in range(25):
                save_tensors(path, {"a": np.full(5000, k + i / 100)})
        except Exception as error:                      # shown below; a thread would swallow it
            errors.append(error)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert np.ptp(load_tensors(path, hashed=True)[0]["a"]) == 0
    save_tensors(path, {})
    assert not errors and not temporaries(tmp_path)


CALLS = ["open", "write", "fsync", "fchmod", "replace", "close", "unlink", "stat", "flock"]


@posix
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EINTR, errno.EDQUOT])
def test_a_fault_at_every_system_call_leaves_the_old_or_the_new_file(tmp_path, monkeypatch, code):
    path, old, new = tmp_path / "f", {"a": np.zeros(1000)}, {"a": np.ones(1000), "b": np.arange(5)}
    calls, failing = [], [None]

    def faulty(name, real):
        def call(*arguments, **options):
            calls.append(name)
            if len(calls) - 1 in failing:
                if name == "close":
                    real(*arguments)                    # the number is free after an error, too
                raise OSError(code, os.strerror(code))
            return real(*arguments, **options)
        return call

    for name in CALLS:
        module = files.fcntl if name == "flock" else os
        monkeypatch.setattr(module, name, faulty(name, getattr(module, name)))

    def attempt(*which):
        """Save the new file over the old with the which-th calls failing -> the calls made, the error or None."""
        failing[:] = [None]
        save_tensors(path, old)
        (tmp_path / ".f.0123456789abcdef.tmp").touch()  # so that removing it is among the calls
        calls.clear()
        failing[:] = which
        error = None
        try:
            save_tensors(path, new)
        except OSError as caught:
            error = caught
        made = calls.copy()
        failing[:] = [None]
        return made, error

    made, error = attempt(None)
    assert error is None and set(made) == set(CALLS) and made.count("write") == 3
    for i in range(len(made)):
        for second in {None, i + 1, i + 2}:             # then also what cleans up after it
            done, error = attempt(i, second)
            tensors, _ = load_tensors(path, hashed=True)
            assert equal(tensors, old) if error and "replace" not in done[:i] else equal(tensors, new)
            if error:
                assert error.errno == code
            save_tensors(path, new)
            assert not temporaries(tmp_path) and equal(load_tensors(path)[0], new)


@posix
def test_the_bytes_are_on_the_disk_before_their_name_and_the_name_before_the_return(tmp_path, monkeypatch):
    """fsync of the very file after its last write and before os.replace; fsync of its folder after that."""
    events, real = [], {name: getattr(os, name) for name in ("write", "fsync", "replace")}

    def fsync(fd):
        events.append(("fsync", os.fstat(fd).st_ino))
        real["fsync"](fd)

    def write(fd, data):
        events.append(("write", os.fstat(fd).st_ino))
        return real["write"](fd, data)

    def replace(source, target):
        events.append(("replace", os.stat(source).st_ino))
        real["replace"](source, target)

    for function in (fsync, write, replace):
        monkeypatch.setattr(os, function.__name__, function)
    for save in (lambda path: save_tensors(path, TENSORS), lambda path: idx.write(path, np.zeros((3, 2), np.uint8))):
        events.clear()
        save(tmp_path / "f")
        file, folder = os.stat(tmp_path / "f").st_ino, tmp_path.stat().st_ino
        writes = [("write", file)] * (len(events) - 3)
        assert writes and events == [*writes, ("fsync", file), ("replace", file), ("fsync", folder)]


@posix
def test_a_fifo_planted_where_stale_files_are_looked_for_is_left_alone(tmp_path):
    planted = tmp_path / ".f.0123456789abcdef.tmp"
    os.mkfifo(planted)
    save_tensors(tmp_path / "f", TENSORS)
    assert planted.is_fifo() and equal(load_tensors(tmp_path / "f")[0], TENSORS)


@posix
def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    save_tensors(tmp_path / "f", TENSORS, METADATA)
    assert equal(load_tensors(tmp_path / "f")[0], TENSORS)


LIMITED = """
import resource, signal, sys, numpy as np
from minigrad.files import save_tensors, load_tensors
path = sys.argv[1]
save_tensors(path, {"a": np.zeros(10)})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_tensors(path, {"a": np.ones(100_000)})
except OSError as error:
    print(error.errno, load_tensors(path)[0]["a"].tolist())
"""

KILLED = """
import os, random, signal, sys, time, numpy as np
from minigrad.files import save_tensors, load_tensors
path, kills = sys.argv[1], int(sys.argv[2])
rng = random.Random(int(sys.argv[3]))
step, unreadable, lost = 0, 0, 0
save_tensors(path, {"a": np.full(50_000, 0.0)}, {"step": "0"})
for _ in range(kills):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        k = step
        while True:
            k += 1
            save_tensors(path, {"a": np.full(50_000, float(k))}, {"step": str(k)})
            os.write(writer, k.to_bytes(8, "little"))
    os.close(writer)
    done = int.from_bytes(os.read(reader, 8), "little")     # it is under way, however busy the machine
    time.sleep(rng.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while word := os.read(reader, 8):
        done = int.from_bytes(word, "little")
    os.close(reader)
    try:
        tensors, metadata = load_tensors(path, hashed=True)
    except ValueError:
        unreadable += 1
        continue
    step = int(metadata["step"])
    lost += not (step in (done, done + 1) and (tensors["a"] == step).all())
save_tensors(path, {})
print(kills, unreadable, lost, step, [name for name in os.listdir(os.path.dirname(path)) if name.endswith(".tmp")])
"""


@posix
def test_a_size_limit_of_the_system(tmp_path):
    assert int(run(LIMITED, tmp_path / "f")[0]) == errno.EFBIG
    assert load_tensors(tmp_path / "f")[0]["a"].tolist() == [0] * 10 and not temporaries(tmp_path)


@posix
@pytest.mark.parametrize("kills", [40, pytest.param(500, marks=pytest.mark.long)])
def test_kill_9_at_any_moment_leaves_a_whole_file(tmp_path, kills):
    done, unreadable, lost, steps, stale = run(KILLED, tmp_path / "f", kills, 0)
    assert (int(done), int(unreadable), int(lost)) == (kills, 0, 0)
    assert int(steps) >= kills / 2 and stale.strip() == "[]"


def test_an_interrupt_between_any_two_steps_of_a_save_leaves_one_whole_file(tmp_path):
    """KeyboardInterrupt before every instruction of the writing, one at a time (but NOP: no signal is seen there)."""
    path, left = tmp_path / "file", 0

    def interrupt(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename != files.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_code.co_code[frame.f_lasti] != opcode.opmap["NOP"]:
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return interrupt

    save_tensors(path, {"a": np.zeros(3)})
    tracer, interrupted, moments = sys.gettrace(), True, 0
    while interrupted:
        moments += 1
        left = moments
        try:
            sys.settrace(interrupt)
            files.write_atomically(path, [b"new"])
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        finally:
            sys.settrace(tracer)
        assert os.listdir(tmp_path) == ["file"], moments
    assert path.read_bytes() == b"new" and moments > 200
