"""The search of a merge, from its configuration: with a surrogate in front, and dev examples held out behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dfwe.config.instantiate import bind, call
from dfwe.config.tasks import Objective, tasks_of
from dfwe.families.base import ModelFamily
from dfwe.records import Instance, Trial
from dfwe.search.base import AnyTrial, Search, SearchLimits
from dfwe.search.holdout import DevHoldout, ExampleMask, ExampleSubset, HoldoutSelection, MultiSubsetSearch
from dfwe.search.journal import Journal
from dfwe.search.predictor import LabelMixture
from dfwe.search.selection import SelectionRule
from dfwe.search.space import Space
from dfwe.search.surrogate import Surrogate
from dfwe.seeding import derive
from dfwe.stages.train import TrainStage
from dfwe.training.weight_search import WeightSearchResult, log_trial, run_weight_search

log = logging.getLogger(__name__)

TRIALS, PREDICTIONS = "trials.jsonl", "predictions.jsonl"
EXTRA_KIND = "bagged"  # of trials that a selection rule adds when the search is over

MakeSearch = Callable[..., Search]


@dataclass(frozen=True)
class SearchConfig:
    """The parts of a merge's configuration that make its search; `options` are theirs as JSON."""

    make_search: MakeSearch
    selection: SelectionRule
    holdout: DevHoldout | None
    make_surrogate: MakeSearch | None
    limits: SearchLimits
    batch_size: int
    options: Mapping[str, Any]

    @classmethod
    def read(cls, config: Mapping[str, Any], *, space: Space) -> SearchConfig:
        """Instantiate the parts of `merge`; raises what their classes raise."""
        make_search, selection = bind(config["search"], _partial_=True), bind(config["selection"])
        search: Search = call(make_search, space=space, seed=0, key="merge.search")
        search.close()
        selection.check_search(has_final_candidate=search.has_final_candidate)
        holdout, surrogate = config.get("holdout"), config.get("surrogate")
        options = {key: config[key] for key in ("search", "limits", "selection")}
        options |= {key: config[key] for key in ("holdout", "surrogate") if config.get(key)}
        bound_holdout: DevHoldout | None = bind(holdout) if holdout else None
        return cls(
            make_search,
            selection,
            bound_holdout,
            bind(surrogate, _partial_=True) if surrogate else None,
            SearchLimits(**config["limits"]),
            int(config["search"].get("batch_size", 1)) * (bound_holdout.num_searches if bound_holdout else 1),
            options,
        )


