"""Hold the sections of a page, and render them with a template to a page that needs no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dfwe.report.figures.study import NamedFigure
from dfwe.report.figures.style import inline_svg
from dfwe.report.html.forest import ForestPlot
from dfwe.report.tables import Cell, ReportTable

_TEMPLATES = "templates"


@dataclass(frozen=True)
class PagePicture:
    """Hold a figure with its drawing as a part of the page."""

    name: str
    title: str
    caption: str
    svg: Markup

    @classmethod
    def of(cls, figure: NamedFigure, *, svg: str) -> PagePicture:
        """Return the figure with its drawing, in which matplotlib has escaped what the user named."""
        key = "".join(c if c.isascii() and c.isalnum() else "-" for c in figure.name)
        return cls(key, figure.title, figure.caption, Markup(inline_svg(svg, name=key, title=figure.title)))


@dataclass(frozen=True)
class PageExamples:
    """Hold instances that a merge fixed, or broke, against another model, with both models' answers.

    `before` and `after` name the models; `looks` are how their answers are drawn: right, wrong or neither.
    """

    title: str
    before: str
    after: str
    looks: tuple[str, str]
    examples: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class PageSection:
    """Hold a part of the page with its heading.

    `id` is unique, `numbers` are the answer's large numbers, `facts` are settings by their names, `note` is shown on
    hovering over the heading.
    """

    id: str
    title: str
    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()
    numbers: Sequence[tuple[str, Cell]] = ()
    tables: Sequence[ReportTable] = ()
    pictures: Sequence[PagePicture] = ()
    examples: Sequence[PageExamples] = ()
    facts: Sequence[tuple[str, str]] = ()
    forest: ForestPlot | None = None
    code: Sequence[tuple[str, str]] = ()  # titles and pieces
    note: str = ""


def render(template: str, **content: Any) -> str:
    """Render a page; everything in it that is not a `Markup` is escaped.

    Style and script stand in the page. Its content security policy lets a browser run that one script, by its digest,
    and fetch nothing: what a user's text smuggles in is inert even if an escape were forgotten.
    """
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    templates = environment(autoescape=True)
    templates.filters["breakable"] = _breakable
    page = templates.get_template(template)
    return page.render(style=Markup(_file("page.css")), script=Markup(script), policy=Markup(policy), **content)


def environment(*, autoescape: bool) -> Environment:
    """Return Jinja's environment of the templates here, in which an undefined name is an error."""
    return Environment(
        loader=PackageLoader("dfwe.report.html", _TEMPLATES),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _breakable(text: str) -> Markup:
    """Escape a text, which may go on in the next line after an underscore, as names of tasks have them."""
    return Markup("_<wbr>").join(text.split("_"))


def _file(name: str) -> str:
    return files("dfwe.report.html").joinpath(_TEMPLATES, name).read_text(encoding="utf8")
