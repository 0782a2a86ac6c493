"""Downloads against a server on this machine that does everything wrong that a server can do."""
import base64
import hashlib
import http.server
import importlib
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import minigrad
from minigrad.data import download, fashion_mnist, idx
from minigrad.data.download import DownloadError, Pin, fetch
from minigrad.files import FormatError

GOOD = np.random.default_rng(0).bytes(50_000)
WRONG = GOOD[:-1] + b"x"
PIN = Pin(len(GOOD), hashlib.sha256(GOOD).hexdigest(), hashlib.md5(GOOD).hexdigest())
FAST = {"loopback": True, "connect": 1, "silence": 0.3, "pause": 0}


@pytest.fixture
def server():
    """A server whose `answers` are functions of the request handler, one for each request, the last for all others."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            served.requests.append((self.path, self.headers.get("Range")))
            answer = served.answers.pop(0) if len(served.answers) > 1 else served.answers[0]
            answer(self)
            self.close_connection = True

        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):    # the client hung up: wanted here
            pass

    with Server(("127.0.0.1", 0), Handler) as served:
        served.requests, served.answers = [], [send()]
        served.url = f"http://127.0.0.1:{served.server_port}/file"
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def send(data=GOOD, status=200, length=True, stall=False, kind="application/x-gzip", **headers):
    """An answer that sends data, announces its length (or another number, or none), and may then fall silent."""
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        if length is not False:
            handler.send_header("Content-Length", str(len(data) if length is True else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)
        handler.wfile.flush()
        if stall:
            time.sleep(0.6)
    return answer


def ranged(data=GOOD, says=None):
    """An answer that honours Range."""
    def answer(handler):
        begin = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        if begin == 0:
            return send(data)(handler)
        return send(data[begin:], 206, Content_Range=says or f"bytes {begin}-{len(data) - 1}/{len(data)}")(handler)
    return answer


def get(server, path, **options):
    return fetch(server.url, path, PIN, **{**FAST, **options})


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "deep" / "file.gz")


def content(path):
    return pathlib.Path(path).read_bytes()


def only(path, *others):
    """The folder holds the file, its lock and `others`."""
    return sorted(os.listdir(os.path.dirname(path))) == sorted(["file.gz", "file.gz.lock", *others])


def test_a_download_and_then_the_cache(server, path):
    assert get(server, path) == path and content(path) == GOOD and only(path)
    get(server, path)
    get(server, path, offline=True)
    assert server.requests == [("/file", None)]


@pytest.mark.parametrize("answer", [send(length=False), send(length=False, stall=True),
                                    send(GOOD + b"more", length=False)])
def test_without_an_announced_length_the_hash_decides(server, path, answer):
    server.answers = [answer]
    get(server, path)
    assert content(path) == GOOD and len(server.requests) == 1


@pytest.mark.parametrize("broken", [send(GOOD[:20_000], length=50_000), send(GOOD[:20_000], length=False),
                                    send(GOOD[:20_000], length=50_000, stall=True)],
                         ids=["truncated", "truncated, no length", "stalls"])
def test_an_interrupted_download_goes_on(server, path, broken):
    server.answers = [broken, ranged()]
    get(server, path)
    assert content(path) == GOOD and only(path)
    assert server.requests == [("/file", None), ("/file", "bytes=20000-")]


def test_an_interrupted_download_goes_on_in_a_later_call(server, path):
    server.answers = [send(GOOD[:20_000], length=50_000)]
    with pytest.raises(DownloadError, match="20000 of 50000"):
        get(server, path, tries=1)
    assert os.path.getsize(f"{path}.part") == 20_000 and not os.path.exists(path)
    server.answers = [ranged()]
    get(server, path)
    assert server.requests[-1][1] == "bytes=20000-" and only(path)


def test_a_server_that_ignores_range_is_read_from_the_start(server, path):
    server.answers = [send(GOOD[:20_000], length=50_000), send()]
    get(server, path)
    assert content(path) == GOOD


@pytest.mark.parametrize("second", [ranged(says="bytes 10000-49999/50000"), ranged(says="bytes 20000-39999/40000"),
                                    ranged(says="nonsense"), ranged(WRONG), send(b"", 416)])
def test_a_wrong_continuation_begins_anew(server, path, second):
    server.answers = [send(GOOD[:20_000], length=50_000), second, ranged()]
    get(server, path)
    assert content(path) == GOOD and only(path) and server.requests[-1] == ("/file", None)


def test_a_wrong_part_from_elsewhere_is_thrown_away(server, path):
    os.makedirs(os.path.dirname(path))
    for size in (100, 50_000, 60_000):
        pathlib.Path(f"{path}.part").write_bytes(bytes(size))
        server.answers = [ranged()]
        get(server, path)
        assert content(path) == GOOD and only(path)
        os.unlink(path)


REFUSALS = {
    "403": (send(b"no", 403), 1, "403"), "404": (send(b"no", 404), 1, "404"),
    "HTML": (send(b"<html>please log in</html>", kind="text/html"), 1, "text/html"),
    "HTML of the right length": (send(b"<" * 50_000, kind="text/html"), 1, "wrong SHA-256.*text/html"),
    "one wrong byte": (send(WRONG), 1, "wrong SHA-256"),
    "too long": (send(GOOD + b"x"), 1, "50001 bytes"), "too short": (send(GOOD[:-1]), 1, "49999 bytes"),
    "a length of 1 TB": (send(b"x", length=10**12), 1, "1000000000000"),
    "an endless redirection": (send(b"", 302, Location="/again"), 6, "redirections"),
    "to http elsewhere": (send(b"", 302, Location="http://example.org/"), 1, "redirects to 'http://example.org/'"),
    "to a file": (send(b"", 301, Location="file:///etc/passwd"), 1, "redirects to 'file"),
    "500": (send(b"", 500), 3, "500"), "429": (send(b"", 429), 3, "429"),
    "no HTTP": (lambda handler: handler.wfile.write(b"\x16\x03\x01 nonsense\r\n\r\n"), 3, "not an answer in HTTP"),
    "nothing": (lambda handler: None, 3, "Remote end closed"),
    "silence": (lambda handler: time.sleep(0.6), 3, "timed out"),
    "an unasked part": (send(GOOD[5:], 206, Content_Range="bytes 5-49999/50000"), 3, "got 'bytes 5"),
}


@pytest.mark.parametrize("answer, requests, words", REFUSALS.values(), ids=REFUSALS.keys())
def test_what_is_wrong_is_never_used(server, path, answer, requests, words):
    server.answers = [answer]
    with pytest.raises(DownloadError, match=words) as caught:
        get(server, path)
    assert not os.path.exists(path) and len(server.requests) == requests
    assert path in str(caught.value) and server.url in caught.value.attempts[0]


def test_the_next_mirror_is_asked(server, path):
    server.answers = [send(b"", 404), send(WRONG), send()]
    base = server.url
    fetch([f"{base}1", f"{base}2", f"{base}3"], path, PIN, **FAST)
    assert [where for where, _ in server.requests] == ["/file1", "/file2", "/file3"]
    assert content(path) == GOOD


def test_a_redirection_is_followed(server, path):
    server.answers = [send(b"", 302, Location="/elsewhere?a=b"), send()]
    get(server, path)
    assert server.requests[-1][0] == "/elsewhere?a=b"


def raw(*pieces, pause=0.0, times=10**6):
    """An answer byte for byte: the first pieces once, the last one again and again, `pause` seconds in between."""
    def answer(handler):
        for piece in pieces[:-1]:
            handler.wfile.write(piece)
        for _ in range(times):
            handler.wfile.write(pieces[-1])
            handler.wfile.flush()
            time.sleep(pause)
    return answer


SLOW_OR_ENDLESS = {
    "a byte now and then, before the status": raw(b"H", pause=0.1),
    "a byte now and then, of a header": raw(b"HTTP/1.1 200 OK\r\nX: ", b"x", pause=0.1),
    "100 Continue now and then": raw(b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.1),
    "100 Continue without end": raw(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"),
    "a header without end": raw(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
    "headers without end": raw(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "chunks of one byte": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause=0.1),
    "a chunk's size without end": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0", pause=0.1),
    "a body of one byte now and then": raw(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pause=0.1),
}


@pytest.mark.parametrize("answer", SLOW_OR_ENDLESS.values(), ids=SLOW_OR_ENDLESS.keys())
def test_an_answer_that_does_not_end_is_given_up_and_the_next_mirror_asked(server, path, monkeypatch, answer):
    """Each byte comes well within the time-out of 0.3 s: that alone never ends."""
    monkeypatch.setattr(download, "SLOWEST", 500_000)   # 0.1 s for the file
    server.answers = [answer, send()]
    start = time.monotonic()
    fetch([f"{server.url}1", f"{server.url}2"], path, PIN, **FAST | {"connect": 0.5, "tries": 1})
    assert [where for where, _ in server.requests] == ["/file1", "/file2"] and content(path) == GOOD
    assert time.monotonic() - start < 10                # at most 0.8 s in fact


REDIRECTIONS = {
    "letters": "/é", "brackets": "http://[::1/", "a port": "http://127.0.0.1:port/",
    "a large port": "//127.0.0.1:99999/x", "no host": "http:///x", "a long label": "https://" + "a" * 70 + ".invalid/",
    "a control character": "/a\x7fb",
    "nothing": "", "spaces": "/a b", "another scheme": "gopher://127.0.0.1/",
}


@pytest.mark.parametrize("location", REDIRECTIONS.values(), ids=REDIRECTIONS.keys())
def test_a_redirection_to_no_address_is_followed_by_the_next_mirror(server, path, location):
    def redirect(handler):
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n")

    missing = send(b"", 404)
    good = send()
    server.answers = [lambda handler: {"/file1": redirect, "/file2": good}.get(handler.path, missing)(handler)]
    fetch([f"{server.url}1", f"{server.url}2"], path, PIN, **FAST)
    assert content(path) == GOOD and server.requests[0][0] == "/file1" and server.requests[-1][0] == "/file2"
    os.unlink(path)
    with pytest.raises(DownloadError):
        fetch(f"{server.url}1", path, PIN, **FAST)


def test_a_redirection_beyond_ascii_is_followed_as_browsers_do(server, path):
    def redirect(handler):
        handler.wfile.write("HTTP/1.1 302 Found\r\nLocation: /é a?b=ü%20\r\nContent-Length: 0\r\n\r\n".encode())

    server.answers = [redirect, send()]
    get(server, path)
    assert server.requests[-1][0] == "/%C3%A9%20a?b=%C3%BC%20" and content(path) == GOOD
    os.unlink(path)
    server.answers = [send()]
    fetch(server.url + "/é", path, PIN, **FAST)
    assert server.requests[-1][0] == "/file/%C3%A9"


@pytest.fixture
def proxy():
    """A proxy that notes what it was asked, and answers with the bytes of `answer`, `pause` seconds apart."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        state = type("Proxy", (), {"asked": [], "answer": [b"HTTP/1.1 502 no\r\n\r\n"], "pause": 0.0})
        state.host = f"127.0.0.1:{listening.getsockname()[1]}"

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    asked = b""
                    while b"\r\n\r\n" not in asked:
                        asked += connection.recv(4096)
                    state.asked.append(asked.decode())
                    try:
                        for piece in state.answer:
                            connection.sendall(piece)
                            time.sleep(state.pause)
                    except OSError:                     # hung up
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield state
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def test_a_proxys_credentials_are_sent_and_never_shown(proxy, path, monkeypatch):
    for user, sent in (("", None), ("user:pa%40ss%3A@", "user:pa@ss:"), ("user@", "user:")):
        monkeypatch.setenv("https_proxy", f"http://{user}{proxy.host}")
        with pytest.raises(DownloadError, match="502") as caught:
            fetch("https://minigrad.invalid/x", path, PIN, connect=1, tries=1)
        asked = proxy.asked[-1]
        assert asked.startswith("CONNECT minigrad.invalid:443 HTTP/1.")
        found = [line.split()[-1] for line in asked.splitlines() if line.startswith("Proxy-Authorization: Basic ")]
        assert found == ([] if sent is None else [base64.b64encode(sent.encode()).decode()])
        assert "pa%40ss" not in str(caught.value) and "pa@ss" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["http://127.0.0.1:port", "http://user:secret@127.0.0.1:99999", "http://[::1", "http://",
                                   "http://:8080", "socks5://127.0.0.1:1080", "http://127.0.0.1:0"])
