"""Submissions that want points without the answer, or what is not theirs. None may succeed.

Every attack bounds itself: at most 50 forks, memory below the child's own limit, files below the test's folder, and
signals to the recorded pid of a dummy in a session of its own.
"""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minigrad.grade.case import Outcome, stream
from minigrad.grade.grading import grade
from minigrad.grade.sandbox import Sandbox, read

ROOT = Path(__file__).resolve().parents[2]
SOLUTION = "def cube(x):\n    return x * x * x\n"

ATTACKS = {
    "prints that it passed": """
def cube(x):
    print("1.1 PASSED 2/2\\n1.2 PASSED 3/3\\n" + '{"score": 5, "tests": []}')
    return x
""",
    "ends the process with success": """
import os
def cube(x):
    os._exit(0)
""",
    "exits with success": """
def cube(x):
    raise SystemExit(0)
""",
    "ends at import": """
import os
os._exit(0)
""",
    "replaces NumPy's comparisons": """
import numpy as np, numpy.testing
np.allclose = np.all = np.array_equal = lambda *a, **k: True
np.abs = np.subtract = lambda *a, **k: 0.0
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
def cube(x):
    return x
""",
    "is equal to everything": """
class Everything:
    def __eq__(self, other): return True
    def __le__(self, other): return True
    __lt__ = __ge__ = __gt__ = __le__
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __hash__(self): return 0
def cube(x):
    return Everything()
""",
    "is an array that is equal to everything": """
import numpy as np
class Everything(np.ndarray):
    def __eq__(self, other): return np.ones(self.shape, bool)
    def __array_ufunc__(self, *a, **k): return np.ones(3, bool)
    def __array__(self, *a, **k): return np.zeros(3)
def cube(x):
    return np.zeros(3).view(Everything)
""",
    "returns NaN": """
import numpy as np
def cube(x):
    return np.full(3, np.nan)
""",
    "returns infinity": """
import numpy as np
def cube(x):
    return np.full(3, np.inf)
""",
    "returns nothing of its shape, to be broadcast": """
import numpy as np
def cube(x):
    return np.zeros((0, 3))
""",
    "imports the answer under another name": """
from minigrad.optim import Adam as MyAdam
import numpy as np
def cube(x):
    opt = MyAdam(x)
    opt.step(x)
    return opt.theta
""",
    "finds the answer's module in pieces": """
import importlib
def cube(x):
    return importlib.import_module("minigrad.optim.first_order.adaptive").Adam(x).theta
""",
    "replaces the library's comparison": """
from minigrad.testing import optimizers
optimizers.compare = lambda *a, **k: None
import minigrad.testing
minigrad.testing.check_optimizer = lambda *a, **k: None
def cube(x):
    return x
""",
    "imports what is installed beside the grader": """
import pytest
def cube(x):
    return x ** 3
""",
    "imports the grader": """
from minigrad.grade import Case
Case.close = lambda *a, **k: None
def cube(x):
    return x
""",
    "replaces the grader's modules": """
import sys, types
fake = types.ModuleType("wire")
fake.pack = lambda *a: b""
sys.modules["wire"] = sys.modules["drive"] = fake
def cube(x):
    return x
""",
    "looks for the tests": """
import os
def cube(x):
    for path, _, names in os.walk("/"):
        if "checks.py" in names:
            import importlib.util
            spec = importlib.util.spec_from_file_location("checks", os.path.join(path, "checks.py"))
            checks = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(checks)
            return x ** 3
    return x
""",
    "opens the tests by their path": """
def cube(x):
    open(CHECKS).read()
    return x ** 3
""",
    "opens what lies beside a folder that imports look through": """
import os, numpy
def cube(x):
    home = os.open(os.path.dirname(os.path.dirname(numpy.__file__)), os.O_RDONLY)
    os.close(os.open("pytest/__init__.py", os.O_RDONLY, dir_fd=home))
    return x ** 3
""",
    "opens the tests by a path that changes its mind": """
class Path(str):
    def startswith(self, *a): return True
    def __format__(self, how): return "x"
def cube(x):
    open(Path(CHECKS)).read()
    return x ** 3
""",
    "reads the solution's source in the checkout": """
def cube(x):
    open(SOURCE).read()
    return x ** 3
""",
    "goes around by the folder above": """
import os
def cube(x):
    open(os.path.relpath(CHECKS, os.getcwd())).read()
    return x ** 3
""",
    "opens the grader's memory": """
import os
def cube(x):
    open(f"/proc/{GRADER}/mem", "rb").close()
    return x ** 3
""",
    "forks, 50 times at most": """
import os
def cube(x):
    for _ in range(50):
        if os.fork() == 0:
            os._exit(0)
    return x ** 3
""",
    "starts a program": """
import subprocess, sys
def cube(x):
    subprocess.run([sys.executable, "-c", ""], check=True)
    return x ** 3
""",
    "opens a socket": """
import socket
def cube(x):
    socket.socket()
    return x ** 3
""",
    "asks for 10 GB": """
import numpy as np
def cube(x):
    return np.ones(10 * 2 ** 30 // 8)[:3] * x ** 3
""",
    "sends too much": """
import numpy as np
def cube(x):
    return np.zeros(9 * 2 ** 20)
""",
    "loops": """
def cube(x):
    while True:
        pass
""",
    "loops and hears no signal": """
import signal
signal.signal(signal.SIGXCPU, signal.SIG_IGN)
def cube(x):
    while True:
        pass
""",
    "sleeps": """
import time
def cube(x):
    time.sleep(60)
    return x ** 3
""",
    "writes the report": """
def cube(x):
    with open(REPORT, "w") as file:
        file.write('{"score": 5}')
    return x ** 3
""",
    "replaces the report by a rename": """
import os
def cube(x):
    with open("mine.json", "w") as file:
        file.write('{"score": 5}')
    os.rename("mine.json", REPORT)
    return x ** 3
""",
    "signals the supervisor": """
import os, signal
def cube(x):
    os.kill(DUMMY, signal.SIGTERM)
    return x ** 3
""",
    "signals the supervisor through the C library": """
import ctypes
def cube(x):
    if ctypes.CDLL(None).kill(DUMMY, 15) != 0:
        raise PermissionError
    return x ** 3
""",
    "writes a message of its own into every pipe": """
import os, json, struct
def cube(x):
    body = struct.pack("<3d", 0, 0, 0)
    head = json.dumps({"plain": {"kind": "data"}, "arrays": [["y", "f8", [3]]]}).encode()
    for n in range(1, 64):
        try:
            os.write(n, struct.pack("<8sQQ", b"minigrad", len(head), len(body)) + head + body)
            os.write(n, b'{"code": 0}\\n')
        except OSError:
            pass
    return x ** 3
""",
    "writes a pickle into every pipe": """
import os, pickle
class Run:
    def __reduce__(self): return (open, (REPORT, "w"))
def cube(x):
    for n in range(3, 64):
        try:
            os.write(n, pickle.dumps(Run()))
        except OSError:
            pass
    os._exit(0)
""",
    "crashes the interpreter": """
import ctypes
def cube(x):
    ctypes.string_at(0)
""",
    "recurses without end": """
import sys
sys.setrecursionlimit(10 ** 9)
def cube(x):
    return cube(x)
""",
    "remembers the last test in a file": """
import os
def cube(x):
    if os.path.exists("seen") or os.path.exists("/tmp/seen-by-cube"):
        return x ** 3
    open("seen", "w").close()
    open("/tmp/seen-by-cube", "w").close()
    return x
""",
    "changes the code of the hook": """
import gc
def cube(x):
    for one in gc.get_objects():
        if getattr(one, "__name__", "") == "watch":
            one.__code__ = (lambda event, arguments: None).__code__
    open(CHECKS).read()
    return x ** 3
""",
}


