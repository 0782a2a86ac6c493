"""The child's end of the isolation: walls first, then the submission. Run as a script, never imported by the grader.

Three processes: this one only waits; `init`, the first in its own process namespace, builds the walls and keeps the
time; the third runs the submission. When `init` ends, the kernel ends all that is left in the namespace.

    python -I -S -B -u child.py RESULT STATUS < request     two file descriptors, and a message (wire.py)

Levels, from the strongest; the parent tries which of them this machine grants:

    namespace        root: mount, process, network and IPC namespaces; only Python, NumPy, the stripped library and the
                     submission exist below the new root; user nobody
    user namespace   the same without root, where the kernel lets users make namespaces
    nobody           root without namespaces: user nobody and the audit hook
    hook             the audit hook alone: a hindrance, no wall
"""
import contextlib
import ctypes
import importlib
import importlib.util
import json
import os
import resource
import shutil
import signal
import sys
import time

NOBODY = 65534
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
PDEATHSIG, NO_NEW_PRIVS = 1, 38
OUTSIDE, UNFINISHED = 97, 98    # exit status: it reached for what is not its own; it did not come to an answer
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")


def libc(name, *arguments):
    """A call of the C library. OSError if it fails."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def mount(source, target, kind, flags, options=None):
    text = [one and os.fsencode(one) for one in (source, target, kind, options)]
    libc("mount", *text[:3], ctypes.c_ulong(flags), text[3])


def unshare(level):
    """Namespaces of this process's own. In a user namespace it is `nobody` from the start."""
    user, group = os.getuid(), os.getgid()
    libc("unshare", NEWNS | NEWPID | NEWNET | NEWIPC | (NEWUSER if level == "user namespace" else 0))
    if level == "user namespace":
        maps = {"setgroups": "deny", "uid_map": f"{NOBODY} {user} 1", "gid_map": f"{NOBODY} {group} 1"}
        for name, text in maps.items():
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    mount("none", "/", None, REC | PRIVATE)


def show(source, target):
    """source appears at target, read only, with what is mounted below it."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "a").close()
    mount(source, target, None, BIND | REC)
    kept = os.statvfs(target).f_flag & 0xf & ~RDONLY       # nosuid, nodev, noexec: a user namespace may not lift them
    mount(None, target, None, BIND | REMOUNT | RDONLY | NOSUID | kept)


def new_root(request):
    """A root in memory with Python's library, NumPy, the stripped minigrad and the submission; then move there."""
    root = request["scratch"] + "/root"
    os.makedirs(root)
    mount("tmpfs", root, "tmpfs", NOSUID | NODEV, f"size={64 << 20},mode=755")
    for name in LIBRARIES:
        if os.path.islink(name):
            os.symlink(os.readlink(name), root + name)
        elif os.path.isdir(name):
            show(name, root + name)
    for name in request["python"]:
        if not any(name.startswith(shown + "/") for shown in LIBRARIES):
            show(name, root + name)
    for name in request["hidden"]:                                 # what lies below something that was shown
        if os.path.isdir(root + name):
            mount("tmpfs", root + name, "tmpfs", NOSUID | NODEV, "size=64k,mode=755")
    for name in request["library"]:
        show(name, root + name)
    for name in DEVICES:
        show(name, root + name)
    os.makedirs(root + "/tmp", exist_ok=True)
    os.chmod(root + "/tmp", 0o1777)
    furnish(request, root)
    os.chroot(root)
    os.chdir("/")
    request["drive"], request["work"] = "/drive", "/submission"


def beside(request):
    """Without namespaces: in the folder of this test."""
    furnish(request, request["scratch"])
    request["drive"], request["work"] = (f"{request['scratch']}/{name}" for name in ("drive", "submission"))


def furnish(request, root):
    """The drive, and a fresh copy of the submission that belongs to the user it runs as."""
    os.mkdir(root + "/drive")
    for name, text in request["drive"].items():
        with open(f"{root}/drive/{name}", "w") as file:
            file.write(text)
    shutil.copytree(request["submission"], root + "/submission")
    if request["level"] in ("namespace", "nobody"):
        for path, _, files in os.walk(root + "/submission"):
            for name in (path, *(os.path.join(path, one) for one in files)):
                os.chown(name, NOBODY, NOBODY)


