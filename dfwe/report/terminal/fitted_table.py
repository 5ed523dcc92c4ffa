"""Fit tables to the terminal: columns that are too wide go on below, under the same rows; nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table

_WIDE = 10_000
_FOLDED = 24  # letters of a column whose words may go on in the next line
_NARROWEST = 10  # letters that the first column keeps where names are longer than there is room


class FittedTable(Table):
    """Draw a table in several parts where it is too wide, each with the first column.

    rich alone would shorten words (`baseli…`). It draws a table by this one method, hence the override.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the table, or its parts one below the other."""
        room = _Room(console, options.update(width=_WIDE), options.max_width)
        for number, columns in enumerate(_parts(self, room=room)):
            part = _part(self, columns, room=room, is_first=number == 0)
            yield from Table.__rich_console__(part, console, options)


@dataclass(frozen=True)
class _Room:
    """Measure how wide a table may be, and how wide its columns are."""

    console: Console
    wide: ConsoleOptions
    width: int

    def natural(self, column: Column) -> int:
        """Return the width of the column's widest line."""
        return max((measurement.maximum for measurement in self._measured(column)), default=0)

    def needed(self, column: Column) -> int:
        """Return the width without which something is cut: of the widest line, or of the longest word if it may wrap.

        A column that folds long words, such as paths, needs no more than `_FOLDED`.
        """
        if column.no_wrap:
            return self.natural(column)
        longest = max((measurement.minimum for measurement in self._measured(column)), default=0)
        return min(longest, _FOLDED) if column.overflow == "fold" else longest

    def around(self, table: Table) -> int:
        """Return the width of the table's lines and margins."""
        measured = Measurement.get(self.console, self.wide, table).maximum
        return measured - sum(self.natural(column) for column in table.columns)

    def _measured(self, column: Column) -> Iterator[Measurement]:
        for cell in (column.header, *column.cells):
            yield Measurement.get(self.console, self.wide, cell)


def _parts(table: Table, *, room: _Room) -> Iterator[list[Column]]:
    """Yield the columns of each part: the first column, and as many others as there is room for, at least one."""
    if not table.columns:
        yield []
        return
    first, *rest = table.columns
    part = [first]
    for column in rest:
        if len(part) > 1 and _needed([*part, column], table=table, room=room) > room.width:
            yield part
            part = [first]
        part.append(column)
    yield part


def _needed(columns: Sequence[Column], *, table: Table, room: _Room) -> int:
    return room.around(_of(table, columns)) + sum(room.needed(column) for column in columns)


def _part(table: Table, columns: Sequence[Column], *, room: _Room, is_first: bool) -> Table:
    """Return the table of these columns; words go on in the next line where even these are too wide."""
    part = _of(table, columns, without_empty=not is_first)
    if not is_first:
        part.title = None
    lacking = _needed(columns, table=table, room=room) - room.width
    if lacking > 0 and columns:
        for column in part.columns:
            column.no_wrap, column.overflow = False, "fold"
        part.columns[0].width = max(_NARROWEST, room.needed(columns[0]) - lacking)
    return part


def _of(table: Table, columns: Sequence[Column], *, without_empty: bool = False) -> Table:
    """Return the table of some of its columns; if `without_empty`, of the rows that have something beside the first."""
    part = Table(
        title=table.title,
        title_justify=table.title_justify,
        box=table.box,
        padding=table.padding,
        pad_edge=table.pad_edge,
        show_edge=table.show_edge,
    )
    part.columns = [replace(column, _index=index, _cells=[]) for index, column in enumerate(columns)]
    rows = zip(*(column.cells for column in columns), strict=True)
    for row, cells in zip(table.rows, rows, strict=True):
        if not without_empty or any(cell != "" for cell in cells[1:]):
            part.add_row(*cells, style=row.style, end_section=row.end_section)
        elif part.rows and row.end_section:
            part.add_section()
    return part
