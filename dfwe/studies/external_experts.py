"""Studies of experts that were trained elsewhere: nothing is trained, all else is as in the paper's method."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dfwe.config.consistency import only_target
from dfwe.config.instantiate import bind, plain
from dfwe.config.task_data import Corpora
from dfwe.config.tasks import Task, build_task
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily
from dfwe.merging.base import MergeMethod
from dfwe.models.external import ExternalModel, names_of
from dfwe.stages.base import Stage
from dfwe.stages.external_expert import ExternalExpert
from dfwe.studies.context import study_family
from dfwe.studies.merge_study import merge_study
from dfwe.studies.sources import subset_by_number
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Part, Study, StudyPlan
from dfwe.values.names import BASELINE, reserved_names

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExternalExpertsPlan(StudyPlan):
    """A study of one target whose experts are there already; `base` is their common parent, None if none was named."""

    spec: StudySpec
    factory: StageFactory
    pretraining: tuple[Stage, ...]
    target: Task
    experts: Mapping[str, ExternalModel]
    base: ExternalModel | None
    seed: int

    @property
    def family(self) -> ModelFamily:
        """Family of its models."""
        return self.factory.family

    @property
    def name(self) -> tuple[str, tuple[str, ...]]:
        """Target and experts."""
        return self.target.name, tuple(self.experts)

    def parts(self) -> Iterator[Part]:
        """Yield nothing: all stages are known from the start."""
        yield from ()

    @property
    def is_resolved(self) -> bool:
        """True."""
        return True

    def resolve(self) -> Study:
        """Return the study; ConfigurationError for a merge that cannot work."""
        experts = {name: self._expert(name, external) for name, external in self.experts.items()}
        has_baseline = self.base is not None and "baseline" in self.spec.runs and self.family.can_be_asked(self.base)
        return merge_study(
            self.spec,
            factory=self.factory,
            target=self.target,
            sources=(),
            seed=self.seed,
            pretraining=self.pretraining,
            trained=experts,
            experts=experts,
            baseline=self._expert(BASELINE, self.base) if has_baseline and self.base is not None else None,
        )

    def _expert(self, name: str, external: ExternalModel) -> ExternalExpert:
        return ExternalExpert.of(name, external=external, family=self.family, target=self.target)


def plan_external(config: DictConfig, *, corpora: Corpora | None = None) -> ExternalExpertsPlan:
    """Return the plan of a configuration with `experts`; errors as in `load_plan`, and for what is not a model."""
    short, target_config = only_target(config)
    target, spec = build_task(short, config=plain(target_config)), StudySpec.of(config)
    experts = _experts(config)
    base = None if config.base_model is None else ExternalModel(config.base_model)
    for merge in spec.merges:
        _check_parent(merge, base=base)
    family, pretraining = study_family(config, tasks=(target,), corpora=corpora)
    if not family.takes_external:
        raise ConfigurationError(
            f"experts=[...]: models of the family {family.name} cannot come from elsewhere; choose model=seq2seq, "
            "causal_lm or classifier"
        )
    if family.context.trainer["head_first"]:  # experts bring their heads
        context = replace(family.context, trainer={**family.context.trainer, "head_first": False})
        family = replace(family, context=context)
    target = family.adapt(target)
    return ExternalExpertsPlan(spec, StageFactory(family), pretraining, target, experts, base, config.seed)


def _experts(config: DictConfig) -> dict[str, ExternalModel]:
    """Return the experts by name, those that `subset` numbers."""
    given: Any = OmegaConf.to_container(config.experts)
    named = dict(given) if isinstance(given, Mapping) else names_of(given)
    if taken := [name for name in named if name in reserved_names()]:
        raise ConfigurationError(
            f"experts: '{taken[0]}' is the name of a row that every study has; set experts={{another_name: "
            f"{named[taken[0]]}}}"
        )
    experts = {name: ExternalModel(str(model)) for name, model in named.items()}
    for external in experts.values():
        external.form  # noqa: B018  # what is not there shows now
    return subset_by_number(experts, subset=plain(config.subset))


def _check_parent(merge: Mapping[str, Any], *, base: ExternalModel | None) -> None:
    """Raise ConfigurationError for a method that works on task vectors where no base model was named."""
    method: MergeMethod = bind(merge["method"])
    if base is None and method.properties.needs_parent:
        raise ConfigurationError(
            f"merge={merge['name']} works on the differences to the experts' common parent: set base_model=<folder or "
            "name on the Hub>"
        )
