"""From a configuration to the plan of its study: everything is checked and instantiated here, before any training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dfwe.config.consistency import check_listed, lists_models, only_target
from dfwe.config.instantiate import bind, plain
from dfwe.config.task_data import Corpora
from dfwe.config.tasks import build_task
from dfwe.errors import ConfigurationError
from dfwe.models.external import ExternalModel, named_models
from dfwe.studies.context import study_family
from dfwe.studies.external_experts import ExternalExpertsPlan
from dfwe.studies.listed import plan_listed
from dfwe.studies.recipes import DfwePlan
from dfwe.studies.sources import study_tasks, subset_by_number
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Study, StudyPlan


def load_plan(config: DictConfig, *, reads_data: bool = True, corpora: Corpora | None = None) -> StudyPlan:
    """Return the plan of the study that a composed configuration describes.

    With `reads_data` empty splits and unknown labels show now, too; `corpora` are those that other studies share.

    Raises:
        ConfigurationError: no target, target among the sources, no source, ...
        DataError: the corpus, or the split of a task that training needs, is missing, broken or empty.
    """
    if lists_models(config):
        check_listed(config)
        return plan_listed(config, corpora=corpora)
    if config.experts:
        return _plan_external(config, corpora=corpora)
    target, sources = study_tasks(config)
    spec = StudySpec.of(config)
    family, pretraining = study_family(config, tasks=(target, *sources), corpora=corpora)
    target, sources = family.adapt(target), tuple(family.adapt(task) for task in sources)
    for task in (target, *sources) if reads_data else ():
        for split in ("train", "dev"):
            family.context.data.instances(task, split=split)
        family.context.data.check_functions(task)
    return DfwePlan(spec, StageFactory(family), pretraining, target, sources, config.seed)


def plan_study(config: DictConfig) -> Study:
    """Return the study of a composed configuration; raises what `load_plan` raises.

    First stages on whose results others depend (a selection of sources, models whose dev scores decide what is merged)
    are made now where the store lacks them.
    """
    return load_plan(config).resolve()


def _plan_external(config: DictConfig, *, corpora: Corpora | None) -> ExternalExpertsPlan:
    """Return the plan of a configuration with `experts`; errors as in `load_plan`, and for what is not a model."""
    short, target_config = only_target(config)
    target, spec = build_task(short, config=plain(target_config)), StudySpec.of(config)
    given: Any = OmegaConf.to_container(config.experts)
    experts = subset_by_number(named_models(given), subset=plain(config.subset))
    base = None if config.base_model is None else ExternalModel(config.base_model)
    _check_parent(config, spec=spec, experts=experts, base=base)
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
    family = family if base is None else family.starting_from(base)
    family.context.data.check_functions(target)
    start, tokenizer = config.model.source.get("name"), config.tokenizer
    return ExternalExpertsPlan(
        spec, StageFactory(family), pretraining, target, experts, base, start, tokenizer, config.seed
    )


def _check_parent(
    config: DictConfig, *, spec: StudySpec, experts: Mapping[str, ExternalModel], base: ExternalModel | None
) -> None:
    """Raise ConfigurationError where task vectors or LoRAs would start from other weights than the base model's."""
    methods: dict[str, Any] = {merge["name"]: bind(merge["method"]) for merge in spec.merges_of(len(experts))}
    on_differences = [f"merge={name}" for name, method in methods.items() if method.properties.needs_parent]
    if base is None and on_differences:
        raise ConfigurationError(
            f"{on_differences[0]} works on the differences to the experts' common parent: set base_model=<folder or "
            "name on the Hub> (--base of dfwe search)"
        )
    adapters = [f"the LoRA {name}" for name, model in experts.items() if model.form == "adapter"]
    reasons = [*on_differences, *adapters, *([] if config.tokenizer is None else [f"tokenizer={config.tokenizer}"])]
    source = plain(config.model.source)
    start = Path(str(source.get("name"))).expanduser()
    if base is None and adapters and start in {model.path for model in experts.values()}:
        raise ConfigurationError(
            f"{adapters[0]} would be added to {source['name']}, an expert: set base_model=<the model that it was "
            "trained on> (--base of dfwe search)"
        )
    if base is None or not reasons or start == base.path:
        return
    if bind(source).identity() != base.identity:
        raise ConfigurationError(
            f"{reasons[0]} starts from model.source ({source.get('name') or source['_target_']}), "
            f"which has other weights than base_model={base.name}: set both to one folder with config.json, or to one "
            "name on the Hub"
        )
