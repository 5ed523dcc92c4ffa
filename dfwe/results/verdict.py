"""Which model to ship, and what may be said of a model beside those that it is held against."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dfwe.report.names import display_name, expert_name
from dfwe.report.numbers import ALPHA, interval
from dfwe.values.names import BASELINE, UNIFORM

EQUALLY_TRAINED, BEST_EXPERT = "equally_trained", "best_expert"  # parts beside those of BASELINE and UNIFORM
DECIDING = (BASELINE, EQUALLY_TRAINED, BEST_EXPERT)  # a model is better where it is better than all of these
BETTER, NOT_SHOWN, WORSE = "better", "not_shown", "worse"
_SAME = 1e-12  # scores this close are one score, summed in another order

Difference = Mapping[str, Any]


def best_by_dev(dev: Mapping[str, float | None], *, simplest_first: Sequence[str]) -> str | None:
    """Return the name with the highest dev score, of equal ones the first; None where no score is defined."""
    scores = {name: dev[name] for name in simplest_first if dev.get(name) is not None}
    highest = max((score for score in scores.values() if score is not None), default=0.0)
    return next((name for name, score in scores.items() if score is not None and score >= highest - _SAME), None)


def claimed(against: Sequence[Difference], *, withheld: Collection[str] = ()) -> dict[str, Any]:
    """Return `claim` and `why`: what the differences to the deciding models allow to claim of a model.

    It is better where its test score exceeds that of each of them, with a 95 % interval above 0 and a p of at most
    0.05; worse where one of them exceeds it so; else no difference is shown. `withheld` are reasons to claim nothing.
    None where nothing decides.
    """
    deciding = [difference for difference in against if difference["role"] in DECIDING]
    if not deciding:
        return {"claim": None, "why": "it was tested beside no other model"}
    if withheld:
        return {"claim": NOT_SHOWN, "why": "; ".join(withheld)}
    worse = [difference for difference in deciding if _below(difference)]
    if worse:
        return {"claim": WORSE, "why": f"it scores less than {_in_words(worse)}"}
    open_ = [difference for difference in deciding if not _above(difference)]
    if open_:
        return {"claim": NOT_SHOWN, "why": f"the test split shows no gain over {_in_words(open_)}"}
    return {"claim": BETTER, "why": f"it scores more than {_in_words(deciding)}"}


def _above(difference: Difference) -> bool:
    return bool(difference["delta_interval"][0] > 0 and difference["p"] <= ALPHA)


def _below(difference: Difference) -> bool:
    return bool(difference["delta_interval"][1] < 0 and difference["p"] <= ALPHA)


def _in_words(differences: Sequence[Difference]) -> str:
    """Describe each model once, though it may have two roles: `meld (+0.4, -1.2 to +2.0)`."""
    by_name = {_name_of(difference): difference for difference in differences}
    return ", ".join(
        f"{name} ({100 * difference['delta']:+.1f}, {interval(difference['delta_interval'], sign=True)})"
        for name, difference in by_name.items()
    )


def _name_of(difference: Difference) -> str:
    """Return the other's name as people read it: its role decides its kind."""
    kind = "merge" if difference["role"] == UNIFORM else "control"
    return display_name(expert_name(difference["name"]), kind=kind)
