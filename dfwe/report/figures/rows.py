"""Draw rows over targets and seeds: gains by target, barriers against gains, scores by training examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from dfwe.io.files import plain_name
from dfwe.report.figures.study import NamedFigure
from dfwe.report.figures.style import CYCLE, INK, MARKERS, draw_mean_line, new_figure, short, styled, tip
from dfwe.report.numbers import signed
from dfwe.report.sweep.intervals import MeanDifference
from dfwe.report.sweep.jobs import JobResult
from dfwe.report.sweep.rows import RowScores
from dfwe.values.names import BASELINE, BEST_EXPERT, LONG_BASELINE, UNIFORM

MEAN = "mean of targets"
_AGAINST = {BASELINE: "less the baseline", LONG_BASELINE: "less the longer baseline"}
# rows of a learning curve beside merges asked for
_CURVES = (BASELINE, LONG_BASELINE, BEST_EXPERT, UNIFORM, "ensemble")
Gains = Mapping[str, Mapping[str, MeanDifference]]  # by what it is compared with, and by target
Scores = Mapping[str, Mapping[int, Sequence[float]]]  # by row, and by number of training examples


def row_figures(rows: Sequence[RowScores]) -> Iterator[NamedFigure]:
    """Yield the figures that the rows allow."""
    asked_for = [row for row in rows if row.is_headline]
    for number, row in enumerate(row for row in asked_for if len(row.by_target) > 1):
        yield _gains(row, name=f"gains_{row.name}_{number}" if number else f"gains_{row.name}")
    yield from _barriers(asked_for)
    for target in dict.fromkeys(target for row in rows for target in row.by_target):
        yield from _curves(target, rows=rows)


@styled
def draw_gains(gains: Gains) -> Figure:
    """Draw differences of test scores by target, a mark with its interval for each that they are compared with."""
    targets = list(dict.fromkeys(target for by_target in gains.values() for target in by_target))
    figure, axes = new_figure(1.1 + 0.4 * len(targets))
    for number, (against, by_target) in enumerate(gains.items()):
        beside = 0.22 * (number - (len(gains) - 1) / 2)
        places = [targets.index(target) + beside for target in by_target]
        for place, mean in zip(places, by_target.values(), strict=True):
            if mean.ends is not None:
                ends = [100 * end for end in mean.ends]
                axes.plot(ends, (place, place), color=CYCLE[number], linewidth=1.4, marker="|", markersize=6)
        values = [100 * mean.value for mean in by_target.values()]
        marks = axes.scatter(values, places, s=34, marker=MARKERS[number], color=CYCLE[number], label=against, zorder=3)
        tip(marks, [f"{target}, {against}: {signed(mean.value)}" for target, mean in by_target.items()])
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(targets)), [short(target) for target in targets])
    axes.set_ylim(len(targets) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("difference of test scores × 100")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def draw_barriers(points: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Draw a point per study, the median barrier between its experts and what its merge gains, by target."""
    figure, axes = new_figure(3.4)
    for number, (target, pairs) in enumerate(points.items()):
        barriers, gains = ([100 * pair[axis] for pair in pairs] for axis in (0, 1))
        colour, marker = CYCLE[number % len(CYCLE)], MARKERS[number % len(MARKERS)]
        marks = axes.scatter(barriers, gains, s=38, marker=marker, color=colour, label=short(target), zorder=3)
        texts = zip(barriers, gains, strict=True)
        tip(marks, [f"{target}: barrier {barrier:.1f}, gain {gain:+.1f}" for barrier, gain in texts])
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("median barrier between pairs of experts × 100")
    axes.set_ylabel("test score less the baseline's × 100")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def draw_examples(scores: Scores) -> Figure:
    """Draw mean test scores by the number of training examples, a line per row, one standard deviation around."""
    figure, axes = new_figure(3.4 + 0.1 * len(scores))
    for place, (name, by_number) in enumerate(scores.items()):
        beside = 1.03 ** (place - (len(scores) - 1) / 2)
        line = {number * beside: by_number[number] for number in sorted(by_number)}
        draw_mean_line(axes, line, number=place, label=short(name, most=32))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sorted({number for of_row in scores.values() for number in of_row})))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.0f}"))
    axes.set_xlabel("training examples of the target")
    axes.set_ylabel("test score × 100")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _gains(row: RowScores, *, name: str) -> NamedFigure:
    gains: dict[str, dict[str, MeanDifference]] = {}
    for reference, words in _AGAINST.items():
        differences = row.differences(reference)
        if differences:
            by_target = {target: MeanDifference.of({target: pairs}) for target, pairs in differences.items()}
            names = {job.target: job.short for job in row.jobs.values()}
            gains[words] = {names[target]: mean for target, mean in by_target.items()}
            gains[words][MEAN] = MeanDifference.of(differences)
    caption = "Means over seeds with 95% intervals: by target over seeds and the test split, of the mean over targets."
    counts = [
        f"above 0 on {by_target[MEAN].num_above} of {by_target[MEAN].num_targets} targets {words}"
        for words, by_target in gains.items()
    ]
    return NamedFigure(name, "sweep", f"{row.title}: {', '.join(counts)}", caption, draw_gains(gains))


def _barriers(rows: Sequence[RowScores]) -> Iterator[NamedFigure]:
    points: dict[str, list[tuple[float, float]]] = {}
    for job in (job for row in rows for job in row.jobs.values()):
        barrier = job.connectedness.get("median_barrier")
        if barrier is not None:
            points.setdefault(job.short, []).append((float(barrier), job.delta))
    pairs = [pair for of_target in points.values() for pair in of_target]
    if len(pairs) < 2:
        return
    gaining = sum(gain > 0 for _, gain in pairs)
    title = f"Barriers against gains: {gaining} of {len(pairs)} merges are above their baseline"
    caption = (
        "A point is a study: the median over pairs of experts of what the midpoint lies below its ends, and what the "
        "merge that was asked for gains on test."
    )
    yield NamedFigure("barriers", "sweep", title, caption, draw_barriers(points))


def _curves(target: str, *, rows: Sequence[RowScores]) -> Iterator[NamedFigure]:
    chosen = [row for row in rows if target in row.by_target and (row.name in _CURVES or row.is_headline)]
    scores: dict[str, dict[int, list[float]]] = {}
    for row in sorted(chosen, key=lambda row: _CURVES.index(row.name) if row.name in _CURVES else len(_CURVES)):
        by_number = _by_number(row.by_target[target])
        if scores.setdefault(row.title, {}).keys() & by_number.keys():
            return  # other settings than the number of examples differ
        scores[row.title] |= by_number
    numbers = {number for by_number in scores.values() for number in by_number}
    if len(numbers) > 1:
        title = f"{chosen[0].by_target[target][0].short} from {min(numbers):,} to {max(numbers):,} training examples"
        caption = (
            "Mean test scores by number of the target's training examples; lines are one standard deviation over seeds."
        )
        yield NamedFigure(f"examples_{plain_name(target)}", "sweep", title, caption, draw_examples(scores))


def _by_number(jobs: Sequence[JobResult]) -> dict[int, list[float]]:
    by_number: dict[int, list[float]] = {}
    for job in jobs:
        if job.num_train is not None:
            by_number.setdefault(job.num_train, []).append(job.test)
    return by_number
