"""Each pack unpacked in an empty folder and run as its service would run it, the service's folders faked."""
import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as tree
import zipfile
from pathlib import Path

import pytest

from minigrad.grade import load
from minigrad.grade.__main__ import main
from minigrad.grade.assignment import shelf
from minigrad.grade.packs import PACKS, pack
from minigrad.grade.packs.wheel import archive, digest, wheel

SOLUTION, WRONG = "def cube(x):\n    return x * x * x\n", "def cube(x):\n    return x * x\n"
SUITE = "from cubes import cube\ndef test_values():\n    assert cube(-2.0) == -8.0\n"


@pytest.fixture(scope="module")
def packed(cubes):
    """packed(service): the pack as an open zip."""
    made = {}

    def one(service):
        if service not in made:
            made[service] = pack(load(cubes), service)
        return zipfile.ZipFile(io.BytesIO(made[service]))
    return one


def unpack(data, into):
    """As `unzip` does it: with the rights that the entries carry. Returns the folder."""
    for entry in data.infolist():
        path = Path(data.extract(entry, into))
        path.chmod(entry.external_attr >> 16 & 0o777)
    return into


def run(command, cwd, **environment):
    """A process that knows no checkout: its minigrad comes from the pack. Its printed text."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MINIGRAD"))}
    done = subprocess.run(command, cwd=cwd, env=plain | {"PYTHON": sys.executable, **environment}, timeout=120,
                          capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def submission(folder, text):
    folder.mkdir(parents=True)
    (folder / "cubes.py").write_text(text)
    (folder / "test_mine.py").write_text(SUITE)
    return folder


def test_the_wheel_is_one():
    """Every file is recorded with its checksum; kernels, compiled files and the data set's pictures are not in it."""
    name, data = wheel()
    assert re.fullmatch(r"minigrad_book-[\d.]+-py3-none-any\.whl", name)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        names = file.namelist()
        info = next(name.split("/")[0] for name in names if name.endswith("/RECORD"))
        record = dict(line.rsplit(",", 2)[:2] for line in file.read(f"{info}/RECORD").decode().splitlines())
        assert record.keys() == set(names)
        for one in names:
            assert one.endswith("/RECORD") or record[one] == f"sha256={digest(file.read(one))}"
        assert b"Tag: py3-none-any" in file.read(f"{info}/WHEEL")
        assert b"Name: minigrad-book" in file.read(f"{info}/METADATA")
    assert "minigrad/grade/child.py" in names and not any(".so" in one or ".gz" in one or "pyc" in one for one in names)
    assert len(data) < 2 << 20


@pytest.mark.parametrize("service", PACKS)
def test_what_students_see_holds_no_hidden_test(service, packed):
    """Also not in a zip or a notebook inside; and the same bytes every time, whatever the clock."""
    hidden, solved = "cubes of other numbers", "return x * x * x"
    private = ("assignment/", "grader/", "tests/assignment/", "wheels/", "grader.zip")

    def visible(data):
        for name in data.namelist():
            if service in ("gradescope", "coderunner") or any(one in name for one in private) and ".github" not in name:
                continue
            if name.endswith(".zip"):
                yield from visible(zipfile.ZipFile(io.BytesIO(data.read(name))))
            elif not name.endswith((".whl", ".ipynb")):
                yield name, data.read(name).decode()

    for name, text in visible(packed(service)):
        assert hidden not in text and solved not in text, name


def test_a_pack_is_the_same_every_time(cubes):
    assert pack(load(cubes), "gradescope") == pack(load(cubes), "gradescope")


@pytest.fixture(scope="module")
def autograder(packed, tmp_path_factory):
    """/autograder after the image was built: setup.sh has run. NumPy is found, so nothing is fetched."""
    root = tmp_path_factory.mktemp("gradescope") / "autograder"
    source = unpack(packed("gradescope"), root / "source")
    run(["./setup.sh"], source)
    assert (source / "assignment").stat().st_mode & 0o077 == 0
    shutil.copy(source / "run_autograder", root)
    (root / "submission_metadata.json").write_text(json.dumps(
        {"id": 7, "users": [{"id": 2, "email": "bob@example.org"}, {"id": 1, "email": "ada@example.org"}]}))
    return root


@pytest.mark.parametrize("text, points", [(SOLUTION, 7), (WRONG, 2)])
def test_gradescope(text, points, autograder):
    shutil.rmtree(autograder / "submission", ignore_errors=True)
    submission(autograder / "submission", text)
    run(["./run_autograder"], autograder, AUTOGRADER=str(autograder))
    data = json.loads((autograder / "results" / "results.json").read_text())
    assert data["score"] == points and [one["number"] for one in data["tests"]] == ["1.1", "1.2", "S"]
    assert data["extra_data"]["record"]["student"] == "ada@example.org,bob@example.org"
    assert "RuntimeWarning" not in json.dumps(data)              # that the kernels are NumPy's is no news to a student


