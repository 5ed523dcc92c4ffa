"""The final table, drawn from a study's results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from dfwe.report.agreement import agreement_parts
from dfwe.report.choice import choice_parts
from dfwe.report.cost_table import cost_table
from dfwe.report.merges_table import has_many, merges_of, merges_table
from dfwe.report.names import display_name, name_of, names_of
from dfwe.report.numbers import confirm_note, rare_note, short_interval, times_100
from dfwe.report.terminal.console import show_plain
from dfwe.report.terminal.fitted_table import FittedTable
from dfwe.report.verdict_words import tests_note, verdict_lines


def draw(results: Mapping[str, Any]) -> RenderableType:
    """Model, dev, test, delta, and in each expert's row its coefficient in each merge; scores times 100.

    Many merges get a table of their own. Then in words the model to ship, the merge that was asked for, and warnings;
    and how other ways of answering agree, where the study asked for them.
    """
    many = has_many(results)
    merges = [] if many else merges_of(results)
    table = FittedTable(title=_title(results), title_justify="left")
    table.add_column("model", no_wrap=True)
    for heading in ("dev", "test", "95 %", "delta", *(f"coefficient\nin {name_of(row)}" for row in merges)):
        table.add_column(heading, justify="right", no_wrap=True)
    previous = None
    for row in results["models"]:
        if many and row["kind"] == "merge":
            continue
        if previous not in (None, row["kind"]):
            table.add_section()
        previous = row["kind"]
        style = "bold" if row["name"] == results["headline"].get("name") else None
        table.add_row(*_cells(row), *(_coefficient(row, merge=merge) for merge in merges), style=style)
        if row.get("is_expert") and row.get("mixture"):
            table.add_row(*_mixture_cells(row["mixture"]))
    more = [merges_table(results)] if many else []
    names = names_of(results["models"])
    costs = cost_table(results, names=names)
    more += [] if costs is None else [costs]
    chosen = choice_parts(results.get("choice"))
    agreement = agreement_parts(results.get("agreement", {}), names=names)
    return Group(table, *more, *chosen, *(Text(line) for line in _verdict(results)), *agreement)


def show(results: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Prints the table."""
    show_plain(draw(results), console=console)


def _title(results: Mapping[str, Any]) -> str:
    sources = ", ".join(results["sources"])
    sizes = ", ".join(f"{split} {number}" for split, number in results["n"].items())
    return f"{results['target']} with {sources} · seed {results['seed']} · {sizes} instances"


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    return (
        _name(row),
        times_100(row["dev"]["score"]),
        times_100(row["test"]["score"]) if "test" in row else "–",
        short_interval(row.get("test", {}).get("interval")),
        f"{_signed(row['delta'])} ± {100 * row['delta_standard_error']:.1f}" if "delta" in row else "",
    )


def _name(row: Mapping[str, Any]) -> str:
    """The model's; of a merge that is one expert which."""
    name, expert = name_of(row), row.get("is_expert")
    return f"{name} (= {display_name(expert, kind='expert')})" if expert else name


def _mixture_cells(mixture: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """The best mixture of a merge that kept an expert, below it."""
    row = {**mixture, "name": "", "title": "  its best mixture", "dev": {"score": mixture["dev"]}}
    return _cells(row | {"test": {"score": mixture["test"], "interval": mixture["interval"]}, "is_expert": None})


def _coefficient(row: Mapping[str, Any], *, merge: Mapping[str, Any]) -> str:
    if row["kind"] != "expert":
        return ""
    values = [value for name, value in merge["coefficients"].items() if name.rsplit("/", 1)[-1] == row["name"]]
    mean = f"{sum(values) / len(values):.2f}" if values else ""
    return f"ø {mean}" if len(values) > 1 else mean  # one a group of tensors


def _verdict(results: Mapping[str, Any]) -> Iterator[str]:
    """The model to ship, the merge that was asked for, warnings, and how numbers are to be read."""
    head = results["headline"]
    if not head:
        yield _without_headline(results)
    yield from verdict_lines(results)
    if head and (confirmed := _confirmed(results)):
        yield confirmed
    told = [results.get("recommended") or {}, head]
    yield (
        f"Scores are times 100; delta is to the baseline, ± its paired bootstrap standard error over test instances; "
        f"intervals hold 95 %, of one seed. {tests_note(told)}{rare_note(results.get('rare_classes', ()))}"
    ).rstrip()


def _confirmed(results: Mapping[str, Any]) -> str:
    """What confirms the merge that was asked for; empty where nothing does."""
    name = results["headline"]["name"]
    found = next((row["confirm"] for row in results["models"] if row["name"] == name and "confirm" in row), None)
    return "" if found is None else confirm_note(found)


def _without_headline(results: Mapping[str, Any]) -> str:
    undefined = [name_of(row) for row in results["models"] if "test" in row and row["test"]["score"] is None]
    if not undefined:
        return "No merge was scored on test."
    return (
        f"The score on test is undefined for {', '.join(undefined)}: a model that answers the same to every instance "
        "has no correlation with the gold answers. Nothing is compared with it."
    )


def _signed(delta: float) -> str:
    return f"{100 * delta:+.1f}"
