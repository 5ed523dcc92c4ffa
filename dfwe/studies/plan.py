"""From a configuration to the plan of its study: everything is checked and instantiated here, before any training."""

from __future__ import annotations

from omegaconf import DictConfig

from dfwe.config.consistency import lists_models
from dfwe.config.task_data import Corpora
from dfwe.studies.context import study_family
from dfwe.studies.external_experts import plan_external
from dfwe.studies.listed import plan_listed
from dfwe.studies.recipes import DfwePlan
from dfwe.studies.sources import study_tasks
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Study, StudyPlan


def load_plan(config: DictConfig, *, reads_data: bool = True, corpora: Corpora | None = None) -> StudyPlan:
    """Return the plan of the study that a composed configuration describes.

    With `reads_data` empty splits and unknown labels show now, too; `corpora` are those that other studies share.

    Raises:
        ConfigurationError: no target, target among the sources, no source, an unknown stage name, ...
        DataError: the corpus, or the split of a task that training needs, is missing, broken or empty.
    """
    if lists_models(config):
        return plan_listed(config, corpora=corpora)
    if config.experts:
        return plan_external(config, corpora=corpora)
    target, sources = study_tasks(config)
    spec = StudySpec.of(config)
    family, pretraining = study_family(config, tasks=(target, *sources), corpora=corpora)
    target, sources = family.adapt(target), tuple(family.adapt(task) for task in sources)
    for task in (target, *sources) if reads_data else ():
        for split in ("train", "dev"):
            family.context.data.instances(task, split=split)
    return DfwePlan(spec, StageFactory(family), pretraining, target, sources, config.seed)


def plan_study(config: DictConfig) -> Study:
    """Return the study of a composed configuration; raises what `load_plan` raises.

    First stages on whose results others depend (a selection of sources, models whose dev scores decide what is merged)
    are made now where the store lacks them.
    """
    return load_plan(config).resolve()
