"""What a sweep needs, what of it is there, and what the rest will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dfwe.config.hydra_errors import words
from dfwe.errors import DfweError
from dfwe.stages.base import Stage
from dfwe.studies.study import Study, StudyPlan
from dfwe.sweeps.jobs import Job
from dfwe.sweeps.past import Past
from dfwe.sweeps.planner import Planner

_PARTS = {
    "parent": "parents",
    "choose": "choices",
    "train": "experts",
    "finetune": "experts",
    "baseline": "experts",
    "merge": "merges",
    "evaluate": "evaluations",
    "probe": "probes",
}
Planned = Study | StudyPlan  # a study as far as it is known before it runs
ROWS = tuple(dict.fromkeys(_PARTS.values()))
_IF_ANY = ("choices", "probes")  # most studies have their sources said, and a sweep's have no probes


@dataclass(frozen=True)
class Need:
    """One stage that some job needs."""

    row: str
    stage: Stage
    root: Path  # of the store
    there: bool


def plan_sweep(jobs: Iterable[Job], *, planner: Planner) -> dict[str, Any]:
    """The plan of a multirun's jobs, as JSON (`summary`); a job that cannot be is listed and left out."""
    failed: list[dict[str, Any]] = []

    def studies() -> Iterator[Planned]:
        for job in jobs:
            try:
                yield planner.study(job)
            except DfweError as error:
                failed.append({"job": job.number, "message": " ".join(str(error).split())})
            except (HydraException, OmegaConfBaseException) as error:
                failed.append({"job": job.number, "message": words(error)})

    return {**summary(studies()), "failed": failed}


def summary(studies: Iterable[Planned]) -> dict[str, Any]:
    """What studies need together, as JSON: by row of a table how many stages, and what of them is to do.

    `separately` is what studies without a common store would make; `seconds` and `bytes` are of what is to do, as
    far as the cards of earlier stages tell it, and leave `unknown` stages out. Of `undecided` studies, which choose
    their sources or what they merge by the results of stages, only those before that are known.
    """
    needs: dict[str, Need] = {}
    separately: Counter[str] = Counter()
    seen: dict[int, Stage] = {}  # by id; kept, so that no id comes again
    num, undecided, stores = 0, 0, _Names()
    for study in studies:
        num += 1
        undecided += not study.is_resolved
        store = study.family.context.store.root
        parts = {id(stage): (part, stage) for part, stage in study.parts()}
        separately.update(_PARTS[part] for part, _ in parts.values())
        for part, stage in (parts[key] for key in parts if key not in seen):
            seen[id(stage)] = stage
            name = f"{stage.kind}-{stage.digest}"
            needs.setdefault(name, Need(_PARTS[part], stage, store, name in stores.of(store)))
    pasts: dict[Path, Past] = {need.root: Past(need.root) for need in needs.values()}
    rows = {row: [need for need in needs.values() if need.row == row] for row in ROWS}
    return {
        "jobs": num,
        "undecided": undecided,
        "rows": {
            row: {**_row(each, pasts=pasts), "separately": separately[row]}
            for row, each in rows.items()
            if each or row not in _IF_ANY
        },
    }


def _row(needs: list[Need], *, pasts: Mapping[Path, Past]) -> dict[str, Any]:
    costs = [pasts[need.root].cost(need.stage) for need in needs if not need.there]
    seconds = [cost.seconds for cost in costs if cost.seconds is not None]
    return {
        "needed": len(needs),
        "there": len(needs) - len(costs),
        "to_do": len(costs),
        "seconds": sum(seconds),
        "bytes": sum(cost.bytes for cost in costs if cost.bytes is not None),
        "unknown": len(costs) - len(seconds),
        "alike": sum(cost.alike for cost in costs),
    }


class _Names:
    """The names of what lies in stores, each folder listed once: a plan asks for thousands."""

    def __init__(self) -> None:
        self._listed: dict[Path, frozenset[str]] = {}

    def of(self, root: Path) -> frozenset[str]:
        """Those in the folder."""
        if root not in self._listed:
            self._listed[root] = frozenset(path.name for path in root.iterdir()) if root.is_dir() else frozenset()
        return self._listed[root]
