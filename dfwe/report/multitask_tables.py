"""The tables of a multitask study: Table 1 and Table 2 of "Cuts and Stitches", and errors by similarity (Figure 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from dfwe.report.cost_table import draw_costs
from dfwe.report.multitask_differences import best_on_dev, differences_table, explanation, only_ablation, verdict
from dfwe.report.numbers import confirm_note
from dfwe.report.terminal.console import show_plain
from dfwe.report.terminal.fitted_table import FittedTable
from dfwe.report.verdict_words import verdict_lines

_UNDEFINED = "undefined"
Row = Mapping[str, Any]


def draw(results: Mapping[str, Any]) -> RenderableType:
    """Table 1 on test with dev's mean beside it, Table 2 where there is an ablation, and what they come to in words.

    Below a score stand the ends of its 95 % interval. Differences to the single-task models and costs have tables of
    their own.
    """
    rows = [row for row in results["rows"] if row["name"] not in only_ablation(results)]
    parts: list[RenderableType] = [_table("Table 1", rows, results=results)]
    differences = differences_table(results, rows=rows)
    if differences is not None:
        parts += [differences, Text(explanation())]
    if results["ablation"]:
        parts.append(_table("Table 2", _ablation_rows(results), results=results, numbered=True))
    if any("errors_by_gold" in row for row in rows):
        parts.append(_errors(rows))
    costs = draw_costs([row for row in rows if "cost" in row], names={row["name"]: row["title"] for row in rows})
    parts += [] if costs is None else [costs]
    return Group(*parts, *(Text(line) for line in _words(results)))


def show(results: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Prints the tables."""
    show_plain(draw(results), console=console)


def share_of_single(results: Mapping[str, Any], *, split: str) -> dict[str, float]:
    """Each row's mean as a share of the mean of the single-task models, each on its own task; the paper has 98.9%.

    Empty where a task has no single-task model, or a score is undefined.
    """
    best: dict[str, float] = {}
    for row in results["rows"]:
        if row["kind"] == "single" and split in row and row["tasks"][0] in results["columns"]:
            score = row[split]["tasks"][row["tasks"][0]]
            if score is None:
                return {}
            best[row["tasks"][0]] = max(score, best.get(row["tasks"][0], score))
    if set(best) != set(results["columns"]) or sum(best.values()) <= 0:
        return {}
    mean = sum(best.values()) / len(best)
    return {row["name"]: row[split]["mean"] / mean for row in results["rows"] if row.get(split, {}).get("mean")}


def _ablation_rows(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    by_name = {row["name"]: row for row in results["rows"]}
    merges = [by_name[name] | {"title": title} for name, title in results["ablation"].items()]
    return [*(by_name[name] for name in results["candidates"]), *merges]


def _table(title: str, rows: Sequence[Row], *, results: Mapping[str, Any], numbered: bool = False) -> FittedTable:
    """A row a model: each task on test, the mean on test, on dev; published numbers where there are some."""
    columns, published = list(results["columns"]), results["published"] or {}
    sizes = ", ".join(f"{column} {results['n'][column]['test']}" for column in columns)
    table = FittedTable(title=f"{title} · test ({sizes} instances) · seed {results['seed']}", title_justify="left")
    table.add_column("Experiment")
    for heading in (*columns, "Avg", "Avg\non dev", "share of\nsingle-\ntask"):
        table.add_column(heading, justify="right")
    if published:
        table.add_column("published (on dev)\n" + " ".join(columns) + " Avg", justify="right")
    shares, previous = share_of_single(results, split="test"), None
    for row in rows:
        if previous not in (None, row["kind"]):
            table.add_section()
        previous = row["kind"]
        cells = list(_cells(row, columns=columns, share=shares.get(row["name"])))
        name = _title(row, candidates=results["candidates"], numbered=numbered)
        table.add_row(name, *cells, *([_published(published.get(row["name"]))] if published else []))
    return table


def _title(row: Row, *, candidates: Sequence[str], numbered: bool) -> str:
    if numbered and row["name"] in candidates:
        return f"{row['title']} (Model {1 + candidates.index(row['name'])})"
    return str(row["title"])


def _cells(row: Row, *, columns: Sequence[str], share: float | None) -> Iterator[str]:
    """A single-task model has its own task alone, as in the paper."""
    own = row["tasks"] if row["kind"] == "single" else columns
    test, dev = row.get("test"), row["dev"]
    scores, ends = (test or {}).get("tasks", {}), (test or {}).get("intervals", {})
    for column in columns:
        known = column in scores and column in own
        yield _score(scores[column], ends=ends.get("tasks", {}).get(column)) if known else ""
    if row["kind"] == "single":
        yield from ("N/A", "N/A", "")
        return
    yield "–" if test is None else _score(test["mean"], ends=ends.get("mean"))
    yield _number(dev["mean"])
    yield "" if share is None else f"{100 * share:.1f}%"


def _score(value: float | None, *, ends: Sequence[float] | None) -> str:
    """The score, and below it the ends of its interval: `.56–.64`."""
    return _number(value) if ends is None else f"{_number(value)}\n{_short(ends[0])}–{_short(ends[1])}"


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _number(value: float | None) -> str:
    return _UNDEFINED if value is None else f"{value:.3f}"


def _published(values: Sequence[float | None] | None) -> str:
    return "" if values is None else "  ".join("–" if value is None else f"{value:.3f}" for value in values)


def _errors(rows: Sequence[Row]) -> FittedTable:
    """Figure 4: the squared error by bins of the gold similarity."""
    table = FittedTable(title="Squared error by gold number · test", title_justify="left")
    table.add_column("Experiment")
    shown = [row for row in rows if "errors_by_gold" in row]
    bins = shown[0]["errors_by_gold"]
    for each in bins:
        table.add_column(f"{each['low']:g} to {each['high']:g}\n(n {each['n']})", justify="right")
    for row in shown:
        errors = [each["squared_error"] for each in row["errors_by_gold"]]
        table.add_row(row["title"], *("–" if error is None else f"{error:.2f}" for error in errors))
    return table


def _words(results: Mapping[str, Any]) -> Iterator[str]:
    """The best mean on dev, what it is on test, and its share of single-task training."""
    best = best_on_dev(results)
    if best is not None:
        share = share_of_single(results, split="test").get(best["name"])
        words = "" if share is None else f"; {100 * share:.1f}% of the single-task average (the paper: 98.9%)"
        test = f", {_number(best['test']['mean'])} on test" if "test" in best else ""
        difference = verdict(best)
        than = f", {difference}" if difference else ""
        yield f"best on dev: {best['title']} with {best['dev']['mean']:.3f}{test}{than}{words}"
    for line in verdict_lines(results):
        yield line if line.startswith("Warning") else f"{line} (Times 100.)"
    if len(results["candidates"]) > 1:
        titles = {row["name"]: row["title"] for row in results["rows"]}
        yield "merged: " + ", ".join(titles[name] for name in results["candidates"])
    for row in results["rows"]:
        if "confirm" in row:
            yield f"{row['title']} (times 100): {confirm_note(row['confirm'])}"
        without = row.get("notes", {}).get("without_fisher", {"values": 0})
        if without["values"] and row["name"] not in only_ablation(results):
            yield (
                f"{row['title']}: {without['values']:,} of {without['of']:,} values have no Fisher information in any "
                f"candidate and are the candidates' mean"
            )
