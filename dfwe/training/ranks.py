"""Processes that work on one study together: how many there are, and what they tell each other."""

from __future__ import annotations

import io
import os
import pickle
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import cloudpickle
import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.loggers import Logger
from torch import Tensor, distributed

from dfwe.errors import ConfigurationError
from dfwe.training.precision import resolve_device
from dfwe.training.processes import Processes

Task = Callable[["Ranks"], object]  # what rank 0 sends: every other process calls it

_OF_SRUN = "SLURM_STEP_NUM_TASKS"
_ALONE = timedelta(days=30)  # rank 0 may work so long by itself; a process that ends closes its connections at once


class LocalProcesses(ClusterEnvironment):
    """Processes on this machine that the command starts itself."""

    def __init__(self, *, rank: int, size: int, port: int) -> None:
        super().__init__()
        self._rank, self._size, self._port = rank, size, port

    @property
    def creates_processes_externally(self) -> bool:
        """True: Lightning starts none."""
        return True

    @property
    def main_address(self) -> str:
        """Address of rank 0."""
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        """Port of rank 0."""
        return self._port

    @staticmethod
    def detect() -> bool:
        """Return False: nothing in the surroundings says so."""
        return False

    def world_size(self) -> int:
        """Return the number of processes."""
        return self._size

    def set_world_size(self, size: int) -> None:
        """Leave the number as it is."""

    def global_rank(self) -> int:
        """Return the process's number."""
        return self._rank

    def set_global_rank(self, rank: int) -> None:
        """Leave the number as it is."""

    def local_rank(self) -> int:
        """Return the process's number, of the only machine."""
        return self._rank

    def node_rank(self) -> int:
        """Return 0: there is one machine."""
        return 0


@dataclass(frozen=True)
class Ranks(Processes):
    """Processes that train together, each on one device; rank 0 leads, the others call what it sends."""

    environment: ClusterEnvironment

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return self.environment.global_rank()

    @property
    def size(self) -> int:
        """Number of all processes."""
        return self.environment.world_size()

    def send(self, task: Task) -> None:
        """Let the others call the task; rank 0 then does its own part."""
        assert self.rank == 0
        self.from_first(_pickled(task))

    def send_end(self) -> None:
        """Let the others end: there is no more to do."""
        self.from_first(b"")

    def receive(self) -> Task | None:
        """Return what rank 0 sends next; None at the end."""
        message: Any = None
        while not isinstance(message, bytes):  # of a task that failed here before it was over
            message = self.from_first(None)
        return pickle.loads(message) if message else None


def launched_environment() -> ClusterEnvironment | None:
    """Return where this process is among those that torchrun or srun started; None where it is the only one.

    Raises:
        ConfigurationError: srun was started with what Lightning does not take, such as --ntasks.
    """
    environment: ClusterEnvironment
    if TorchElasticEnvironment.detect():
        environment = TorchElasticEnvironment()
    elif SLURMEnvironment.detect() and _OF_SRUN in os.environ:  # a batch script's own process has tasks, too
        try:
            environment = SLURMEnvironment(auto_requeue=False)
        except RuntimeError as error:
            raise ConfigurationError(f"trainer.devices and srun do not go together: {error}") from error
    else:
        return None
    return environment if environment.world_size() > 1 else None


def num_ranks(trainer: Mapping[str, Any]) -> int:
    """Return the number of processes that trainings have, on all machines.

    Raises:
        ConfigurationError: `trainer.devices` lists devices that are not GPUs.
    """
    if trainer["devices"] == 1 and trainer["num_nodes"] == 1:
        return 1
    devices = local_devices(trainer)
    return (devices if isinstance(devices, int) else len(devices)) * int(trainer["num_nodes"])


def local_devices(trainer: Mapping[str, Any]) -> int | list[int]:
    """Return the devices of one machine: how many, or which GPUs; raises as `num_ranks`."""
    devices, on_gpu = trainer["devices"], resolve_device(trainer["accelerator"]).type == "cuda"
    if isinstance(devices, list) and not on_gpu:
        raise ConfigurationError(
            f"trainer.devices={devices} names GPUs, but the study computes on CPUs: set trainer.devices to a number"
        )
    if devices != "auto":
        return devices  # type: ignore[no-any-return]
    environment = launched_environment()
    if environment is not None:
        return environment.world_size() // int(trainer["num_nodes"])
    return torch.cuda.device_count() if on_gpu else 1


def use_device(devices: int | list[int], *, local_rank: int) -> None:
    """Make the process's own GPU the current one, if it has one."""
    if torch.cuda.is_available():
        places = devices if isinstance(devices, list) else range(torch.cuda.device_count())
        torch.cuda.set_device(places[local_rank % len(places)])


def connect(environment: ClusterEnvironment) -> Ranks:
    """Connect this process with the others and return them."""
    if not distributed.is_initialized():
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            init_method=f"tcp://{environment.main_address}:{environment.main_port}",
            rank=environment.global_rank(),
            world_size=environment.world_size(),
            timeout=_ALONE,
        )
    return Ranks(environment)


def average_over_ranks(gradients: list[Tensor]) -> None:
    """Replace each gradient by its mean over all processes."""
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _pickled(task: Task) -> bytes:
    """Return the task as bytes, without loggers: rank 0 alone logs."""
    file = io.BytesIO()
    _WithoutLoggers(file).dump(task)
    return file.getvalue()


class _WithoutLoggers(cloudpickle.Pickler):  # type: ignore[misc]
    def reducer_override(self, obj: Any) -> Any:
        return (bool, ()) if isinstance(obj, Logger) else super().reducer_override(obj)


def free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
