"""Moodle's CodeRunner: question.xml to import, with a template that grades and one support file, the grader."""
from __future__ import annotations

import base64
import html
import xml.etree.ElementTree as tree
from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.packs.parts import NEEDS, packed, whole
from minigrad.grade.packs.wheel import archive

TEMPLATE = '''"""Grades one answer: the text box is {module}.py; adapter.py and test_mine.py may be attached."""
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

answer = """{{{{ STUDENT_ANSWER | e('py') }}}}"""
student = """{{{{ STUDENT.username | e('py') }}}}"""
with tempfile.TemporaryDirectory() as folder:
    os.chmod(folder, 0o755)
    with zipfile.ZipFile("grader.zip") as grader:
        grader.extractall(folder)
    for name in os.listdir(folder + "/wheels"):
        with zipfile.ZipFile(folder + "/wheels/" + name) as wheel:
            wheel.extractall(folder + "/lib")
    os.mkdir(folder + "/submission")
    for name in ("adapter.py", "test_mine.py"):
        if os.path.exists(name):
            shutil.copy(name, folder + "/submission")
    with open(folder + "/submission/{module}.py", "w", encoding="utf-8") as file:
        file.write(answer)
    done = subprocess.run(
        [sys.executable, "-m", "minigrad.grade", "run", folder + "/assignment/{name}", folder + "/submission",
         "--student", student, "--format", "coderunner"], cwd=folder, capture_output=True, text=True,
        env=os.environ | {{"PYTHONPATH": folder + "/lib"{kernels}}})
print(done.stdout, end="")
sys.exit(done.returncode and "the grader failed, tell your teacher: " + done.stderr[-500:])
'''
README = f'''Import question.xml (Moodle XML) into a course with CodeRunner. The server that runs the code needs
{NEEDS}; nothing is fetched while it grades. It runs the template, and so the grader, as one user without
privileges: the isolation is the audit hook alone. What must not leak should be graded with `class` on your own machine.
'''


def coderunner(assignment: Assignment, wheels: dict[str, bytes]) -> dict[str, Any]:
    compiled = not any(name.startswith("minigrad_book-") and name.endswith("-none-any.whl") for name in wheels)
    template = TEMPLATE.format(module=assignment.module, name=assignment.name,
                               kernels="" if compiled else ', "MINIGRAD_KERNELS": "numpy"')
    quiz = tree.Element("quiz")
    question = tree.SubElement(quiz, "question", type="coderunner")

    def text(name, said, **attributes):
        tree.SubElement(tree.SubElement(question, name, attributes), "text").text = said

    text("name", assignment.title)
    text("questiontext", f"<pre>{html.escape((assignment.folder / 'handout.md').read_text())}</pre>", format="html")
    plain = {"defaultgrade": f"{assignment.points:g}", "penalty": "0", "hidden": "0", "coderunnertype": "python3",
             "prototypetype": "0", "allornothing": "0", "penaltyregime": "0", "precheck": "0", "answerboxlines": "30",
             "answerpreload": assignment.text(), "template": template, "iscombinatortemplate": "1",
             "allowmultiplestdins": "0", "answer": assignment.text("all"), "validateonsave": "0", "language": "python3",
             "grader": "TemplateGrader", "cputimelimitsecs": "50", "memlimitmb": "0",
             "sandboxparams": '{"numprocs": 100}', "attachments": "2", "attachmentsrequired": "0",
             "filenamesregex": r"(adapter|test_mine)\.py"}
    for name, value in plain.items():
        tree.SubElement(question, name).text = value
    cases = tree.SubElement(question, "testcases")
    case = tree.SubElement(cases, "testcase", testtype="0", useasexample="0", hiderestiffail="0", mark="1.0")
    for name, said in {"testcode": "graded by minigrad", "stdin": "", "expected": "", "extra": "",
                       "display": "SHOW"}.items():
        tree.SubElement(tree.SubElement(case, name), "text").text = said
    grader = archive({**whole(assignment, "assignment"), **packed(wheels, "wheels")})
    tree.SubElement(cases, "file", name="grader.zip", path="/", encoding="base64").text = \
        base64.b64encode(grader).decode()
    return {"question.xml": '<?xml version="1.0" encoding="UTF-8"?>\n' + tree.tostring(quiz, encoding="unicode") + "\n",
            "README.txt": README}
