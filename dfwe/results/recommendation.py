"""Recommend the model to ship, and decide what differences to other models allow to claim of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dfwe.config.tasks import TaskMean
from dfwe.metrics.statistics import optimism
from dfwe.report.names import display_name, expert_name
from dfwe.report.numbers import ALPHA, interval
from dfwe.stages.adapter_combination import AdapterCombination
from dfwe.stages.evaluate import AnswersStage
from dfwe.stages.train import TrainStage
from dfwe.studies.listed_merges import complete_models
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE, UNIFORM

EQUALLY_TRAINED, BEST_EXPERT = "equally_trained", "best_expert"  # roles beside those of BASELINE and UNIFORM
LONG_BASELINE = "same_compute"  # takes the role of the equally trained baseline where it is among the baselines
DECIDING = (BASELINE, EQUALLY_TRAINED, BEST_EXPERT)  # a model is better where it is better than all of these
BETTER, NOT_SHOWN, WORSE = "better", "not_shown", "worse"
_SAME = 1e-12  # scores this close are one score, summed in another order

Difference = Mapping[str, Any]


def recommend(
    rows: Iterable[Mapping[str, Any]],
    *,
    simplest_first: Sequence[str],
    against: Callable[[str], Sequence[Difference]],
    withheld: Collection[str],
    folder: str | None,
) -> dict[str, Any]:
    """Recommend the single model to ship: the best by dev of those named, of equal ones the simplest.

    `against` returns a model's differences to the models with a role. Empty where no dev score is defined.
    """
    by_name = {row["name"]: row for row in rows}
    dev = {name: by_name[name]["dev"]["score"] for name in simplest_first}
    name = best_by_dev(dev, simplest_first=simplest_first)
    if name is None:
        return {}
    row = by_name[name]
    test, differences = row.get("test", {}).get("score"), against(name)
    return {
        "name": name,
        "kind": row["kind"],
        "folder": folder,
        "dev": dev[name],
        "test": test,
        **optimism(dev[name], test),
        "chosen_among": len(simplest_first),
        "against": differences,
        **claimed(differences, withheld=withheld),
    }


def best_by_dev(dev: Mapping[str, float | None], *, simplest_first: Sequence[str]) -> str | None:
    """Return the name with the highest dev score, of equal ones the first; None where no score is defined."""
    scores = {name: score for name in simplest_first if (score := dev.get(name)) is not None}
    highest = max(scores.values(), default=0.0)
    return next((name for name, score in scores.items() if score >= highest - _SAME), None)


def claimed(against: Sequence[Difference], *, withheld: Collection[str] = ()) -> dict[str, Any]:
    """Return `claim` and `why`: what the differences to the deciding models allow to claim of a model.

    It is better where its test score exceeds that of each of them, with a 95 % interval above 0 and a p of at most
    0.05; worse where one of them exceeds it so; else no difference is shown. `withheld` are reasons to claim nothing.
    None where nothing decides.
    """
    deciding = [difference for difference in against if difference["role"] in DECIDING]
    sure = [difference for difference in deciding if difference["p"] <= ALPHA]
    worse = [difference for difference in sure if difference["delta_interval"][1] < 0]
    better = [difference for difference in sure if difference["delta_interval"][0] > 0]
    if not deciding:
        return {"claim": None, "why": "it was tested beside no other model"}
    if withheld:
        return {"claim": NOT_SHOWN, "why": "; ".join(withheld)}
    if worse:
        return {"claim": WORSE, "why": f"it scores less than {_in_words(worse)}"}
    if len(better) < len(deciding):
        rest = [difference for difference in deciding if difference not in better]
        return {"claim": NOT_SHOWN, "why": f"the test split shows no gain over {_in_words(rest)}"}
    return {"claim": BETTER, "why": f"it scores more than {_in_words(deciding)}"}


def _in_words(differences: Sequence[Difference]) -> str:
    """Describe each model once, though it may have two roles: `meld (+0.4, -1.2 to +2.0)`."""
    by_name = {_name_of(difference): difference for difference in differences}
    return ", ".join(
        f"{name} ({100 * difference['delta']:+.1f}, {interval(difference['delta_interval'], sign=True)})"
        for name, difference in by_name.items()
    )


def _name_of(difference: Difference) -> str:
    """Return the other's name as people read it: its role decides its kind."""
    if difference["role"] == BASELINE:
        return str(difference["name"])
    kind = "merge" if difference["role"] == UNIFORM else "baseline"
    return display_name(expert_name(difference["name"]), kind=kind)


def models_by_simplicity(study: Study, *, names: list[str]) -> Iterator[str]:
    """Yield the models that may be recommended: the baseline, one trained longer, experts, merges, a random merge.

    An ensemble is not a single model, and of SetFit there are answers alone; of several tasks a model must be trained
    on every one.
    """

    def complexity(name: str) -> int:
        stage = study.models[name]
        if isinstance(stage, TrainStage) and not isinstance(stage, AdapterCombination):
            return {BASELINE: 0, LONG_BASELINE: 1}.get(name, 2)
        return 4 if name in study.baselines else 3

    if study.listing is None:
        possible = [name for name in names if not isinstance(study.models[name], AnswersStage)]
    else:
        assert isinstance(study.objective, TaskMean)
        complete = complete_models(study.trained, objective=study.objective)
        possible = [name for name in names if name in study.merges or name in complete]
    yield from sorted(possible, key=complexity)