def test_a_proxy_that_cannot_be_used_is_a_download_error(path, monkeypatch, wrong):
    monkeypatch.setenv("https_proxy", wrong)
    with pytest.raises(DownloadError, match="the proxy that the environment names") as caught:
        fetch(["https://minigrad.invalid/x", "https://minigrad.invalid/y"], path, PIN, connect=1)
    assert len(caught.value.attempts) == 2 and "secret" not in str(caught.value)


@pytest.mark.parametrize("answer, pause", [([b"HTTP/1.1 200 OK\r\nX: "] + [b"x"] * 100, 0.1),
                                           ([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n" * 1000] * 500, 0.0)])
def test_a_proxy_whose_answer_does_not_end_is_given_up(proxy, path, monkeypatch, answer, pause):
    monkeypatch.setenv("https_proxy", f"http://{proxy.host}")
    proxy.answer, proxy.pause = answer, pause
    start = time.monotonic()
    with pytest.raises(DownloadError):
        fetch("https://minigrad.invalid/x", path, PIN, connect=0.5, silence=0.3, tries=1)
    assert time.monotonic() - start < 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
@pytest.mark.parametrize("name", ["file.gz", "file.gz.part", "file.gz.lock"])
@pytest.mark.parametrize("kind", ["link", "link to nothing", "fifo", "folder"])
def test_what_is_no_regular_file_is_neither_written_nor_replaced(server, path, tmp_path, name, kind):
    precious, there = tmp_path / "precious", os.path.join(os.path.dirname(path), name)
    precious.write_bytes(b"precious")
    os.makedirs(os.path.dirname(path))
    if kind.startswith("link"):
        os.symlink(precious if kind == "link" else tmp_path / "nothing", there)
    else:
        (os.mkfifo if kind == "fifo" else os.mkdir)(there)
    before = os.lstat(there)
    with pytest.raises((OSError, FormatError)) as caught:
        get(server, path)
    assert not isinstance(caught.value, DownloadError) and server.requests == []
    assert os.path.samestat(os.lstat(there), before) and precious.read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()


def test_a_part_with_another_name_is_not_written_into(server, path, tmp_path):
    os.makedirs(os.path.dirname(path))
    (tmp_path / "other").write_bytes(GOOD[:20_000])
    os.link(tmp_path / "other", f"{path}.part")
    get(server, path)
    assert server.requests == [("/file", None)] and content(path) == GOOD
    assert (tmp_path / "other").read_bytes() == GOOD[:20_000]


def test_a_part_that_is_whole_is_used_and_a_wrong_one_of_that_size_never_asked_to_go_on(server, path):
    os.makedirs(os.path.dirname(path))
    pathlib.Path(f"{path}.part").write_bytes(GOOD)
    get(server, path)
    assert server.requests == [] and content(path) == GOOD and only(path)
    for data in (WRONG, GOOD + b"x", WRONG + b"x"):
        os.unlink(path)
        pathlib.Path(f"{path}.part").write_bytes(data)
        server.answers, server.requests = [ranged()], []
        get(server, path)
        assert server.requests == [("/file", None)] and content(path) == GOOD and only(path)
    os.unlink(path)
    pathlib.Path(f"{path}.part").write_bytes(GOOD[:-1])
    get(server, path)
    assert server.requests[-1] == ("/file", "bytes=49999-") and content(path) == GOOD


def test_headers_are_bounded_in_bytes_however_patient_one_is(server, path):
    server.answers = [raw(b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 1000 + b"\r\n\r\n")]
    with pytest.raises(DownloadError, match=f"more than {1 << 20} bytes of headers"):
        get(server, path, connect=20, silence=20, tries=1)


def test_pauses_between_tries_are_doubled(server, path, monkeypatch):
    pauses = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    server.answers = [send(b"", 500)]
    with pytest.raises(DownloadError):
        get(server, path, tries=4, pause=0.5)
    assert pauses == [0.5, 1.0, 2.0]


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="POSIX only")
def test_a_link_put_in_the_parts_place_meanwhile_is_not_written_through(server, path, tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    os.makedirs(os.path.dirname(path))
    pathlib.Path(f"{path}.part").write_bytes(GOOD[:20_000])

    def swapped(handler):
        os.unlink(f"{path}.part")
        os.symlink(precious, f"{path}.part")
        ranged()(handler)

    server.answers = [swapped]
    with pytest.raises(OSError):
        get(server, path, tries=1)
    assert precious.read_bytes() == b"precious" and not os.path.exists(path)


def test_the_bytes_are_on_the_disk_before_they_have_their_name(server, path, monkeypatch):
    events, real = [], {"fsync": os.fsync, "replace": os.replace}

    def fsync(fd):
        events.append(("fsync", os.fstat(fd).st_ino, os.fstat(fd).st_size))
        real["fsync"](fd)

    def replace(source, target):
        events.append(("replace", os.stat(source).st_ino, len(GOOD)))
        real["replace"](source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    get(server, path)
    number = os.stat(path).st_ino
    assert events == [("fsync", number, len(GOOD)), ("replace", number, len(GOOD))]


def test_arguments_of_a_download(path):
    for wrong in ({"connect": 0}, {"silence": -1}, {"silence": float("nan")}, {"tries": 0}, {"pause": -1}):
        with pytest.raises(ValueError, match=f"fetch: {next(iter(wrong))} must be"):
            fetch("https://minigrad.invalid/x", path, PIN, **wrong)


def test_a_drip_is_given_up(server, path, monkeypatch):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    monkeypatch.setattr(download, "SLOWEST", 1_000_000)
    server.answers = [drip]
    start = time.monotonic()
    with pytest.raises(DownloadError, match="slower"):
        get(server, path, tries=1)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("data, field", [(b"", "size"), (GOOD[:-1], "size"), (GOOD + b"x", "size"), (WRONG, "SHA-256")])
def test_a_bad_cached_file_is_refused_named_and_left_alone(server, path, data, field):
    os.makedirs(os.path.dirname(path))
    pathlib.Path(path).write_bytes(data)
    for offline in (False, True):
        with pytest.raises(FormatError, match="remove the file") as caught:
            get(server, path, offline=offline)
        assert caught.value.path == path and caught.value.field == field
    assert content(path) == data and not server.requests


def test_a_wrong_md5_is_seen_too(tmp_path):
    (tmp_path / "f").write_bytes(GOOD)
    with pytest.raises(FormatError, match="MD5"):
        download.check(tmp_path / "f", Pin(PIN.size, PIN.sha256, "0" * 32))


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_never_touches_the_network(path, monkeypatch, how):
    def touched(*arguments, **options):
        raise AssertionError("the network was touched")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, touched)
    monkeypatch.setenv(download.OFFLINE, "1" if how == "environment" else "0")
    with pytest.raises(FileNotFoundError, match="https://example.org/x"):
        fetch("https://example.org/x", path, PIN, offline=True if how == "argument" else None)
    assert not os.path.exists(os.path.dirname(path))


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "http://example.org/x", "ftp://example.org/x", "file:///etc/passwd",
                                 "https:///x", "x", ""])
def test_only_https(path, url):
    with pytest.raises(ValueError, match="https://"):
        fetch(url, path, PIN)
    with pytest.raises(ValueError, match="https://"):
        fetch("http://example.org/x", path, PIN, loopback=True)


def test_a_name_that_does_not_exist(path):
    with pytest.raises(DownloadError, match="minigrad.invalid"):
        fetch("https://minigrad.invalid/x", path, PIN, connect=1, tries=1)


def test_processes_wait_for_one_another(server, path):
    script = ("import sys, threading; from minigrad.data.download import fetch, Pin; "
              "fetch(sys.argv[1], sys.argv[2], Pin(int(sys.argv[3]), sys.argv[4]), loopback=True, pause=0)")
    server.answers = [lambda handler: (time.sleep(0.3), send()(handler))]
    processes = [subprocess.Popen([sys.executable, "-c", script, server.url, path, str(PIN.size), PIN.sha256],
                                  cwd=os.path.dirname(os.path.dirname(minigrad.__file__))) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert len(server.requests) == 1 and only(path) and content(path) == GOOD


# --- Fashion-MNIST

fashion = importlib.import_module("minigrad.data.fashion")


def test_every_pin_is_complete_and_says_where_it_is_from():
    assert list(fashion.PINS) == [f"{name}.gz" for name in importlib.import_module("minigrad.data.mnist").FILES]
    for pin in fashion.PINS.values():
        assert len(pin.sha256) == 64 and len(pin.md5) == 32 and pin.size > 5000 and "README" in pin.source
    assert all(url.startswith("https://") for url in fashion.MIRRORS)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Four small files in tmp_path/made, pinned in place of the real ones."""
    arrays = (np.zeros((4, 3, 2), np.uint8), np.arange(4, dtype=np.uint8), np.full((2, 3, 2), 255, np.uint8),
              np.array([9, 0], np.uint8))
    folder, pins = tmp_path / "made", {}
    folder.mkdir()
    for name, array in zip(fashion.PINS, arrays):
        idx.write(folder / name, array)
        data = (folder / name).read_bytes()
        pins[name] = Pin(len(data), hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(fashion, "PINS", pins)
    return folder


def test_fashion_mnist_from_a_folder(small):
    (x, y), (x_test, y_test) = fashion_mnist(folder=small, offline=True)
    assert x.shape == (4, 3, 2, 1) and y.tolist() == [0, 1, 2, 3] and x_test.min() == 1 and y_test.tolist() == [9, 0]
    assert fashion_mnist(folder=small, offline=True, flat=True, dtype=np.float64)[0][0].shape == (4, 6)


def test_fashion_mnist_from_an_address(small, server, tmp_path, monkeypatch):
    def answer(handler):
        send((small / handler.path.rpartition("/")[2]).read_bytes())(handler)

    server.answers = [answer]
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))
    (_, y), _ = fashion_mnist(url=server.url, **FAST)
    assert y.tolist() == [0, 1, 2, 3] and len(server.requests) == 4
    assert fashion.cache_folder() == str(tmp_path / "cache" / "fashion-mnist")
    fashion_mnist(offline=True)
    assert len(server.requests) == 4


def test_a_changed_file_in_the_folder_is_refused(small):
    name = list(fashion.PINS)[1]
    idx.write(small / name, np.array([3, 2, 1, 0], np.uint8))
    with pytest.raises(FormatError, match=name):
        fashion_mnist(folder=small, offline=True)


def test_a_missing_folder_offline(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images"):
        fashion_mnist(folder=tmp_path / "none", offline=True)
