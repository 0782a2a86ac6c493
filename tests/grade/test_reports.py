"""Every format against a schema written from its vendor's documents, and a reader of its own where there is one."""
import base64
import json
import re
import struct
import xml.etree.ElementTree as tree
import zlib

import numpy as np
import pytest

from minigrad.grade.picture import png
from minigrad.grade.record import Record, Result, Suite, write
from minigrad.grade.reports import FORMATS, statistics

NUMBER = (int, float)
GRADESCOPE = {
    "score": NUMBER, "execution_time": NUMBER, "output": str, "output_format": str, "stdout_visibility": str,
    "extra_data": dict, "tests": [{"score": NUMBER, "max_score": NUMBER, "status": str, "name": str, "number": str,
                                   "output": str, "output_format": str, "visibility": str}]}
PRAIRIELEARN = {
    "gradable": bool, "score": NUMBER, "message": str, "output": str,
    "tests": [{"name": str, "points": NUMBER, "max_points": NUMBER, "output": str,
               "images": [{"label": str, "url": str}]}]}
CLASSROOM = {
    "version": int, "status": str, "message": str, "max_score": NUMBER,
    "tests": [{"name": str, "status": str, "message": str, "test_code": str, "task_id": str, "filename": str,
               "line_no": int, "duration": NUMBER, "score": NUMBER, "output": str}]}
CODERUNNER = {"fraction": NUMBER, "testresults": [list], "columnformats": [str], "prologuehtml": str,
              "epiloguehtml": str,
              "instructorhtml": str}


def fits(data, schema, where="$"):
    """data has exactly the keys and types of a schema: dict -> keys, [one] -> a list of those, else a type."""
    if isinstance(schema, dict):
        assert isinstance(data, dict) and data.keys() == schema.keys(), (where, set(data) ^ set(schema))
        for key, inner in schema.items():
            fits(data[key], inner, f"{where}.{key}")
    elif isinstance(schema, list):
        assert isinstance(data, list), where
        for at, one in enumerate(data):
            fits(one, schema[0], f"{where}[{at}]")
    else:
        assert isinstance(data, schema) and not (isinstance(data, bool) and schema is not bool), (where, data)


HARD = "a <b> & \"c\" | `d` \x00 \x1b[31m \ud83d é\n*e*"


@pytest.fixture
def record():
    """Every status, a picture, hostile text, a suite that missed something."""
    path = np.column_stack([np.arange(5.0), np.arange(5.0) ** 2])
    tests = [Result("one", "1.1", "first", 2.0, 2.0, "passed", "public", seconds=0.25),
             Result("two", "1.2", "second", 0.0, 3.0, "failed", "public", "<script>alert(1)</script> | reread", 0.5,
                    "printed \x1b", [("your path", path + 1, path)]),
             Result("three", "2.1", "third", 0.0, 1.5, "failed", "hidden", "the hidden reason", 0.1)]
    tests += [Result(status, f"3.{at}", status, 0.0, 1.0, status, "hidden", f"why {status}")
              for at, status in enumerate(("error", "timeout", "memory", "crash"), 1)]
    suite = Suite(2.0, 4.0, "passed", "", ["test_a"], [("m1", "the sign", ["test_a"]), ("m2", "the start", [])])
    return Record("05_momentum", "Momentum", "ada <b>", "7", tests, suite, ["left out x"], "namespace", ["walls"])


def test_points_have_two_decimals_at_most(record):
    record.suite.points = 2.03125
    assert "4.03 of 14.5 points" in FORMATS["text"](record) and "2.03/4" in FORMATS["coderunner"](record)
    assert "Your own tests: 2.03 of 4 points" in FORMATS["markdown"](record)


def test_gradescope(record):
    data = json.loads(FORMATS["gradescope"](record))
    fits(data, GRADESCOPE)
    assert data["score"] == 4.0 == sum(one["score"] for one in data["tests"])
    assert {one["status"] for one in data["tests"]} <= {"passed", "failed"}
    assert {one["visibility"] for one in data["tests"]} == {"visible", "hidden"}
    assert data["stdout_visibility"] in ("hidden", "after_due_date", "after_published", "visible")
    assert [one["number"] for one in data["tests"]] == ["1.1", "1.2", "2.1", "3.1", "3.2", "3.3", "3.4", "S"]
    assert "hidden" not in data["output"]


