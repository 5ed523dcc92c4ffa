"""The merge stage: coefficients found by search on the target's dev split."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from dfwe.config.instantiate import bind
from dfwe.config.merges import search_space
from dfwe.config.tasks import Objective, tasks_of
from dfwe.families.base import ModelFamily
from dfwe.merging.base import CoefficientGroups, MergeMethod
from dfwe.merging.engine import TensorGroups
from dfwe.merging.expert_array import ExpertArray, Layout
from dfwe.search.space import SETTING_PREFIX, Space
from dfwe.stages.base import Stage, Tell
from dfwe.stages.candidate_pool import CandidatePool
from dfwe.stages.merge_search import PREDICTIONS, TRIALS, MergeSearch, SearchConfig
from dfwe.stages.statistics import StatisticsStage, statistics_of, statistics_stages
from dfwe.stages.train import TrainStage, expert_array, parent_of
from dfwe.store.store import Entry
from dfwe.training.weight_search import Candidate


@dataclass(frozen=True)
class MergeStage(Stage):
    """Merge experts: a merge method, a search over its coefficients, and a selection rule."""

    kind: ClassVar[str] = "merge"
    family: ModelFamily
    name: str
    experts: Mapping[str, TrainStage]
    target: Objective
    config: Mapping[str, Any]
    method: MergeMethod
    groups: CoefficientGroups
    search: SearchConfig
    statistics: tuple[StatisticsStage, ...]
    seed: int
    pool: CandidatePool | None = field(default=None, compare=False)  # other processes that evaluate candidates

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
        """Return the stage that a configuration describes, all its classes bound; raises what they raise."""
        method: MergeMethod = bind(config["method"])
        method.check(len(experts))
        groups: CoefficientGroups = bind(config["by"])
        # the groups of the model are not known yet: a wrong argument shows here, not after training
        space = search_space(config, method=method, experts=tuple(experts), groups=("",))
        search = SearchConfig.read(config, space=space)
        statistics = statistics_stages(
            config["statistics"], method=method, family=family, experts=experts, objective=target, seed=seed
        )
        return cls(family, config["name"], experts, target, config, method, groups, search, statistics, seed)

    @property
    def title(self) -> str:
        """Words for the user."""
        return f"merge {self.name}"

    def spec(self) -> dict[str, Any]:
        """Return the experts, the method, the search, the selection, the target, the seed."""
        return {
            "name": self.name,  # seeds derive from it
            "family": self.family.spec(),
            "experts": {name: stage.digest for name, stage in self.experts.items()},
            **({"order": list(self.experts)} if self.method.properties.is_ordered else {}),
            "target": self.family.task_spec(self.target),
            "statistics": [stage.digest for stage in self.statistics],
            **{part: self.config[part] for part in ("method", "coefficients", "by", "tuned_parameters")},
            **self.search.options,
            "seed": self.seed,
        }

    @property
    def batch_size(self) -> int:
        """Number of candidates its search asks for at once."""
        return self.search.batch_size

    @property
    def on_disk(self) -> bool:
        """True if the experts' weights stay in their files, and are read from there in every candidate."""
        return bool(self.config.get("experts_in") == "disk")

    @property
    def needs(self) -> tuple[Stage, ...]:
        """Parent, experts, and their statistics."""
        return (*parent_of(self.family), *self.experts.values(), *self.statistics)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Search, or resume a killed search from its journal."""
        array = self.expert_array() if self.pool is None else self.pool.share(self.expert_array())
        search = MergeSearch(
            self.search, self.space(array.layout), self.family, self.experts, self.target, self.name, self.seed
        )
        start = time.perf_counter()
        result = search.run(
            array,
            folder=folder,
            on_progress=tell,
            method=self.method,
            coefficient_groups=self.groups,
            evaluate_batch=None if self.pool is None else self.pool.evaluate_batch,
        )
        seconds = round(time.perf_counter() - start, 3)
        notes = self.method.notes(TensorGroups(array))
        return {**result, "notes": notes, "seconds": seconds}, (TRIALS, PREDICTIONS)

    def expert_array(self) -> ExpertArray:
        """Load the experts' weights, or map their files, with their parent's if the method works on task vectors."""
        model = self.family.model(tasks_of(self.target))
        needs_parent = self.method.properties.needs_parent
        array = expert_array(
            self.experts, model=model, family=self.family, needs_parent=needs_parent, on_disk=self.on_disk
        )
        statistics = statistics_of(self.statistics, store=self.family.context.store, on_disk=self.on_disk)
        return replace(array, statistics=statistics)

    def space(self, layout: Layout) -> Space:
        """Return the space of its search, for models of that layout."""
        groups = self.groups.names(layout.names)
        return search_space(self.config, method=self.method, experts=tuple(self.experts), groups=groups)

    def tensor_coefficients(self, layout: Layout, values: Mapping[str, float]) -> list[tuple[float, ...]]:
        """Return the experts' coefficients of each of the layout's tensors."""
        space = self.space(layout)
        matrix = space.matrix(space.parse(values))
        return [tuple(map(float, matrix[row])) for row in self.groups.indices(layout.names)]

    def candidate(self, model: Any, *, array: ExpertArray) -> Candidate:
        """Return a model of the family as a function of the merge's coefficients."""
        space = self.space(array.layout)
        return Candidate(model, experts=array, method=self.method, groups=self.groups, space=space)

    def model(self, entry: Entry) -> Any:
        """Return the merged model, made again with the coefficients on the card, in storage of its own."""
        card = entry.card.result
        return self._model(card["coefficients"], is_expert=card["picked"] == "expert")

    def model_at(self, coefficients: Mapping[str, float]) -> Any:
        """Return the model merged with these coefficients, in storage of its own."""
        return self._model(coefficients, is_expert=False)

    def _model(self, coefficients: Mapping[str, float], *, is_expert: bool) -> Any:
        array, model = self.expert_array(), self.family.model(tasks_of(self.target))
        candidate = self.candidate(model, array=array)
        write = candidate.at_expert if is_expert else candidate.at
        write(self.space(array.layout).parse(coefficients))
        candidate.release()
        return model


def expert_of(entry: Entry) -> str | None:
    """Return the expert that a merge selected, None if it selected a mixture."""
    card = entry.card.result
    if card["picked"] != "expert":
        return None
    values: dict[str, float] = card["coefficients"]
    coefficients = [name for name in values if not name.startswith(SETTING_PREFIX)]
    return max(coefficients, key=lambda name: values[name]).rsplit("/", 1)[-1]
