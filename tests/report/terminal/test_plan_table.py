"""The plan, as people read it."""

import io

import pytest
from rich.console import Console

from dfwe.report.numbers import seconds_in_words, size_in_words
from dfwe.report.terminal.plan_table import draw_plan


def row(needed=4, there=1, seconds=0.0, num_bytes=0.0, unknown=0, alike=0, memory=None):
    to_do = needed - there
    counts = {"needed": needed, "there": there, "to_do": to_do, "separately": 8}
    return {**counts, "seconds": seconds, "bytes": num_bytes, "unknown": unknown, "alike": alike, "memory": memory}


def drawn(failed=(), jobs=2, undecided=0, **rows):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(draw_plan({"jobs": jobs, "undecided": undecided, "rows": rows, "failed": list(failed)}))
    return " ".join(console.export_text().replace("│", " ").split())


def test_plan_estimates_time_and_size():
    text = drawn(
        experts=row(seconds=240.0, num_bytes=3e9, alike=3, memory=2e9),
        merges=row(unknown=1, seconds=60.0, num_bytes=1e6),
    )
    assert "experts 4 1 3 4.0 min 3.0 GB 2.0 GB 8" in text
    assert "merges 4 1 3 60 s + unknown 1.0 MB + unknown unknown 8" in text
    assert (
        "About 5.0 min of stages, one after the other, and 3.0 GB on disk, and 1 stages of unknown length and size"
        in text
    )
    assert "for 3 of 6 on the same tasks and data" in text


def test_plan_without_cards_is_unknown():
    text = drawn(jobs=1, experts=row(unknown=3))
    assert "Plan of 1 study" in text
    assert "experts 4 1 3 unknown unknown unknown 8" in text
    assert "How long it takes is unknown" in text


def test_a_full_store_has_nothing_to_do():
    text = drawn(experts=row(needed=4, there=4))
    assert "experts 4 4 0 8" in text
    assert "Everything is in the store" in text


def test_plan_before_a_selection_says_so():
    text = drawn(choices=row(needed=8, there=8), undecided=1)
    assert "Everything that is resolved yet is in the store" in text
    assert "1 of 2 studies choose sources, or what to merge, by results of these stages" in text
    assert "The study chooses sources, or what to merge, by results" in drawn(jobs=1, undecided=1, choices=row())


def test_jobs_that_cannot_run_are_named():
    assert "job 3 is not planned: no such task" in drawn([{"job": 3, "message": "no such task"}], experts=row())


@pytest.mark.parametrize(("seconds", "words"), [(3.0, "3 s"), (119.0, "119 s"), (120.0, "2.0 min"), (9e3, "2.5 h")])
def test_times_have_fitting_units(seconds, words):
    assert seconds_in_words(seconds) == words


@pytest.mark.parametrize(("size", "words"), [(12.0, "12 bytes"), (1.5e3, "1.5 kB"), (2.5e9, "2.5 GB")])
def test_sizes_have_fitting_units(size, words):
    assert size_in_words(size) == words


def test_plan_of_a_moment_is_not_an_estimate():
    text = drawn(parents=row(needed=2, there=0, unknown=1, num_bytes=1e6, seconds=0.2), experts=row(unknown=3))
    assert "How long it takes is unknown" in text
    assert "About 0 s" not in text
