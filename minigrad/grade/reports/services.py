"""The JSON of the services that show grades: Gradescope, PrairieLearn, GitHub Classroom, CodeRunner, otter-grader."""
from __future__ import annotations

import base64
import html
from typing import Any

from minigrad.grade.picture import png
from minigrad.grade.record import Record, as_json
from minigrad.grade.reports.page import markdown, shown, summary


def rows(record: Record) -> Any:
    """(number, name, points, most, passed, visibility, message) of every test, the student's own suite as the last."""
    found = [(one.number, one.name, one.points, one.most, one.status == "passed", one.visibility,
              one.message or one.status) for one in record.tests]
    if record.suite:
        missed = [f"missed: {message}" for _, message, tests in record.suite.mutants if not tests]
        found.append(("S", "your own tests", record.suite.points, record.suite.most,
                      record.suite.status == "passed" and not missed, "public",
                      record.suite.message or "\n".join(missed) or "every wrong solution was found"))
    return found


def images(one: Any) -> Any:
    """The pictures of a test as PrairieLearn wants them: a label, and the PNG as an address of its own."""
    return [{"label": label, "url": "data:image/png;base64," + base64.b64encode(png(got, want)).decode()}
            for label, got, want in one.images]


def as_html(message: str, pictures: Any) -> str:
    """A message and the pictures under it, for what shows HTML."""
    return f"<pre>{html.escape(message)}</pre>" + "".join(
        f'<p>{html.escape(one["label"])}<br><img src="{one["url"]}" alt="{html.escape(one["label"])}"></p>'
        for one in pictures)


def gradescope(record: Record) -> str:
    """results.json. Hidden tests stay hidden; while there are any, Gradescope shows the student no total.

    A test with a picture is HTML.
    """
    pictures = {one.number: images(one) for one in record.tests if one.images}
    tests = [{"number": number, "name": name, "score": points, "max_score": most,
              "status": "passed" if passed else "failed",
              "output": as_html(message, pictures[number]) if number in pictures else message,
              "output_format": "html" if number in pictures else "text",
              "visibility": "visible" if visibility == "public" else "hidden"}
             for number, name, points, most, passed, visibility, message in rows(record)]
    return as_json({
        "score": record.points, "execution_time": record.seconds, "stdout_visibility": "hidden",
        "output": f"public tests: {record.passed('public')[0]} of {record.passed('public')[1]} passed",
        "output_format": "text", "tests": tests, "extra_data": {"record": record.dict()}})


def prairielearn(record: Record) -> str:
    """results.json. Every student sees all of it, so a hidden test is one line without its message."""
    pictures = {one.number: images(one) for one in record.tests}
    tests = [{"name": f"{number} {name} ({visibility})", "points": points, "max_points": most,
              "output": message if visibility == "public" else "", "images": pictures.get(number, [])}
             for number, name, points, most, _, visibility, message in rows(record)]
    return as_json({"gradable": True, "score": record.points / record.most if record.most else 0.0,
                    "message": summary(record), "output": "\n".join(record.notes), "tests": tests})


def classroom(record: Record) -> str:
    """The `result` of a step: base64 of version 3. An output holds at most 500 characters."""
    found = rows(record)
    passed = all(one[4] for one in found)
    broken = any(one.status not in ("passed", "failed") for one in record.tests)
    tests = [{"name": f"{number} {name} ({visibility})", "status": "pass" if right else "fail", "score": points,
              "message": (message if visibility == "public" and not right else "")[:500], "test_code": "",
              "task_id": number, "filename": "", "line_no": 0, "duration": 0, "output": ""}
             for number, name, points, most, right, visibility, message in found]
    data = {"version": 3, "status": "pass" if passed else "error" if broken else "fail", "max_score": record.most,
            "message": summary(record), "tests": tests}
    return base64.b64encode(as_json(data).encode()).decode() + "\n"


def coderunner(record: Record) -> str:
    """What a combinator template grader prints. `ishidden` rows are shown to teachers only."""
    pictures = [(f"{one.number} {one.name}", images(one)) for one in record.tests if one.images]
    table = [["iscorrect", "Test", "Points", "What it says", "ishidden"]]
    table += [[int(passed), f"{number} {name}", f"{shown(points)}/{most:g}", message, int(visibility != "public")]
              for number, name, points, most, passed, visibility, message in rows(record)]
    return as_json({"fraction": record.points / record.most if record.most else 0.0, "testresults": table,
                    "columnformats": ["%s"] * 3, "prologuehtml": f"<p>{html.escape(summary(record))}</p>",
                    "epiloguehtml": "".join(as_html(*one) for one in pictures),
                    "instructorhtml": f"<pre>{html.escape(markdown(record))}</pre>"})


def otter(record: Record) -> str:
    """The JSON that otter-grader reads as results (GradingResults.from_ottr_json): a file a test, a case in each.

    A suite that found some of the wrong solutions has that share: a case each.
    """
    def case(name, points, passed, message, visibility):
        return {"passed": passed, "error": None if passed else message, "test_case": {
            "name": name, "code": "", "hidden": visibility == "hidden", "points": points, "success_message": None,
            "failure_message": None if passed or visibility == "hidden" else message}}

    files = [{"filename": f"{one.number}.py", "points": None, "test_case_results": [
        case(f"{one.number} {one.name}", one.most, one.status == "passed", one.message or one.status, one.visibility)]}
        for one in record.tests]
    if record.suite:
        mutants = record.suite.mutants or [("", "", [])]
        share = record.suite.most / len(mutants)
        files.append({"filename": "own-tests.py", "points": None, "test_case_results": [
            case(f"S {name}", share, bool(tests) and record.suite.status == "passed",
                 record.suite.message or f"missed: {message}", "public") for name, message, tests in mutants]})
    return as_json({"test_file_results": files})
