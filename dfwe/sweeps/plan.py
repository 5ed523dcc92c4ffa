"""Plan a study or a sweep: stages needed, stages that the store has, and what the others will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dfwe.config.consistency import complete
from dfwe.config.hydra_errors import words
from dfwe.config.instantiate import plain
from dfwe.config.task_data import Corpora
from dfwe.data.examples import paused_garbage_collection
from dfwe.errors import DfweError
from dfwe.report.terminal.console import show_plain
from dfwe.report.terminal.plan_table import draw_plan
from dfwe.stages.base import Stage
from dfwe.studies.plan import load_plan
from dfwe.studies.recipes import DfwePlan
from dfwe.studies.sources import subset_of
from dfwe.studies.study import Study, StudyPlan
from dfwe.sweeps.cost_estimates import CostEstimator
from dfwe.sweeps.jobs import Job

Planned = Study | StudyPlan  # a study as far as it is known before it runs
_ROWS = {
    "parent": "parents",
    "choose": "choices",
    "train": "experts",
    "finetune": "experts",
    "baseline": "experts",
    "merge": "merges",
    "evaluate": "evaluations",
    "probe": "probes",
}
ROWS = tuple(dict.fromkeys(_ROWS.values()))
_IF_ANY = ("choices", "probes")  # most studies name their sources, and a sweep's have no diagnostics


def show_plan(config: DictConfig) -> None:
    """Print what one study needs; nothing runs. Raises what planning the study raises."""
    config.logger = None
    show_plain(draw_plan(summary([load_plan(config, reads_data=False).resolve_if_ready()])))


def plan_sweep(jobs: Iterable[Job], *, compose: Callable[[Sequence[str]], DictConfig]) -> dict[str, Any]:
    """Return the plan of a multirun's jobs, as JSON (`summary`); a job that cannot be is listed and left out.

    `compose` returns the configuration of overrides.
    """
    failed: list[dict[str, Any]] = []

    def studies() -> Iterator[Planned]:
        threads, compositions = torch.get_num_threads(), Compositions(compose)
        for job in jobs:
            try:
                torch.set_num_threads(threads)  # a configuration may set others
                yield compositions.study(job)
            except DfweError as error:
                failed.append({"job": job.number, "message": " ".join(str(error).split())})
            except (HydraException, OmegaConfBaseException) as error:
                failed.append({"job": job.number, "message": words(error)})

    with paused_garbage_collection():
        return {**summary(studies()), "failed": failed}


class Compositions:
    """Studies of jobs: each configuration is composed once, and the jobs that share it share their stages."""

    def __init__(self, compose: Callable[[Sequence[str]], DictConfig]) -> None:
        self._compose, self._corpora = compose, Corpora()
        self._compositions: dict[tuple[str, ...], Composition] = {}

    def study(self, job: Job) -> Planned:
        """Return the job's study, as far as it is known; raises what the job would raise before its first stage."""
        composition, numbers = self._composition(job.composed), dict(job.numbers)
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
        if self._config.choice.by and subset["number"] is not None:
            subset_of({}, subset=subset, is_selected=True)  # raises what the job itself would, before others do
        plan = self._plan(target)
        if not isinstance(plan, DfwePlan):
            return load_plan(
                _changed(self._config, numbers), reads_data=False, corpora=self._corpora
            ).resolve_if_ready()
        candidates = {task.short: task for task in plan.candidates}
        sources = subset_of(candidates, subset=subset, is_selected=plan.choice is not None)
        return replace(
            plan, candidates=tuple(sources.values()), seed=numbers.get("seed", self._config.seed)
        ).resolve_if_ready()

    def _plan(self, target: str | None) -> StudyPlan:
        """Return the plan, with all candidates for sources."""
        if target not in self._plans:
            config = _changed(self._config, {"subset.number": None})
            if target is not None:
                config.target = {target: config.sources[target]}
            self._plans[target] = load_plan(config, reads_data=False, corpora=self._corpora)
        return self._plans[target]


def _changed(config: DictConfig, changes: Mapping[str, int | None]) -> DictConfig:
    """Return a copy with changes by key."""
    config = config.copy()
    for key, value in changes.items():
        OmegaConf.update(config, key, value)
    return config


def summary(studies: Iterable[Planned]) -> dict[str, Any]:
    """Return what studies need together, as JSON: by row of a table how many stages, and what of them is to do.

    `separately` is what studies without a common store would make; `seconds` and `bytes` are of what is to do, as
    far as the cards of earlier stages tell it, and leave `unknown` stages out. Of `undecided` studies, which select
    their sources or what they merge by the results of stages, only those before that are known.
    """
    stages: dict[str, RequiredStage] = {}
    separately: Counter[str] = Counter()
    num, undecided, store_contents = 0, 0, cache(_entries)
    for study in studies:
        num += 1
        undecided += not study.is_resolved
        root = study.family.context.store.root
        parts = {f"{stage.kind}-{stage.digest}": (part, stage) for part, stage in study.parts()}
        separately.update(_ROWS[part] for part, _ in parts.values())
        for name, (part, stage) in parts.items():
            if name not in stages:
                stages[name] = RequiredStage(_ROWS[part], stage, root, is_cached=name in store_contents(root))
    estimator = cache(CostEstimator)  # one per store
    rows = {row: [stage for stage in stages.values() if stage.row == row] for row in ROWS}
    return {
        "jobs": num,
        "undecided": undecided,
        "rows": {
            row: {**_row(required, estimator=estimator), "separately": separately[row]}
            for row, required in rows.items()
            if required or row not in _IF_ANY
        },
    }


@dataclass(frozen=True)
class RequiredStage:
    """One stage that some job needs."""

    row: str
    stage: Stage
    root: Path  # of the store
    is_cached: bool


def _row(required: list[RequiredStage], *, estimator: Callable[[Path], CostEstimator]) -> dict[str, Any]:
    costs = [estimator(stage.root).cost(stage.stage) for stage in required if not stage.is_cached]
    seconds = [cost.seconds for cost in costs if cost.seconds is not None]
    return {
        "needed": len(required),
        "there": len(required) - len(costs),
        "to_do": len(costs),
        "seconds": sum(seconds),
        "bytes": sum(cost.bytes for cost in costs if cost.bytes is not None),
        "unknown": len(costs) - len(seconds),
        "alike": sum(cost.alike for cost in costs),
    }


def _entries(root: Path) -> frozenset[str]:
    """Return the names of all results in a store."""
    return frozenset(path.name for path in root.iterdir()) if root.is_dir() else frozenset()
