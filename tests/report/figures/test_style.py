"""What all pictures share."""

import matplotlib
import pytest

from dfwe.report.figures.scores import draw_coefficients
from dfwe.report.figures.style import INK, inline_svg, save, short, svg_of

NASTY = '<b>"a & b"</b>'


@pytest.fixture
def figure():
    return draw_coefficients({NASTY: {"a$x$b": 0.25, "名前": 0.75}})


def test_the_same_picture_is_the_same_bytes(tmp_path):
    drawn = [save(draw_coefficients({"m": {"a": 0.2, "b": 0.8}}), folder=tmp_path / n, name="x") for n in ("1", "2")]
    for first, second in zip(*drawn, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in drawn[0]] == ["x.png", "x.svg"]


def test_names_with_markup_are_drawn_as_text(figure, tmp_path):
    svg = inline_svg(
        svg_of(draw_coefficients({"one": {NASTY: 0.5}, "two": {"a$x$b": 0.5, "名前": 0.5}})), name="n", title=NASTY
    )
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg
    assert "a$x$b" in svg
    assert "名前" in svg
    assert all(path.stat().st_size > 1000 for path in save(figure, folder=tmp_path, name="x"))


def test_a_page_lends_pictures_its_ink_and_keeps_their_ids_apart(figure):
    first, second = (inline_svg(svg_of(figure), name=name, title="t") for name in ("one", "two"))
    assert INK not in first
    assert "var(--ink)" in first
    assert 'id="one-' in first
    assert 'id="two-' in second
    assert 'id="two-' not in first


def test_the_callers_own_settings_change_no_picture_and_stay(tmp_path):
    plain = save(draw_coefficients({"m": {"a": 0.2}}), folder=tmp_path, name="x")[1].read_bytes()
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "svg.fonttype": "path"}):
        assert save(draw_coefficients({"m": {"a": 0.2}}), folder=tmp_path, name="y")[1].read_bytes() == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_long_names_are_cut_and_have_one_line():
    assert short("a" * 40, most=5) == "aaaa…"
    assert short("two\nlines\x00here") == "two lines here"
