"""What a baseline is, and the baselines of a study: models that cost less thought, and may well be as good."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from omegaconf import OmegaConf

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind, option_file, plain
from dfwe.config.tasks import Objective, Task
from dfwe.errors import ConfigurationError
from dfwe.stages.evaluate import AnswersStage, EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.stage_factory import StageFactory
from dfwe.values.check import check_part

log = logging.getLogger(__name__)

GROUP = "baseline"
NO_TARGET = "it trains on one target, in a study that trains its experts"
NO_SOURCES = "it needs experts on the target and on its sources, trained in the study"
EvaluatedModel = TrainStage | MergeStage | AnswersStage
Tested = EvaluateStage | AnswersStage


@dataclass(frozen=True)
class BaselineInputs:
    """What of a study a baseline may be made from: all stages come from its factory, so that none is made twice."""

    factory: StageFactory
    objective: Objective
    trained: Mapping[str, TrainStage]  # the experts on S*
    experts: Mapping[str, TrainStage]  # what is merged
    seed: int
    sources: tuple[Task, ...] = ()
    merge: MergeStage | None = None  # that was asked for
    selecting: tuple[TrainStage, ...] = ()  # trainings by which the sources were selected
    listed: Mapping[str, Baseline] = field(default_factory=dict)  # all that the study asks for, with their settings

    @property
    def trained_target(self) -> Task | None:
        """The task that the study trains on; None of several, and where an expert was trained elsewhere."""
        trains = all(stage.trains for stage in self.trained.values())
        return self.objective if isinstance(self.objective, Task) and trains else None

    def merged(self, config: Mapping[str, Any], *, experts: Mapping[str, TrainStage]) -> MergeStage:
        """Return a merge of these experts, read from where the study's merges read theirs: memory or disk."""
        place = {"experts_in": "disk"} if self.merge is not None and self.merge.on_disk else {}
        return self.factory.merge({**config, **place}, experts=experts, target=self.objective, seed=self.seed)


class Baseline(ABC):
    """A model that a merge is compared with."""

    @abstractmethod
    def model(self, study: BaselineInputs) -> EvaluatedModel | str:
        """Return the stage that makes it, or the reason why this study cannot have it."""


def load_baselines(names: Sequence[str], *, settings: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Baseline]:
    """Return baselines by their names, once for all studies of a sweep; `settings` are changes to theirs, by name.

    Raises:
        ConfigurationError: an unknown name, or a setting that a baseline does not have.
    """
    options = {name: option_file(conf_dir() / GROUP, name, key="baselines") for name in names}
    if unused := set(settings) - set(options):
        raise ConfigurationError(f"baseline_settings has {', '.join(sorted(unused))}, which baselines= does not name")
    for name, changes in settings.items():
        if not isinstance(changes, Mapping):
            raise ConfigurationError(f"baseline_settings.{name} must be settings by their names, not {changes}")
    changed = {name: plain(OmegaConf.merge(option, settings.get(name, {}))) for name, option in options.items()}
    for name in settings:
        check_part(changed[name], key=f"baseline_settings.{name}")
    return {name: bind(option) for name, option in changed.items()}


def baseline_models(
    baselines: Mapping[str, Baseline], *, study: BaselineInputs, is_merged: bool
) -> dict[str, EvaluatedModel]:
    """Return the models of baselines by name; the reason for one that a study cannot have is logged."""
    if baselines and not is_merged:
        log.info("no baselines (%s) for %s: nothing is merged", ", ".join(baselines), study.objective.name)
        return {}
    models: dict[str, EvaluatedModel] = {}
    for name, baseline in baselines.items():
        model = baseline.model(replace(study, listed=baselines))
        if isinstance(model, str):
            log.info("no baseline %s for %s: %s", name, study.objective.name, model)
        else:
            models[name] = model
    return models


def evaluated(
    models: Mapping[str, EvaluatedModel], *, factory: StageFactory, objective: Objective
) -> dict[str, Tested]:
    """Return the evaluations of models on test; where answers are all that is kept of a model, they are its own."""
    return {
        name: model if isinstance(model, AnswersStage) else factory.evaluation(model, target=objective)
        for name, model in models.items()
    }
