"""Write the page that compares runs: what they come to, tables, pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dfwe.errors import DataError
from dfwe.io.files import make_folder, write_text
from dfwe.report.figures.style import svg_of
from dfwe.report.figures.sweep import sweep_figures
from dfwe.report.html.forest import ForestPlot, ForestRow
from dfwe.report.html.page import PagePicture, render
from dfwe.report.numbers import signed, times_100
from dfwe.report.run_folder import Run, readable_results
from dfwe.report.study_tables import present
from dfwe.report.sweep import rows, rows_table
from dfwe.report.sweep.jobs import JobResult, by_merge, by_setting
from dfwe.report.sweep.runs import check_same_tests, read_jobs, read_runs
from dfwe.report.sweep.statistics import Spread, differing, spreads
from dfwe.report.sweep.tables import kind_of, matrix_table, means_table, paper_table, runs_table

COMPARISON = "comparison.html"
_MOST_ROWS = 8  # of a plot
_LEGEND = (
    "Mean test score less the baseline's, times 100, the best on dev first. Lines are 95% intervals over test "
    "instances, filled where they leave out 0; of several seeds one standard deviation over them. Bold: merges that "
    "were asked for."
)


def write_comparison(folders: Sequence[Path], *, out: Path | None) -> Path:
    """Write the page of all runs at or below the folders; by default `comparison.html` in the first of them.

    Raises:
        DataError: a folder without runs, results that cannot be read or of another format, runs of one target that
            were tested on different instances, or no run with a merge that was scored beside a baseline.
    """
    runs, left_out = read_runs(folders)
    with readable_results(folders[0]):
        check_same_tests(runs)
        jobs, unscored = read_jobs(runs)
    if not jobs:
        raise DataError(f"none of {len(runs)} runs has a merge that was scored beside a baseline on test")
    path = folders[0] / COMPARISON if out is None else out
    make_folder(path.parent)
    with readable_results(folders[0]):
        page = comparison_page(jobs, runs=runs, left_out=[*left_out, *unscored], beside=path.parent)
    write_text(path, page, through=out is not None)
    return path


def comparison_page(jobs: Sequence[JobResult], *, runs: Sequence[Run], left_out: Sequence[str], beside: Path) -> str:
    """Return the page as HTML; links are relative to the folder `beside` it."""
    choices: dict[str, Sequence[object]] = {
        "target": sorted({job.target for job in jobs}),
        "merge": sorted({job.title for job in jobs}),
        "kind": sorted({kind_of(job) for job in jobs}),
        "seed": sorted({job.seed for job in jobs}),
        "source": sorted({source for job in jobs for source in job.sources}),
    }
    by_target = [(merge, targets) for merge, targets in by_merge(_headlines(jobs)) if len(targets) > 1]
    num_runs = len({job.path for job in jobs})
    scores = rows.row_scores(run for run in runs if run.path in {job.path for job in jobs})
    return render(
        "compare.html",
        title=f"{num_runs} runs compared" if num_runs > 1 else "One run",
        lines=_notes(jobs, choices),
        conclusion=conclusion(jobs, runs=runs),
        overviews=overviews(jobs),
        legend=_LEGEND,
        choices=choices,
        rows=rows_table.rows_table(scores),
        means=means_table(by_setting(jobs)),
        runs=runs_table(jobs, beside=beside),
        matrix=matrix_table(jobs),
        paper=present(
            *(paper_table(targets, merge=merge, place=place) for place, (merge, targets) in enumerate(by_target))
        ),
        pictures=[
            PagePicture.of(named, svg=svg_of(named.figure)) for named in sweep_figures(_headlines(jobs), rows=scores)
        ],
        left_out=left_out,
    )


def conclusion(jobs: Sequence[JobResult], *, runs: Sequence[Run]) -> list[str]:
    """Return per target what is best on dev and its score on test; then how often runs may claim a gain."""
    return [*(_best(group) for group in _by_target(jobs)), *_claims(runs)]


def overviews(jobs: Sequence[JobResult]) -> list[ForestPlot]:
    """Return per target the plot of its settings' mean differences to the baseline on test."""
    groups = by_setting(jobs)
    settings = {id(group): unique for group, unique in zip(groups, differing(groups), strict=True)}
    has_sources = len({tuple(sorted(group[0].sources)) for group in groups}) > 1
    ranked = sorted(groups, key=lambda group: -spreads(group)["dev"].mean)
    plots = []
    for target in dict.fromkeys(job.target for job in jobs):
        of_target = [group for group in ranked if group[0].target == target]
        kinds = [", ".join([*(g[0].sources if has_sources else ()), *settings[id(g)]]) for g in of_target]
        rows = [_entry(group, kind=kind) for group, kind in zip(of_target[:_MOST_ROWS], kinds, strict=False)]
        num = len(of_target)
        plots.append(ForestPlot(f"{target}, the first {_MOST_ROWS} of {num}" if num > _MOST_ROWS else target, rows))
    return plots


