"""How far other ways of answering agree with a study's own, drawn from its results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from dfwe.report.numbers import times_100
from dfwe.report.terminal.fitted_table import FittedTable

NONE = "–"


def agreement_parts(found: Mapping[str, Any], *, names: Mapping[str, str]) -> tuple[RenderableType, ...]:
    """A table with a row for each model and way, and what was left out; nothing where nothing was asked for.

    `names` are models' names in the user's words.
    """
    parts: list[RenderableType] = []
    if "models" in found:
        parts.append(_table(found, names=names))
    parts += [Text(f"Agreement leaves out {way}: {reason}.") for way, reason in found.get("left_out", {}).items()]
    return tuple(parts)


def _table(found: Mapping[str, Any], *, names: Mapping[str, str]) -> FittedTable:
    title = f"\nAgreement on test with the study's own way, {found['own']} (times 100)"
    table = FittedTable(title=title, title_justify="left")
    table.add_column("model", no_wrap=True)
    table.add_column("way", no_wrap=True)
    for heading in ("test", "delta", "same\nanswers", "no\nlabel"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in found["models"]:
        for row in model["ways"]:
            first = row is model["ways"][0]
            name = names.get(model["name"], model["name"])
            table.add_row(name if first else "", *_cells(row, own=first), end_section=row is model["ways"][-1])
    return table


def _cells(row: Mapping[str, Any], *, own: bool) -> tuple[str, str, str, str, str]:
    delta = f"{100 * row['delta']:+.1f} ± {100 * row['delta_standard_error']:.1f}" if "delta" in row else ""
    return (
        row["way"],
        times_100(row["score"]),
        delta,
        "" if own else f"{100 * row['same']:.1f}",
        f"{100 * row['no_label']:.1f}" if "no_label" in row else NONE,
    )
