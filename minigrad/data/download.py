"""Checked downloads: a file is what its pinned size and SHA-256 say, or it is not used.

Only https. The bytes go to `<path>.part` beside the file and are moved into place when they are complete and right; an
interrupted download is taken up again where the server allows it, and begun anew if the result is wrong. Whatever a
server does, every try ends: `connect` + `silence` seconds and 1 MiB for an answer's headers, then `silence` seconds and
the time that SLOWEST allows for the file.
Nothing here touches the network unless a file is missing and offline use was not asked for.
"""
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import math
import os
import time
from collections.abc import Sequence
from typing import Any

from minigrad.arguments import count, number
from minigrad.files import CHUNK, FormatError, check_regular, open_regular
from minigrad.typing import FilePath

CONNECT, SILENCE = 10, 60                               # seconds: to connect; without a byte
SLOWEST = 10_000                                        # bytes per second; whoever is slower on the whole is given up
HEADERS = 1 << 20                                       # bytes
TRIES = 3                                               # per address
OFFLINE = "MINIGRAD_OFFLINE"                            # environment variable: set and not 0, no download is tried


@dataclasses.dataclass(frozen=True)
class Pin:
    """What a file must be. source: who published these numbers."""
    size: int
    sha256: str
    md5: str | None = None
    source: str = ""


class DownloadError(OSError):
    """A file could not be had. `attempts` says for each try what went wrong."""
    path: str
    attempts: list[Any]

    def __init__(self, path: FilePath, attempts: Any) -> None:
        self.path, self.attempts = os.fspath(path), list(attempts)
        super().__init__(path, attempts)

    def __str__(self) -> str:
        return (f"{self.path} could not be downloaded:\n  " + "\n  ".join(self.attempts)
                + f"\nYou can put the file there yourself, or set {OFFLINE}=1 to see at once what is missing.")