def _headlines(jobs: Sequence[JobResult]) -> list[JobResult]:
    return [job for job in jobs if job.is_headline]


def _by_target(jobs: Sequence[JobResult]) -> list[list[JobResult]]:
    targets = dict.fromkeys(job.target for job in jobs)
    return [[job for job in jobs if job.target == target] for target in targets]


def _best(jobs: Sequence[JobResult]) -> str:
    group = max(by_setting(jobs), key=lambda group: spreads(group)["dev"].mean)
    mean, first = spreads(group), group[0]
    seeds = f"the mean of {len(group)} seeds" if len(group) > 1 else "one seed"
    return (
        f"{first.target}: the best on dev is {first.title} from {', '.join(first.sources)}. On test it scores "
        f"{times_100(mean['test'].mean)}{_deviation(mean['test'])}, {signed(mean['delta'].mean)}"
        f"{_deviation(mean['delta'])} against the baseline ({seeds})."
    )


def _deviation(spread: Spread) -> str:
    return "" if spread.deviation is None else f" ± {100 * spread.deviation:.1f}"


def _claims(runs: Sequence[Run]) -> Iterator[str]:
    """Yield how many of the merges that were asked for are better than all that they are compared with."""
    claims = Counter(run.results.headline["claim"] for run in runs if run.results.headline.get("claim"))
    if claims:
        better, worse, neither = (claims[claim] for claim in ("better", "worse", "not_shown"))
        by_cost = any("not_dearer" in run.results.headline for run in runs)
        more = " and than every simpler model of equal or lower cost" if by_cost else ""
        yield (
            f"Of {sum(claims.values())} merges that were asked for, {_are(better)} better than the baseline, the "
            f"baseline trained as long and the best expert by dev{more}, {_are(worse)} worse than one of these "
            f"three, and for {neither or 'none'} neither can be claimed."
        )
    as_well = Counter(other["title"] for run in runs if (other := run.results.headline.get("as_well")))
    if as_well:
        counts = ", ".join(f"{title} ({num} of {len(runs)} runs)" for title, num in as_well.most_common())
        yield f"The cheapest model of equal or lower cost over which test shows no gain: {counts}."


def _are(num: int) -> str:
    return f"{num} are" if num > 1 else f"{num or 'none'} is"


def _entry(group: Sequence[JobResult], *, kind: str) -> ForestRow:
    first, spread = group[0], spreads(group)["delta"]
    if spread.deviation is not None:
        ends = (spread.mean - spread.deviation, spread.mean + spread.deviation)
        return ForestRow(first.title, kind, spread.mean, ends, is_interval=False, is_strong=first.is_headline)
    entry = ForestRow.of(first.row, {**first.row, "delta": spread.mean}, strong=first.is_headline)
    assert entry is not None, "its delta is known"
    return ForestRow(first.title, kind, entry.delta, entry.ends, is_strong=first.is_headline)


def _notes(jobs: Sequence[JobResult], choices: Mapping[str, Sequence[object]]) -> list[str]:
    targets, merges, seeds = (", ".join(map(str, choices[key])) for key in ("target", "merge", "seed"))
    lines = [f"Targets: {targets}. Merges: {merges}. Seeds: {seeds}. Deltas are to the baseline of the same run."]
    if any(job.reference != "the baseline" for job in jobs):
        lines.append("The baseline of models with heads are the single-task models; their scores are means over tasks.")
    if all(len(group) == 1 for group in by_setting(jobs)):
        lines.append("One seed of each: intervals are over test instances only and say nothing of how seeds differ.")
    if len(choices["target"]) > 1:
        lines.append("Scores of different targets have different metrics and instances: compare deltas, not scores.")
    return lines
