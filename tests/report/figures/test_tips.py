"""Titles on the marks of pictures."""

import re

from matplotlib.figure import Figure

from dfwe.report.figures.search import draw_trace
from dfwe.report.figures.style import svg_of, tip, with_tips
from dfwe.report.trials import SearchTrial

NASTY = "<b>&'\""


def titles(svg):
    return re.findall(r"<title>(.*?)</title>", svg)


def test_points_have_their_texts_in_their_order_escaped():
    axes = Figure().add_subplot()
    tip(axes.scatter([1, 2, 3], [1, 2, 3]), ["one", NASTY, "three"])
    svg = svg_of(axes.figure)
    assert titles(svg) == ["one", "&lt;b&gt;&amp;&#x27;&quot;", "three"]
    assert "tips:" not in svg


def test_a_line_has_a_text_before_its_markers():
    axes = Figure().add_subplot()
    tip(axes.plot([1, 2], [1, 2], marker="o")[0], ["line", "first", "second"])
    svg = svg_of(axes.figure)
    assert titles(svg) == ["line", "first", "second"]
    assert re.search(r"<path[^>]*><title>line", svg)
    assert re.search(r"<use[^>]*><title>second", svg)


def test_a_drawing_without_texts_stays_as_it_is():
    assert with_tips('<g id="a"><path d="M 0 0"/></g>') == '<g id="a"><path d="M 0 0"/></g>'


def test_a_single_point_and_a_stopped_trial_have_theirs():
    trials = [SearchTrial(1, "search", {}, 0.5), SearchTrial(2, "search", {}, None, bound=0.25)]
    assert titles(svg_of(draw_trace(trials, selected=1, levels={}))) == [
        "evaluation 1: 50.0",
        "evaluation 2: at most 25.0",
        "evaluation 1: 50.0",
    ]
