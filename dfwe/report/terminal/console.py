"""Draw on the terminal: what users named is drawn as it stands, controls nothing, and is never cut."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segments
from rich.table import Table

from dfwe.controls import CONTROLS
from dfwe.report.tables import MISSING, Cell, ReportTable

_FOLDED = 24  # letters of a column whose words may go on in the next line
_NARROWEST = 10  # letters that the first column keeps where names are longer than there is room


def terminal(*, stderr: bool = False) -> Console:
    """Return a console to which `[old]` and `:smile:` are texts."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def show_plain(content: RenderableType, *, console: Console | None = None) -> None:
    """Draw tables and texts without the characters that would control the terminal; these have no width."""
    console = console or terminal()
    rendered = console.render(content, console.options.update(markup=False))
    plain = (
        segment if segment.control else segment._replace(text=re.sub(CONTROLS, "", segment.text))
        for segment in rendered
    )
    console.print(Segments(plain), end="")


@dataclass(frozen=True)
class FittedTable:
    """Draw a table; where it is too wide in several parts, each with the first column (rich would cut words).

    Groups are set apart, under their names if the table has group titles.
    """

    table: ReportTable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the table, or its parts one below the other."""
        part = [0]
        is_first = True
        for place in range(1, len(self.table.columns)):
            if len(part) > 1 and self._width([*part, place]) > options.max_width:
                yield self._part(part, width=options.max_width, is_first=is_first)
                part, is_first = [0], False
            part.append(place)
        yield self._part(part, width=options.max_width, is_first=is_first)

    @cached_property
    def _lines(self) -> list[tuple[Sequence[str], bool] | None]:
        """Rows as texts, and whether they stand out; None between groups."""
        return list(_lines(self.table))

    @cached_property
    def _widths(self) -> list[int]:
        """Width that each column needs lest something is cut: of its widest line, or of words that may be folded."""
        widths = []
        for place, column in enumerate(self.table.columns):
            texts = [column.heading, *(line[0][place] for line in self._lines if line and place < len(line[0]))]
            pieces = [piece for text in texts for piece in (text.split("\n") if column.is_numeric else text.split())]
            width = max(map(cell_len, pieces), default=0)
            widths.append(width if column.is_numeric else min(width, _FOLDED))
        return widths

    def _width(self, places: Sequence[int]) -> int:
        return sum(self._widths[place] + 2 for place in places) - 2  # a space, and padding, between columns

    def _part(self, places: Sequence[int], *, width: int, is_first: bool) -> Table:
        """Return the table of these columns; words go on in the next line where even these are too wide."""
        part = Table(
            title=self.table.caption if is_first else None,
            title_justify="left",
            box=SIMPLE,
            padding=(0, 0, 0, 1),
            pad_edge=False,
            show_edge=False,
        )
        lacking = self._width(places) - width
        for place in places:
            column = self.table.columns[place]
            part.add_column(
                column.heading,
                justify="right" if column.is_numeric else "left",
                no_wrap=column.is_numeric and lacking <= 0,
                overflow="fold",
                width=max(_NARROWEST, self._widths[0] - lacking) if place == 0 and lacking > 0 else None,
            )
        for line in self._lines:
            if line is None:
                part.add_section()
                continue
            cells = [line[0][place] if place < len(line[0]) else "" for place in places]
            if is_first or any(cells[1:]):
                part.add_row(*cells, style="bold" if line[1] else None)
        return part


def _lines(table: ReportTable) -> Iterator[tuple[Sequence[str], bool] | None]:
    group = None if table.has_group_titles else table.rows[0].group
    for row in table.rows:
        if row.group != group:
            yield None
            if table.has_group_titles and row.group:
                yield [row.group], True
            group = row.group
        yield [_words(cell) for cell in row.cells], row.is_strong
    if table.footer:
        yield None
        yield [_words(cell) for cell in table.footer], True


def _words(cell: Cell) -> str:
    return "" if cell == MISSING else f"{cell.text} {cell.brief}".strip().replace("\u202f", ",")
