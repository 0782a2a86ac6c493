"""A record in the words of whoever reads it: FORMATS[name](record) is the text of one file."""
from typing import Any
from minigrad.grade.record import as_json
from minigrad.grade.reports.junit import junit
from minigrad.grade.reports.notebook import nbgrader
from minigrad.grade.reports.page import markdown, text
from minigrad.grade.reports.services import classroom, coderunner, gradescope, otter, prairielearn
from minigrad.grade.reports.statistics import statistics

FORMATS: dict[str, Any] = {
    "text": text, "markdown": markdown, "junit": junit, "json": lambda record: as_json(record.dict()),
    "gradescope": gradescope, "prairielearn": prairielearn, "classroom": classroom, "coderunner": coderunner,
    "otter": otter, "nbgrader": nbgrader,
}
