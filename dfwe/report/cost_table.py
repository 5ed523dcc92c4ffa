"""What each model cost beside plain fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE

from dfwe.report.numbers import seconds_in_words, size_in_words
from dfwe.report.terminal.fitted_table import FittedTable

_MOST_MERGES = 6  # of more the merges' own table tells evaluations and seconds


def cost_table(results: Mapping[str, Any], *, names: Mapping[str, str]) -> FittedTable | None:
    """A row for the baseline, each control and each merge; None for results that tell no costs."""
    rows = [row for row in results["models"] if "cost" in row and row["kind"] != "expert"]
    return draw_costs([r for r in rows if r["kind"] != "merge"] if len(rows) > _MOST_MERGES + 4 else rows, names=names)


def draw_costs(rows: Sequence[Mapping[str, Any]], *, names: Mapping[str, str]) -> FittedTable | None:
    """A row for each of the models, which all have a `cost`; None for none."""
    if not rows:
        return None
    title = "Cost of each model and its experts, without pre-training"
    table = FittedTable(title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("model")
    for heading in ("training\nsteps", "tokens\nread", "answers\non dev", "time", "disk"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        cost = row["cost"]
        table.add_row(
            names.get(row["name"], row["name"]),
            f"{cost['train_steps']:,}",
            f"{cost['train_tokens']:,}",
            f"{cost['dev_answers']:,}",
            "unknown" if cost["seconds"] is None else seconds_in_words(cost["seconds"]),
            size_in_words(float(cost["bytes"])),
        )
    return table
