"""What a run's folder is called after its date and time: target, merge, seed; light, as every command asks for it."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

LONGEST = 80  # letters: file systems allow 255, people read fewer


def register_run_name() -> None:
    """Makes `${run_name:}` known to the configuration; `hydra.run.dir` has it."""
    OmegaConf.register_new_resolver("run_name", lambda *, _root_: run_name(_root_), replace=True)


def run_name(config: DictConfig) -> str:
    """`meld_nelder_mead_s0`, as far as the configuration says them: what it lacks is complained of later, by the study.

    A study of models with heads is named by its option of `multitask`, one of every rule by `zoo`.
    """
    parts = [*_subject(config), f"s{_plain(config, 'seed')}"]
    words = "_".join(re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in parts)
    return words[:LONGEST]


def _subject(config: DictConfig) -> list[str]:
    if _plain(config, "multitask") is not None:
        option = OmegaConf.select(config, "hydra.runtime.choices.multitask")
        return [str(option or "multitask")]
    targets = list(_plain(config, "target") or {}) or ["no-target"]
    return [*targets, *(["zoo"] if _plain(config, "zoo") is not None else _merges(config))]


def _merges(config: DictConfig) -> list[str]:
    """The merge that is asked for (the last one), and how many others there are."""
    several = list((_plain(config, "merges") or {}).values())
    one = _plain(config, "merge")
    asked = [each for each in [*several, one] if isinstance(each, dict)]
    if not asked:
        return ["no-merge"]
    others = [f"and-{len(asked) - 1}"] if len(asked) > 1 else []
    return [str(asked[-1].get("name", "merge")), *others]


def _plain(config: DictConfig, key: str) -> Any:
    """The value as plain Python, unresolved; None where it is missing."""
    if key not in config or OmegaConf.is_missing(config, key):
        return None
    value = config[key] if OmegaConf.is_interpolation(config, key) is False else None
    return OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value
