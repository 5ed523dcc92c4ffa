"""`executor=ray`: make a study's stages on Ray, those that do not need each other side by side."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from omegaconf import DictConfig

from dfwe.errors import ConfigurationError, ExecutorError
from dfwe.execution.local import Execute, Executor, Start, describe
from dfwe.families.base import ModelFamily, StudyContext
from dfwe.stages.base import Stage, Tell
from dfwe.training.ranks import num_ranks
from dfwe.values.allowed import Count, Natural, NonNegative

if TYPE_CHECKING:
    from dfwe.execution.ray.worker import WorkerConfig

log = logging.getLogger(__name__)

_PATIENCE = 60.0  # seconds without a worker after which a warning says so
_TICK = 0.2  # seconds between two looks: while Ray itself waits, Ctrl-C is heard once a second, which is too late


@dataclass(frozen=True)
class RayExecutor(Executor):
    """Processes on a Ray of this machine, or of the cluster at `address`; conf/executor/ray.yaml describes each.

    Ray schedules: a stage is a task that waits for the tasks it needs, and that Ray repeats if its process is lost.

    Raises:
        ConfigurationError: Ray is not installed.
    """

    is_sequential: ClassVar[bool] = False

    address: str | None
    workers: Count | None
    cpus: Count | None
    gpus: Natural | NonNegative | None
    retries: Natural

    def __post_init__(self) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ConfigurationError("executor=ray needs Ray: pip install 'dfwe[ray]', or leave executor=local")

    @contextmanager
    def opened(self, config: DictConfig, *, family: ModelFamily) -> Iterator[Execute]:
        """Start or join Ray, and reserve the workers' places; a Ray of this machine ends with the process.

        Raises:
            ConfigurationError: `gpus` do not fit where the study computes, or trainings need several processes.
            ExecutorError: there is no cluster at the address.
        """
        context = family.context
        if num_ranks(context.trainer) > 1 or isinstance(context.trainer["devices"], list):  # Ray hands out GPUs
            raise ConfigurationError(
                "executor=ray trains each model in one process: set trainer.devices=1 and trainer.num_nodes=1, or "
                "executor=local"
            )
        share = self._share(on_gpu=context.device.type == "cuda")
        _connect(self.address, cpus=share["num_cpus"] * (self.workers or 1))
        context.store.root.mkdir(parents=True, exist_ok=True)
        with (
            _ended_when_interrupted(),
            tempfile.NamedTemporaryFile(dir=context.store.root, prefix=".probe-") as probe,
            _reserved(share, workers=self.workers) as strategy,
        ):
            options = {**share, "scheduling_strategy": strategy}
            worker_config = _worker_config(probe=probe.name, options=options, retries=self.retries)
            yield partial(_execute, context=context, config=worker_config)

    def _share(self, *, on_gpu: bool) -> dict[str, float]:
        """Return a worker's resources, as Ray names them."""
        gpus = self.gpus if self.gpus is not None else int(on_gpu)
        if bool(gpus) != on_gpu:
            raise ConfigurationError(
                f"executor.gpus={gpus}, but this process computes on {'a GPU' if on_gpu else 'CPUs'}, and so must its "
                "workers: set trainer.accelerator=cpu or executor.gpus=0 for CPUs, or start where there is a GPU"
            )
        return {"num_cpus": float(self.cpus or torch.get_num_threads()), "num_gpus": float(gpus)}


