"""What folders are called; light, as every command asks for it.

A run's after its date and time: target, merge, seed. A sweep's job's by what it differs in from the others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

LONGEST = 80  # letters: file systems allow 255, people read fewer


def register_run_name() -> None:
    """Makes `${run_name:}` and `${job_name:}` known; `hydra.run.dir` and `hydra.sweep.subdir` have them."""
    OmegaConf.register_new_resolver("run_name", lambda *, _root_: run_name(_root_), replace=True)
    OmegaConf.register_new_resolver("job_name", lambda *, _root_: job_name(_root_), replace=True)


def run_name(config: DictConfig) -> str:
    """`meld_nelder_mead_s0`, as far as the configuration says them: what it lacks is complained of later, by the study.

    A study of models with heads is named by its option of `multitask`, one of every merge method by `zoo`.
    """
    parts = [*_subject(config), f"s{_plain(config, 'seed')}"]
    words = "_".join(re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in parts)
    return words[:LONGEST]


def job_name(config: DictConfig) -> str:
    """Return `target-meld_seed-0`: the overrides that differ between jobs; its number where none does."""
    job = config.hydra.job
    constant = set(job.config.override_dirname.exclude_keys)
    return name_of(list(config.hydra.overrides.task), constant=constant) or str(job.num)


def name_of(overrides: Sequence[str], *, constant: Collection[str]) -> str:
    """Return the overrides whose keys are not `constant` as a folder's name.

    It has letters, digits, `.`, `-` and `_` alone, so that it needs no quotes in a shell or in an override, and at most
    `LONGEST` characters; where more is lost than brackets, quotes and blanks, a digest tells names apart.
    """
    pairs = [override.lstrip("+~").partition("=") for override in overrides]
    text = "_".join(f"{key}-{value}" if value else key for key, _, value in pairs if key not in constant)
    plain = re.sub(r"[\[\](){}'\"\s]", "", text).replace(",", "-")
    safe = re.sub(r"[^\w.-]+", "-", plain, flags=re.ASCII).lstrip(".-")
    if safe == plain and len(safe) <= LONGEST:
        return safe
    return f"{safe[: LONGEST - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


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
    merges = [merge for merge in [*several, one] if isinstance(merge, dict)]
    if not merges:
        return ["no-merge"]
    suffix = [f"and-{len(merges) - 1}"] if len(merges) > 1 else []
    return [str(merges[-1].get("name", "merge")), *suffix]


def _plain(config: DictConfig, key: str) -> Any:
    """The value as plain Python, unresolved; None where it is missing."""
    if key not in config or OmegaConf.is_missing(config, key):
        return None
    value = config[key] if OmegaConf.is_interpolation(config, key) is False else None
    return OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value
