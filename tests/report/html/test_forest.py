"""The forest plot of a page."""

import re

import pytest

from dfwe.report.html.forest import ForestEntry, forest_plot
from dfwe.report.html.run_page import run_page
from dfwe.report.run_folder import read_run


def difference(name, delta, low, high, **more):
    return ForestEntry(name, "merge", delta, (low, high), **more)


def test_places_are_on_one_scale_that_holds_zero():
    found = forest_plot([difference("a", 0.02, 0.01, 0.03), difference("b", -0.01, -0.02, 0.0)], caption="")
    a, b = found.rows
    assert b.low < b.place < found.zero < a.low < a.place < a.high
    per_point = (a.place - found.zero) / 2  # a differs by 2 points
    assert found.zero - b.place == pytest.approx(per_point, abs=0.02)
    assert b.low > 0
    assert a.high < 100


def test_an_interval_that_holds_zero_is_open():
    rows = [difference("a", 0.02, 0.01, 0.03), difference("b", -0.02, -0.03, -0.01), difference("c", 0.0, -0.1, 0.1)]
    assert [row.side for row in forest_plot(rows, caption="").rows] == ["above", "below", "open"]


def test_ticks_are_round_numbers_of_points():
    ticks = forest_plot([difference("a", 0.033, -0.049, 0.071)], caption="").ticks
    assert [word for _, word in ticks] == ["-4", "-2", "0", "+2", "+4", "+6"]


def test_what_has_only_a_standard_error_has_about_its_interval():
    row = {"name": "x", "kind": "merge", "delta": 0.1, "delta_standard_error": 0.05}
    assert ForestEntry.of(row, row).ends == (pytest.approx(0.002), pytest.approx(0.198))


def test_what_was_not_compared_has_no_row():
    row = {"name": "baseline", "kind": "baseline"}
    assert ForestEntry.of(row, row) is None
    assert forest_plot([None], caption="") is None


def test_every_row_of_a_study_but_the_baseline_is_in_its_page_with_a_title(whole):
    html = run_page(read_run(whole), pictures={})
    marks = re.findall(r'<svg class="bar" height="18" role="img" aria-label="([^"]+)"><title>([^<]+)</title>', html)
    assert len(marks) == 9  # four experts, three controls, two merges
    assert all(label == title for label, title in marks)
    assert re.search(r"uniform merge: [+-]\d+\.\d \(", html)
