"""What the jobs of a sweep say together: the paper's Table 2, the sets of sources, the score by their number, seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text

from dfwe.report.sweep.jobs import JobResult, Sweep, by_sources, groups, read_sweep
from dfwe.report.sweep.matrix import matrix_table
from dfwe.report.sweep.over_seeds import seeds_table
from dfwe.report.sweep.tables import by_number, number_table, sources_table, table_2
from dfwe.report.terminal.console import show_plain

FIGURE = "score_by_number_of_sources"


def report_sweep(folder: Path, *, console: Console | None = None) -> None:
    """Prints the tables of a finished sweep, and draws its picture into its folder where it has numbers of sources.

    Raises:
        DataError: no results there, or results that cannot be read.
    """
    sweep = read_sweep(folder)
    show_plain(draw_sweep(sweep), console=console)
    for number, (merge, by_target) in enumerate(groups(sweep.jobs)):
        counted = {target: jobs for target, jobs in by_target.items() if has_numbers(jobs)}
        if counted:
            name = FIGURE if number == 0 else f"{FIGURE}_{merge}"
            print(f"picture: {_draw(counted, merge=merge, folder=folder, name=name)}")


def scores_by_number(by_target: Mapping[str, Sequence[JobResult]]) -> dict[str, dict[int, list[float]]]:
    """Test scores by target and number of sources, as their picture wants them."""
    return {
        target: {number: [job.test for job in each] for number, each in by_number(jobs).items()}
        for target, jobs in by_target.items()
    }


def draw_sweep(sweep: Sweep) -> RenderableType:
    """The tables that the jobs allow; in words, which jobs were left out."""
    left_out = [Text(f"left out: {reason}") for reason in sweep.left_out]
    return Group(*_tables(sweep), *left_out)


def has_numbers(jobs: Sequence[JobResult]) -> bool:
    """Whether the jobs have different numbers of sources."""
    return len({len(job.sources) for job in jobs}) > 1


def _draw(by_target: Mapping[str, Sequence[JobResult]], *, merge: str, folder: Path, name: str) -> Path:
    from dfwe.report.figures.numbers import draw_numbers  # matplotlib: a second, where no picture is drawn
    from dfwe.report.figures.style import save

    return save(draw_numbers(scores_by_number(by_target), merge=merge), folder=folder, name=name)[0]


def _tables(sweep: Sweep) -> Iterator[RenderableType]:
    for merge, by_target in groups(sweep.jobs):
        for target, jobs in by_target.items():
            if has_numbers(jobs):
                yield number_table(target, jobs=jobs, merge=merge)
            elif len(by_sources(jobs)) > 1:
                yield sources_table(target, jobs=jobs, merge=merge)
        if len(by_target) > 1:
            yield table_2(by_target, merge=merge)
    matrix = matrix_table(sweep.merges)
    if matrix is not None:
        yield matrix
    over_seeds = seeds_table(sweep.jobs)
    if over_seeds is not None:
        yield over_seeds
