"""Many merges of the same experts side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from dfwe.report.names import name_of
from dfwe.report.numbers import rank_by_dev, times_100

MANY = 3  # merges, beside the uniform merge: more do not fit the study's own table
UNIFORM = "uniform"


def merges_of(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of merges but the uniform merge."""
    return [row for row in results["models"] if row["kind"] == "merge" and row["name"] != UNIFORM]


def has_many(results: Mapping[str, Any]) -> bool:
    """Whether the merges get a table of their own."""
    return len(merges_of(results)) > MANY


def merges_table(results: Mapping[str, Any]) -> Table:
    """Each merge, the best on dev first: scores, differences on test, what was kept, its cost; scores times 100."""
    title = "Merges, the best on dev first"
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("merge", overflow="fold")
    for heading in ("dev", "test", "Δ uniform", "Δ best\nexpert", "kept", "evals", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = [row for row in results["models"] if row["kind"] == "merge"]
    for row in sorted(rows, key=rank_by_dev, reverse=True):
        table.add_row(
            name_of(row),
            times_100(row["dev"]["score"]),
            times_100(row["test"]["score"]) if "test" in row else "–",
            _difference(row, to="uniform"),
            _difference(row, to="best_expert"),
            row["picked"],
            str(row["evaluations"]),
            f"{row['seconds']:.0f}" if row["seconds"] >= 10 else f"{row['seconds']:.1f}",
        )
    return table


def _difference(row: Mapping[str, Any], *, to: str) -> str:
    found = row.get("against", {}).get(to, {})
    return f"{100 * found['delta']:+.1f} ±{100 * found['delta_standard_error']:.1f}" if "delta" in found else ""