def check(path: FilePath, pin: Any) -> None:
    """Raise FormatError unless the file has the pinned size and hashes."""
    hashes = {"SHA-256": (hashlib.sha256(), pin.sha256)}
    if pin.md5:
        hashes["MD5"] = (hashlib.md5(usedforsecurity=False), pin.md5)      # what the authors publish
    with open(open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != pin.size:
            raise FormatError(path, "size", f"{pin.size} bytes",
                              f"{size}; remove the file if it should be downloaded anew")
        while data := file.read(CHUNK):
            for computed, _ in hashes.values():
                computed.update(data)
    for name, (computed, expected) in hashes.items():
        if computed.hexdigest() != expected:
            raise FormatError(path, name, expected,
                              f"{computed.hexdigest()}; remove the file if it should be downloaded anew")


def fetch(urls: Sequence[str], path: FilePath, pin: Any, offline: bool | None = None,
          loopback: bool = False, connect: float = CONNECT, silence: float = SILENCE, tries: int = TRIES,
          pause: float = 1.0) -> str:
    """Make sure that `path` is the pinned file; download it from the first of `urls` that gives it. Returns path.

    A file that is there and right is used without any network; one that is there and wrong is a FormatError and stays.
    offline: True: never download; None: as the environment variable MINIGRAD_OFFLINE says.
    loopback: also allow http to this machine (for tests). connect, silence: time-outs in seconds. tries: per address,
    `pause` seconds between them, doubled each time; a refusal (403, 404) is not tried again.
    Processes that want the same file wait for one another. Raises FormatError, DownloadError, FileNotFoundError, and
    OSError where path, path.part or path.lock is there and no regular file.
    """
    urls = (urls,) if isinstance(urls, str) else tuple(urls)
    connect, silence = (number("fetch", name, value, "(0, inf)")
                        for name, value in (("connect", connect), ("silence", silence)))
    tries, pause = count("fetch", "tries", tries), number("fetch", "pause", pause, "[0, inf)")
    if os.path.exists(path):
        check(path, pin)
        return path
    if os.path.lexists(path):                           # a link to nothing
        check_regular(path, os.lstat(path).st_mode)
    if offline is None:
        offline = os.environ.get(OFFLINE, "0") not in ("", "0")
    if offline:
        raise FileNotFoundError(f"{path} is missing and offline use was asked for; to be had from {', '.join(urls)}")
    for url in urls:
        _address(url, loopback)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with _locked(f"{path}.lock"):
        if os.path.exists(path):                        # another process was quicker
            check(path, pin)
            return path
        part, attempts = f"{path}.part", []
        if _is_whole(part, pin):                           # the end came between the last byte and the move
            os.replace(part, path)
            return path
        for url in urls:
            for i in range(tries):
                if i:
                    time.sleep(pause * 2 ** (i - 1))
                try:
                    _one_request(url, part, path, pin, loopback, connect, silence)
                    return path
                except _FinalRefusal as refusal:
                    attempts.append(f"{url}: {refusal}")
                    break
                except (OSError, FormatError) as error:
                    attempts.append(f"{url}: {error or type(error).__name__}")
        raise DownloadError(path, attempts)


class _FinalRefusal(Exception):
    """The server's answer will not be another one next time."""


def _one_request(url, part, path, pin, loopback, connect, silence):
    """One request. Goes on with what is in `part`; leaves there what came, unless that is known to be wrong."""
    have = _size(part)
    with _answer(url, have, loopback, connect, silence) as answer:
        resumed = answer.status == 206
        if resumed and not (have and _resumes(answer.headers.get("Content-Range", ""), have, pin.size)):
            _remove(part)
            raise OSError(f"asked for the bytes from {have} on, got {answer.headers.get('Content-Range')!r}")
        have = have if resumed else 0
        kind = answer.headers.get("Content-Type", "no type")
        if answer.length not in (None, pin.size - have):
            raise _FinalRefusal(f"announces {answer.length} bytes ({kind}), expected {pin.size - have}")
        answer.bound.begin(silence + (pin.size - have) / SLOWEST, f"slower than {SLOWEST} bytes per second")
        if not resumed:
            _remove(part)                               # never into what another name leads to
        flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | (os.O_APPEND if resumed else os.O_CREAT | os.O_EXCL)
        with open(open_regular(part, flags), "ab" if resumed else "wb") as file:
            while have < pin.size:                      # more than that is not even looked at
                data = answer.read1(min(CHUNK, pin.size - have))
                if not data:
                    raise OSError(f"the connection ended after {have} of {pin.size} bytes ({kind})")
                file.write(data)
                have += len(data)
            file.flush()
            os.fsync(file.fileno())
    try:
        check(part, pin)
    except FormatError as error:                        # nothing of it can be trusted
        _remove(part)
        said = f"wrong {error.field}: expected {error.expected}, found {error.found.partition(';')[0]} ({kind})"
        raise (OSError if resumed else _FinalRefusal)(said) from None     # a resumed one may be right when begun anew
    os.replace(part, path)


def _size(part):
    """How many bytes an earlier try has left; 0 where they have another name too, under which they must not grow."""
    try:
        status = os.lstat(part)
    except FileNotFoundError:
        return 0
    check_regular(part, status.st_mode)
    return status.st_size if status.st_nlink == 1 else 0


def _is_whole(part, pin):
    """Is `part` the whole file? If it is as long or longer, and wrong, it is removed."""
    if _size(part) < pin.size:
        return False
    try:
        check(part, pin)
    except FormatError:
        _remove(part)
        return False
    return True


def _remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _resumes(content_range, have, size):
    """'bytes 100-999/1000' begins where we stopped and is of a file of the right size."""
    unit, _, rest = content_range.partition(" ")
    span, _, total = rest.partition("/")
    return unit == "bytes" and span.partition("-")[0] == str(have) and total in (str(size), "*")


class _Allowance:
    """Until when, and how many bytes may come: of the headers, then (`begin`) of the file."""

    def __init__(self, seconds, size):
        self.begin(seconds, "timed out: no answer in time", size)

    def begin(self, seconds, words, size=math.inf):
        self.deadline, self.words, self.left = time.monotonic() + seconds, words, size


class _BoundedReader(io.RawIOBase):
    """What comes from a socket, within its _Allowance.

    A time-out alone would not do: a server that sends a byte now and then never runs into it.
    """

    def __init__(self, raw, sock, silence, bound):
        self.raw, self.sock, self.silence, self.bound = raw, sock, silence, bound

    def readable(self):
        return True

    def readinto(self, buffer):
        left = self.bound.deadline - time.monotonic()
        if left <= 0:
            raise OSError(self.bound.words)
        if self.bound.left <= 0:
            raise OSError(f"more than {HEADERS} bytes of headers")
        self.sock.settimeout(min(self.silence, left))
        try:
            n = self.raw.readinto(buffer)
        except TimeoutError:
            raise OSError(self.bound.words if left < self.silence else "timed out") from None
        self.bound.left -= n or 0
        return n

    def close(self):
        self.raw.close()
        super().close()


@contextlib.contextmanager
def _answer(url, have, loopback, connect, silence):
    """The server's answer (200 or 206) to a request for the bytes from `have` on, after at most five redirections.

    Its `bound` is what further reading is subject to.
    """
    import http.client
    import urllib.parse

    for _ in range(6):
        scheme, host, port, target = _address(url, loopback)
        connection = _connection(scheme, host, port, connect)
        bound = _Allowance(connect + silence, HEADERS)

        def bounded(sock, *arguments, bound=bound, **options):
            answer = http.client.HTTPResponse(sock, *arguments, **options)
            answer.fp = io.BufferedReader(_BoundedReader(answer.fp.detach(), sock, silence, bound))
            return answer

        connection.response_class = bounded             # for the proxy's answer too
        try:
            try:
                connection.connect()
                connection.sock.settimeout(silence)
                headers = {"Accept-Encoding": "identity", "User-Agent": "minigrad"}
                if have:
                    headers["Range"] = f"bytes={have}-"
                connection.request("GET", target, headers=headers)
                answer = connection.getresponse()
            except ValueError as error:                 # a host that is no name: an address's length, its characters
                raise _FinalRefusal(f"{host:.80} cannot be asked: {error}") from None
            if answer.status in (301, 302, 303, 307, 308):
                location = answer.headers.get("Location", "")
                try:                                    # bytes in an address are those of the header, as browsers do
                    url = urllib.parse.urljoin(url, _ascii(location, "iso-8859-1"))
                    _address(url, loopback)
                except ValueError:
                    raise _FinalRefusal(f"redirects to {location!r:.200}") from None
                continue
            if answer.status == 416:                    # what we have is of no use there
                have = 0
                continue
            if 400 <= answer.status < 500 and answer.status not in (408, 429):
                raise _FinalRefusal(f"{answer.status} {answer.reason}")
            if answer.status not in (200, 206):
                raise OSError(f"{answer.status} {answer.reason}")
            answer.bound = bound
            yield answer
            return
        except http.client.HTTPException as error:
            raise OSError(f"not an answer in HTTP: {error!r:.200}") from None
        finally:
            connection.close()
    raise _FinalRefusal("too many redirections")


def _address(url, loopback):
    """scheme, host, port, target; only https, and with loopback http to this machine. Raises ValueError."""
    import urllib.parse

    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:                         # brackets without an end, a port that is no number
        raise ValueError(f"fetch: {url!r:.200} is no address: {error}") from None
    here = loopback and parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost")
    if not host or not (parts.scheme == "https" or here):
        raise ValueError(f"fetch: an address must begin with https://, got {url!r}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port, _ascii(target)


def _ascii(address, encoding="utf-8"):
    """An address with its spaces and letters beyond ASCII written as %xx."""
    import string
    import urllib.parse

    return urllib.parse.quote(address, safe=string.punctuation, encoding=encoding)


def _connection(scheme, host, port, connect):
    """A connection not yet made, through the proxy that the environment names (with its user and password)."""
    import base64
    import http.client
    import urllib.parse
    import urllib.request

    if scheme == "http":                                # this machine
        return http.client.HTTPConnection(host, port, timeout=connect)
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(host):
        return http.client.HTTPSConnection(host, port, timeout=connect)
    try:
        parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
        usable = parts.hostname and parts.scheme in ("", "http", "https") and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:                                      # without its text, which may hold a password
        raise _FinalRefusal("the proxy that the environment names for https is no http://host:port")
    headers = {}
    if parts.username is not None:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=connect)
    connection.set_tunnel(host, port, headers)
    return connection


@contextlib.contextmanager
def _locked(path):
    """Hold an exclusive lock between processes; it ends with its process. The empty file stays."""
    fd = open_regular(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        try:
            import fcntl
            fcntl.flock(fd, fcntl.LOCK_EX)
        except ImportError:                             # Windows
            import msvcrt
            while True:
                with contextlib.suppress(OSError):      # gives up after ten seconds, so ask again
                    msvcrt.locking(fd, msvcrt.LK_LOCK, 1)
                    break
        yield
    finally:
        os.close(fd)
