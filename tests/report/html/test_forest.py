"""The forest plot of a page."""

import re

import pytest

from dfwe.report.html.forest import ForestPlot, ForestRow
from dfwe.report.html.run_page import run_page
from dfwe.report.run_folder import read_run


def difference(name, delta, low, high, **more):
    return ForestRow(name, "merge", delta, (low, high), **more)


def test_places_are_on_one_scale_that_holds_zero():
    plot = ForestPlot("", [difference("a", 0.02, 0.01, 0.03), difference("b", -0.01, -0.02, 0.0)])
    zero = plot.place(0.0)
    assert 0 < plot.place(-0.02) < plot.place(-0.01) < zero < plot.place(0.01) < plot.place(0.03) < 100
    assert zero - plot.place(-0.01) == pytest.approx((plot.place(0.02) - zero) / 2, abs=0.02)


def test_an_interval_that_holds_zero_is_open():
    rows = [difference("a", 0.02, 0.01, 0.03), difference("b", -0.02, -0.03, -0.01), difference("c", 0.0, -0.1, 0.1)]
    assert [row.side for row in ForestPlot("", rows).rows] == ["above", "below", "open"]


def test_ticks_are_round_numbers_of_points():
    ticks = ForestPlot("", [difference("a", 0.033, -0.049, 0.071)]).ticks
    assert [word for _, word in ticks] == ["-4", "-2", "0", "+2", "+4", "+6"]


def test_row_without_a_difference_is_none():
    row = {"name": "baseline", "kind": "baseline"}
    assert ForestRow.of(row, row) is None


def test_page_has_a_mark_per_compared_row(whole):
    html = run_page(read_run(whole), pictures={})
    marks = re.findall(r'<svg class="bar" height="18" role="img" aria-label="([^"]+)"><title>([^<]+)</title>', html)
    assert len(marks) == 9  # four experts, three baselines, two merges
    assert all(label == title for label, title in marks)
    assert re.search(r"uniform merge: [+-]\d+\.\d \(", html)
