"""Tasks, each one YAML, as options of Hydra's groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dfwe.conf import conf_dir
from dfwe.config.schema import Labels, StudyConfig, TaskConfig
from dfwe.errors import ConfigurationError
from dfwe.io.files import read_text
from dfwe.io.strict_yaml import loads, read_yaml
from dfwe.values.check import check
from dfwe.values.names import compositions, reserved_names

_NOT_CHOSEN = ("baseline", "diagnostic", "task")  # groups whose options other keys name: baselines=[...], target=...
_SHARED = "base"  # what a group's other options have in common


def read_tasks(folders: Sequence[Path] = ()) -> dict[str, DictConfig]:
    """Every task's configuration by short name; `folders` are the user's own configuration folders.

    Raises:
        ConfigurationError: a task's YAML is broken or has a key that no task has.
    """
    files = [path for folder in (conf_dir(), *folders) for path in sorted((folder / "task").glob("*.yaml"))]
    tasks = {path.stem: _parse_task(read_text(path), str(path)) for path in files}
    for path in files:
        _check_not_taken(path)
    for path in files:
        _check_own_name(path, tasks=tasks)
    return tasks


def register(folders: Sequence[Path] = ()) -> None:
    """Makes the schema known to Hydra, and every task, under both its names, an option of `target` and of `sources`.

    One YAML a task is enough that way. An option puts the task under a key of its own, so that Hydra's list selection
    merges several instead of keeping the last. Options only name the files: Hydra copies its store many times.
    """
    check_configs(folders)
    OmegaConf.register_new_resolver("chosen_model", lambda *, _root_: chosen_model(_root_), replace=True)
    store, tasks = ConfigStore.instance(), read_tasks(folders)
    store.store(name="schema", node=StudyConfig)
    for short, config in tasks.items():
        source = {"defaults": [{f"/task@_global_.sources.{short}": short}]}
        target = [{f"/task@_global_.target.{short}": short}, {"override /sources": list(config.default_sources)}]
        for option in (short, config.name):
            store.store(group="sources", name=option, node=source, package="_global_")
            store.store(group="target", name=option, node={"defaults": target}, package="_global_")
    # tasks with data of their own have their own sets; `all` is those of the study's corpus
    of_corpus = [short for short, config in tasks.items() if config.data is None]
    all_sources: list[Any] = [{f"/task@_global_.sources.{short}": short} for short in of_corpus]
    node = {"defaults": [*all_sources, "_self_"], "sources_without_target": True}
    store.store(group="sources", name="all", node=node, package="_global_")


def chosen_model(choices: Mapping[str, Any]) -> str:
    """Return the option of `model` that is chosen, or else that suits the data: a toy learns toy corpora alone."""
    return str(choices.get("model") or ("t5_toy" if str(choices["data"]).startswith("toy") else "minilm"))


def check_configs(folders: Sequence[Path]) -> None:
    """Read the options in the user's folders strictly, before Hydra reads those that it needs with nothing to bound it.

    Groups are those of dfwe: other YAML in such a folder is none of its business.

    Raises:
        ConfigurationError: an option's YAML is broken or beyond the bounds of `dfwe.io.strict_yaml`.
    """
    groups = [path.name for path in conf_dir().iterdir() if path.is_dir()]
    for path in sorted(path for folder in folders for group in groups for path in (folder / group).rglob("*.yaml")):
        read_yaml(path)


def help_text(folders: Sequence[Path] = ()) -> str:
    """Return what --help prints: the template in conf/config.yaml with the groups and their options.

    Hydra fills it in, too, but copies its store twice for each group on the way, which takes seconds.
    """
    template = OmegaConf.load(conf_dir() / "config.yaml").hydra.help.template
    return str(template).replace("$APP_CONFIG_GROUPS", _groups(folders))


def _groups(folders: Sequence[Path]) -> str:
    """Return a line per group with the options that `group=option` can choose."""
    tasks = read_tasks(folders)
    options: dict[str, set[str]] = {"sources": {*tasks, "all"}, "target": set(tasks)}
    for root in (conf_dir(), *folders):
        for path in root.rglob("*.yaml"):
            group = path.parent.relative_to(root).as_posix()
            if path.parent != root and group not in _NOT_CHOSEN and path.stem != _SHARED:
                options.setdefault(group, set()).add(path.stem)
    return "\n".join(f"{group}: {', '.join(sorted(options[group]))}" for group in sorted(options))


def _check_not_taken(path: Path) -> None:
    """Check that no row or source of every study has the task's name."""
    reserved = dict.fromkeys((*reserved_names(), *compositions()))
    if path.stem in reserved:
        raise ConfigurationError(
            f"{path}: a task cannot be called {path.stem}, as rows or sources of studies are called; rename the file "
            f"(taken are {', '.join(reserved)})"
        )


def _check_own_name(path: Path, *, tasks: Mapping[str, DictConfig]) -> None:
    """Check that the task's long name, by which its data are found, is not another task's."""
    name = tasks[path.stem].name
    for short, other in tasks.items():
        if short != path.stem and name in (short, other.name):
            raise ConfigurationError(f"{path}: the task {short} is called {name}, too: set another `name`")


@cache  # a file is read at each call, its text parsed once a process: parsing takes most of the time
def _parse_task(text: str, where: str) -> DictConfig:
    """Return the task that a file's text describes, read-only, as calls share it; `where` names the file."""
    content = loads(text, where=where)
    if not isinstance(content, dict):
        raise ConfigurationError(f"{where} must hold names and values, as the files of conf/task do")
    try:
        check(content.get("labels", []), Labels, key=f"{where}: labels")  # before OmegaConf makes texts of them
        config = OmegaConf.merge(OmegaConf.structured(TaskConfig), content)
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{where}: {str(error).splitlines()[0]}") from error
    assert isinstance(config, DictConfig)
    OmegaConf.set_readonly(config, True)
    return config
