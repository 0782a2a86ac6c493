"""Checked downloads: a file is what its pinned size and SHA-256 say, or it is not used.

Only https. The bytes go to `<path>.part` beside the file and are moved into place when they are complete and right; an
interrupted download is taken up again where the server allows it, and begun anew if the result is wrong.
Nothing here touches the network unless a file is missing and offline use was not asked for.
"""
import contextlib
import dataclasses
import hashlib
import os
import time

from minigrad.files import CHUNK, FormatError

CONNECT, SILENCE = 10, 60                               # seconds: to connect; without a byte
SLOWEST = 10_000                                        # bytes per second; whoever is slower on the whole is given up
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

    def __init__(self, path, attempts):
        self.path, self.attempts = os.fspath(path), list(attempts)
        super().__init__(path, attempts)

    def __str__(self):
        return (f"{self.path} could not be downloaded:\n  " + "\n  ".join(self.attempts)
                + f"\nYou can put the file there yourself, or set {OFFLINE}=1 to see at once what is missing.")


def check(path, pin):
    """Raise FormatError unless the file has the pinned size and hashes."""
    size = os.path.getsize(path)
    if size != pin.size:
        raise FormatError(path, "size", f"{pin.size} bytes", f"{size}; remove the file if it should be downloaded anew")
    hashes = {"SHA-256": (hashlib.sha256(), pin.sha256)}
    if pin.md5:
        hashes["MD5"] = (hashlib.md5(usedforsecurity=False), pin.md5)      # what the authors publish
    with open(path, "rb") as file:
        while data := file.read(CHUNK):
            for computed, _ in hashes.values():
                computed.update(data)
    for name, (computed, expected) in hashes.items():
        if computed.hexdigest() != expected:
            raise FormatError(path, name, expected,
                              f"{computed.hexdigest()}; remove the file if it should be downloaded anew")


def fetch(urls, path, pin, offline=None, loopback=False, connect=CONNECT, silence=SILENCE, tries=TRIES, pause=1.0):
    """Make sure that `path` is the pinned file; download it from the first of `urls` that gives it. Returns path.

    A file that is there and right is used without any network; one that is there and wrong is a FormatError and stays.
    offline: True: never download; None: as the environment variable MINIGRAD_OFFLINE says.
    loopback: also allow http to this machine (for tests). connect, silence: time-outs in seconds. tries: per address,
    `pause` seconds between them, doubled each time; a refusal (403, 404) is not tried again.
    Processes that want the same file wait for one another. Raises FormatError, DownloadError, FileNotFoundError.
    """
    urls = (urls,) if isinstance(urls, str) else tuple(urls)
    if os.path.exists(path):
        check(path, pin)
        return path
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
        for url in urls:
            for i in range(tries):
                if i:
                    time.sleep(pause * 2 ** (i - 1))
                try:
                    _try(url, part, path, pin, loopback, connect, silence)
                    return path
                except _Refused as refusal:
                    attempts.append(f"{url}: {refusal}")
                    break
                except (OSError, FormatError) as error:
                    attempts.append(f"{url}: {error or type(error).__name__}")
        raise DownloadError(path, attempts)


class _Refused(Exception):
    """The server's answer will not be another one next time."""


def _try(url, part, path, pin, loopback, connect, silence):
    """One request. Goes on with what is in `part`; leaves there what came, unless that is known to be wrong."""
    have = os.path.getsize(part) if os.path.exists(part) else 0
    if have >= pin.size:
        have = 0
    deadline = time.monotonic() + silence + pin.size / SLOWEST
    with _answer(url, have, loopback, connect, silence) as answer:
        resumed = answer.status == 206
        if resumed and not (have and _resumes(answer.headers.get("Content-Range", ""), have, pin.size)):
            _remove(part)
            raise OSError(f"asked for the bytes from {have} on, got {answer.headers.get('Content-Range')!r}")
        have = have if resumed else 0
        kind = answer.headers.get("Content-Type", "no type")
        if answer.length not in (None, pin.size - have):
            raise _Refused(f"announces {answer.length} bytes ({kind}), expected {pin.size - have}")
        with open(part, "ab" if resumed else "wb") as file:
            while have < pin.size:                      # more than that is not even looked at
                data = answer.read1(min(CHUNK, pin.size - have))
                if not data:
                    raise OSError(f"the connection ended after {have} of {pin.size} bytes ({kind})")
                file.write(data)
                have += len(data)
                if time.monotonic() > deadline:
                    raise OSError(f"slower than {SLOWEST} bytes per second")
            file.flush()
            os.fsync(file.fileno())
    try:
        check(part, pin)
    except FormatError as error:                        # nothing of it can be trusted
        _remove(part)
        said = f"wrong {error.field}: expected {error.expected}, found {error.found.partition(';')[0]} ({kind})"
        raise (OSError if resumed else _Refused)(said) from None     # a resumed one may be right when begun anew
    os.replace(part, path)


def _remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _resumes(content_range, have, size):
    """'bytes 100-999/1000' begins where we stopped and is of a file of the right size."""
    unit, _, rest = content_range.partition(" ")
    span, _, total = rest.partition("/")
    return unit == "bytes" and span.partition("-")[0] == str(have) and total in (str(size), "*")


@contextlib.contextmanager
def _answer(url, have, loopback, connect, silence):
    """The server's answer (200 or 206) to a request for the bytes from `have` on, after at most five redirections."""
    import http.client
    import urllib.parse

    for _ in range(6):
        scheme, host, port, target = _address(url, loopback)
        connection = _connection(scheme, host, port, connect)
        try:
            connection.connect()
            connection.sock.settimeout(silence)
            headers = {"Accept-Encoding": "identity", "User-Agent": "minigrad"}
            if have:
                headers["Range"] = f"bytes={have}-"
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308):
                url = urllib.parse.urljoin(url, answer.headers.get("Location", ""))
                try:
                    _address(url, loopback)
                except ValueError:
                    raise _Refused(f"redirects to {url!r:.200}") from None
                continue
            if answer.status == 416:                    # what we have is of no use there
                have = 0
                continue
            if 400 <= answer.status < 500 and answer.status not in (408, 429):
                raise _Refused(f"{answer.status} {answer.reason}")
            if answer.status not in (200, 206):
                raise OSError(f"{answer.status} {answer.reason}")
            yield answer
            return
        except http.client.HTTPException as error:
            raise OSError(f"not an answer in HTTP: {error!r:.200}") from None
        finally:
            connection.close()
    raise _Refused("too many redirections")


def _address(url, loopback):
    """scheme, host, port, target; only https, and with loopback http to this machine"""
    import urllib.parse

    parts = urllib.parse.urlsplit(url)
    here = loopback and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or here):
        raise ValueError(f"fetch: an address must begin with https://, got {url!r}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, parts.hostname, parts.port, target


def _connection(scheme, host, port, connect):
    """A connection not yet made, through the proxy that the environment names."""
    import http.client
    import urllib.parse
    import urllib.request

    if scheme == "http":                                # this machine
        return http.client.HTTPConnection(host, port, timeout=connect)
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(host):
        return http.client.HTTPSConnection(host, port, timeout=connect)
    parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=connect)
    connection.set_tunnel(host, port)
    return connection


@contextlib.contextmanager
def _locked(path):
    """Hold an exclusive lock between processes; it ends with its process. The empty file stays."""
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
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
