"""Studies of a multirun's jobs before they run: each configuration is composed once, and jobs share their stages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from dfwe.config.consistency import check_study, complete
from dfwe.config.instantiate import plain
from dfwe.config.task_data import Corpora
from dfwe.studies.plan import load_plan
from dfwe.studies.recipes import DfwePlan
from dfwe.studies.sources import subset_of
from dfwe.studies.study import Study, StudyPlan
from dfwe.sweeps.jobs import Job

Planned = Study | StudyPlan  # a study as far as it is known before it runs
_READS_NUMBERS = re.compile(r"\$\{[^{}]*\b(seed|size|number)\}")  # interpolations of what jobs differ in


class Compositions:
    """Studies of jobs: each configuration is composed once, and the jobs that share it share their stages."""

    def __init__(self, compose: Callable[[Sequence[str]], DictConfig]) -> None:
        self._compose, self._corpora = compose, Corpora()
        self._compositions: dict[tuple[str, ...], Composition] = {}

    def study(self, job: Job) -> Planned:
        """Return the job's study, as far as it is known; raises what the job would raise before its first stage."""
        with _as_command(job.overrides):
            return self._study(job)

    def _study(self, job: Job) -> Planned:
        composition, numbers = self._composition(job.composed), dict(job.numbers)
        if numbers and composition.reads_numbers:  # to put them in would be too late
            return self._composition(job.overrides).study({})
        if job.target is None:
            return composition.study(numbers)
        target = job.target.partition("=")[2]
        if target in composition.sources:
            return composition.study(numbers, target=target)
        return self._composition((*job.composed, job.target)).study(numbers)

    def _composition(self, overrides: tuple[str, ...]) -> Composition:
        if overrides not in self._compositions:
            self._compositions[overrides] = Composition(self._compose(overrides), corpora=self._corpora)
        return self._compositions[overrides]


class Composition:
    """The studies of jobs that differ in seed, subset of sources and target alone: they share their stages."""

    def __init__(self, config: DictConfig, *, corpora: Corpora) -> None:
        config.logger = None  # nothing is logged, and no run begun
        self.reads_numbers = bool(_READS_NUMBERS.search(str(OmegaConf.to_container(config, resolve=False))))
        self._config, self._subset, self._corpora = complete(config), plain(config.subset), corpora
        self._plans: dict[str | None, StudyPlan] = {}

    @property
    def sources(self) -> tuple[str, ...]:
        """Short names of the sources."""
        return tuple(self._config.sources)

    def study(self, numbers: Mapping[str, int], *, target: str | None = None) -> Planned:
        """Return the study with these numbers, as far as it is known; torch's threads are the study's then.

        `target` is one of the sources, None for that of the configuration.

        Raises:
            DfweError: what the job itself would raise before its first stage (data of its tasks are not looked at).
        """
        if threads := self._config.trainer.threads:
            torch.set_num_threads(threads)
        subset = self._subset | {key.removeprefix("subset."): numbers[key] for key in numbers if key != "seed"}
        if self._config.source_selection.by and subset["number"] is not None:
            subset_of({}, subset=subset, is_selected=True)  # raises what the job itself would, before others do
        plan = self._plan(target)
        if not isinstance(plan, DfwePlan):
            return load_plan(
                _changed(self._config, numbers), reads_data=False, corpora=self._corpora
            ).resolve_if_ready()
        candidates = {task.short: task for task in plan.candidates}
        sources = subset_of(candidates, subset=subset, is_selected=plan.source_selection is not None)
        seed = numbers.get("seed", self._config.seed)
        return replace(plan, candidates=tuple(sources.values()), seed=seed).resolve_if_ready()

    def _plan(self, target: str | None) -> StudyPlan:
        """Return the plan, with all candidates for sources; the configuration is checked as a job checks it."""
        if target not in self._plans:
            config = _changed(self._config, {"subset.number": None})
            if target is not None:
                config.target = {target: config.sources[target]}
            check_study(config)
            self._plans[target] = load_plan(config, reads_data=False, corpora=self._corpora)
        return self._plans[target]


@contextmanager
def _as_command(overrides: Sequence[str]) -> Iterator[None]:
    """Let checks that ask for the command's overrides see these."""
    hydra: Any = HydraConfig.instance()
    before, command = hydra.cfg, {"overrides": {"task": list(overrides)}, "runtime": {"config_sources": []}}
    hydra.cfg = OmegaConf.create({"hydra": command})
    try:
        yield
    finally:
        hydra.cfg = before


def _changed(config: DictConfig, changes: Mapping[str, int | None]) -> DictConfig:
    """Return a copy with changes by key."""
    config = config.copy()
    for key, value in changes.items():
        OmegaConf.update(config, key, value)
    return config
