"""The picture of a sweep over the number of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import stdev

from dfwe.report.sweep_jobs import JobResult, mean_of
from dfwe.report.sweep_tables import by_number


def draw_numbers(by_target: Mapping[str, Sequence[JobResult]], *, merge: str, path: Path) -> None:
    """Writes the test score against the number of sources, a line a target: mean, and one standard deviation around."""
    from matplotlib.figure import Figure  # a second, where no picture is drawn

    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for target, jobs in by_target.items():
        numbers = by_number(jobs)
        means = [100 * mean_of(each, "test") for each in numbers.values()]
        spread = [100 * stdev([job.test for job in each]) if len(each) > 1 else 0.0 for each in numbers.values()]
        axes.errorbar(list(numbers), means, yerr=spread, marker="o", capsize=3, label=target)
    axes.set_xlabel("number of sources")
    axes.set_ylabel(f"test score of {merge} x 100")
    axes.set_xticks(sorted({len(job.sources) for jobs in by_target.values() for job in jobs}))
    axes.legend()
    figure.savefig(path, dpi=150)