@pytest.fixture
def dummy():
    """A process in a session of its own, which an attack may try to signal."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


HOOK = [name for name in ATTACKS if any(word in name for word in (
    "answer", "replaces", "opens", "reads", "goes", "looks", "starts", "signals", "writes", "changes", "remembers",
    "fork", "imports"))]

STATUS = {"asks for 10 GB": "memory", "loops": "timeout", "loops and hears no signal": "timeout", "sleeps": "timeout",
          "ends the process with success": "crash", "returns NaN": "failed", "exits with success": "error"}


@pytest.mark.parametrize("name, level", [(name, "strongest") for name in ATTACKS] + [(name, "hook") for name in HOOK])
def test_attack_gets_no_points(name, graded, level, dummy, tmp_path, cubes):
    report = tmp_path / "report.json"
    report.write_text("nothing")
    known = {"CHECKS": str(cubes / "checks.py"), "SOURCE": str(ROOT / "minigrad" / "optim" / "__init__.py"),
             "REPORT": str(report), "DUMMY": dummy.pid, "GRADER": os.getpid()}
    text = "".join(f"{key} = {value!r}\n" for key, value in known.items()) + ATTACKS[name]
    started = time.monotonic()
    record = graded(text, level)
    assert record.points == 0, [(one.status, one.message) for one in record.tests]
    assert STATUS.get(name) in (None, *(one.status for one in record.tests))
    assert all(one.status != "passed" for one in record.tests)
    assert report.read_text() == "nothing" and dummy.poll() is None
    assert time.monotonic() - started < 60


def test_a_timeout_costs_one_test(graded):
    first = np.random.default_rng(stream("1.1", "public")).standard_normal(3) + 5
    record = graded(f"import time\ndef cube(x):\n    if abs(x[0] - {float(first[0])}) < 1e-9:\n        time.sleep(60)\n"
                    "    return x ** 3\n")
    assert [one.status for one in record.tests] == ["timeout", "passed"] and record.points == 3


def test_files_that_configure_python_or_pytest_count_for_nothing(graded, level):
    helpers = dict.fromkeys(["sitecustomize__dot__py", "usercustomize__dot__py", "conftest__dot__py", "drive__dot__py",
                             "numpy__dot__py", "json__dot__py", "wire__dot__py", "suite__dot__py"],
                            "import os\nos._exit(0)\n")
    helpers |= {"pytest__dot__ini": "[pytest]\n", "mine__dot__pth": "import os; os._exit(0)\n"}
    record = graded(SOLUTION, level, **helpers)
    assert record.points == 5
    for name in ("sitecustomize.py", "usercustomize.py", "conftest.py", "drive.py", "pytest.ini", "mine.pth"):
        assert any(name in note for note in record.notes), name
    assert graded("def cube(x):\n    return x\n", level, **helpers).points == 0


def test_links_out_of_the_submission_are_left_out(sandboxes, cubes, tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "cubes.py").symlink_to(cubes / "source.py")
    (folder / "more").symlink_to(cubes)
    record = grade(sandboxes().assignment, folder, sandbox=sandboxes(), suite=False)
    assert record.points == 0 and sum("a link" in note for note in record.notes) == 2


def test_sleeping_threads_hold_nobody_up(graded, level):
    started = time.monotonic()
    record = graded("import threading, time\nfor _ in range(3):\n"
                    "    threading.Thread(target=time.sleep, args=(60,)).start()\n" + SOLUTION, level)
    assert record.points == 5 and time.monotonic() - started < 30


def test_hidden_numbers_do_not_come_home_in_a_message(graded):
    leak = "import numpy as np\ndef cube(x):\n" \
           "    kind = type('E' + str(x[0]).replace('.', '_'), (Exception,), {})\n" \
           "    print('seen', x)\n    raise kind('seen ' + repr(x))\n"
    public, hidden = graded(leak).tests
    assert "seen" in public.message and "seen" in public.output
    assert "array" not in hidden.message and hidden.output == "" and "E5" not in hidden.message
    assert hidden.message.startswith("an exception of its own") and "cubes.py, line 5" in hidden.message


def test_a_line_that_the_submission_rewrote_is_not_quoted(graded):
    record = graded("def cube(x):\n    open('cubes.py', 'w').write('\\n\\nsecret ' + repr(x))\n    raise ValueError\n")
    assert all("secret" not in one.message and "raise ValueError" in one.message for one in record.tests)


def test_an_ended_supervisor_leaves_no_points(cubes, tmp_path):
    """The grader itself is ended half-way: no report, and nothing that it started lives on."""
    folder, report = tmp_path / "submission", tmp_path / "report.json"
    folder.mkdir()
    report.write_text('{"score": 5}')                       # an old one
    (folder / "cubes.py").write_text("import time\ndef cube(x):\n    time.sleep(60)\n")
    grader = subprocess.Popen([sys.executable, "-m", "minigrad.grade", "run", str(cubes), str(folder), "--out",
                               str(report), "--format", "json"], cwd=ROOT, start_new_session=True,
                              env=os.environ | {"TMPDIR": str(tmp_path)})
    children = []
    try:
        deadline = time.monotonic() + 60
        while not children and time.monotonic() < deadline:
            time.sleep(0.05)
            for task in Path(f"/proc/{grader.pid}/task").glob("*/children"):
                children += [int(pid) for pid in task.read_text().split()]
        assert children or not Path("/proc/self/task").exists()
    finally:
        grader.send_signal(signal.SIGKILL)
        grader.wait()
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not report.exists() and not any(alive(pid) for pid in children)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_an_ended_watcher_is_a_crash(tmp_path):
    with pytest.raises(Outcome) as found:
        read(b"", {}, 1, True, tmp_path)
    assert found.value.status == "crash"


def test_a_wrong_blocked_name_is_refused(sandboxes):
    """A name that blocks nothing would leave the answer in."""
    sandboxes()
    wrong = type(sandboxes().assignment)("x", blocked=["minigrad.optim.first_ordre"], folder=ROOT)
    with pytest.raises(ValueError, match="no module of minigrad"):
        Sandbox(wrong)


def test_what_is_blocked_says_so_and_the_rest_works(graded, level):
    record = graded("import minigrad as mg\nfrom minigrad import nn, optim\n"
                    "def cube(x):\n    t = mg.tensor(x)\n    return (t * t * t).data\n", level)
    assert record.points == 5, [one.message for one in record.tests]
    record = graded("from minigrad import optim\ndef cube(x):\n    return optim.SGD(x)\n", level)
    assert "is what this assignment asks you to write" in record.tests[0].message
