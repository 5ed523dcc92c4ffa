"""Many merges of the same experts side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.box import SIMPLE

from dfwe.report.names import display_name, name_of
from dfwe.report.numbers import times_100
from dfwe.report.terminal.fitted_table import FittedTable
from dfwe.values.names import UNIFORM

MANY = 3  # merges, beside the uniform merge: more do not fit the study's own table
Row = Mapping[str, Any]


def merges_of(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of merges but the uniform merge."""
    return [row for row in results["models"] if row["kind"] == "merge" and row["name"] != UNIFORM]


def has_many(results: Mapping[str, Any]) -> bool:
    """Whether the merges get a table of their own."""
    return len(merges_of(results)) > MANY


def by_budget(rows: Iterable[Row]) -> list[tuple[int | None, list[Row]]]:
    """Merges whose searches were allowed as many evaluations, the largest number first; the best mixture on dev first.

    A merge beside another is a comparison only where both could search as long.
    """
    groups: dict[int | None, list[Row]] = {}
    for row in sorted(rows, key=lambda row: -rank(row)):
        groups.setdefault(row.get("budget"), []).append(row)
    return sorted(groups.items(), key=lambda each: -(each[0] or 0))


def rank(row: Row) -> float:
    """What a merge is sorted by: the dev score of its best mixture, experts apart."""
    score = mixture_of(row).get("dev")
    return -1.0 if score is None else float(score)


def mixture_of(row: Row) -> Row:
    """A merge's best mixture, experts apart; what was kept, where results tell no other."""
    found: Row = row.get("mixture") or {}
    if found:
        return found
    test, against = row.get("test", {}), row.get("against", {})
    told = {"dev": row["dev"]["score"], "against": [{"role": role, **each} for role, each in against.items()]}
    return told | ({"test": test["score"]} if "score" in test else {})


def kept_words(row: Row) -> str:
    """What a merge kept: the expert of that name, or the kind of candidate."""
    return f"= {display_name(row['is_expert'], kind='expert')}" if row.get("is_expert") else str(row["picked"])


def merges_table(results: Row) -> FittedTable:
    """Each merge with what it kept and with its best mixture; scores times 100.

    Searches of equal budgets stand together, in each group the best mixture on dev first.
    """
    title = "Merges: what each kept, and its best mixture, experts apart"
    table = FittedTable(title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("merge", overflow="fold")
    table.add_column("kept", overflow="fold")
    for heading in ("dev", "test", "mixture\ndev", "\ntest", "Δ best\nexpert", "evals", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for budget, rows in by_budget(row for row in results["models"] if row["kind"] == "merge"):
        table.add_section()
        if budget is not None:
            table.add_row(f"budget {budget}", style="bold")
        for row in rows:
            table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> Iterator[str]:
    mixture = mixture_of(row)
    yield name_of(row)
    yield kept_words(row)
    yield times_100(row["dev"]["score"])
    yield times_100(row["test"]["score"]) if "test" in row else "–"
    yield times_100(mixture["dev"])
    yield times_100(mixture["test"]) if "test" in mixture else "–"
    yield _difference(mixture, to="best_expert")
    yield str(row["evaluations"])
    yield f"{row['seconds']:.0f}" if row["seconds"] >= 10 else f"{row['seconds']:.1f}"


def _difference(model: Row, *, to: str) -> str:
    found = next((each for each in model.get("against", ()) if each["role"] == to and "delta" in each), None)
    return "" if found is None else f"{100 * found['delta']:+.1f} ±{100 * found['delta_standard_error']:.1f}"
