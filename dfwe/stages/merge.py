"""The merge stage: coefficients found by search on the target's dev split."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.config.instantiate import bind, call
from dfwe.config.search_options import chosen, plain_search, search_spec
from dfwe.config.search_space import search_space
from dfwe.config.tasks import Objective
from dfwe.families.base import ModelFamily
from dfwe.merging.base import Rule
from dfwe.merging.driver import pieces, prepare
from dfwe.merging.experts import ExpertArray, Layout, copy_weights, load_experts
from dfwe.merging.granularity import Granularity
from dfwe.records import Coefficients, StoppedTrial, Trial
from dfwe.search.base import Search
from dfwe.search.confirm import Rows
from dfwe.search.confirmed import ConfirmedPick
from dfwe.search.journal import Journal
from dfwe.search.limits import Limits
from dfwe.search.measure import one_after_another
from dfwe.search.pick import Pick
from dfwe.search.space import Space
from dfwe.search.surrogate import Surrogate
from dfwe.seeding import derive
from dfwe.stages.base import Stage, Tell
from dfwe.stages.candidate_pool import Crew
from dfwe.stages.merge_holdout import confirm_of, confirmed
from dfwe.stages.merge_surrogate import with_surrogate
from dfwe.stages.search_result import search_result
from dfwe.stages.statistics import StatisticsStage, statistics_of, statistics_stages
from dfwe.stages.train import WEIGHTS, TrainStage, parent_of
from dfwe.store.store import Entry
from dfwe.training.fit import make_trainer
from dfwe.training.weight_search import WeightSearch

TRIALS, PREDICTIONS = "trials.jsonl", "predictions.jsonl"
MakeSearch = Callable[..., Search]


@dataclass(frozen=True)
class MergeStage(Stage):
    """A rule, a search over its coefficients, and a rule of picking one candidate."""

    kind: ClassVar[str] = "merge"
    family: ModelFamily
    name: str
    experts: Mapping[str, TrainStage]
    target: Objective
    config: Mapping[str, Any]
    rule: Rule
    by: Granularity
    make_search: MakeSearch
    pick: Pick
    statistics: tuple[StatisticsStage, ...]
    seed: int
    crew: Crew | None = field(default=None, compare=False)  # other processes that evaluate its candidates, too

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        *,
        family: ModelFamily,
        experts: Mapping[str, TrainStage],
        target: Objective,
        seed: int,
    ) -> MergeStage:
        """The stage that a configuration describes, all its classes bound; raises what they raise."""
        rule: Rule = bind(config["rule"])
        rule.check(len(experts))
        by: Granularity = bind(config["by"])
        # groups are known once the model is: here a wrong argument shows, not after training
        space = search_space(config, rule=rule, experts=tuple(experts), groups=("",))
        make_search = bind(plain_search(config["search"]), _partial_=True)
        chosen(config["search"], "surrogate")
        confirm_of(config["search"])
        call(make_search, space=space, seed=0, key="merge.search").close()
        Limits(**config["limits"])
        pick: Pick = bind(config["pick"])
        statistics = statistics_stages(
            config["statistics"], rule=rule, family=family, experts=experts, objective=target, seed=seed
        )
        return cls(family, config["name"], experts, target, config, rule, by, make_search, pick, statistics, seed)

    @property
    def title(self) -> str:
        """What the user reads."""
        return f"merge {self.name}"

    def spec(self) -> dict[str, Any]:
        """The experts, the rule, the search, the pick, the target, the seed."""
        return {
            "name": self.name,  # seeds derive from it
            "family": self.family.spec(),
            "experts": {name: stage.digest for name, stage in self.experts.items()},
            "target": self.family.task_spec(self.target),
            "statistics": [stage.digest for stage in self.statistics],
            **{part: self.config[part] for part in ("rule", "coefficients", "by", "searched", "limits", "pick")},
            "search": search_spec(self.config["search"]),
            "seed": self.seed,
        }

    @property
    def asks(self) -> int:
        """How many candidates its search asks at once."""
        confirm = confirm_of(self.config["search"])
        return int(self.config["search"].get("asks", 1)) * (1 if confirm is None else confirm.num_searches)

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The parent, the experts, their statistics."""
        return (*parent_of(self.family), *self.experts.values(), *self.statistics)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Searches, or goes on with a killed search's journal."""
        scorer = self.family.scorer(self.target, split="dev")
        array = self.expert_array() if self.crew is None else self.crew.share(self.expert_array())
        space = self.space(array)
        search, pick, inside = confirmed(
            lambda seen, names: self._search(space, seen=seen, names=names),
            pick=self.pick,
            config=self.config["search"],
            space=space,
            family=self.family,
            target=self.target,
            seed=self.seed,
        )
        surrogates = [each for each in inside if isinstance(each, Surrogate)]

        def told(trial: Trial | StoppedTrial) -> None:
            tell(min(1.0, trial.number / search.budget))

        callback = WeightSearch(
            array,
            search,
            lambda module: scorer(module.model),
            rule=self.rule,
            by=self.by,
            space=space,
            pick=pick,
            known=self._known(space),
            journal=Journal(
                folder,
                evaluate_predictions=scorer.evaluate,
                bound_predictions=scorer.bound,
                keep_label_scores=bool(surrogates),
            ),
            totals_score=scorer.scorer.score,
            seed=derive(self.seed, "pick", self.name),
            on_trial=told,
            race=(lambda module, best: scorer.race(module.model, best=best)) if scorer.has_bound else None,
            exact=(lambda module: scorer(module.model, exact=True)) if scorer.approximates else None,
            limits=Limits(**self.config["limits"]),
            together=one_after_another if self.crew is None else self.crew.together,
        )
        seconds = self._run(callback)
        for name in (TRIALS, PREDICTIONS):  # a search of known candidates alone journals nothing
            (folder / name).touch()
        assert callback.best is not None
        result = search_result(callback.best, trials=callback.trials, stopped=callback.stopped)
        result["notes"] = self.rule.notes(pieces(array))
        result["search"] = {"repeats": callback.repeats, "diameters": list(search.diameters)}
        if surrogates:
            result["surrogate"] = surrogates[0].report()
        if isinstance(pick, ConfirmedPick) and pick.confirmation is not None:
            result["confirm"] = pick.confirmation.as_dict()
        return result | {"seconds": round(seconds, 3)}, (TRIALS, PREDICTIONS)

    def expert_array(self) -> ExpertArray:
        """The experts' weights in memory, with their parent's where the rule is of task vectors."""
        store = self.family.context.store
        files = {name: stage.result(store).file(WEIGHTS) for name, stage in self.experts.items()}
        model = self.family.model()
        parent = torch.cat([p.detach().flatten() for p in model.parameters()]) if self.rule.traits.parent else None
        array = load_experts(files, layout=Layout.of(model), parent=parent)
        return replace(array, statistics=statistics_of(self.statistics, store=store))

    def weights(self, entry: Entry) -> Float[Tensor, " parameters"]:
        """The merged weights, made again from the coefficients on the card."""
        picked = entry.card.result
        if picked["picked"] != "expert":
            return self._weights_at(picked["coefficients"])
        array = self.expert_array()
        space = self.space(array)
        found = Coefficients(space.names, tuple(picked["coefficients"][name] for name in space.names))
        return array.weights[int(space.matrix(found)[0].argmax())].clone()

    def _weights_at(self, coefficients: Mapping[str, float]) -> Float[Tensor, " parameters"]:
        """The weights that its rule makes with these."""
        array = self.expert_array()
        space = self.space(array)
        found = Coefficients(space.names, tuple(coefficients[name] for name in space.names))
        merged = torch.empty(array.layout.size)
        prepare(self.rule, array, by=self.by)(space.matrix(found), space.values_of_settings(found), merged)
        return merged

    def _search(self, space: Space, *, seen: Rows | None, names: tuple[str, ...]) -> Search:
        return with_surrogate(
            self.make_search(space=space, seed=derive(self.seed, "search", self.name, *names)),
            config=self.config["search"],
            space=space,
            scorer=self.family.scorer(self.target, split="dev"),
            experts=self.experts,
            store=self.family.context.store,
            seed=derive(self.seed, "surrogate", self.name, *names),
            seen=seen,
        )

    def space(self, array: ExpertArray) -> Space:
        """What its search moves in, with these experts."""
        groups = self.by.groups(array.layout.names)
        return search_space(self.config, rule=self.rule, experts=array.names, groups=groups)

    def model(self, entry: Entry) -> Any:
        """The merged model, in storage of its own (ready to be saved)."""
        return self._model_of(self.weights(entry))

    def model_at(self, coefficients: Mapping[str, float]) -> Any:
        """The model that its rule makes with these coefficients, in storage of its own."""
        return self._model_of(self._weights_at(coefficients))

    def _model_of(self, weights: Float[Tensor, " parameters"]) -> Any:
        model = self.family.model()
        copy_weights(model, Layout.of(model).views(weights))
        return model

    def _run(self, callback: WeightSearch) -> float:
        module = next(iter(self.experts.values())).module()  # whose optimizer is not to step
        settings = next(iter(self.experts.values())).settings(module)
        trainer = make_trainer(settings, max_epochs=0, callbacks=[callback], logger=self.family.context.logger)
        start = time.perf_counter()
        trainer.fit(module)
        return time.perf_counter() - start

    def _known(self, space: Space) -> tuple[Trial, ...]:
        """The experts' own dev scores, known from training: candidates that cost nothing."""
        store = self.family.context.store
        return tuple(
            Trial(0, "expert", space.vertex(name), stage.dev(stage.result(store)))
            for name, stage in self.experts.items()
        )


def expert_of(entry: Entry) -> str | None:
    """The expert that a merge is, where it kept one as it is."""
    found = entry.card.result
    if found["picked"] != "expert":
        return None
    coefficients: dict[str, float] = found["coefficients"]
    return max(coefficients, key=lambda name: coefficients[name]).rsplit("/", 1)[-1]
