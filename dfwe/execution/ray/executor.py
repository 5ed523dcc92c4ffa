"""`executor=ray`: a study's stages on Ray, those that do not need each other side by side."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import DictConfig

from dfwe.config.load import plain
from dfwe.errors import ConfigurationError, ExecutorError
from dfwe.execution.local import Execute, Executor, Start
from dfwe.execution.ray.schedule import Schedule, Team
from dfwe.families.base import ModelFamily
from dfwe.stages.base import Stage
from dfwe.values.allowed import Count, Natural, NonNegative

if TYPE_CHECKING:
    from dfwe.execution.ray.worker import Terms

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RayExecutor(Executor):
    """Workers on a Ray of this machine, or of the cluster at `address`; conf/executor/ray.yaml says what each is.

    Raises:
        ConfigurationError: Ray is not installed, or a number is too low.
    """

    address: str | None
    workers: Count | None
    cpus: Count | None
    gpus: Natural | NonNegative | None
    retries: Natural

    def __post_init__(self) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ConfigurationError("executor=ray needs Ray: pip install 'dfwe[ray]', or leave executor=local")
        for name, least in (("workers", 1), ("cpus", 1), ("gpus", 0), ("retries", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigurationError(f"executor.{name} must be at least {least}, not {value}")

    @contextmanager
    def opened(self, config: DictConfig, *, family: ModelFamily) -> Iterator[Execute]:
        """Starts or joins Ray, and the workers; these end with the context, a Ray of this machine with the process.

        Raises:
            ConfigurationError: `gpus` do not fit where the study computes.
            ExecutorError: there is no cluster at the address.
        """
        share = self._share(family)
        _connect(self.address, cpus=share["num_cpus"] * (self.workers or 1))
        from dfwe.execution.ray.team import RayTeam  # imports Ray

        family.context.store.root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=family.context.store.root, prefix=".probe-") as probe:
            hire = partial(_hire, _terms(config, family=family, probe=probe.name), share)
            size = self.workers or _room(share)
            log.info("%d workers, each with %g CPUs and %g GPUs", size, share["num_cpus"], share["num_gpus"])
            team = RayTeam(size, hire=hire, keep=lambda kept: kept.pass_on(family.context.logger), retries=self.retries)
            try:
                yield partial(self._execute, team=team, family=family)
            except (KeyboardInterrupt, SystemExit):
                if not _end_at_once():
                    team.close()
                raise
            except BaseException:
                team.close()
                raise
            team.close()

    def _execute(
        self, stages: Sequence[tuple[str, Stage]], *, start: Start, team: Team, family: ModelFamily
    ) -> dict[str, float]:
        store = family.context.store
        store.use(f"{stage.kind}-{stage.digest}" for _, stage in stages)

        def is_held(stage: Stage) -> bool:
            return stage.find(store) is not None

        return Schedule(stages, team=team, is_held=is_held, start=start, retries=self.retries).run()

    def _share(self, family: ModelFamily) -> dict[str, float]:
        """Of a worker, as Ray names it."""
        on_gpu = family.context.device.type == "cuda"
        gpus = self.gpus if self.gpus is not None else int(on_gpu)
        if bool(gpus) != on_gpu:
            raise ConfigurationError(
                f"executor.gpus={gpus}, but this process computes on {'a GPU' if on_gpu else 'CPUs'}, and so must its "
                "workers: set trainer.accelerator=cpu or executor.gpus=0 for CPUs, or start where there is a GPU"
            )
        return {"num_cpus": float(self.cpus or torch.get_num_threads()), "num_gpus": float(gpus)}


def _connect(address: str | None, *, cpus: float) -> None:
    """A Ray with room for so many CPUs; one that this process has already stays as it is."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use to its makers otherwise
    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        ray.init(num_cpus=max(int(cpus), os.cpu_count() or 1), include_dashboard=False, **quiet)
        return
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError) as error:
        raise ExecutorError(
            f"executor.address={address}: there is no Ray there ({str(error).splitlines()[0]}); start one with "
            "`ray start --head`, or say executor.address=null"
        ) from error


def _end_at_once() -> bool:
    """Kills a Ray that this process has started, and says if there was one: to end by itself it needs over a second."""
    import psutil

    nodes = [each for each in psutil.Process().children() if each.name() == "raylet"]
    for process in [each for node in nodes for each in (*node.children(recursive=True), node)]:
        process.kill()
    return bool(nodes)


def _hire(terms: Terms, share: dict[str, float]) -> tuple[Any, Any]:
    """A worker, and the sign that it has planned the study."""
    import ray

    from dfwe.execution.ray.worker import Worker

    worker = ray.remote(scheduling_strategy="SPREAD", **share)(Worker).remote()
    return worker, worker.plan.remote(terms)


def _room(share: dict[str, float]) -> int:
    """How many workers the cluster has room for now; at least one."""
    import ray

    there = ray.cluster_resources()
    rooms = [there.get(name, 0) // share[of] for name, of in (("CPU", "num_cpus"), ("GPU", "num_gpus")) if share[of]]
    return max(1, int(min(rooms)))


def _terms(config: DictConfig, *, family: ModelFamily, probe: str) -> Terms:
    """What of this process decides what is computed, said outright: another machine might find otherwise."""
    from threadpoolctl import threadpool_info

    from dfwe.execution.ray.worker import Terms

    asked = plain(config)
    asked["trainer"] |= {"precision": family.context.precision, "threads": torch.get_num_threads()}
    asked["trainer"]["accelerator"] = "gpu" if family.context.device.type == "cuda" else "cpu"
    asked["paths"]["store"] = str(family.context.store.root)
    if asked["logger"]:
        asked["logger"] = {"_target_": "dfwe.execution.ray.kept.KeptMetrics"}
    blas = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
    return Terms(asked, str(Path.cwd()), probe, torch.get_num_threads(), max(blas, default=1))
