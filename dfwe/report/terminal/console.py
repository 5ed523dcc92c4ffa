"""Draw on the terminal: what users named is drawn as it stands, and controls nothing."""

from __future__ import annotations

import re

from rich.box import SIMPLE
from rich.console import Console, RenderableType
from rich.segment import Segment, Segments

from dfwe.controls import CONTROLS
from dfwe.report.tables import MISSING, Cell, ReportTable
from dfwe.report.terminal.fitted_table import FittedTable


def terminal(*, stderr: bool = False) -> Console:
    """Return a console to which `[old]` and `:smile:` are texts."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def show_plain(content: RenderableType, *, console: Console | None = None) -> None:
    """Draw tables and texts without the characters that would control the terminal; these have no width."""
    console = console or terminal()
    rendered = console.render(content, console.options.update(markup=False))
    console.print(Segments([_plain(segment) for segment in rendered]), end="")


def draw_table(table: ReportTable, *, title: str | None = None) -> FittedTable:
    """Return the table for the terminal; groups are set apart, under their names if the table has group titles."""
    fitted = FittedTable(
        title=table.caption if title is None else title,
        title_justify="left",
        box=SIMPLE,
        padding=(0, 0, 0, 1),
        pad_edge=False,
        show_edge=False,
    )
    for column in table.columns:
        if column.is_numeric:
            fitted.add_column(column.heading, justify="right", no_wrap=True)
        else:
            fitted.add_column(column.heading, overflow="fold")
    group = table.rows[0].group if table.rows and not table.has_group_titles else None
    for row in table.rows:
        if row.group != group:
            fitted.add_section()
            if table.has_group_titles and row.group:
                fitted.add_row(row.group, style="bold")
            group = row.group
        fitted.add_row(*map(_words, row.cells), style="bold" if row.is_strong else None)
    if table.footer:
        fitted.add_section()
        fitted.add_row(*map(_words, table.footer), style="bold")
    return fitted


def _words(cell: Cell) -> str:
    return "" if cell == MISSING else f"{cell.text} {cell.brief}".strip().replace("\u202f", ",")


def _plain(segment: Segment) -> Segment:
    return segment if segment.control else Segment(re.sub(CONTROLS, "", segment.text), segment.style)