def test_prairielearn(record):
    text = FORMATS["prairielearn"](record)
    data = json.loads(text)
    fits(data, PRAIRIELEARN)
    assert data["score"] == pytest.approx(4 / 14.5) and len(text.encode()) < 1 << 20
    (image,) = data["tests"][1]["images"]
    assert image["url"].startswith("data:image/png;base64,")
    pixels(base64.b64decode(image["url"].partition(",")[2]))
    assert "the hidden reason" not in text


def test_classroom(record):
    data = json.loads(base64.b64decode(FORMATS["classroom"](record), validate=False))
    fits(data, CLASSROOM)
    assert data["version"] == 3 and data["status"] == "error" and data["max_score"] == 14.5
    assert {one["status"] for one in data["tests"]} <= {"pass", "fail", "error"}
    assert all(len(one["output"]) <= 500 for one in data["tests"])
    assert "the hidden reason" not in json.dumps(data)


def test_coderunner(record):
    data = json.loads(FORMATS["coderunner"](record))
    fits(data, CODERUNNER)
    head, *rows = data["testresults"]
    shown = [name for name in head if name not in ("iscorrect", "ishidden")]
    assert len(shown) == len(data["columnformats"]) and set(data["columnformats"]) <= {"%s", "%h"}
    assert all(len(row) == len(head) for row in rows) and [row[-1] for row in rows] == [0, 0, 1, 1, 1, 1, 1, 0]
    assert 0 <= data["fraction"] <= 1 and "<script>" not in data["instructorhtml"]


OTTER = {"test_file_results": [{"filename": str, "points": type(None), "test_case_results": [{
    "passed": bool, "error": (str, type(None)), "test_case": {
        "name": str, "code": str, "hidden": bool, "points": NUMBER, "success_message": type(None),
        "failure_message": (str, type(None))}}]}]}


def test_otter(record):
    """A case a test, and one for every wrong solution; points add up to what the record says."""
    data = json.loads(FORMATS["otter"](record))
    fits(data, OTTER)
    cases = [case for one in data["test_file_results"] for case in one["test_case_results"]]
    assert len(cases) == 9 and sum(one["test_case"]["points"] for one in cases) == record.most
    assert sum(one["test_case"]["points"] for one in cases if one["passed"]) == record.points
    assert all(one["test_case"]["failure_message"] is None for one in cases if one["test_case"]["hidden"])


def test_nbgrader(record):
    """Every cell has the keys of nbgrader's schema 3 and no others, and the points as its output; no hidden reason."""
    text = FORMATS["nbgrader"](record)
    data = json.loads(text)
    assert (data["nbformat"], data["nbformat_minor"]) == (4, 5)
    assert len({one["id"] for one in data["cells"]}) == len(data["cells"])
    graded = []
    for one in data["cells"]:
        found = one["metadata"]["nbgrader"]
        assert re.fullmatch(r"[a-zA-Z0-9_\-]*", found["grade_id"]) and found["schema_version"] == 3
        assert found.keys() == {"schema_version", "grade_id", "grade", "solution", "locked", "task"} | (
            {"points"} if found["grade"] else set())
        if found["grade"]:
            graded.append((float(one["outputs"][-1]["data"]["text/plain"]), found["points"]))
    assert [sum(column) for column in zip(*graded)] == [record.points, record.most]
    assert "the hidden reason" not in text and "missed: the start" in text


def test_junit(record):
    root = tree.fromstring(FORMATS["junit"](record))
    (suite,) = root
    assert root.tag == "testsuites" and suite.tag == "testsuite"
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "2", "4")
    assert len(suite.findall("testcase")) == 7 and len(suite.findall("testcase/failure")) == 2
    assert len(suite.findall("testcase/error")) == 4
    assert {one.get("type") for one in suite.findall("testcase/error")} == {"error", "timeout", "memory", "crash"}


