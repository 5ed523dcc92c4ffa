"""What many runs come to, in sentences and one forest plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from dfwe.report.html.cells import signed
from dfwe.report.html.forest import Difference, Forest, forest_of
from dfwe.report.names import name_of
from dfwe.report.numbers import times_100
from dfwe.report.sweep.over_seeds import Spread, by_setting, differing, spreads
from dfwe.report.sweep.runs import Scored

MOST = 8  # rows of a plot
LEGEND = (
    "Mean test score less the baseline's, times 100, the best on dev first. Lines are 95% intervals over test "
    "instances, filled where they leave out 0; of several seeds one standard deviation over them. Bold: merges that "
    "were asked for."
)


def conclusion(found: Sequence[Scored]) -> list[str]:
    """Return, for each target, what is best on dev and what it is on test; then how often runs may claim a gain."""
    targets = dict.fromkeys(each.job.target for each in found)
    lines = [_best([each for each in found if each.job.target == target], target=target) for target in targets]
    return [*lines, *_claims(found)]


def overviews(found: Sequence[Scored]) -> list[Forest]:
    """Return for each target the plot of its settings' mean differences to the baseline on test."""
    groups = _ranked(found)
    settings = dict(zip(map(id, groups), differing([[each.job for each in group] for group in groups]), strict=True))
    several_sources = len({tuple(sorted(group[0].job.sources)) for group in groups}) > 1
    plots = []
    for target in dict.fromkeys(each.job.target for each in found):
        own = [group for group in groups if group[0].job.target == target]
        rows = [_difference(g, kind=_kind(g[0], sources=several_sources, own=settings[id(g)])) for g in own[:MOST]]
        plots.append(forest_of(rows, caption=_caption(target, num=len(own))))
    return [plot for plot in plots if plot is not None]


def _caption(target: str, *, num: int) -> str:
    return f"{target}, the first {MOST} of {num}" if num > MOST else target


def _best(found: Sequence[Scored], *, target: str) -> str:
    group = _ranked(found)[0]
    mean = spreads([each.job for each in group])
    seeds = f"the mean of {len(group)} seeds" if len(group) > 1 else "one seed"
    return (
        f"{target}: the best on dev is {name_of(group[0].row)} from {', '.join(group[0].job.sources)}. On test it "
        f"scores {times_100(mean['test'].mean)}{_deviation(mean['test'])}, {signed(mean['delta'].mean)}"
        f"{_deviation(mean['delta'])} against the baseline ({seeds})."
    )


def _deviation(spread: Spread) -> str:
    return "" if spread.deviation is None else f" ± {100 * spread.deviation:.1f}"


def _claims(found: Sequence[Scored]) -> Iterator[str]:
    """How many of the merges that were asked for are better than all that they are held against, as results say."""
    heads = [each.run.results["headline"] for each in found if each.is_headline and not each.run.is_multitask]
    claims = Counter(head["claim"] for head in heads if head.get("claim"))
    if claims:
        better, worse, neither = (claims[claim] for claim in ("better", "worse", "not_shown"))
        yield (
            f"Of {sum(claims.values())} merges that were asked for, {_are(better)} better than the baseline, the "
            f"baseline trained as long and the best expert by dev, {_are(worse)} worse than one of them, and for "
            f"{neither or 'none'} neither can be claimed."
        )


def _are(num: int) -> str:
    return f"{num} are" if num > 1 else f"{num or 'none'} is"


def _ranked(found: Sequence[Scored]) -> list[list[Scored]]:
    """Runs by setting, the best mean on dev first."""
    groups = by_setting(found, job=lambda each: each.job)
    return sorted(groups, key=lambda group: -spreads([each.job for each in group])["dev"].mean)


def _kind(each: Scored, *, sources: bool, own: Sequence[str]) -> str:
    """What tells a setting from others of its name."""
    return ", ".join([*(each.job.sources if sources else ()), *own])


def _difference(group: Sequence[Scored], *, kind: str) -> Difference:
    first, spread = group[0], spreads([each.job for each in group])["delta"]
    if spread.deviation is not None:
        ends = (spread.mean - spread.deviation, spread.mean + spread.deviation)
        return Difference(name_of(first.row), kind, spread.mean, ends, is_interval=False, strong=first.is_headline)
    found = Difference.of(first.row, {**first.row, "delta": spread.mean}, strong=first.is_headline)
    assert found is not None, "its delta is known"
    return Difference(found.name, kind, found.delta, found.ends, is_known=found.is_known, strong=found.strong)
