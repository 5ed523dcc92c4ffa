"""Write what runs come to: the best of each target, what may be claimed, and all settings beside the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from dfwe.report.html.forest import ForestPlot, ForestRow
from dfwe.report.numbers import signed, times_100
from dfwe.report.run_folder import Run
from dfwe.report.sweep.jobs import JobResult, by_setting
from dfwe.report.sweep.spreads import Spread, differing, spreads

_MOST_ROWS = 8  # of a plot


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


def _by_target(jobs: Sequence[JobResult]) -> list[list[JobResult]]:
    targets = dict.fromkeys(job.target for job in jobs)
    return [[job for job in jobs if job.target == target] for target in targets]


def _best(jobs: Sequence[JobResult]) -> str:
    group = max(by_setting(jobs), key=lambda group: spreads(group)["dev"].mean)
    mean, first = spreads(group), group[0]
    sources = f" from {', '.join(first.sources)}" if first.kind == "merge" else ""
    seeds = f"the mean of {len(group)} seeds" if len(group) > 1 else "one seed"
    return (
        f"{first.target}: beside the baseline, the best on dev is {first.title}{sources}. On test it scores "
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
