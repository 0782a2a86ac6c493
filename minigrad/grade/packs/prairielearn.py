"""PrairieLearn: a question with an external grader, whose tests/ holds the grader; the image has Python and NumPy."""
from __future__ import annotations

import json
import uuid
from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.handout import student_files
from minigrad.grade.packs.parts import NEEDS, kernels, packed, whole
from minigrad.grade.packs.wheel import archive

IMAGE = "minigrad-grader"
DOCKERFILE = '''# docker build -t minigrad-grader . ; push it under a name of your own, and write that into info.json
FROM python:3.12-slim
RUN pip install --no-cache-dir "numpy>=2"
'''
RUN = '''#!/usr/bin/env bash
# The entry point of the container. If the grader itself fails, the student loses no attempt.
set -u
root=${{GRADE:-/grade}}
python=${{PYTHON:-python3}}
lib=$(mktemp -d) && chmod 755 "$lib" && mkdir -p "$root/results" && chmod -R go-rwx "$root/tests/assignment"
for wheel in "$root"/tests/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$lib"; done
export PYTHONPATH="$lib"
{kernels}cd /
variant='import json, sys; print(json.load(open(sys.argv[1])).get("variant_seed", ""))'
seed=$("$python" -c "$variant" "$root/data/data.json")
"$python" -m minigrad.grade run "$root/tests/assignment/{name}" "$root/student" --seed "$seed" \\
    --format prairielearn --out "$root/results/results.json" ||
    echo '{{"gradable": false, "message": "The grader failed: tell your teacher."}}' >"$root/results/results.json"
'''
QUESTION = '''<pl-question-panel>
<markdown>
{handout}
</markdown>
<pl-file-download file-name="student.zip" label="The files to begin with"></pl-file-download>
<pl-file-upload file-names="{module}.py" optional-file-names="{optional}"></pl-file-upload>
</pl-question-panel>
<pl-submission-panel>
<pl-external-grader-results></pl-external-grader-results>
<pl-file-preview></pl-file-preview>
</pl-submission-panel>
'''
README = f'''Copy questions/ into the course. The image needs {NEEDS}: image/Dockerfile makes one;
its name stands in info.json. Nothing is fetched while it grades, and the container has no network.
'''


def prairielearn(assignment: Assignment, wheels: dict[str, bytes]) -> dict[str, Any]:
    below = f"questions/{assignment.name}"
    optional = "adapter.py" if assignment.subject else "adapter.py,test_mine.py"       # tests asked for: no option
    info = {"uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"minigrad/{assignment.name}")), "title": assignment.title,
            "topic": f"Chapter 8, sections {assignment.sections}", "tags": ["minigrad"], "type": "v3",
            "gradingMethod": "External", "externalGradingOptions": {
                "enabled": True, "image": IMAGE, "entrypoint": "bash /grade/tests/run.sh", "timeout": 600,
                "enableNetworking": False}}
    return {f"{below}/info.json": json.dumps(info, indent=4) + "\n",
            f"{below}/question.html": QUESTION.format(module=assignment.module, optional=optional,
                                                      handout=(assignment.folder / "handout.md").read_text()),
            f"{below}/clientFilesQuestion/student.zip": archive(student_files(assignment)),
            f"{below}/tests/run.sh": RUN.format(name=assignment.name, kernels=kernels(wheels)),
            **whole(assignment, f"{below}/tests/assignment"), **packed(wheels, f"{below}/tests/wheels"),
            "image/Dockerfile": DOCKERFILE, "README.txt": README}
