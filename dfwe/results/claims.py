"""Decide what a model's differences to the others allow to claim of it: that it is better, and what does as well."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from dfwe.report.names import display_name, expert_name, name_of
from dfwe.report.numbers import difference_in_words, is_gain, is_loss
from dfwe.results.comparison import Comparison, against
from dfwe.results.costs import not_dearer, ratio
from dfwe.values.names import BASELINE, BEST_EXPERT, EQUALLY_TRAINED, UNIFORM

DECIDING = (BASELINE, EQUALLY_TRAINED, BEST_EXPERT)  # roles that decide whatever they cost
BETTER, NOT_SHOWN, WORSE = "better", "not_shown", "worse"
_MOST = 2  # rows of equal or lower cost that a reason names, the cheapest

Difference = Mapping[str, Any]
Row = Mapping[str, Any]


def conclusion(name: str, *, rows: Sequence[Row], comparison: Comparison, withheld: Collection[str]) -> dict[str, Any]:
    """Return a model's differences to the models with a role and to all of equal or lower cost, and what they show.

    `not_dearer` is null where the model's own cost is not known.
    """
    differences = against(comparison, name)
    rivals = _not_dearer(name, rows=rows, comparison=comparison)
    claim = claimed(differences, not_dearer=rivals or (), withheld=withheld)
    return {"against": differences, "not_dearer": rivals, **claim}


def claimed(
    against: Sequence[Difference], *, not_dearer: Sequence[Difference] = (), withheld: Collection[str] = ()
) -> dict[str, Any]:
    """Return `claim`, `why` and `as_well`: what the differences to other models allow to claim of a model.

    It is better where its test score exceeds that of each deciding model, with a 95 % interval above 0 and a p of at
    most 0.05: the models with a deciding role, and those of equal or lower cost, searched merges aside. That all of
    several tests must reject is an intersection-union test, each at the full level (Berger 1982). It is worse where a
    model with a deciding role exceeds it so; else no difference is shown. `as_well` is the cheapest model of equal or
    lower cost, merges too, over which no gain is shown. `withheld` are reasons to claim nothing. None where nothing
    decides.
    """
    by_role = [difference for difference in against if difference["role"] in DECIDING]
    names = {difference["name"] for difference in by_role}
    by_cost = [other for other in not_dearer if _is_simpler(other) and other["name"] not in names]
    if not by_role and not by_cost:
        return {"claim": None, "why": "there is no simpler model that it is compared with", "as_well": None}
    if withheld:
        return {"claim": NOT_SHOWN, "why": "; ".join(withheld), "as_well": None}
    as_well = next((dict(other) for other in not_dearer if not is_gain(other)), None)
    worse = [difference for difference in by_role if is_loss(difference)]
    if worse:
        return {"claim": WORSE, "why": f"it scores less than {_in_words(worse)}", "as_well": as_well}
    equal = [[other for other in group if not is_gain(other)] for group in (by_role, by_cost)]
    if any(equal):
        return {"claim": NOT_SHOWN, "why": f"the test split shows no gain over {_listed(*equal)}", "as_well": as_well}
    return {"claim": BETTER, "why": f"it scores more than {_listed(by_role, by_cost)}", "as_well": as_well}


def _not_dearer(name: str, *, rows: Sequence[Row], comparison: Comparison) -> list[dict[str, Any]] | None:
    row = next(row for row in rows if row["name"] == name)
    comparable = [other for other in rows if other["kind"] != "single"]  # which has a task of its own
    rivals = not_dearer(row, rows=comparable)
    return None if rivals is None else list(_compared(row, rivals=rivals, comparison=comparison))


def _compared(row: Row, *, rivals: Sequence[Row], comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Yield the differences to other rows, with what they cost; a row whose score is undefined is left out."""
    for other in rivals:
        if difference := comparison.difference(row["name"], other["name"]):
            keys = {key: other[key] for key in ("name", "kind", "unlabelled") if key in other}
            times = ratio(other["cost"]["training"], row["cost"]["training"])
            yield {**keys, "title": name_of(other), "times_cost": times, **difference}


def _is_simpler(other: Difference) -> bool:
    """Tell whether another model decides by its cost: a searched merge is no simpler thing than merging."""
    return bool(other["kind"] != "merge" or other["name"] == UNIFORM)


def _listed(by_role: Sequence[Difference], by_cost: Sequence[Difference]) -> str:
    """Name all models with a role and the cheapest others, and count the rest."""
    parts = [_in_words([*by_role, *by_cost[:_MOST]])]
    more = len(by_cost) - _MOST
    return " and ".join(parts + ([f"{more} more of equal or lower cost"] if more > 0 else []))


def _in_words(differences: Sequence[Difference]) -> str:
    """Describe each model once, though it may have two roles: `meld (+0.4, -1.2 to +2.0)`."""
    by_name = {_title(difference): difference for difference in differences}
    return ", ".join(f"{name} ({difference_in_words(difference)})" for name, difference in by_name.items())


def _title(difference: Difference) -> str:
    """Return the other's name as people read it; where it has a role, that decides its kind."""
    if "title" in difference:
        return str(difference["title"])
    if difference["role"] == BASELINE:
        return str(difference["name"])
    kind = "merge" if difference["role"] == UNIFORM else "baseline"
    return display_name(expert_name(difference["name"]), kind=kind)
