"""The tables that compare runs: every run, means over seeds, the paper's Table 2."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from dfwe.report.html.cells import NOTHING, Cell, Column, PageTable, Row, difference, number, p_value, score, text
from dfwe.report.html.run_page import PAGE
from dfwe.report.names import display_name, name_of
from dfwe.report.sweep.jobs import JobResult, mean_of
from dfwe.report.sweep.matrix import EXPLAINED, Matrix, Place
from dfwe.report.sweep.matrix import mean_of as places_mean
from dfwe.report.sweep.over_seeds import Spread, by_setting, differing, spreads
from dfwe.report.sweep.published import TABLE_2
from dfwe.report.sweep.runs import Scored
from dfwe.report.sweep.tables import chosen_jobs, is_comparable

_SOURCES = Column("sources", numeric=False)
_WHAT = ("test", "delta", "dev", "baseline")
_DELTA = Column("delta", note="test score less the same run's baseline's")


def runs_table(found: Sequence[Scored], *, beside: Path) -> PageTable:
    """A row for each merge of each run, with a link to the run's own page where there is one."""
    headings = (Column("p", note="two-sided"), Column("dev"), Column("seed"), Column("evaluations"))
    several = _several_targets(found)
    columns = [_merge(several), Column("test"), _DELTA, *headings, Column("seconds", note="of the search"), _SOURCES]
    columns.append(Column("run", numeric=False))
    rows = [
        Row(
            [_who(each, several=several), *_own(each), _sources(each), _link(each, beside)],
            strong=each.is_headline,
            facts=_facts([each]),
        )
        for each in found
    ]
    caption = (
        "Every merge of every run, times 100; in bold those that were asked for. Small: 95% intervals over test "
        "instances, or ± one standard error."
    )
    return PageTable("runs", columns, rows, caption)


def means_table(found: Sequence[Scored]) -> PageTable:
    """Means over seeds of what differs in nothing else, with their standard deviation; the best on dev first."""
    several = _several_targets(found)
    columns = [
        _merge(several),
        Column("test"),
        _DELTA,
        Column("dev"),
        Column("baseline"),
        Column("seeds", note="how many"),
        _SOURCES,
    ]
    rows = []
    groups = by_setting(found, job=lambda each: each.job)
    means = [spreads([each.job for each in group]) for group in groups]
    settings = differing([[each.job for each in group] for group in groups])
    for group, mean, own in sorted(zip(groups, means, settings, strict=True), key=lambda each: -each[1]["dev"].mean):
        scores = [_mean(mean[what], shown=difference if what == "delta" else score) for what in _WHAT]
        cells = [_who(group[0], several=several, settings=own), *scores, number(len(group)), _sources(group[0])]
        rows.append(Row(cells, strong=group[0].is_headline, facts=_facts(group)))
    caption = "Means over seeds, times 100, the best on dev first. Small: one standard deviation over seeds."
    return PageTable("means", columns, rows, caption)


def merge_title(each: Scored) -> str:
    """Its name in words."""
    return name_of(each.row)


def kind(each: Scored) -> str:
    """What a filter calls it."""
    if each.is_headline:
        return "asked for"
    return "other merge" if each.row["kind"] == "merge" else str(each.row["kind"])


def paper_table(by_target: Mapping[str, Sequence[JobResult]], *, merge: str, place: int) -> PageTable:
    """The paper's Table 2 with the published numbers beside ours."""
    columns = [Column("task", numeric=False), Column("jobs"), Column("baseline"), Column("merge"), Column("delta")]
    columns += [Column(f"paper's {part}") for part in ("baseline", "DFWE", "delta")]
    chosen = chosen_jobs(by_target)
    rows, parts = [], ("baseline", "test", "delta")
    for name, jobs in chosen.items():
        means = [mean_of(jobs, part) for part in parts]
        ours = [score(means[0]), _marked(score(means[1]), jobs), difference(means[2])]
        rows.append(Row([text(name), number(len(jobs)), *ours, *_published(name, comparable=is_comparable(jobs))]))
    totals = [fmean(mean_of(jobs, part) for jobs in chosen.values()) for part in parts]
    footer = [text(f"mean of {len(chosen)} tasks"), Cell(""), score(totals[0]), score(totals[1]), difference(totals[2])]
    footer += [Cell("")] * 3
    return PageTable(f"table2-{place}", columns, rows, f"Table 2 of the paper with {merge}, test scores.", footer)


