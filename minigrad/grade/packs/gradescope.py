"""Gradescope: setup.sh when the image is built (with a network), run_autograder for every submission (without)."""
from __future__ import annotations

from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.packs.parts import NEEDS, kernels, packed, whole

SETUP = f'''#!/usr/bin/env bash
# Runs once, when the image is built: unpacks the wheels, and fetches NumPy if it is neither there nor packed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${{PYTHON:-python3}}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {{
    echo "Needed: {NEEDS}. Choose the newest base image." >&2; exit 1; }}
mkdir -p "$here/lib"
for wheel in "$here"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$here/lib"; done
export PYTHONPATH="$here/lib"
"$python" -c 'import numpy, sys; sys.exit(numpy.__version__ < "2")' 2>/dev/null || {{
    "$python" -m pip --version >/dev/null 2>&1 || {{ apt-get update && apt-get install -y python3-pip; }}
    "$python" -m pip install --target "$here/lib" "numpy>=2"; }}
chmod -R go-rwx "$here/assignment"             # a submission runs as another user: it must not read the hidden tests
"$python" -m compileall -q "$here/lib"
chmod -R go+rX "$here/lib"
'''
RUN = '''#!/usr/bin/env bash
# Runs for every submission, as /autograder/run_autograder. If it fails, it leaves no results.json: an error, no points.
set -eu
root=${{AUTOGRADER:-/autograder}}
python=${{PYTHON:-python3}}
export PYTHONPATH="$root/source/lib"
{kernels}cd /
student=$("$python" "$root/source/student.py" "$root/submission_metadata.json")
mkdir -p "$root/results"
exec "$python" -m minigrad.grade run "$root/source/assignment/{name}" "$root/submission" --student "$student" \\
    --format gradescope --out "$root/results/results.json"
'''
STUDENT = '''"""Who handed in: the addresses of the group, which seed its hidden data; "" if none is told."""
import json
import sys

try:
    with open(sys.argv[1], encoding="utf-8") as file:
        users = json.load(file).get("users", [])
except (OSError, ValueError):
    users = []
print(",".join(sorted(str(one.get("email") or one.get("id")) for one in users)))
'''
README = f'''Upload this zip as the autograder of a programming assignment, on a base image with {NEEDS}
(NumPy is fetched when the image is built, unless its wheel is in wheels/). Nothing is fetched while it grades.
Give the container as much time as it needs: see the timeout in the assignment's settings.
'''


def gradescope(assignment: Assignment, wheels: dict[str, bytes]) -> dict[str, Any]:
    run = RUN.format(name=assignment.name, kernels=kernels(wheels))
    return {"setup.sh": SETUP, "run_autograder": run, "student.py": STUDENT, "README.txt": README,
            **whole(assignment, "assignment"), **packed(wheels, "wheels")}
