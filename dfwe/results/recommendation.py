"""How the models of a study stand to each other on test, and which of them to ship."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from dfwe.metrics.comparison import delta, optimism, with_interval
from dfwe.records import Evaluation
from dfwe.results.comparison import PairedComparison
from dfwe.results.verdict import BEST_EXPERT, EQUALLY_TRAINED, best_by_dev, claimed
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines import EvaluatedModel
from dfwe.studies.study import Study, Tested
from dfwe.values.names import BASELINE, UNIFORM

SINGLE = "single-task models"  # several models, each on its own task: what rows are held against, never recommended
LONG_BASELINE = "same_compute"  # the control that takes the part of the equally trained baseline, where it is asked for
BEST = "best"  # the folder of the recommended model
Row = Mapping[str, Any]


class Standing:
    """The models' answers on test, judged once each, and the differences between them."""

    def __init__(self, study: Study) -> None:
        self._study, self._store = study, study.family.context.store
        self.evaluations = {name: _evaluation(stage) for name, stage in study.evaluations.items()}

    def mixture(self, name: str, *, row: Row) -> dict[str, Any]:
        """Return a merge's best mixture, experts apart, and its differences; the merge itself where that is one.

        Empty where no mixture was tested.
        """
        stage = self._study.mixtures.get(name)
        if stage is None:
            return {}
        entry = stage.result(self._store)
        evaluation, card = stage.evaluation(entry), entry.card.result
        source = row if evaluation is None else card
        mixture = {"kept": evaluation is None, **{key: source[key] for key in ("picked", "trial", "coefficients")}}
        mine = self.evaluations[name] if evaluation is None else evaluation
        scores = with_interval(mine, scorer=self._study.target.scorer, seed=self._study.seed)
        mixture |= {"dev": source["dev"]["score"], "test": scores["score"], "interval": scores.get("interval")}
        mixture |= {"cost": {"seconds": card["seconds"], "test_answers": card.get("test_answers", 0)}}
        against = [
            {"role": role, "name": other, **difference}
            for role, other in self.roles.items()
            if (difference := self._less(mine, other))
        ]
        return mixture | {"against": against} | self._less(mine, BASELINE)

    @cached_property
    def roles(self) -> dict[str, str]:
        """Who plays which part: what a merge is held against, by the part's name.

        The equally trained baseline saw the target alone and was trained as every expert was: the expert of the target
        itself, both trainings of it. Where `same_compute` is a control, it takes the part.
        """
        study, experts = self._study, self._study.experts or self._study.trained
        roles = {BASELINE: BASELINE} if study.baseline is not None else {}
        if LONG_BASELINE in study.controls:
            roles[EQUALLY_TRAINED] = LONG_BASELINE
        elif study.target.short in experts:
            roles[EQUALLY_TRAINED] = study.target.short
        best = best_by_dev(
            {name: stage.dev(stage.result(self._store)).score for name, stage in experts.items()},
            simplest_first=tuple(experts),
        )
        roles |= {} if best is None else {BEST_EXPERT: best}
        return roles | ({UNIFORM: UNIFORM} if UNIFORM in study.merges else {})

    def against(self, name: str) -> list[dict[str, Any]]:
        """Return a model's test score less that of each other model with a role; undefined ones are left out."""
        return [
            {"role": role, "name": other, **difference}
            for role, other in self.roles.items()
            if other != name and (difference := self.difference(name, other))
        ]

    def difference(self, name: str, other: str) -> dict[str, Any]:
        """Return the score less the other's, as `delta` does; empty where one of them was not tested."""
        ours = self.evaluations.get(name)
        return {} if ours is None else self._less(ours, other)

    def _less(self, ours: Evaluation, other: str) -> dict[str, Any]:
        theirs = self.evaluations.get(other)
        if theirs is None:
            return {}
        return delta(ours, baseline=theirs, scorer=self._study.target.scorer, seed=self._study.seed)

    def headline(self, rows: Sequence[Row], *, withheld: Sequence[str]) -> dict[str, Any]:
        """Return the headline's merge beside the baseline on test; empty where one of them was not tested."""
        row = next((row for row in rows if row["name"] == self._study.asked and "delta" in row), None)
        if row is None:
            return {}
        keys = ("name", "delta", "delta_standard_error", "delta_interval", "p", "p_by", "coefficients", "evaluations")
        against = self.against(row["name"])
        conclusion = {"against": against, **claimed(against, withheld=withheld)}
        return {key: row[key] for key in keys} | {"test": row["test"]["score"]} | conclusion

    def recommended(self, rows: Sequence[Row], *, withheld: Sequence[str]) -> dict[str, Any]:
        """Recommend the single model to ship: the best of all rows by dev, of equal ones the simplest."""
        by_name = {row["name"]: row for row in rows}
        candidates = tuple(simplest_first(self._study.models))
        name = best_by_dev(
            {candidate: by_name[candidate]["dev"]["score"] for candidate in candidates},
            simplest_first=candidates,
        )
        if name is None:
            return {}
        row = by_name[name]
        dev, test, against = row["dev"]["score"], row.get("test", {}).get("score"), self.against(name)
        return {
            "name": name,
            "kind": row["kind"],
            "folder": BEST,
            "dev": dev,
            "test": test,
            **optimism(dev, test),
            "chosen_among": len(candidates),
            "against": against,
            **claimed(against, withheld=withheld),
        }