def _marked(shown: Cell, jobs: Sequence[JobResult]) -> Cell:
    """The score; small, of a merge that is one expert, which, and what its best mixture scores."""
    experts = dict.fromkeys(str(job.expert) for job in jobs if job.expert is not None)
    if not experts:
        return shown
    mixture = fmean(job.mixture_test for job in jobs)
    return Cell(
        shown.text,
        shown.value,
        small=f"= {', '.join(display_name(each, kind='expert') for each in experts)}; best mixture {100 * mixture:.1f}",
    )


def matrix_table(found: Sequence[Scored]) -> PageTable | None:
    """Merges by targets: each best mixture's difference to the baseline; None unless there are several of both."""
    matrix = Matrix.of([each.job for each in found if each.row["kind"] == "merge"])
    if matrix is None:
        return None
    columns = [Column("merge", numeric=False), Column("budget", note="evaluations that its search may spend")]
    columns += [*(Column(target) for target in matrix.targets), Column("mean")]
    rows = []
    for budget, merge, places in matrix.rows:
        cells = [_place(places.get(target)) for target in matrix.targets]
        whole = len(places) == len(matrix.targets)
        mean = difference(places_mean(places, "mixture")) if whole else Cell(NOTHING)
        rows.append(Row([text(display_name(merge, kind="merge")), number(budget), *cells, mean]))
    return PageTable("matrix", columns, rows, f"Merges by targets. {EXPLAINED} Small: what was kept.")


def _place(place: Place | None) -> Cell:
    """The best mixture's difference; small what the merge kept, if that is another model."""
    if place is None:
        return Cell(NOTHING)
    shown = difference(place.mixture)
    small = f"{place.mark} {100 * place.kept:+.1f}" if place.mark else ""
    return Cell(shown.text, shown.value, small=small)


def _mean(spread: Spread, *, shown: Callable[[float], Cell]) -> Cell:
    cell = shown(spread.mean)
    if spread.deviation is None:
        return cell
    return Cell(cell.text, cell.value, small=f"± {100 * spread.deviation:.1f}")


def _own(each: Scored) -> list[Cell]:
    row, job = each.row, each.job
    return [
        score(job.test, ends=row["test"].get("interval")),
        difference(job.delta, ends=row.get("delta_interval"), error=row.get("delta_standard_error")),
        p_value(row.get("p")),
        score(job.dev),
        number(job.seed),
        number(row.get("evaluations")),
        number(row.get("seconds"), digits=1),
    ]


def _several_targets(found: Sequence[Scored]) -> bool:
    return len({each.job.target for each in found}) > 1


def _merge(several: bool) -> Column:
    return Column("merge, target" if several else "merge", numeric=False)


def _who(each: Scored, *, several: bool, settings: Sequence[str] = ()) -> Cell:
    """The merge; small what else tells it from others: its target, where there are several, and its settings."""
    return Cell(merge_title(each), small=", ".join([*([each.job.target] if several else []), *settings]))


def _sources(each: Scored) -> Cell:
    return text(", ".join(each.job.sources))


def _facts(group: Sequence[Scored]) -> dict[str, str]:
    job = group[0].job
    seeds = "\n".join(str(each.job.seed) for each in group)
    return {
        "target": job.target,
        "merge": merge_title(group[0]),
        "kind": kind(group[0]),
        "seed": seeds,
        "source": "\n".join(job.sources),
    }


def _link(each: Scored, beside: Path) -> Cell:
    page, name = each.run.path / PAGE, f"{each.run.path.parent.name}/{each.run.path.name}"
    link = os.path.relpath(page, beside) if page.exists() else None
    return Cell(name, link=link)


def _published(name: str, *, comparable: bool) -> list[Cell]:
    row = TABLE_2.get(name)
    if row is None:
        return [Cell(NOTHING)] * 3
    values = (row.baseline, row.dfwe, row.delta)
    texts = (f"{row.baseline:.2f}", f"{row.dfwe:.2f}", f"{row.delta:+.2f}")
    return [Cell(shown if comparable else f"({shown})", value) for shown, value in zip(texts, values, strict=True)]
