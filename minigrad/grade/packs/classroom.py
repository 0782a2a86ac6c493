"""GitHub Classroom: the template repository. It is the student's, so it has the public tests and nothing else."""
from __future__ import annotations

from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.handout import student_files
from minigrad.grade.packs.parts import NEEDS, kernels, packed, public

WORKFLOW = '''name: Autograding
on: [push, workflow_dispatch]
permissions: {checks: write, actions: read, contents: read}
jobs:
  grade:
    runs-on: ubuntu-latest
    if: github.actor != 'github-classroom[bot]'
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: python -m pip install "numpy>=2"
      - name: public tests
        id: public
        run: sudo -E env "PATH=$PATH" bash .github/grading/grade.sh >> "$GITHUB_OUTPUT"
      - uses: classroom-resources/autograding-grading-reporter@v1
        env: {PUBLIC_RESULTS: "${{steps.public.outputs.result}}"}
        with: {runners: public}
'''
RUN = '''#!/usr/bin/env bash
# Prints `result=...`, the public tests of the repository that it lies in, for the step that reports them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${{PYTHON:-python3}}
lib=$(mktemp -d) && chmod 755 "$lib"
for wheel in "$here"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$lib"; done
export PYTHONPATH="$lib"
{kernels}cd /
result=$("$python" -m minigrad.grade run "$here/assignment/{name}" "$here/../.." --format classroom)
echo "result=$result"
'''
README = f'''Make the template repository of the assignment from these files. The runner needs {NEEDS}
(the workflow installs both before it grades). Students can read and change what lies in their repository, the
workflow too: so it has the public tests only, and its points are a help to them. Grade what counts on a machine of your
own, with `python -m minigrad.grade class` on the cloned repositories, and leave this file out of the template.
'''


def classroom(assignment: Assignment, wheels: dict[str, bytes]) -> dict[str, Any]:
    below = ".github/grading"
    return {**student_files(assignment), ".github/workflows/classroom.yml": WORKFLOW, "README-teacher.txt": README,
            f"{below}/grade.sh": RUN.format(name=assignment.name, kernels=kernels(wheels)),
            **public(assignment, f"{below}/assignment"), **packed(wheels, f"{below}/wheels")}