def simplest_first(models: Mapping[str, EvaluatedModel]) -> Iterator[str]:
    """Yield the single models from the simplest on: the baseline, one trained longer, experts, merges."""
    single = {name: stage for name, stage in models.items() if not isinstance(stage, EnsembleStage)}
    yield from sorted(single, key=lambda name: _complexity(name, single[name]))


def _complexity(name: str, stage: EvaluatedModel) -> int:
    if isinstance(stage, TrainStage):
        return {BASELINE: 0, LONG_BASELINE: 1}.get(name, 2)
    return 3 if isinstance(stage, MergeStage) else 4


def _evaluation(stage: Tested) -> Evaluation:
    return stage.evaluation(stage.result(stage.family.context.store))


def recommended_of_several(
    rows: Sequence[Row], *, comparison: PairedComparison, models: Sequence[str], withheld: Sequence[str]
) -> dict[str, Any]:
    """Recommend the best mean on dev among models of every task, of equal ones a trained model before a merge.

    `models` are those that were trained on every task. It is held against the single-task models and the best of
    `models`; empty without a score.
    """
    by_name = {row["name"]: row for row in rows if row["kind"] == "merge" or row["name"] in models}
    dev = {name: row["dev"]["score"] for name, row in by_name.items()}
    name = best_by_dev(dev, simplest_first=sorted(by_name, key=lambda model: by_name[model]["kind"] == "merge"))
    if name is None:
        return {}
    row, expert = by_name[name], best_by_dev(dev, simplest_first=models)
    against = list(_differences(row, expert=expert, comparison=comparison))
    test = row.get("test", {}).get("score")
    return {
        "name": name,
        "kind": row["kind"],
        "folder": None,
        "dev": dev[name],
        "test": test,
        **optimism(dev[name], test),
        "chosen_among": len(by_name),
        "against": against,
        **claimed(against, withheld=withheld),
    }


def _differences(row: Row, *, expert: str | None, comparison: PairedComparison) -> Iterator[dict[str, Any]]:
    single = row.get("against_single", {}).get("mean")
    if single:
        yield {"role": BASELINE, "name": SINGLE, **single}
    tested = comparison.parts
    if expert is not None and expert != row["name"] and {expert, row["name"]} <= set(tested):
        difference = comparison.difference(row["name"], others=dict.fromkeys(comparison.scorers, expert)).get("mean")
        if difference:
            yield {"role": BEST_EXPERT, "name": expert, **difference}