def test_every_assignment_can_be_graded_by_the_packed_library(autograder, tmp_path):
    """What is blocked is there to be blocked, also where no kernel is compiled."""
    code = ("import sys, pathlib\nfrom minigrad.grade import load\nfrom minigrad.grade.library import strip\n"
            "for name in sys.argv[2:]:\n"
            "    strip(pathlib.Path(sys.argv[1]) / pathlib.Path(name).name, load(name).blocked)\n")
    folders = [str(path.parent) for path in shelf().glob("*/checks.py")]
    run([sys.executable, "-c", code, str(tmp_path), *folders], tmp_path, MINIGRAD_KERNELS="numpy",
        PYTHONPATH=str(autograder / "source" / "lib"))
    assert len(list(tmp_path.iterdir())) == len(folders) > 10


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(path.parent.name for path in shelf().glob("*/checks.py")))
def test_a_solution_gets_every_point_from_its_pack(name, tmp_path):
    """On Gradescope, with NumPy's kernels."""
    assignment, root = load(name), tmp_path / "autograder"
    source = unpack(zipfile.ZipFile(io.BytesIO(pack(assignment, "gradescope"))), root / "source")
    run(["./setup.sh"], source)
    (root / "submission").mkdir()
    (root / "submission" / f"{assignment.module}.py").write_text(assignment.text("all"))
    (root / "submission" / "test_mine.py").write_text(assignment.tests)
    run([str(source / "run_autograder")], root, AUTOGRADER=str(root))
    data = json.loads((root / "results" / "results.json").read_text())
    assert data["score"] == assignment.points, [one for one in data["tests"] if one["status"] == "failed"]


def test_gradescope_shows_an_error_where_the_grader_fails(autograder):
    """No results.json, an older one least of all."""
    shutil.rmtree(autograder / "submission", ignore_errors=True)
    (autograder / "results").mkdir(exist_ok=True)
    (autograder / "results" / "results.json").write_text("{}")
    with pytest.raises(AssertionError, match="there is no folder"):
        run(["./run_autograder"], autograder, AUTOGRADER=str(autograder))
    assert list((autograder / "results").iterdir()) == []


@pytest.mark.parametrize("text, score", [(SOLUTION, 1), (None, None)])
def test_prairielearn(text, score, packed, tmp_path):
    course = unpack(packed("prairielearn"), tmp_path / "course")
    question = course / "questions" / "01_cubes"
    info = json.loads((question / "info.json").read_text())
    assert info["gradingMethod"] == "External" and info["type"] == "v3" and len(info["uuid"]) == 36
    options = info["externalGradingOptions"]
    assert options["timeout"] <= 600 and not options["enableNetworking"] and options["image"]
    assert options["entrypoint"] == "bash /grade/tests/run.sh"
    assert "FROM python" in (course / "image" / "Dockerfile").read_text()
    with zipfile.ZipFile(question / "clientFilesQuestion" / "student.zip") as student:
        assert {"cubes.py", "adapter.py", "handout.md", "test_public.py"} <= set(student.namelist())
    grade = tmp_path / "grade"
    shutil.copytree(question / "tests", grade / "tests")
    (grade / "data").mkdir()
    (grade / "data" / "data.json").write_text('{"variant_seed": "1234", "params": {}}')
    if text:
        submission(grade / "student", text)
    run(["bash", str(grade / "tests" / "run.sh")], tmp_path, GRADE=str(grade), TMPDIR=str(tmp_path))
    data = json.loads((grade / "results" / "results.json").read_text())
    assert (data["gradable"], data.get("score")) == (text is not None, score), data


@pytest.mark.parametrize("name, needed, optional", [("05_momentum", "momentum.py", "adapter.py,test_mine.py"),
                                                    ("13_write_the_tests", "test_mine.py", "adapter.py")])
def test_prairielearn_asks_for_what_is_handed_in(name, needed, optional):
    question = zipfile.ZipFile(io.BytesIO(pack(load(name), "prairielearn"))).read(f"questions/{name}/question.html")
    assert f'file-names="{needed}" optional-file-names="{optional}"' in question.decode()


