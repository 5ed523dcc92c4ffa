"""A process that makes a study's stages, and evaluates candidates of merges that others make."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from threadpoolctl import threadpool_limits

from dfwe.errors import ExecutorError
from dfwe.execution.local import made_in
from dfwe.execution.quiet import quiet
from dfwe.execution.ray.crew import RayCrew, Shared
from dfwe.execution.ray.kept import Kept, keeping
from dfwe.execution.stage_index import Catalogue
from dfwe.records import Coefficients, Evaluation
from dfwe.search.measure import Found
from dfwe.stages.candidate_pool import Examiner
from dfwe.stages.merge import MergeStage


@dataclass(frozen=True)
class Terms:
    """What a worker must know to do as the process that started it would.

    `config` is the study's, as plain Python; `folder` what relative paths are relative to; `probe` a file in the store.
    Numbers of threads are in digests.
    """

    config: Mapping[str, Any]
    folder: str
    probe: str
    threads: int
    blas_threads: int


@dataclass(frozen=True)
class Made:
    """A stage was made: the seconds that it took, what it said and logged."""

    seconds: float
    kept: Kept


class Worker:
    """An actor; it makes or evaluates one thing at a time."""

    def plan(self, terms: Terms) -> None:
        """Plans the study, as it was planned where it was started; comes first.

        Raises:
            ExecutorError: this machine does not see the store, or the folder that the study was started in.
        """
        _check_paths(terms)
        os.chdir(terms.folder)
        quiet()
        torch.set_num_threads(terms.threads)
        threadpool_limits(terms.blas_threads, user_api="blas")
        self._catalogue = Catalogue(OmegaConf.create(dict(terms.config)))
        self._examined: tuple[str, Examiner] | None = None

    def make(self, digest: str, helpers: Sequence[Any]) -> Made:
        """Makes a stage, with these workers to evaluate candidates; raises what the stage raises."""
        self._examined = None
        stage = self._catalogue.stage(digest)
        if helpers and isinstance(stage, MergeStage):
            stage = replace(stage, crew=RayCrew(stage.digest, helpers))
        family = self._catalogue.family
        with keeping(family.context.logger, title=self._catalogue.title(digest)) as kept:
            seconds = made_in(stage, store=family.context.store)
        return Made(seconds, kept)

    def examine(self, digest: str, shared: Shared, coefficients: Coefficients, best: Evaluation | None) -> Found:
        """Evaluates a candidate of the merge of that digest, whose experts are shared."""
        if self._examined is None or self._examined[0] != digest:
            stage = self._catalogue.stage(digest)
            assert isinstance(stage, MergeStage)
            self._examined = (digest, Examiner(stage, array=shared.array()))
        return self._examined[1](coefficients, best)


def _check_paths(terms: Terms) -> None:
    for path, words in ((terms.probe, "paths.store"), (terms.folder, "the folder that the command is started in")):
        if not Path(path).exists():
            raise ExecutorError(
                f"the machine {platform.node()} does not see {path}: {words} must be a folder that all machines of "
                "executor.address share, under one name"
            )
