"""What a page's template is given: sections with words, tables, pictures and cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dfwe.report.figures.study_figures import Picture
from dfwe.report.figures.style import inline_svg
from dfwe.report.html.cells import Cell, PageTable
from dfwe.report.html.forest import Forest


@dataclass(frozen=True)
class PagePicture:
    """A picture with its drawing as a part of the page."""

    name: str
    title: str
    caption: str
    svg: Markup

    @classmethod
    def of(cls, picture: Picture, *, svg: str) -> PagePicture:
        """The picture with its drawing, in which matplotlib has escaped what the user named."""
        key = "".join(c if c.isascii() and c.isalnum() else "-" for c in picture.name)
        return cls(key, picture.title, picture.caption, Markup(inline_svg(svg, name=key, title=picture.title)))


@dataclass(frozen=True)
class Case:
    """A test instance with two models' answers."""

    instance_id: str
    source: str
    gold: str
    before: str
    after: str


@dataclass(frozen=True)
class Cases:
    """Instances that a merge fixed, or broke, against another model."""

    title: str
    fixed: bool
    before: str
    after: str
    cases: Sequence[Case]


@dataclass(frozen=True)
class Code:
    """A piece of code, and what it does."""

    title: str
    text: str


@dataclass(frozen=True)
class Section:
    """A part of the page with its heading.

    `id` is one of its own, `figures` are the answer's large numbers, `facts` are settings by their names, `note` says
    on hovering over the heading what the part is good for.
    """

    id: str
    title: str
    lines: Sequence[str] = ()
    warnings: Sequence[str] = ()
    figures: Sequence[tuple[str, Cell]] = ()
    tables: Sequence[PageTable] = ()
    pictures: Sequence[PagePicture] = ()
    cases: Sequence[Cases] = ()
    facts: Sequence[tuple[str, str]] = ()
    forest: Forest | None = None
    code: Sequence[Code] = ()
    note: str = ""
