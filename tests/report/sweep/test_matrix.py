"""Merges by targets."""

import dataclasses

import pytest
from rich.console import Console

from dfwe.report.sweep.jobs import JobResult
from dfwe.report.sweep.matrix_table import MergeMatrix, matrix_table
from dfwe.report.terminal.console import FittedTable

JOB = JobResult("meld", ("a",), "ties", 0, "merge-1", dev=0.5, test=0.5, baseline=0.25, budget=40)


def job(target, merge, **changes):
    return dataclasses.replace(JOB, target=target, merge=merge, **changes)


def grid(**changes):
    return [job(target, merge, **changes) for target in ("meld", "personality") for merge in ("linear", "ties")]


def printed(jobs):
    console = Console(width=80, record=True)
    console.print(FittedTable(matrix_table(jobs)))
    return console.export_text()


def test_matrix_marks_merges_that_are_one_expert():
    jobs = [*grid(), job("meld", "slerp", expert="meld", mixture=(0.25, 0.125)), job("personality", "slerp")]
    matrix = MergeMatrix.of(jobs)
    places = {row.merge: row.cells for row in matrix.rows}
    kept_expert = places["slerp"]["meld"]
    assert (kept_expert.mixture, kept_expert.selection, kept_expert.mark) == (-0.125, 0.25, "=")
    assert places["slerp"]["personality"].mark == places["ties"]["meld"].mark == ""
    line = next(line.split() for line in printed(jobs).splitlines() if "slerp" in line)
    assert line == ["slerp", "40", "-12.5", "=", "+25.0", "+6.2"]


def test_matrix_averages_seeds():
    jobs = [*grid(), job("meld", "ties", seed=1, expert="meld", mixture=(0.5, 0.25))]
    place = {row.merge: row.cells for row in MergeMatrix.of(jobs).rows}["ties"]["meld"]
    assert (place.mixture, place.num_jobs, place.mark) == (0.125, 2, "(=)")


def test_matrix_sorts_by_budget_and_dev():
    jobs = [*grid(), job("meld", "lines", budget=1, dev=0.9), job("meld", "della", dev=0.75)]
    assert [(row.budget, row.merge) for row in MergeMatrix.of(jobs).rows] == [
        (40, "della"),
        (40, "linear"),
        (40, "ties"),
        (1, "lines"),
    ]
    lines = [line.split()[:2] for line in printed(jobs).splitlines()]
    assert lines.index(["della", "40"]) < lines.index(["lines", "1"])


@pytest.mark.parametrize(
    "jobs", [[], [job("meld", "ties"), job("meld", "linear")], [job("meld", "ties"), job("personality", "ties")]]
)
def test_matrix_needs_several_merges_and_targets(jobs):
    assert MergeMatrix.of(jobs) is None
    assert matrix_table(jobs) is None
