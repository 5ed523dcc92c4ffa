"""Write the page that compares runs: what they come to, tables, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dfwe.errors import DataError
from dfwe.io.files import make_folder, write_text
from dfwe.report.figures.style import svg_of
from dfwe.report.figures.sweep import sweep_figures
from dfwe.report.html.conclusion import conclusion, overviews
from dfwe.report.html.page import PagePicture, render
from dfwe.report.run_folder import Run, readable_results
from dfwe.report.study_tables import present
from dfwe.report.sweep import rows, rows_table
from dfwe.report.sweep.jobs import JobResult, by_merge, by_setting, distinct
from dfwe.report.sweep.matrix_table import matrix_table
from dfwe.report.sweep.paper_table import paper_table
from dfwe.report.sweep.runs import check_same_tests, last_of_studies, read_jobs, read_runs
from dfwe.report.sweep.tables import kind_of, means_table, runs_table

COMPARISON = "comparison.html"
_LEGEND = (
    "Mean test score less the baseline's, times 100, the best on dev first. Lines are 95% intervals over the "
    "test split, filled where they leave out 0; of several seeds one standard deviation over them. Bold: merges that "
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
    headlines = distinct(job for job in jobs if job.is_headline)
    by_target = [(merge, targets) for merge, targets in by_merge(headlines) if len(targets) > 1]
    num_runs = len({job.path for job in jobs})
    scores = rows.row_scores(run for run in runs if run.path in {job.path for job in jobs})
    return render(
        "compare.html",
        title=f"{num_runs} runs compared" if num_runs > 1 else "One run",
        lines=_notes(jobs, choices),
        conclusion=conclusion(jobs, runs=last_of_studies(runs)),
        overviews=overviews(jobs),
        legend=_LEGEND,
        choices=choices,
        rows=rows_table.rows_table(scores),
        means=means_table(by_setting(jobs)),
        runs=runs_table(jobs, beside=beside),
        matrix=matrix_table(distinct(jobs)),
        paper=present(
            *(paper_table(targets, merge=merge, place=place) for place, (merge, targets) in enumerate(by_target))
        ),
        pictures=[PagePicture.of(named, svg=svg_of(named.figure)) for named in sweep_figures(headlines, rows=scores)],
        left_out=left_out,
    )


def _notes(jobs: Sequence[JobResult], choices: Mapping[str, Sequence[object]]) -> list[str]:
    targets, merges, seeds = (", ".join(map(str, choices[key])) for key in ("target", "merge", "seed"))
    lines = [f"Targets: {targets}. Merges: {merges}. Seeds: {seeds}. Deltas are to the baseline of the same run."]
    if any(job.reference != "the baseline" for job in jobs):
        lines.append("The baseline of models with heads are the single-task models; their scores are means over tasks.")
    if all(len(group) == 1 for group in by_setting(jobs)):
        lines.append("One seed of each: intervals are over the test split only and say nothing of how seeds differ.")
    if len(choices["target"]) > 1:
        lines.append("Scores of different targets have different metrics and instances: compare deltas, not scores.")
    return lines
