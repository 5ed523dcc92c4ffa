"""Build the table of every row over targets and seeds: what it scores, what it is better by, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean, stdev

from dfwe.report.columns import times_baseline
from dfwe.report.numbers import seconds_in_words
from dfwe.report.study_results import Record
from dfwe.report.sweep.intervals import MeanDifference
from dfwe.report.sweep.jobs import JobResult, without_common
from dfwe.report.sweep.paper_table import in_paper_order
from dfwe.report.sweep.rows import RowScores
from dfwe.report.tables import MISSING, Cell, Column, ReportTable, difference, number, score, tabulate
from dfwe.values.names import BASELINE, LONG_BASELINE

ROWS = "rows"  # the table's id
_Score = Callable[[JobResult], float | None]


def rows_table(rows: Sequence[RowScores]) -> ReportTable | None:
    """Return a row per baseline and merge, with its means over seeds; None of one study, whose own tables have more."""
    places = {place for row in rows for place in row.jobs}
    settings = without_common([row.settings for row in rows])
    if len(places) < 2 and not any(settings):
        return None
    grouped = dict(zip(map(id, rows), settings, strict=True))
    return tabulate(
        ROWS,
        rows,
        columns=[
            Column("row", "row", lambda row: _name(row, grouped[id(row)]), is_numeric=False),
            *_columns(rows),
        ],
        caption="Every row over targets and seeds, times 100, the best on dev first.",
        strong=lambda row: row.is_headline,
        group=lambda row: ", ".join(grouped[id(row)]),
        notes=_notes(rows),
    )


def _name(row: RowScores, settings: Sequence[str]) -> Cell:
    words = ", ".join(settings)
    return Cell(row.title, small=words, brief=words)


def _columns(rows: Sequence[RowScores]) -> list[Column]:
    targets = in_paper_order(dict.fromkeys(job.target for row in rows for job in row.jobs.values()))
    return [
        *_score_columns(rows, targets=targets),
        Column("mean", "mean", lambda row: _mean(row, num_targets=len(targets)), "of the targets' test scores"),
        *_difference_columns(BASELINE, "Δ\nbaseline"),
        *_difference_columns(LONG_BASELINE, "Δ longer\nbaseline"),
        *_lead_columns(rows),
        Column("optimism", "optimism", _optimism, "dev less test"),
        Column("cost", "cost", _cost, "tokens read to train and search, by the baseline's", is_optional=True),
        Column("seconds", "time", _seconds, "of training and search, per study"),
        Column("studies", "studies", lambda row: number(len(row.jobs)), "targets and seeds"),
    ]


def _score_columns(rows: Sequence[RowScores], *, targets: Sequence[str]) -> list[Column]:
    """Return a column per target, or of several tasks per task: its test score."""
    of_target = {job.target: job for row in rows for job in row.jobs.values()}
    columns: list[Column] = []
    for target in targets:
        job = of_target[target]
        columns += [_score_column(target, task, partial(_of_task, task=task)) for task in job.tasks]
        columns += [] if job.tasks else [_score_column(target, job.short, lambda job: job.test)]
    return columns


def _score_column(target: str, heading: str, of_job: _Score) -> Column:
    def cell(row: RowScores) -> Cell:
        scores = [value for job in row.by_target.get(target, ()) if (value := of_job(job)) is not None]
        if not scores:
            return MISSING
        spread = f"± {100 * stdev(scores):.1f}" if len(scores) > 1 else ""
        mean = score(fmean(scores))
        return Cell(mean.text, mean.value, spread, spread)

    return Column(f"test/{heading}", heading, cell)


def _of_task(job: JobResult, *, task: str) -> float | None:
    value: float | None = job.row["test"].get("tasks", {}).get(task)
    return value


def _mean(row: RowScores, *, num_targets: int) -> Cell:
    return score(row.mean("test")) if len(row.by_target) == num_targets else MISSING


def _difference_columns(reference: str, heading: str) -> tuple[Column, Column]:
    """Return the columns of the mean difference, and of the number of targets on which it is above 0."""
    note = "targets on which the difference before is above 0"
    return (
        Column(f"delta/{reference}", heading, lambda row: _difference(row, reference), is_optional=True),
        Column(f"above/{reference}", "above 0", lambda row: _above(row, reference), note, is_optional=True),
    )


def _lead_columns(rows: Sequence[RowScores]) -> list[Column]:
    """Return the column of what the merge that was asked for is better by than each row; none without one of it."""
    leads = {row.settings: row for row in rows if row.is_headline}
    names = {row.name for row in rows if row.is_headline}
    if len(names) != 1:
        return []

    def cell(row: RowScores) -> Cell:
        lead = leads.get(row.settings)
        mean = None if lead is None or row is lead else lead.mean_difference(row.name)
        return MISSING if mean is None else _interval_cell(mean)

    title = next(iter(leads.values())).title
    return [Column("lead", f"lead of\n{title}", cell, "its test score less the row's", is_optional=True)]


def _difference(row: RowScores, reference: str) -> Cell:
    mean = row.mean_difference(reference)
    return MISSING if mean is None else _interval_cell(mean)


def _interval_cell(mean: MeanDifference) -> Cell:
    compared: Record = {"delta": mean.value, "delta_interval": mean.ends}
    cell = difference(compared)
    ends = cell.small and f"({cell.small})"
    return Cell(cell.text, cell.value, ends, ends, cell.ends)


def _above(row: RowScores, reference: str) -> Cell:
    mean = row.mean_difference(reference)
    if mean is None:
        return MISSING
    return Cell(f"{mean.num_above} of {mean.num_targets}", float(mean.num_above))


def _optimism(row: RowScores) -> Cell:
    is_defined = all(job.is_dev_defined for job in row.jobs.values())
    return difference({"delta": row.mean("dev") - row.mean("test") if is_defined else None})


def _cost(row: RowScores) -> Cell:
    return times_baseline([job.row.get("cost", {}) for job in row.jobs.values()])


def _seconds(row: RowScores) -> Cell:
    seconds = [job.row.get("cost", {}).get("seconds") for job in row.jobs.values()]
    if None in seconds:
        return MISSING
    mean = fmean(seconds)
    return Cell(seconds_in_words(mean), mean)


def _notes(rows: Sequence[RowScores]) -> str:
    several = max(len(row.by_target) for row in rows) > 1
    over = "the targets' means" if several else "seeds and the test split"
    notes = [
        "± is one standard deviation over seeds.",
        f"Differences are to the same study's row; their 95% intervals are over {over}, each row's alone.",
    ]
    if any(len(row.jobs) < max(len(row.jobs) for row in rows) for row in rows):
        notes.append("Rows of fewer studies have the means of these.")
    if not several and all(len(row.jobs) == 1 for row in rows):
        notes.append("One seed: nothing tells how seeds differ.")
    return " ".join(notes)
