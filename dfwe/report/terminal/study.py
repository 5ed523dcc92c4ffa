"""Draw the final tables of a study, and what they come to in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from dfwe.report import study_tables, verdict
from dfwe.report.names import in_words
from dfwe.report.study_results import StudyResults, as_study
from dfwe.report.tables import ReportTable
from dfwe.report.terminal.console import FittedTable, show_plain
from dfwe.values.names import UNIFORM

_FEW_MERGES = 4  # beside each other in a table of coefficients
_FEW_ROWS = 30
_MANY_COSTS = 12  # rows; of more the merges are left out, whose own table has their evaluations


def show(results: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Print the tables of results of either kind of study."""
    show_plain(draw(results), console=console)


def draw(raw: Mapping[str, Any]) -> RenderableType:
    """Return the tables of a study; below them the model to ship, warnings, and how numbers are to be read."""
    results = as_study(raw)
    first, *tables = _tables(results)
    title = f"{first.caption} Seed {results.seed}." if results.tasks else _title(results)
    parts = [part for table in (replace(first, caption=title), *tables) for part in (FittedTable(table), Text())]
    return Group(*parts, *(Text(line) for line in _lines(results) if line))


def _title(results: StudyResults) -> str:
    sizes = in_words(results.raw["n"]).replace(":", "")
    sources = f" with {', '.join(results.sources)}" if results.sources else ""
    return f"{results.target}{sources} · seed {results.seed} · {sizes} instances"


def _tables(results: StudyResults) -> list[ReportTable]:
    merges = [row for row in results.of_kind("merge") if row["name"] != UNIFORM and row.get("coefficients")]
    num_names = len({name for row in merges for name in row["coefficients"]})
    costs = [row for row in results.rows if row.get("cost")]
    costs = [row for row in costs if row["kind"] != "merge"] if len(costs) > _MANY_COSTS else costs
    few = len(merges) <= _FEW_MERGES and num_names <= _FEW_ROWS
    mixed = len(merges) > _FEW_MERGES or any(row.get("mixture") for row in merges)
    return [
        *_model_tables(results),
        *study_tables.present(
            study_tables.coefficients_table(merges) if merges and few else None,
            study_tables.merges_table(results) if mixed and not results.tasks else None,
            study_tables.cost_table(results, rows=costs),
            study_tables.decoding_table(results),
        ),
    ]


def _model_tables(results: StudyResults) -> list[ReportTable]:
    if not results.tasks:
        return study_tables.model_tables(results)
    rows = [row for row in results.rows if row["name"] not in results.partial_merges]
    return study_tables.present(
        study_tables.task_table(results, rows=rows),
        study_tables.differences_table(results, rows=rows),
        study_tables.ablation_table(results),
        study_tables.errors_table(results),
    )


def _lines(results: StudyResults) -> Iterator[str]:
    yield verdict.source_selection_note(results)
    if not results.headline and not results.recommended.get("against"):
        yield verdict.undefined_note(results) or ("" if results.tasks else "No merge was scored on test.")
    yield from verdict.verdict_lines(results)
    yield verdict.connectedness_note(results)
    if results.tasks:
        yield from _lines_of_tasks(results)
    for row in results.rows:
        if (note := verdict.holdout_note(row)) and (results.tasks or row["name"] == results.headline.get("name")):
            yield f"{results.names[row['name']]}: {note}"
    delta = f"delta is to {results.reference}, " if any("delta" in row for row in results.rows) else ""
    notes = (verdict.p_note(results).rstrip(), verdict.rare_classes_note(results), verdict.cost_column_note(results))
    yield " ".join(
        (
            f"Scores are times 100; {delta}± is the paired bootstrap standard error over the test split; intervals "
            "hold 95 %, of one seed.",
            *filter(None, notes),
        )
    )
    for decoding, reason in (results.raw.get("decoding_comparison") or {}).get("left_out", {}).items():
        yield f"Left out of the comparison of decodings: {decoding}: {reason}."


def _lines_of_tasks(results: StudyResults) -> Iterator[str]:
    """Yield the share of single-task training, what was merged, and where Fisher information is missing."""
    best = results.recommended.get("name")
    share = study_tables.share_of_single(results).get(str(best))
    if share is not None:
        yield f"{results.names[str(best)]} has {100 * share:.1f}% of the single-task average (the paper: 98.9%)."
    candidates = results.raw.get("candidates", ())
    if len(candidates) > 1:
        yield "Merged are " + ", ".join(results.names[name] for name in candidates) + "."
    for row in results.rows:
        without = row.get("notes", {}).get("without_fisher", {"values": 0})
        if without["values"] and row["name"] not in results.partial_merges:
            yield (
                f"{results.names[row['name']]}: {without['values']:,} of {without['of']:,} values have no Fisher "
                "information in any candidate and are the candidates' mean."
            )
