"""How models with heads differ from the single-task models on test, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE

from dfwe.report.numbers import ALPHA, P_BY
from dfwe.report.terminal.fitted_table import FittedTable

Row = Mapping[str, Any]


def best_on_dev(results: Mapping[str, Any]) -> Row | None:
    """The row of the best defined mean on dev, single-task models aside; of equal ones the first."""
    scored = [row for row in results["rows"] if row["kind"] != "single" and row["dev"]["mean"] is not None]
    return max(scored, key=lambda row: float(row["dev"]["mean"]), default=None)


def of_mean(row: Row) -> Mapping[str, Any]:
    """The mean's difference to that of the single-task models, with how sure it is; empty where it is not known."""
    found: Mapping[str, Any] = row.get("against_single", {}).get("mean", {})
    return found


def only_ablation(results: Mapping[str, Any]) -> set[str]:
    """Merges of some of the candidates alone, which Table 1 has not."""
    return {
        row["name"]
        for row in results["rows"]
        if row["name"] in results["ablation"] and len(row["of"]) < len(results["candidates"])
    }


def differences_table(results: Mapping[str, Any], *, rows: Sequence[Row]) -> FittedTable | None:
    """Each model's and merge's test score less that of the single-task models, by task and of the mean."""
    known = [row for row in rows if row.get("against_single", {}).get("tasks")]
    if not known:
        return None
    title = "Test less the single-task models, each on its own task"
    table = FittedTable(title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("Experiment", overflow="fold")
    columns = list(results["columns"])
    for heading in (*columns, "Avg", "p", "dev\nless\ntest"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in known:
        table.add_row(row["title"], *_cells(row, columns=columns))
    return table


def explanation() -> str:
    """What the table's star means."""
    return (
        f"* p at most {ALPHA}: McNemar's test where the score is an accuracy, else the paired bootstrap; tasks' p are "
        "corrected by Holm. ± is one standard error; intervals hold 95 %, over test instances, of one seed."
    )


def verdict(row: Row) -> str:
    """What the difference of its mean allows to say; nothing where it is not known."""
    found = of_mean(row)
    if not found:
        return ""
    ends = " to ".join(signed(end) for end in found["delta_interval"])
    return (
        f"{signed(found['delta'])} ({ends}) against the single-task models, "
        f"p = {p_in_words(found['p'])} by {P_BY[found['p_by']]}: {claim(found)}"
    )


def claim(found: Mapping[str, Any]) -> str:
    """What the p of a difference allows to say."""
    if found["p"] > ALPHA:
        return "on this test split no difference can be claimed"
    return "better than these" if found["delta"] > 0 else "worse than these"


def signed(value: float) -> str:
    """A difference of fractions with its sign, as the paper writes scores."""
    return f"{round(value, 3) + 0.0:+.3f}"  # + 0.0: no -0.0


def p_in_words(p: float) -> str:
    """A p-value for a narrow column."""
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"


def _cells(row: Row, *, columns: Sequence[str]) -> Iterator[str]:
    tasks, mean = row["against_single"]["tasks"], of_mean(row)
    for column in columns:
        found = tasks.get(column)
        yield f"{_difference(found, p=found['p_holm'])}\n±{found['delta_standard_error']:.3f} " if found else ""
    ends = " to ".join(signed(end) for end in mean["delta_interval"]) if mean else ""
    yield f"{_difference(mean, p=mean['p'])}\n{ends} " if mean else ""
    yield p_in_words(mean["p"]) if mean else ""
    yield signed(row["optimism"]) if "optimism" in row else ""


def _difference(found: Mapping[str, Any], *, p: float) -> str:
    return f"{signed(found['delta'])}{'*' if p <= ALPHA else ' '}"