def test_junit_by_a_reader_of_its_own(record):
    junitparser = pytest.importorskip("junitparser")
    (suite,) = junitparser.JUnitXml.fromstring(FORMATS["junit"](record).encode())
    assert (suite.tests, suite.failures, suite.errors) == (7, 2, 4)


@pytest.mark.parametrize("name", FORMATS)
def test_no_text_of_a_student_breaks_a_report(name, record):
    record.student, record.tests[1].message, record.tests[1].output = "ada", HARD, HARD
    text = FORMATS[name](record).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if name == "junit":
        tree.fromstring(text)
    elif name in ("json", "gradescope", "prairielearn", "coderunner", "otter", "nbgrader"):
        json.loads(text)
    elif name == "markdown":
        (row,) = [line for line in text.splitlines() if line.startswith("| 1.2")]
        assert row.replace("\\|", "").count("|") == 5 and "<b>" not in row


@pytest.mark.parametrize("name, where", [
    ("gradescope", lambda data: data["tests"][1]["output"]), ("coderunner", lambda data: data["epiloguehtml"]),
    ("nbgrader", lambda data: f'src="data:image/png;base64,{data["cells"][2]["outputs"][1]["data"]["image/png"]}"'),
    ("prairielearn", lambda data: f'src="{data["tests"][1]["images"][0]["url"]}"')])
def test_the_wrong_path_goes_back_where_the_format_shows_pictures(name, where, record):
    """One picture, of the public test that failed; the student's text beside it is no markup."""
    text = where(json.loads(FORMATS[name](record)))
    (address,) = re.findall(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"', text)
    assert pixels(base64.b64decode(address)).shape[2] == 3 and "<script>" not in text


def test_public_and_hidden_are_told_apart(record):
    for name in ("text", "markdown"):
        assert "public tests: 1 of 2 passed; hidden tests: 0 of 5 passed" in FORMATS[name](record)
        assert "all tests" not in FORMATS[name](record).lower()
    assert "MISSED: the start" in FORMATS["text"](record) and "| m2 | the start | none |" in FORMATS["markdown"](record)


def test_statistics_of_a_class(record):
    """By hand: three submissions, of which one could not be graded."""
    better = Record("05_momentum", "Momentum", "bob", "7",
                    [Result(one.id, one.number, one.name, one.most, one.most, "passed", one.visibility)
                     for one in record.tests])
    page = statistics([record, better, Record("05_momentum", "Momentum", "cy", "7", notes=["could not be graded"])])
    assert "3 submissions" in page and "mean 7.2, median 7.25" in page
    assert "| 1.2 second (public) | 50% | 1 |  |  |  |  | 1.00 |" in page and "| 1.1 first (public) | 100% |" in page
    assert "| m2 | 0% | the start |" in page and "could not be graded" in page


def test_statistics_of_one(record):
    assert "1 submissions" in statistics([record])


def test_a_report_is_whole_or_not_there(tmp_path):
    path = tmp_path / "r.txt"
    write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write(path, "new \ud800")
    assert path.read_text() == "old" and [one.name for one in tmp_path.iterdir()] == ["r.txt"]


def pixels(data):
    """The image (height, width, 3) of a PNG, each chunk's checksum held."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    return rows[:, 1:].reshape(height, width, 3)


@pytest.mark.parametrize("got", [
    np.zeros((3, 2)), np.full((3, 2), np.nan), np.full((3, 2), 1e300), np.zeros(4), [[1, 2]], np.zeros((0, 2))])
def test_a_picture_of_any_path(got):
    image = pixels(png(got, [[0, 0], [1, 2], [3, 1]]))
    assert image.shape == (240, 240, 3) and (image == 0).all(axis=2).sum() > 100


def test_a_picture_shows_the_wrong_path_in_red():
    image = pixels(png([[0, 2], [3, 2]], [[0, 0], [1, 2], [3, 1]]))
    assert (image == (200, 30, 30)).all(axis=2).sum() > 200
