"""From jobs to their studies without composing, reading or binding anything twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from dfwe.config.consistency import candidates, only_target
from dfwe.config.load import plain
from dfwe.config.resolve import complete
from dfwe.config.task_data import shots_by_task
from dfwe.config.tasks import Task, build_task
from dfwe.families.base import ModelFamily
from dfwe.stages.base import Stage
from dfwe.studies.context import study_family
from dfwe.studies.listed import plan_listed
from dfwe.studies.recipes import DfwePlan
from dfwe.studies.sources import subset_of
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Study, StudyPlan
from dfwe.sweeps.jobs import Job

_NODES = ("model", "data", "trainer", "decoding", "paths")
_OF_BENCH = (*_NODES, "decode")


@dataclass(frozen=True)
class Composed:
    """One composition, and what of it is the same for all of its jobs."""

    config: DictConfig
    design: StudySpec
    targets: Mapping[str, Task]
    sources: Mapping[str, Task]
    subset: Mapping[str, Any]
    family: str  # the key of the shared one

    @property
    def only_target(self) -> Task:
        """The target that it says; ConfigurationError where there is not exactly one."""
        short, _ = only_target(self.config)
        return self.targets[short]


@dataclass(frozen=True)
class Planner:
    """Plans jobs' studies.

    `compose` gives the configuration of overrides; `tasks` are the known tasks' configurations by short name. A family
    (its data, its parent) is shared by all compositions that say the same of it, and equal tasks are one object, so
    that the factory knows its stages again. `threads` are torch's where a configuration leaves them open.
    """

    compose: Callable[[Sequence[str]], DictConfig]
    tasks: Mapping[str, DictConfig]
    threads: int
    _composed: dict[tuple[str, ...], Composed] = field(default_factory=dict, compare=False, repr=False)
    _families: dict[str, tuple[ModelFamily, tuple[Stage, ...]]] = field(default_factory=dict, compare=False, repr=False)
    _factories: dict[tuple[str, ...], StageFactory] = field(default_factory=dict, compare=False, repr=False)
    _built: dict[tuple[str, str], Task] = field(default_factory=dict, compare=False, repr=False)
    _as_read: dict[tuple[str, int], tuple[Task, Task]] = field(default_factory=dict, compare=False, repr=False)
    _by_name: dict[str, Task] = field(default_factory=dict, compare=False, repr=False)

    def study(self, job: Job) -> Study | StudyPlan:
        """The job's study, its stages shared with those of other jobs; torch's threads are the job's then.

        A draft, where sources are to be chosen and the store does not tell which. Multitask studies share nothing.

        Raises:
            DfweError: what the job itself would say before its first stage (data of its tasks are not looked at).
            HydraException: the job cannot be composed.
        """
        if self._composition(job.rest).config.multitask is not None:
            return self._multitask(job)
        composed, target, own = self._parts(job)
        sources = candidates(target.short, sources=own, without_target=composed.config.sources_without_target)
        numbers = dict(job.numbers)
        changed = {key.removeprefix("subset."): value for key, value in job.numbers if key.startswith("subset.")}
        factory, pretraining = self._factory(composed, tasks=(target, *sources.values()))
        torch.set_num_threads(factory.family.context.trainer["threads"] or self.threads)
        taken = subset_of(
            sources, subset={**composed.subset, **changed}, is_selected=composed.design.choice is not None
        )
        family = factory.family
        return DfwePlan.of(
            composed.design,
            factory=factory,
            pretraining=pretraining,
            target=self._adapted(target, family=family),
            candidates=tuple(self._adapted(task, family=family) for task in taken.values()),
            seed=numbers.get("seed", composed.config.seed),
        ).known()

    def _multitask(self, job: Job) -> Study | StudyPlan:
        config = self._composition(job.rest).config.copy()
        for key, value in job.numbers:
            OmegaConf.update(config, key, value)
        return plan_listed(config).known()

    def _parts(self, job: Job) -> tuple[Composed, Task, Mapping[str, Task]]:
        """The composition that the job is found from, its target and its candidates for sources."""
        composed = self._composition(job.rest)
        if job.target is None:
            return composed, composed.only_target, composed.sources
        if not composed.config.target:
            if job.says_sources:
                return composed, self._known(job.target), composed.sources
            defaults = None if composed.sources else self._defaults(job.target)
            if defaults is not None:
                return composed, self._known(job.target), defaults
        whole = self._composition((*job.rest, f"+target={job.target}"))  # an experiment with sources of its own, ...
        return whole, whole.only_target, whole.sources

    def _composition(self, overrides: tuple[str, ...]) -> Composed:
        if overrides not in self._composed:
            config = self.compose(overrides)
            config.logger = None  # nothing is logged, and no run begun
            complete(config)
            targets, sources = (
                {short: self._task(short, node) for short, node in part.items()}
                for part in (config.target, config.sources)
            )
            family = json.dumps([plain(config[part]) if part in _NODES else config[part] for part in _OF_BENCH])
            composed = Composed(config, StudySpec.of(config), targets, sources, plain(config.subset), family)
            self._composed[overrides] = composed
        return self._composed[overrides]

    def _factory(self, composed: Composed, *, tasks: Sequence[Task]) -> tuple[StageFactory, tuple[Stage, ...]]:
        """That of the composition's family and of these tasks; the corpora and the parent are the family's."""
        if composed.family not in self._families:
            self._families[composed.family] = study_family(composed.config, tasks=tasks)
        family, pretraining = self._families[composed.family]
        key = (composed.family, *sorted(task.name for task in tasks))
        if key not in self._factories:
            data = composed.config.data
            shots = shots_by_task(plain(data)["shots"], seed=data.shots_seed, tasks=tasks)
            self._factories[key] = StageFactory(
                family.with_tasks(tuple(tasks), data=family.context.data.with_shots(shots))
            )
        return self._factories[key], pretraining

    def _adapted(self, task: Task, *, family: ModelFamily) -> Task:
        """The task as the family reads it: one object, so that the factory knows its stages again."""
        key = (family.name, id(task))
        if key not in self._as_read:
            self._as_read[key] = (family.adapt(task), task)
        return self._as_read[key][0]

    def _known(self, name: str) -> Task:
        short = self.names[name]
        if short not in self._by_name:
            self._by_name[short] = self._task(short, self.tasks[short])
        return self._by_name[short]

    def _defaults(self, target: str) -> dict[str, Task] | None:
        """The sources that suit the target; None where one is a named composition, which Hydra has to make."""
        names = self.tasks[self.names[target]].default_sources
        if any(name not in self.names for name in names):
            return None
        return {self.names[name]: self._known(name) for name in names}

    def _task(self, short: str, config: DictConfig) -> Task:
        made = plain(config)
        key = (short, json.dumps(made))
        if key not in self._built:
            self._built[key] = build_task(short, config=made)
        return self._built[key]

    @cached_property
    def names(self) -> dict[str, str]:
        """Short names by every name that a task has."""
        return {name: short for short, config in self.tasks.items() for name in (short, config.name)}