@dataclass(frozen=True)
class MergeSearch:
    """Run the search of one merge; seeds derive from the merge's name."""

    config: SearchConfig
    space: Space
    family: ModelFamily
    experts: Mapping[str, TrainStage]
    target: Objective
    name: str
    seed: int

    def run(self, array: Any, *, folder: Path, on_progress: Callable[[float], None], **options: Any) -> dict[str, Any]:
        """Search, or resume a killed search from its journal in the folder; return the result as JSON.

        `array` has the experts' weights, `options` are those of `run_weight_search`.
        """
        search, selection, surrogate = self._build()
        scorer, context = self.family.scorer(self.target, split="dev"), self.family.context

        def on_trial(trial: AnyTrial) -> None:
            log_trial(trial, logger=context.logger)
            on_progress(min(1.0, trial.number / search.budget))

        result = run_weight_search(
            self.family.on_device(self.family.model(tasks_of(self.target))),
            array,
            search,
            scorer,
            space=self.space,
            selection=selection,
            initial_trials=self._expert_trials(),
            journal=Journal(
                folder,
                evaluate_predictions=scorer.evaluate,
                bound_predictions=scorer.bound,
                keep_label_scores=surrogate is not None,
            ),
            totals_score=scorer.scorer.score,
            seed=derive(self.seed, "pick", self.name),
            on_trial=on_trial,
            score_pruned=(lambda model, best: scorer.score_pruned(model, best=best)) if scorer.has_bound else None,
            score_exact=(lambda model: scorer(model, exact=True)) if scorer.approximates else None,
            limits=self.config.limits,
            **options,
        )
        if context.logger:
            context.logger.save()
        for file in (TRIALS, PREDICTIONS):  # a search whose candidates all have trials already journals nothing
            (folder / file).touch()
        described = describe_trials(result)
        described["search"] = {"repeats": result.num_repeats, "diameters": list(search.diameters)}
        if surrogate is not None:
            described["surrogate"] = surrogate.report()
        if isinstance(selection, HoldoutSelection) and selection.result is not None:
            described["holdout"] = dict(vars(selection.result))
        return described

    def _build(self) -> tuple[Search, SelectionRule, Surrogate | None]:
        """Build the search, its selection rule, and its first surrogate.

        The same examples are held out of every merge of a study.
        """
        holdout, selection = self.config.holdout, self.config.selection
        if holdout is None:
            search = self._search(None)
            return search, selection, search if isinstance(search, Surrogate) else None
        score = self.family.scorer(self.target, split="dev").scorer.score
        masks = holdout.masks(self._strata(), seed=derive(self.seed, "confirm"))
        searches = [self._search(mask, f"part {number}") for number, mask in enumerate(masks)]
        subsets = [ExampleSubset(mask, score) for mask in masks]
        combined = MultiSubsetSearch(searches, subsets=subsets, space=self.space)
        surrogate = next((search for search in searches if isinstance(search, Surrogate)), None)
        return combined, HoldoutSelection(selection, search=combined), surrogate

    def _expert_trials(self) -> tuple[Trial, ...]:
        """Return the experts' own dev scores, measured in training, as trials that cost nothing."""
        store = self.family.context.store
        return tuple(
            Trial(0, "expert", self.space.vertex(name), stage.dev(stage.result(store)))
            for name, stage in self.experts.items()
        )

    def _search(self, mask: ExampleMask | None, *names: str) -> Search:
        """Build one search, with a surrogate in front if one is set and the experts have label scores."""
        search = self.config.make_search(space=self.space, seed=derive(self.seed, "search", self.name, *names))
        if self.config.make_surrogate is None:
            return search
        mixture = self._mixture(slice(None) if mask is None else mask)
        if mixture is None:
            return search
        seed = derive(self.seed, "surrogate", self.name, *names)
        surrogate: Search = call(
            self.config.make_surrogate, search, space=self.space, mixture=mixture, seed=seed, key="merge.surrogate"
        )
        return surrogate

    def _mixture(self, mask: ExampleMask | slice) -> LabelMixture | None:
        """Return the mixture of the experts' label scores on these examples, None if they have none."""
        scorer = self.family.scorer(self.target, split="dev")
        counts = scorer.label_counts()
        if counts is None:
            log.warning(
                "merge.surrogate is off: the task's answers are free text, or a metric is a function of your own"
            )
            return None
        store = self.family.context.store
        scores = {name: stage.label_scores(stage.result(store)) for name, stage in self.experts.items()}
        arrays = [array for array in scores.values() if array is not None]
        if len(arrays) < len(scores):
            missing = ", ".join(name for name, array in scores.items() if array is None)
            log.warning("merge.surrogate is off: no label scores were kept when these were trained: %s", missing)
            return None
        return LabelMixture(np.stack(arrays)[:, mask], counts[mask], scorer.scorer.score)

    def _strata(self) -> list[str]:
        """Return each dev example's task and gold answer, in the order of its evaluations."""
        return [
            f"{task.name} {_gold_label(instance)}"
            for task in tasks_of(self.target)
            for instance in self.family.context.data.instances(task, split="dev")
        ]


def describe_trials(result: WeightSearchResult) -> dict[str, Any]:
    """Return the best trial and the number of evaluations as JSON."""
    every: list[AnyTrial] = [*result.trials, *result.pruned]
    evaluated = [trial for trial in every if trial.kind != "expert"]
    return {
        "picked": result.best.kind,
        "trial": result.best.number,
        "coefficients": result.best.coefficients.as_dict(),
        "dev": result.best.evaluation.scores,
        "evaluations": len(evaluated),
        "search_evaluations": sum(trial.kind != EXTRA_KIND for trial in evaluated),
        "stopped_evaluations": len(result.pruned),
        "dev_answers": sum(answer is not None for trial in evaluated for answer in trial.evaluation.predictions),
    }


def _gold_label(instance: Instance) -> str:
    return instance.references[0] if instance.candidates else ""