def drop(level):
    """No privileges, and none to be had again."""
    if level in ("namespace", "nobody"):
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    elif level == "user namespace":
        libc("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
    if sys.platform == "linux":
        libc("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
        libc("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit(request):
    """Processor seconds, address space, file size, open files; processes only where the user is nobody's own."""
    seconds = max(1, -(-int(request["seconds"] * 1000) // 1000))
    limits = {"RLIMIT_CPU": (seconds, seconds + 1), "RLIMIT_AS": (request["memory"] << 20,) * 2,
              "RLIMIT_FSIZE": (16 << 20,) * 2, "RLIMIT_NOFILE": (64, 64), "RLIMIT_CORE": (0, 0)}
    if request["level"] in ("namespace", "nobody"):
        limits["RLIMIT_NPROC"] = (64, 64)
    for name, (soft, hard) in limits.items():
        with contextlib.suppress(OSError, ValueError):             # an operating system that has no such limit
            resource.setrlimit(getattr(resource, name), (soft, hard))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)                   # too large a file is an OSError


PROCESSES = frozenset(["os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill",
                       "os.killpg", "subprocess.Popen", "pty.spawn", "signal.pthread_kill"])
PATHS = frozenset(["open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod",
                   "os.chown", "os.truncate", "os.utime"])
NEVER = frozenset(["os.link", "os.symlink", "os.chdir", "os.fchdir", "os.chflags", "sqlite3.connect", "gc.get_objects",
                   "gc.get_referrers", "gc.get_referents"])
MODULES = frozenset(["ctypes", "_ctypes", "_posixsubprocess", "_testcapi", "_xxsubinterpreters", "multiprocessing"])
DEVICES = ("/dev/null", "/dev/urandom")


def hook(weak, given, python, closed, work):
    """A permanent audit hook: no processes, signals or sockets; where nothing else holds, no path but its own either.

    given: folders it may read; python: Python's own, of which those in `closed` stay shut; work: where it may write.
    A closure over texts, tuples and frozensets: it looks up no name that a submission could set, and takes no object
    with methods of its own (a subclass of str). Python does not trace it.
    """
    processes, paths, never, modules, devices, outside = PROCESSES, PATHS, NEVER, MODULES, DEVICES, OUTSIDE
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    leave, kind, text, octets, whole, refused = os._exit, type, str, bytes, int, PermissionError
    listable = frozenset(os.path.dirname(name) for name in given)       # imports look through these; an open folder
    #                                                                     would be a way to what lies in it
    given, python, closed, (work,) = (tuple(name + "/" for name in names) for names in (given, python, closed, [work]))

    def watch(event, arguments):
        if event in processes or event.startswith("socket."):
            if weak:
                leave(outside)
            raise refused("a submission starts no processes, sends no signals and opens no sockets")
        if not weak:
            return
        if event in never or event.startswith("ctypes.") or (event == "import" and arguments[0] in modules) or \
                (event == "object.__setattr__" and arguments[1] == "__code__"):
            leave(outside)
        if event not in paths:
            return
        reads = event in ("os.listdir", "os.scandir") or (event == "open" and not (arguments[2] or 0) & writing)
        for path in arguments[:2 if event == "os.rename" else 1]:
            if path is None or kind(path) is whole:                     # the folder it is in, or an open file
                continue
            if kind(path) is octets:
                path = path.decode("utf-8", "surrogateescape")
            if kind(path) is not text or "/../" in f"/{path}/":
                leave(outside)
            whole_path = path + "/"
            mine = path[:1] != "/" or whole_path.startswith(work)
            shown = whole_path.startswith(given) or (path in listable and event != "open") or (
                whole_path.startswith(python) and not whole_path.startswith(closed))
            if not mine and not (reads and shown) and path not in devices:
                leave(outside)

    return watch


def own_place(error, work):
    """The last place of the student's own in a traceback: ["momentum.py", 12], or None."""
    found = None
    if isinstance(error, SyntaxError) and str(error.filename).startswith(work):
        found = error.filename, error.lineno
    at = error.__traceback__
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        if name.startswith(work + "/"):
            found = name, at.tb_lineno
        at = at.tb_next
    return found and [found[0][len(work) + 1:], found[1]]


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def answer(request, inputs):
    """What the drive returns, given the student's adapter and the inputs; or what each test of a suite found."""
    if "pytest.py" in os.listdir(request["drive"]):
        load("pytest", request["drive"] + "/pytest.py")                 # the stand-in, whatever else is installed
    if "suite.py" in os.listdir(request["drive"]):
        return load("suite", request["drive"] + "/suite.py").run_suite()
    student = importlib.import_module("adapter")
    return getattr(load("drive", request["drive"] + "/drive.py"), request["function"])(student, **inputs)


def submission(request, inputs, wire, result):
    """The third process: the walls are up. Returns never."""
    leave, write, pack = os._exit, os.write, wire.pack
    weak, work = request["level"] in ("nobody", "hook"), request["work"]
    libraries = list(dict.fromkeys(os.path.dirname(name) for name in request["library"]))
    sys.path[:] = [*request["python"], *libraries, work]
    os.chdir(work)
    if weak:
        os.environ["MINIGRAD_KERNELS"] = "numpy"                        # the compiled ones import ctypes
        importlib.import_module("numpy.testing")                        # it imports what is forbidden from here on
        for name in [name for name in sys.modules if name.split(".")[0] in MODULES]:
            del sys.modules[name]
    sys.addaudithook(hook(weak, [*request["library"], request["drive"]], request["python"], request["hidden"], work))
    try:
        data = pack({"kind": "data"}, answer(request, inputs))
    except BaseException as error:
        try:
            said = str(error)
        except BaseException:
            said = ""
        kind = "memory" if isinstance(error, MemoryError) else "error"
        data = pack({"kind": kind, "type": type(error).__name__[:60], "message": said[:500],
                     "at": own_place(error, work)}, {})
    while data:
        data = data[write(result, data):]
    leave(0)


def init(request, inputs, wire, result, status):
    """The second process: walls, then the submission in a third; it keeps the time and says how the third ended."""
    with contextlib.suppress(OSError):
        libc("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    level = request["level"]
    inside = level in ("namespace", "user namespace")
    (new_root if inside else beside)(request)
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            drop(level)
            limit(request)
        except BaseException as error:
            say(status, broken=f"{type(error).__name__}: {error}")
            os._exit(UNFINISHED)
        try:
            os.close(status)
            submission(request, inputs, wire, result)
        finally:
            os._exit(UNFINISHED)
    os.close(result)

    def late(*_):
        os.kill(pid, signal.SIGKILL)                    # our own child, not yet waited for: the number is its own
        say(status, timeout=True)

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, request["wall"])
    ended = None
    while ended is None:                                # orphans of the namespace are ours to wait for
        one, code, usage = os.wait4(-1, 0)
        if one == pid:
            ended = code
    signal.setitimer(signal.ITIMER_REAL, 0)
    say(status, code=os.waitstatus_to_exitcode(ended), seconds=time.monotonic() - started,
        cpu=usage.ru_utime + usage.ru_stime)
    os._exit(0)


def say(status, **what):
    os.write(status, json.dumps(what).encode() + b"\n")


def main(result, status):
    """The first process: reads the request, makes the namespaces, waits for `init`."""
    with contextlib.suppress(OSError, AttributeError):
        libc("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    data = sys.stdin.buffer.read()
    size = int.from_bytes(data[:8], "little")
    request = json.loads(data[8:8 + size])
    os.close(0)
    os.open("/dev/null", os.O_RDONLY)
    try:
        if request["level"] in ("namespace", "user namespace"):
            unshare(request["level"])
        sys.path[:] = [*request["python"], *dict.fromkeys(os.path.dirname(name) for name in request["library"])]
        wire = load("wire", os.path.join(os.path.dirname(os.path.abspath(__file__)), "wire.py"))   # and with it NumPy
        plain, arrays = wire.unpack(data[8 + size:])
        sys.modules.pop("wire")
        pid = os.fork()
        if pid == 0:
            try:
                init(request, {**plain, **arrays}, wire, result, status)
            except BaseException as error:
                say(status, broken=f"{type(error).__name__}: {error}")
            finally:
                os._exit(UNFINISHED)
    except BaseException as error:
        say(status, broken=f"{type(error).__name__}: {error}")
        os._exit(UNFINISHED)
    os.close(result)
    os.close(status)
    os.waitpid(pid, 0)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
