"""Build the paper's Table 2: published scores beside ours, and which differences can be claimed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

from dfwe.data.friends.tasks import CHARACTERS, EMORY, MELD, PERSONALITY, QUERIES, QUESTIONS, RELATIONS
from dfwe.metrics.statistics import holm
from dfwe.report.names import display_name
from dfwe.report.numbers import ALPHA, signed
from dfwe.report.study_results import Record
from dfwe.report.sweep.jobs import Group, best_sources, by_sources, mean_of
from dfwe.report.tables import MISSING, Cell, Column, ReportTable, number, tabulate, text

_PUBLISHED = {"baseline": "baseline", "dfwe": "DFWE", "delta": "delta"}


@dataclass(frozen=True)
class PublishedScores:
    """Hold a row of Table 2 of Ninalga (2023), arXiv:2307.03506: test scores times 100, as printed."""

    baseline: float
    dfwe: float
    delta: float


TABLE_2: Mapping[str, PublishedScores] = {  # in the paper's order
    EMORY: PublishedScores(31.167, 34.099, 2.932),
    QUERIES: PublishedScores(57.093, 58.888, 1.795),
    CHARACTERS: PublishedScores(62.366, 64.469, 2.103),
    QUESTIONS: PublishedScores(39.758, 41.027, 1.27),
    PERSONALITY: PublishedScores(53.818, 57.636, 3.818),
    RELATIONS: PublishedScores(37.699, 41.733, 4.034),
    MELD: PublishedScores(48.037, 52.63, 4.593),
}


def in_paper_order(targets: Mapping[str, object] | set[str]) -> list[str]:
    """Return the targets in the paper's order, then those that it does not have."""
    return [name for name in TABLE_2 if name in targets] + [name for name in targets if name not in TABLE_2]


def paper_table(by_target: Mapping[str, Group], *, merge: str, place: int = 0) -> ReportTable | None:
    """Return the paper's Table 2 with the published numbers beside ours; its notes have what can be claimed.

    Of several sets of sources the one with the best dev score counts; seeds are averaged.
    """
    by_task = table_jobs(by_target)
    columns = [
        Column("task", "task", lambda row: text(row["name"]), is_numeric=False),
        Column("jobs", "jobs", lambda row: number(row.get("num_jobs"))),
        Column("baseline", "baseline", lambda row: _exact(row["baseline"])),
        Column("merge", "merge", lambda row: _exact(row["test"], note=row.get("experts", ""))),
        Column("delta", "delta", lambda row: _exact(row["delta"], sign=True)),
        *(Column(f"published_{part}", f"paper's\n{name}", _published(part)) for part, name in _PUBLISHED.items()),
    ]
    several = any(len(by_sources(jobs)) > 1 for jobs in by_target.values())
    notes = ["Of several sets of sources the one with the best dev score."] if several else []
    return tabulate(
        f"table2-{place}",
        [_paper_row(name, jobs) for name, jobs in by_task.items()],
        columns=columns,
        caption=f"Table 2 of the paper with {merge}, test scores times 100.",
        footer=_mean_row(by_task),
        notes=" ".join([*notes, *corrected_note(by_task), comparability_note(by_task)]),
    )


def table_jobs(by_target: Mapping[str, Group]) -> dict[str, Group]:
    """Return the jobs that stand for each target in Table 2: those of its best sources on dev."""
    return {name: best_sources(by_target[name]) for name in in_paper_order(by_target)}


def is_comparable(jobs: Group) -> bool:
    """Check that model and data are those of the published numbers."""
    return not any(job.departures for job in jobs)


def comparability_note(by_task: Mapping[str, Group]) -> str:
    """Write whether the published numbers are comparable, and why not; empty where there are none."""
    if not any(name in TABLE_2 for name in by_task):
        return ""
    departures = dict.fromkeys(reason for jobs in by_task.values() for job in jobs for reason in job.departures)
    if not departures:
        return "Model and data are the paper's: the published numbers are comparable."
    return f"Published numbers in brackets are not comparable: {'; '.join(departures)}."


def corrected_note(by_task: Mapping[str, Group]) -> list[str]:
    """Write for which tasks a difference can be claimed, corrected for all tasks; only of one job per task."""
    p = {name: jobs[0].p for name, jobs in by_task.items() if len(jobs) == 1 and jobs[0].p is not None}
    if len(p) < 2:
        return []
    adjusted = holm({name: value for name, value in p.items() if value is not None})
    sure = [name for name, value in adjusted.items() if value <= ALPHA]
    claim = f"can be claimed for {', '.join(sure)}" if sure else "can be claimed for none"
    values = ", ".join(f"{name} {value:.2g}" for name, value in adjusted.items())
    return [f"Corrected for {len(p)} tasks (Holm), a difference to the baseline {claim}; p: {values}."]


def _paper_row(name: str, jobs: Group) -> Record:
    return {
        "name": name,
        "num_jobs": len(jobs),
        **{key: mean_of(jobs, key) for key in ("baseline", "test", "delta")},
        "published": TABLE_2.get(name),
        "is_comparable": is_comparable(jobs),
        "experts": _experts(jobs),
    }


def _mean_row(by_task: Mapping[str, Group]) -> Record:
    rows = [_paper_row(name, jobs) for name, jobs in by_task.items()]
    published = [row["published"] for row in rows]
    mean = None
    if None not in published:
        means = (fmean(getattr(scores, part) for scores in published) for part in _PUBLISHED)
        mean = PublishedScores(*means)
    return {
        "name": f"mean of {len(rows)} tasks",
        **{key: fmean(row[key] for row in rows) for key in ("baseline", "test", "delta")},
        "published": mean,
        "is_comparable": all(row["is_comparable"] for row in rows),
    }


def _experts(jobs: Group) -> str:
    """Return which expert the merge is, where it kept one, and what its best mixture scores."""
    experts = [display_name(str(job.expert), kind="expert") for job in jobs if job.expert is not None]
    if not experts:
        return ""
    some = f" in {len(experts)} of {len(jobs)} jobs" if len(experts) < len(jobs) else ""
    mixture = fmean(job.mixture_test for job in jobs)
    return f"= {', '.join(dict.fromkeys(experts))}{some}; best mixture {100 * mixture:.2f}"


def _exact(value: float, *, sign: bool = False, note: str = "") -> Cell:
    words = signed(value, decimals=2) if sign else f"{100 * value:.2f}"
    return Cell(words, value, note, f"({note})" if note else "")


def _published(part: str) -> Callable[[Record], Cell]:
    def cell(row: Record) -> Cell:
        if row["published"] is None:
            return MISSING
        value = getattr(row["published"], part)
        words = f"{value:+.2f}" if part == "delta" else f"{value:.2f}"
        return Cell(words if row["is_comparable"] else f"({words})", value)

    return cell