def _connect(address: str | None, *, cpus: float) -> None:
    """Start or join a Ray with room for so many CPUs; one that this process has already stays as it is."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use to its makers otherwise
    if ray.is_initialized():
        return
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        ray.init(num_cpus=max(int(cpus), os.cpu_count() or 1), include_dashboard=False, **settings)
        return
    try:
        ray.init(address=address, **settings)
    except (ConnectionError, ValueError) as error:
        raise ExecutorError(
            f"executor.address={address}: there is no Ray there ({str(error).splitlines()[0]}); start one with "
            "`ray start --head`, or set executor.address=null"
        ) from error


@contextmanager
def _reserved(share: dict[str, float], *, workers: int | None) -> Iterator[Any]:
    """Reserve places for so many workers (None: no limit but the cluster's); return Ray's strategy for tasks there."""
    if workers is None:
        yield "SPREAD"
        return
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    place = {name: amount for name, amount in (("CPU", share["num_cpus"]), ("GPU", share["num_gpus"])) if amount}
    group = placement_group([place] * workers, strategy="SPREAD")
    try:
        if not _done([group.ready()], patience=_PATIENCE):
            log.warning("no room for %d workers with %s each yet: is the cluster in use?", workers, place)
        yield PlacementGroupSchedulingStrategy(group)
    finally:
        remove_placement_group(group)


def _execute(
    stages: Sequence[tuple[str, Stage]], *, start: Start, context: StudyContext, config: WorkerConfig
) -> dict[str, float]:
    """Make the stages that the store lacks; return the seconds that each took, by title."""
    import ray

    from dfwe.execution.ray.worker import SharedStudy, make_stage

    context.store.reserve(f"{stage.kind}-{stage.digest}" for _, stage in stages)
    titled_stages = {stage.digest: (describe(part, stage), stage) for part, stage in stages}
    study_reference = [ray.put(SharedStudy(config, context.store, context.logger, titled_stages).pickled())]
    task = ray.remote(max_retries=config.retries, **config.options)(make_stage)
    progress = _Progress(titled_stages, start=start)
    references: dict[str, Any] = {}
    for digest, (_, stage) in titled_stages.items():
        if stage.find(context.store) is None:
            needs = [references[need.digest] for need in stage.needs if need.digest in references]
            references[digest] = task.remote(study_reference, digest, *needs)
        else:
            progress.end(digest)
    return _collect(references, progress=progress, logger=context.logger)


def _collect(references: dict[str, Any], *, progress: _Progress, logger: Any) -> dict[str, float]:
    """Wait for all stages and replay their logs; raise what a stage raised, and end the others."""
    import ray

    from dfwe.execution.ray.candidate_pool import get_result

    digests, seconds = {reference: digest for digest, reference in references.items()}, dict[str, float]()
    try:
        while digests:
            progress.begin_ready()
            for reference in _done(list(digests)):
                digest = digests.pop(reference)
                title = progress.title(digest)
                report = get_result(reference, title=title)
                report.log.replay(logger)
                seconds[title] = report.seconds
                progress.end(digest)
    except BaseException:
        running = list(digests)
        if running:
            _, running = ray.wait(running, num_returns=len(running), timeout=0)
        for reference in running:  # never one that is done: Ray aborts where its reply is still on the way
            ray.cancel(reference, force=True)
        raise
    return seconds


class _Progress:
    """Report which stages are made: one begins once all it needs are done, and ends with its report."""

    def __init__(self, stages: dict[str, tuple[str, Stage]], *, start: Start) -> None:
        self._stages, self._start = stages, start
        self._open: set[str] = set(stages)
        self._reports: dict[str, Tell] = {}

    def begin_ready(self) -> None:
        """Begin the stages that wait for no other."""
        for digest, (_, stage) in self._stages.items():
            if digest in self._open and not any(need.digest in self._open for need in stage.needs):
                self._report(digest)

    def title(self, digest: str) -> str:
        """Return the stage in the user's words."""
        return self._stages[digest][0]

    def end(self, digest: str) -> None:
        """Report that the stage is done."""
        self._report(digest)(1.0)
        self._open.discard(digest)

    def _report(self, digest: str) -> Tell:
        if digest not in self._reports:
            self._reports[digest] = self._start(len(self._reports) + 1, len(self._stages), self.title(digest))
        return self._reports[digest]


def _done(references: list[Any], *, patience: float | None = None) -> list[Any]:
    """Return the references that are done, as soon as there is one; none after `patience` seconds."""
    import ray

    start = time.monotonic()
    while patience is None or time.monotonic() - start < patience:
        done, _ = ray.wait(references, timeout=_TICK)
        if done:
            return list(done)
    return []


@contextmanager
def _ended_when_interrupted() -> Iterator[None]:
    """Kill a Ray that this process has started when it is interrupted: by itself its agents stay for a minute."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        import psutil

        nodes = [child for child in psutil.Process().children() if child.name() == "raylet"]
        for process in [child for node in nodes for child in (*node.children(recursive=True), node)]:
            process.kill()
        raise


def _worker_config(*, probe: str, options: dict[str, Any], retries: int) -> WorkerConfig:
    """Return what of this process decides what is computed: another machine might decide otherwise."""
    from threadpoolctl import threadpool_info

    from dfwe.execution.ray.worker import WorkerConfig

    blas = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    return WorkerConfig(str(Path.cwd()), probe, torch.get_num_threads(), max(blas, default=1), options, retries)