def test_classroom(packed, tmp_path):
    """The student's repository: public tests alone are graded, since nothing else is there."""
    repository = unpack(packed("classroom"), tmp_path / "repository")
    assert "NotImplementedError" in (repository / "cubes.py").read_text()
    workflow = (repository / ".github" / "workflows" / "classroom.yml").read_text()
    assert "bash .github/grading/grade.sh" in workflow and "steps.public.outputs.result" in workflow
    (repository / "cubes.py").write_text(SOLUTION)
    said = run(["bash", ".github/grading/grade.sh"], repository, TMPDIR=str(tmp_path))
    assert re.fullmatch(r"result=\S+\n", said), said
    data = json.loads(base64.b64decode(said[7:]))
    assert (data["version"], data["status"], data["max_score"]) == (3, "pass", 2)
    assert [one["score"] for one in data["tests"]] == [2]


def test_the_classroom_workflow_is_yaml(packed):
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load(packed("classroom").read(".github/workflows/classroom.yml"))
    steps = workflow["jobs"]["grade"]["steps"]
    assert [one.get("id") for one in steps].count("public") == 1
    assert steps[-1]["with"] == {"runners": "public"} and set(steps[-1]["env"]) == {"PUBLIC_RESULTS"}


@pytest.mark.parametrize("text, fraction", [
    pytest.param(SOLUTION, 1, marks=pytest.mark.long), ('"""\n\\ {{ 1 }}', 2 / 7)])
def test_coderunner(text, fraction, packed, tmp_path):
    """The template, filled in as Twig's escaper for Python does it, beside its support file and an attachment."""
    unpack(packed("coderunner"), tmp_path)
    question = tree.parse(tmp_path / "question.xml").getroot().find("question")
    assert question.get("type") == "coderunner" and question.findtext("iscombinatortemplate") == "1"
    assert question.findtext("grader") == "TemplateGrader" and "cube" in question.findtext("answerpreload")
    jobe = tmp_path / "jobe"
    jobe.mkdir()
    file = question.find("testcases/file")
    (jobe / file.get("name")).write_bytes(base64.b64decode(file.text))
    (jobe / "test_mine.py").write_text(SUITE)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    template = question.findtext("template").replace("{{ STUDENT_ANSWER | e('py') }}", escaped)
    (jobe / "prog.py").write_text(template.replace("{{ STUDENT.username | e('py') }}", "ada"))
    data = json.loads(run([sys.executable, "prog.py"], jobe))
    assert data["fraction"] == pytest.approx(fraction) and len(data["testresults"]) == 4


def test_wheels_are_packed_and_unpacked(cubes, packed, tmp_path):
    """A minigrad of one's own takes the place of ours; another wheel joins it; what is no wheel is refused."""
    name, data = wheel()
    own, other, text = (tmp_path / one for one in (
        name.replace("py3-none-any", "cp312-cp312-linux"), "other-1-py3-none-any.whl", "numpy.txt"))
    own.write_bytes(data)
    other.write_bytes(archive({"other.py": "found = 1\n"}))
    text.write_text("")
    files = zipfile.ZipFile(io.BytesIO(pack(load(cubes), "gradescope", [own, other])))
    found = {Path(one).name for one in files.namelist() if one.startswith("wheels/")}
    assert found == {own.name, other.name}
    assert "MINIGRAD_KERNELS" not in files.read("run_autograder").decode()
    source = unpack(files, tmp_path / "source")
    run(["./setup.sh"], source)
    assert (source / "lib" / "other.py").exists() and (source / "lib" / "minigrad" / "grade").is_dir()
    with pytest.raises(ValueError, match="no wheel"):
        pack(load(cubes), "gradescope", [text])


def test_the_command(cubes, tmp_path, capsys):
    out = tmp_path / "hw.zip"
    assert main(["pack", str(cubes), "--for", "gradescope", "--out", str(out)]) == 0
    assert "packed" in capsys.readouterr().out and zipfile.is_zipfile(out)
    assert main(["pack", str(cubes), "--for", "gradescope", "--wheel", "nothing.whl", "--out", str(out)]) == 2


# ---------------------------------------------------------------------------- the vendors' own readers, where installed

def vendor(name):
    """A Python that has this package, installed or not in the one that runs the tests; the test is skipped without."""
    chosen = os.environ.get("GRADE_VENDORS_PYTHON", sys.executable)
    if subprocess.run([chosen, "-c", f"import {name}"], capture_output=True).returncode:
        pytest.skip(f"{name} is not installed (GRADE_VENDORS_PYTHON=... names a Python that has it)")
    return chosen


OTTER = """
import otter
from otter.test_files import GradingResults
from otter.test_files.exception_test import ExceptionTestFile
made = ExceptionTestFile.from_file("tests/task1.py")
assert made.name == "task1", made
assert [(one.name, one.points, one.hidden) for one in made.test_cases] == [("1.1 cubes", 2, False)], made.test_cases
made.run({})
print(made.score, made.possible)
found = otter.Notebook(tests_dir="tests").check("task1")
print(int(found.passed_all))
results = GradingResults.from_ottr_json(open("results.json").read())
print(results.total, results.possible)
"""


