"""Recommend the model to ship: the best single model by dev."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dfwe.config.tasks import TaskMean
from dfwe.metrics.statistics import optimism
from dfwe.stages.adapter_combination import AdapterCombination
from dfwe.stages.evaluate import AnswersStage
from dfwe.stages.train import TrainStage
from dfwe.studies.listed_merges import complete_models
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE, LONG_BASELINE

_SAME = 1e-12  # scores this close are one score, summed in another order


def recommend(
    rows: Iterable[Mapping[str, Any]],
    *,
    simplest_first: Sequence[str],
    conclude: Callable[[str], Mapping[str, Any]],
    folder: str | None,
) -> dict[str, Any]:
    """Recommend the single model to ship: the best by dev of those named, of equal ones the simplest.

    `conclude` returns what a model's differences to others show. Empty where no dev score is defined.
    """
    by_name = {row["name"]: row for row in rows}
    dev = {name: by_name[name]["dev"]["score"] for name in simplest_first}
    name = best_by_dev(dev, simplest_first=simplest_first)
    if name is None:
        return {}
    row = by_name[name]
    test = row.get("test", {}).get("score")
    return {
        "name": name,
        "kind": row["kind"],
        "folder": folder,
        "dev": dev[name],
        "test": test,
        **optimism(dev[name], test),
        "chosen_among": len(simplest_first),
        **conclude(name),
    }


def best_by_dev(dev: Mapping[str, float | None], *, simplest_first: Sequence[str]) -> str | None:
    """Return the name with the highest dev score, of equal ones the first; None where no score is defined."""
    scores = {name: score for name in simplest_first if (score := dev.get(name)) is not None}
    highest = max(scores.values(), default=0.0)
    return next((name for name, score in scores.items() if score >= highest - _SAME), None)


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
