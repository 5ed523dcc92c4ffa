"""The page that compares runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dfwe.errors import DataError
from dfwe.io.files import make_folder
from dfwe.report.figures.style import svg_of
from dfwe.report.figures.sweep_figures import sweep_pictures
from dfwe.report.html.compare_tables import kind, matrix_table, means_table, merge_title, paper_table, runs_table
from dfwe.report.html.conclusion import LEGEND, conclusion, overviews
from dfwe.report.html.render import render, write_page
from dfwe.report.html.section import PagePicture
from dfwe.report.study_folder import results_read
from dfwe.report.sweep.jobs import JobResult, groups
from dfwe.report.sweep.over_seeds import by_setting
from dfwe.report.sweep.runs import Scored, check_same_tests, read_runs, scored_of_whole
from dfwe.report.sweep.tables import chosen_jobs, comparison, corrected

COMPARISON = "comparison.html"


def write_comparison(folders: Sequence[Path], *, out: Path | None) -> Path:
    """Writes the page of all runs at or below the folders; by default `comparison.html` in the first of them.

    Raises:
        DataError: a folder without runs, results that cannot be read or of another format, runs of one target that
            were tested on different instances, or no run with a merge that was scored beside a baseline.
    """
    runs, left_out = read_runs(folders)
    with results_read(folders[0]):
        check_same_tests(runs)
        found, unscored = scored_of_whole(runs)
    if not found:
        raise DataError(f"none of {len(runs)} runs has a merge that was scored beside a baseline on test")
    path = folders[0] / COMPARISON if out is None else out
    left_out += unscored
    make_folder(path.parent)
    with results_read(folders[0]):
        page = comparison_page(found, left_out=left_out, beside=path.parent)
    write_page(path, content=page, through=out is not None)
    return path


def comparison_page(found: Sequence[Scored], *, left_out: Sequence[str], beside: Path) -> str:
    """The page as HTML; links are relative to the folder `beside` it."""
    heads = list(groups([each.job for each in found if each.is_headline]))
    several = [(merge, by_target) for merge, by_target in heads if len(by_target) > 1]
    choices: dict[str, Sequence[object]] = {
        "target": sorted({each.job.target for each in found}),
        "merge": sorted({merge_title(each) for each in found}),
        "kind": sorted({kind(each) for each in found}),
        "seed": sorted({each.job.seed for each in found}),
        "source": sorted({source for each in found for source in each.job.sources}),
    }
    num_runs = len({id(each.run) for each in found})
    return render(
        "compare.html",
        title=f"{num_runs} runs compared" if num_runs > 1 else "One run",
        lines=_words(found, choices),
        conclusion=conclusion(found),
        overviews=overviews(found),
        legend=LEGEND,
        choices=choices,
        means=means_table(found),
        runs=runs_table(found, beside=beside),
        matrix=matrix_table(found),
        paper=[paper_table(by_target, merge=merge, place=place) for place, (merge, by_target) in enumerate(several)],
        comparisons=[_about_table_2(by_target) for _, by_target in several],
        pictures=[PagePicture.of(picture, svg=svg_of(picture.figure)) for picture in sweep_pictures(found)],
        left_out=left_out,
    )


def _about_table_2(by_target: Mapping[str, Sequence[JobResult]]) -> str:
    chosen = chosen_jobs(by_target)
    return " ".join([*corrected(chosen), comparison(chosen)])


def _words(found: Sequence[Scored], choices: Mapping[str, Sequence[object]]) -> list[str]:
    lines = [
        f"Targets: {_listed(choices['target'])}. Merges: {_listed(choices['merge'])}. Seeds: "
        f"{_listed(choices['seed'])}. Deltas are to the baseline of the same run."
    ]
    if any(each.run.is_multitask for each in found):
        lines.append("The baseline of models with heads are the single-task models; their scores are means over tasks.")
    if all(len(group) == 1 for group in by_setting(found, job=lambda each: each.job)):
        lines.append("One seed of each: intervals are over test instances only and say nothing of how seeds differ.")
    if len(choices["target"]) > 1:
        lines.append("Scores of different targets have different metrics and instances: compare deltas, not scores.")
    return lines


def _listed(names: Sequence[object]) -> str:
    return ", ".join(map(str, names))
