"""Make a study's stages, and evaluate candidates of its merges, in processes of Ray's."""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
import torch
from pytorch_lightning.loggers import Logger
from ray import cloudpickle
from threadpoolctl import threadpool_limits

from dfwe.errors import ExecutorError
from dfwe.execution.candidate_evaluator import candidate_evaluator
from dfwe.execution.local import make_timed
from dfwe.execution.quiet import quiet
from dfwe.execution.ray.candidate_pool import RayCandidatePool, SharedArray
from dfwe.execution.ray.logs import BufferedMetrics, StageLog, capture_logs
from dfwe.records import Coefficients, Evaluation
from dfwe.search.trial_runner import TimedEvaluation
from dfwe.stages.base import Stage
from dfwe.stages.merge import MergeStage
from dfwe.store.card import spec_digest
from dfwe.store.store import Store


@dataclass(frozen=True)
class WorkerConfig:
    """Settings with which a worker computes as the process that started it.

    `folder` is what relative paths are relative to, `probe` a file in the store, `options` a process's resources as
    Ray names them. Numbers of threads are in digests.
    """

    folder: str
    probe: str
    threads: int
    blas_threads: int
    options: Mapping[str, Any]
    retries: int

    def apply(self) -> None:
        """Prepare this process.

        Raises:
            ExecutorError: this machine does not see the store, or the folder that the study was started in.
        """
        for path, owner in ((self.probe, "paths.store"), (self.folder, "the folder that the command is started in")):
            if not Path(path).exists():
                raise ExecutorError(
                    f"the machine {platform.node()} does not see {path}: {owner} must be a folder that all machines "
                    "of executor.address share, under one name"
                )
        os.chdir(self.folder)
        if not self.options["num_gpus"]:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # whatever the machine has
        quiet()
        torch.set_num_threads(self.threads)
        threadpool_limits(self.blas_threads, user_api="blas")


@dataclass(frozen=True)
class SharedStudy:
    """Stages with their titles by digest, and what they share, as workers get it."""

    config: WorkerConfig
    store: Store
    logger: Any
    stages: Mapping[str, tuple[str, Stage]]

    def pickled(self) -> bytes:
        """Return it as bytes, its logger replaced by a buffer."""
        file = io.BytesIO()
        _StudyPickler(file).dump(self)
        return file.getvalue()


class _StudyPickler(cloudpickle.Pickler):  # type: ignore[misc]
    def reducer_override(self, obj: Any) -> Any:
        return (BufferedMetrics, ()) if isinstance(obj, Logger) else super().reducer_override(obj)


@dataclass(frozen=True)
class StageReport:
    """Seconds that a stage took, and what it logged."""

    seconds: float
    log: StageLog


@lru_cache(maxsize=1)
def _load_study(reference: Any) -> SharedStudy:
    """Return the study, once per process: its stages share a family and its caches."""
    study: SharedStudy = cloudpickle.loads(ray.get(reference))
    study.config.apply()
    return study


def make_stage(study_reference: list[Any], digest: str, *needs: StageReport) -> StageReport:
    """Make a stage once Ray has the reports of those it needs; raise what the stage raises."""
    (reference,) = study_reference  # in a list, or Ray would send the study with each task
    study = _load_study(reference)
    title, stage = study.stages[digest]
    if spec_digest(stage.kind, stage.spec()) != digest:
        raise ExecutorError(
            f"{title}: {platform.node()} has another result in mind than the process that started the study; use the "
            "same version of dfwe, the same files, and paths that mean the same on all machines"
        )
    with capture_logs(study.logger, title=title) as log:
        if not isinstance(stage, MergeStage) or stage.batch_size < 2:
            return StageReport(make_timed(stage, store=study.store), log)

        def start_helper(array: Any) -> Any:
            options = {**study.config.options, "max_restarts": study.config.retries}
            actor = ray.remote(max_task_retries=study.config.retries, **options)(CandidateWorker)
            return actor.remote(study_reference, digest, array)

        pool = RayCandidatePool(start_helper, num_helpers=stage.batch_size - 1)
        try:
            return StageReport(make_timed(replace(stage, pool=pool), store=study.store), log)
        finally:
            pool.close()


class CandidateWorker:
    """An actor that evaluates candidates of one merge."""

    def __init__(self, study_reference: list[Any], digest: str, array: SharedArray) -> None:
        _, stage = _load_study(study_reference[0]).stages[digest]
        assert isinstance(stage, MergeStage)
        self._evaluator = candidate_evaluator(stage, array=array.array())

    def ready(self) -> None:
        """Return once the actor has started."""

    def evaluate(self, coefficients: Coefficients, best: Evaluation | None) -> TimedEvaluation:
        """Evaluate a candidate on dev, pruned against `best` if there is one."""
        return self._evaluator(coefficients, best)