@pytest.mark.long
@pytest.mark.parametrize("text, said", [(SOLUTION, [2, 2, 1]), (WRONG, [0, 2, 0])])
def test_otter_reads_the_tests_and_the_results(text, said, packed, tmp_path, graded):
    python = vendor("otter")
    unpack(packed("otter"), tmp_path)
    library = unpack(zipfile.ZipFile(tmp_path / "wheels" / wheel()[0]), tmp_path / "lib")
    student = tmp_path / "student"
    (student / "cubes.py").write_text(text)
    from minigrad.grade.reports import FORMATS
    record = graded(SOLUTION, suite=True, test_mine__dot__py=SUITE)
    (student / "results.json").write_text(FORMATS["otter"](record))
    (student / "read.py").write_text(OTTER)
    words = run([python, "read.py"], student, PYTHONPATH=str(library), MINIGRAD_KERNELS="numpy").split()
    assert [float(one) for one in words] == pytest.approx([*said, 7, 7])


NBGRADER = """
import json, sys
import nbformat
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.utils import determine_grade
for name in sys.argv[1:]:
    notebook = nbformat.read(name, 4)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    print(json.dumps([[cell.metadata.nbgrader.grade_id, *determine_grade(cell)] for cell in graded]))
"""


@pytest.mark.long
def test_nbgrader_reads_the_points_of_a_report(tmp_path, graded):
    python = vendor("nbgrader")
    from minigrad.grade.reports import FORMATS
    (tmp_path / "read.py").write_text(NBGRADER)
    for name, text in (("right", SOLUTION), ("wrong", WRONG)):
        record = graded(text, suite=True, test_mine__dot__py=SUITE)
        record.tests[0].images = [("a picture", [[0, 0], [1, 1]], [[0, 0], [1, 2]])]
        (tmp_path / f"{name}.ipynb").write_text(FORMATS["nbgrader"](record))
    right, wrong = map(json.loads, run([python, "read.py", "right.ipynb", "wrong.ipynb"], tmp_path).splitlines())
    assert right == [["test-1-1", 2, 2], ["test-1-2", 3, 3], ["test-S", 2, 2]]
    assert wrong == [["test-1-1", 0, 2], ["test-1-2", 0, 3], ["test-S", 2, 2]]


@pytest.mark.long
def test_nbgrader_from_the_pack_to_the_gradebook(packed, tmp_path):
    """generate_assignment, a solved and a wrong notebook, autograde, grade_hidden.py: the points in the gradebook."""
    python = vendor("nbgrader")
    course = unpack(packed("nbgrader"), tmp_path / "course")
    library = str(unpack(zipfile.ZipFile(course / "wheels" / wheel()[0]), tmp_path / "lib"))

    def nbgrader(*arguments):
        home = {name: str(tmp_path / name) for name in ("HOME", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
        path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"             # nbgrader calls a command beside it
        return run([python, *arguments], course, PYTHONPATH=library, MINIGRAD_KERNELS="numpy", PATH=path, **home)

    nbgrader("-m", "nbgrader", "generate_assignment", "01_cubes")
    released = json.loads((course / "release" / "01_cubes" / "cubes.ipynb").read_text())
    text = json.dumps(released)
    assert "NotImplementedError" in text and "x * x * x" not in text and "cubes of other numbers" in text
    for student, solution in (("ada", SOLUTION), ("bob", WRONG)):
        folder = course / "submitted" / student / "01_cubes"
        shutil.copytree(course / "release" / "01_cubes", folder)
        notebook = json.loads(json.dumps(released))
        for cell in notebook["cells"]:
            if "%%writefile cubes.py" in "".join(cell["source"]):
                cell["source"] = "%%writefile cubes.py\n" + solution
            if "%%writefile test_mine.py" in "".join(cell["source"]):
                cell["source"] = "%%writefile test_mine.py\n" + SUITE
        (folder / "cubes.ipynb").write_text(json.dumps(notebook))
    nbgrader("-m", "nbgrader", "autograde", "01_cubes")
    nbgrader("grade_hidden.py")
    scores = ("from nbgrader.api import Gradebook\nwith Gradebook('sqlite:///gradebook.db') as book:\n"
              "    print({one.student.id: one.score for one in book.assignment_submissions('01_cubes')})\n")
    assert nbgrader("-c", scores).strip() == "{'ada': 7.0, 'bob': 2.0}"
