"""Hold tables as data: columns read cells from rows; the terminal, the page, W&B and Markdown draw them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dfwe.report.numbers import interval, p_in_words, short_interval, signed, times_100


@dataclass(frozen=True)
class Cell:
    """Hold what a cell says: a text, its number, and the number's interval or error.

    `value` is what the cell is sorted by and what W&B gets; a text is sorted by itself. `small` stands below the text
    on a page, `brief` beside it on a terminal. `link` is relative to the page.
    """

    text: str
    value: float | None = None
    small: str = ""
    brief: str = ""
    ends: Sequence[float] | None = None
    link: str | None = None


MISSING: Final = Cell("–")


@dataclass(frozen=True)
class Column:
    """Define a number once: its key for W&B, its heading, how it is read and written, and a note on what it means.

    `heading` may have a line break; `is_optional` leaves the column out where no row has a value.
    """

    key: str
    heading: str
    cell: Callable[[Any], Cell]
    note: str = ""
    is_numeric: bool = True
    is_optional: bool = False


@dataclass(frozen=True)
class TableRow:
    """Hold a row's cells, whether it stands out, the group it is in, and what filters of a page know of it."""

    cells: Sequence[Cell]
    is_strong: bool = False
    group: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportTable:
    """Hold a table with its caption; `id` is unique on a page, `notes` explain it."""

    id: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[TableRow]
    footer: Sequence[Cell] = ()
    notes: str = ""
    has_group_titles: bool = False

    @property
    def lines(self) -> Sequence[TableRow]:
        """Rows, then the footer, if there is one."""
        return [*self.rows, *([TableRow(self.footer)] if self.footer else [])]


def tabulate(
    id: str,
    rows: Iterable[Any],
    *,
    columns: Sequence[Column],
    caption: str,
    strong: Callable[[Any], bool] = lambda row: False,
    group: Callable[[Any], str] = lambda row: "",
    facts: Callable[[Any], Mapping[str, str]] = lambda row: {},
    footer: Any = None,
    notes: str = "",
    has_group_titles: bool = False,
) -> ReportTable | None:
    """Return the table of these rows, without optional columns that no row has; None without rows.

    `footer` is one more row, of totals.
    """
    items = list(rows)
    cells = [[column.cell(item) for column in columns] for item in items]
    used = [
        place
        for place, column in enumerate(columns)
        if not column.is_optional or any(row[place] != MISSING for row in cells)
    ]
    if not items:
        return None
    table_rows = [
        TableRow([row[place] for place in used], strong(item), group(item), facts(item))
        for item, row in zip(items, cells, strict=True)
    ]
    used_columns = [columns[place] for place in used]
    totals = [] if footer is None else [column.cell(footer) for column in used_columns]
    return ReportTable(id, caption, used_columns, table_rows, totals, notes, has_group_titles)


def values(columns: Iterable[Column], row: Any) -> dict[str, float]:
    """Return the row's numbers by the columns' keys, the ends of intervals as `key_low` and `key_high`."""
    numbers = {}
    for column in columns:
        cell = column.cell(row)
        if cell.value is not None:
            numbers[column.key] = cell.value
        if cell.ends is not None:
            numbers[f"{column.key}_low"], numbers[f"{column.key}_high"] = cell.ends
    return numbers


def markdown(table: ReportTable) -> str:
    """Write the table in Markdown."""
    lines = [[column.heading.replace("\n", " ") for column in table.columns]]
    lines.append(["---:" if column.is_numeric else "---" for column in table.columns])
    lines += [[f"{cell.text} {_in_brackets(cell)}".strip() for cell in row.cells] for row in table.lines]
    escaped = ("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)
    return "\n".join((f"**{table.caption}**", "", *escaped, ""))


def _in_brackets(cell: Cell) -> str:
    """Return what stands below a cell's text on a page; here it stands beside it, in brackets unless it is an error."""
    return cell.small if cell.small.startswith(("±", "(")) or not cell.small else f"({cell.small})"


def text(content: object) -> Cell:
    """Return a cell of words."""
    return Cell(str(content))


def score(value: float | int | None, *, ends: Sequence[float] | None = None) -> Cell:
    """Return a fraction times 100, with the ends of its 95 % interval."""
    exact = None if value is None else float(value)
    short = short_interval(ends)
    return Cell(times_100(exact), exact, interval(ends), f"({short})" if short else "", ends)


def difference(compared: Mapping[str, Any]) -> Cell:
    """Return a difference of fractions times 100: `delta`, its interval, and its standard error."""
    value = compared.get("delta")
    if value is None:
        return MISSING
    ends, error = compared.get("delta_interval"), compared.get("delta_standard_error")
    brief = "" if error is None else f"± {100 * error:.1f}"
    return Cell(signed(value), float(value), interval(ends, sign=True) or brief, brief, ends)


def number(value: float | int | None, *, digits: int = 0) -> Cell:
    """Return a plain number with thin spaces between thousands."""
    return MISSING if value is None else Cell(f"{value:,.{digits}f}".replace(",", "\u202f"), float(value))


def p_value(value: float | int | None) -> Cell:
    """Return a p-value."""
    return MISSING if value is None else Cell(p_in_words(value), float(value))
