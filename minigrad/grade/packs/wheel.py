"""minigrad as a wheel that fits every machine: Python only, the kernels as their NumPy definitions.

A wheel with compiled kernels fits one kind of machine and one version of Python, and whoever packs an assignment does
not sit at the one that grades it. The numbers are the same to rounding; the arrays of an assignment are small.
"""
import base64
import hashlib
import io
import zipfile
from pathlib import Path

from minigrad import __version__

PACKAGE = Path(__file__).resolve().parents[2]
LEFT_OUT = {PACKAGE / "data" / "files"}                   # 12 MB of pictures; no assignment reads them
METADATA = f"Metadata-Version: 2.1\nName: minigrad-book\nVersion: {__version__}\nRequires-Python: >=3.11\n" \
           "Requires-Dist: numpy>=2\n"
TAGS = "Wheel-Version: 1.0\nGenerator: minigrad.grade\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel() -> tuple[str, bytes]:
    """(the file's name, its bytes) of this minigrad."""
    files = {f"minigrad/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
             for path in sorted(PACKAGE.rglob("*"))
             if path.is_file() and path.suffix not in (".so", ".pyd") and "__pycache__" not in path.parts
             and LEFT_OUT.isdisjoint(path.parents)}
    info = f"minigrad_book-{__version__}.dist-info"
    files |= {f"{info}/METADATA": METADATA.encode(), f"{info}/WHEEL": TAGS.encode()}
    record = [f"{name},sha256={digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode() + b"\n"
    return f"minigrad_book-{__version__}-py3-none-any.whl", archive(files)


def digest(data: bytes) -> str:
    """As RECORD wants it: SHA-256 in base64 for addresses, without the padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def archive(files: dict[str, bytes | str]) -> bytes:
    """A zip of name -> content, the same bytes every time. What begins with #! can be executed when unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as into:
        for name, data in sorted(files.items()):
            data = data.encode() if isinstance(data, str) else data
            entry = zipfile.ZipInfo(name)                                  # dated 1980
            entry.create_system = 3                                        # Unix: only then do the rights below count
            entry.external_attr = (0o100755 if data[:2] == b"#!" else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            into.writestr(entry, data)
    return buffer.getvalue()
