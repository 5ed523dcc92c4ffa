"""Plan a study or a sweep: stages needed, stages that the store has, and what the others will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dfwe.config.hydra_errors import words
from dfwe.data.examples import paused_garbage_collection
from dfwe.errors import DfweError
from dfwe.report.terminal.console import show_plain
from dfwe.report.terminal.plan_table import draw_plan
from dfwe.stages.base import Stage
from dfwe.studies.plan import load_plan
from dfwe.sweeps.compositions import Compositions, Planned
from dfwe.sweeps.cost_estimates import CostEstimator
from dfwe.sweeps.jobs import Job
from dfwe.sweeps.memory_estimates import memory_of

_ROWS = {
    "parent": "parents",
    "choose": "choices",
    "train": "experts",
    "finetune": "experts",
    "baseline": "experts",
    "merge": "merges",
    "evaluate": "evaluations",
    "probe": "diagnostics",
}
_OTHERS = "other stages"  # whose part in a study has no row of its own
ROWS = (*dict.fromkeys(_ROWS.values()), _OTHERS)
_IF_ANY = ("choices", "diagnostics", _OTHERS)  # most studies name their sources, and a sweep's have no diagnostics


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


def summary(studies: Iterable[Planned]) -> dict[str, Any]:
    """Return what studies need together, as JSON: by row of a table how many stages, and what of them is to do.

    `separately` is what studies without a common store would make; `seconds` and `bytes` are of what is to do, as
    far as the cards of earlier stages tell it, and leave `unknown` stages out. `memory` is the most that the models of
    one of these stages take, in bytes, None where none is known. Of `undecided` studies, which select
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
        separately.update(_row_of(part) for part, _ in parts.values())
        for name, (part, stage) in parts.items():
            if name not in stages:
                stages[name] = RequiredStage(_row_of(part), stage, root, is_cached=name in store_contents(root))
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
    to_do = [stage for stage in required if not stage.is_cached]
    costs = [estimator(stage.root).cost(stage.stage) for stage in to_do]
    seconds = [cost.seconds for cost in costs if cost.seconds is not None]
    return {
        "needed": len(required),
        "there": len(required) - len(costs),
        "to_do": len(costs),
        "seconds": sum(seconds),
        "bytes": sum(cost.bytes for cost in costs if cost.bytes is not None),
        "unknown": len(costs) - len(seconds),
        "alike": sum(cost.alike for cost in costs),
        "memory": max((memory for stage in to_do if (memory := memory_of(stage.stage)) is not None), default=None),
    }


def _row_of(part: str) -> str:
    return _ROWS.get(part, _OTHERS)


def _entries(root: Path) -> frozenset[str]:
    """Return the names of all results in a store."""
    return frozenset(path.name for path in root.iterdir()) if root.is_dir() else frozenset()
