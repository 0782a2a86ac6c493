"""Assignments: made, handed out and graded offline, each test in a process that holds neither answer nor hidden data.

    from minigrad.grade import Assignment, Mutant, task           what an assignment's checks.py and mutants.py import

    python -m minigrad.grade list                                 the assignments
    python -m minigrad.grade make 05_momentum --out hw            student/, public/ and teacher/
    python -m minigrad.grade run 05_momentum submission/          one submission, one report
    python -m minigrad.grade class 05_momentum submissions/       a folder of them, and a page of statistics

`docs/teaching.md` is the instructor's page. The files in reading order: assignment (the folder), case (what a check may
ask and say), wire (arrays over a pipe), library (the copy without the answer), sandbox and child (the two ends of the
isolation), record (what a run found), grading (a submission, its own tests, a class), reports.
"""
from minigrad.grade.assignment import Assignment, Mutant, load, task
from minigrad.grade.case import Case, Outcome

__all__ = ["Assignment", "Case", "load", "Mutant", "Outcome", "task"]
