"""The final table, drawn from a study's results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

NAMES = {"baseline": "baseline (target alone)", "uniform": "uniform mixture"}


def draw(results: Mapping[str, Any]) -> RenderableType:
    """Model, dev, test, delta, coefficients; scores times 100. Then the headline in words."""
    table = Table(title=_title(results), title_justify="left")
    table.add_column("model")
    for heading in ("dev", "test", "delta to baseline"):
        table.add_column(heading, justify="right")
    table.add_column("coefficients")
    previous = None
    for row in results["models"]:
        if previous not in (None, row["kind"]):
            table.add_section()
        previous = row["kind"]
        table.add_row(*_cells(row), style="bold" if row["name"] == results["headline"].get("name") else None)
    return Group(table, Text(_verdict(results)))


def show(results: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Prints the table."""
    (console or Console(soft_wrap=False)).print(draw(results))


def _title(results: Mapping[str, Any]) -> str:
    sources = ", ".join(results["sources"])
    sizes = ", ".join(f"{split} {number}" for split, number in results["n"].items())
    return f"{results['target']} with {sources} · seed {results['seed']} · {sizes} instances"


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    return (
        NAMES.get(row["name"], row["name"]),
        _times_100(row["dev"]["score"]),
        _times_100(row["test"]["score"]) if "test" in row else "–",
        f"{_signed(row['delta'])} ± {100 * row['delta_standard_error']:.1f}" if "delta" in row else "",
        _coefficients(row.get("coefficients", {})),
    )


def _coefficients(coefficients: Mapping[str, float]) -> str:
    if len({round(value, 4) for value in coefficients.values()}) == 1:
        return "all equal"
    return "  ".join(f"{name} {value:.2f}" for name, value in coefficients.items())


def _verdict(results: Mapping[str, Any]) -> str:
    head = results["headline"]
    if not head:
        return "No merge was scored on test."
    delta, error = head["delta"], head["delta_standard_error"]
    if abs(delta) <= 2 * error:
        words = "within two standard errors of the baseline: on this test split no difference can be claimed"
    else:
        words = "better than the baseline by more than two standard errors" if delta > 0 else "worse than the baseline"
    return (
        f"{head['name']} scores {_times_100(head['test'])} on test, {_signed(delta)} ± {100 * error:.1f} "
        f"against the baseline: {words}. "
        "Scores are times 100; ± is the paired bootstrap standard error over test instances."
    )


def _times_100(score: float) -> str:
    return f"{100 * score:.1f}"


def _signed(delta: float) -> str:
    return f"{100 * delta:+.1f}"
