"""Define the style of all figures: readable in print and at a phone's width, distinct without colour vision."""

from __future__ import annotations

import io
import json
import math
import re
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from html import escape
from pathlib import Path
from statistics import fmean, stdev
from types import MappingProxyType
from typing import Any, ParamSpec

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfwe.io.files import make_folder, write_bytes

PANEL_LETTERS = 9.0  # points, in small pictures side by side
WIDTH = 4.8  # inches: at a phone's width letters then keep about their size
INK, GRID = "#1b1b1d", "#d8d8da"  # in a page these follow its light or dark colours
MUTED = "#8a8a8e"
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, INK)  # Okabe and Ito's palette without its yellow
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # likewise
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")  # beside colours, for prints in grey
SCORES = "viridis"  # the colour map of scores
DIFFERENCES = "PuOr_r"  # the colour map of differences, its middle at none

STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial", "sans-serif"],
        "font.size": 10.0,
        "axes.titlesize": 10.0,
        "axes.labelsize": 10.0,
        "legend.fontsize": 9.0,
        "legend.frameon": False,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.8,
        "hatch.linewidth": 0.6,
        "text.parse_math": False,  # a task may be called a$b$c
        "svg.fonttype": "none",  # text stays text: it can be searched, copied, and has the reader's own letters
        "svg.hashsalt": "dfwe",  # the same picture is the same bytes
        "savefig.dpi": 200,
        "axes.unicode_minus": True,
    }
)
P = ParamSpec("P")
_MARK = "tips:"
_GROUP = re.compile(f'(<g) id="{_MARK}([\\w=-]*)"')
_SHAPES = re.compile(r"<defs>.*?</defs>|<(use|path)\s[^>]*/>", re.DOTALL)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw in the one style, whatever the process's own settings are."""

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(dict(STYLE)):
            return draw(*args, **kwargs)

    return inner


def new_figure(height: float) -> tuple[Figure, Axes]:
    """Return an empty figure of that many inches, and its axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def new_panels(num: int, *, margin: float, height: float, share_x: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure of small pictures on one scale of scores, two beside each other, and their axes."""
    columns = min(2, num)
    rows = math.ceil(num / columns)
    figure = Figure(figsize=(WIDTH, margin + height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=share_x, sharey=True, squeeze=False).ravel()
    for axes in grid:
        axes.tick_params(labelsize=PANEL_LETTERS)
    for place in range(num, len(grid)):
        grid[place].set_visible(False)
        grid[place - columns].tick_params(labelbottom=True)  # nothing stands below it
    return figure, list(grid[:num])


def draw_mean_line(axes: Axes, scores: Mapping[float, Sequence[float]], *, number: int, label: str) -> None:
    """Draw the means of scores, times 100, as line `number`, with one standard deviation around each."""
    axes.errorbar(
        list(scores),
        [100 * fmean(group) for group in scores.values()],
        yerr=[100 * stdev(group) if len(group) > 1 else 0.0 for group in scores.values()],
        marker=MARKERS[number % len(MARKERS)],
        color=CYCLE[number % len(CYCLE)],
        capsize=3,
        elinewidth=1.1,
        label=label,
    )


def short(name: str, *, most: int = 26) -> str:
    """Shorten a name to one line that a figure has room for; tables have it whole."""
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def save(figure: Figure, *, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name`.png and `name`.svg into the folder, which is made; the same figure gives the same bytes."""
    make_folder(folder)
    paths = (folder / f"{name}.png", folder / f"{name}.svg")
    for path in paths:
        write_bytes(path, _encode(figure, form=path.suffix[1:]))
    return paths


def svg_of(figure: Figure) -> str:
    """Return the figure as the text of an SVG file."""
    return _encode(figure, form="svg").decode()


def inline_svg(svg: str, *, name: str, title: str) -> str:
    """Return an SVG file as an element of an HTML page, in the page's ink; `name` makes its ids unique.

    What the user named is escaped by matplotlib in the drawing, and here in the title.
    """
    text = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\sid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r'style="[^"]*"', lambda match: _page_colours(match[0]), text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def _page_colours(style: str) -> str:
    return style.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")


def _encode(figure: Figure, *, form: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    with matplotlib.rc_context(dict(STYLE)), warnings.catch_warnings():
        # a PNG shows a box for letters that its font lacks; a SVG has the text itself
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        background: dict[str, Any] = {"transparent": True} if form == "svg" else {"facecolor": "white"}
        figure.savefig(buffer, format=form, metadata=metadata, **background)
    return with_tips(buffer.getvalue().decode()).encode() if form == "svg" else buffer.getvalue()


def tip(artist: Artist, texts: Sequence[str]) -> None:
    """Give an artist's marks their texts, in the order in which it draws them; a line is drawn before its markers."""
    artist.set_gid(_MARK + urlsafe_b64encode(json.dumps(list(texts)).encode()).decode())


def with_tips(svg: str) -> str:
    """Return the drawing with the texts as titles of its marks."""
    before, *groups = _GROUP.split(svg)
    parts = [before]
    for start, texts, rest in zip(groups[::3], groups[1::3], groups[2::3], strict=True):
        parts += [start, _titled(rest, texts=json.loads(urlsafe_b64decode(texts)))]
    return "".join(parts)


def _titled(drawing: str, *, texts: Sequence[str]) -> str:
    """Add the texts as titles to the first shapes of the drawing."""
    left = list(texts)

    def titled(match: re.Match[str]) -> str:
        if match[1] is None or not left:  # a definition is drawn where it is used
            return match[0]
        return f"{match[0].removesuffix('/>')}><title>{escape(left.pop(0))}</title></{match[1]}>"

    return _SHAPES.sub(titled, drawing)
