"""Make stages in several processes at once: start or join them, and what those beside rank 0 do."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from torch import distributed

from dfwe.errors import ConfigurationError, ExecutorError
from dfwe.execution.candidate_evaluator import candidate_evaluator
from dfwe.execution.quiet import quiet
from dfwe.merging.expert_array import ExpertArray
from dfwe.process.exit import complain, words_of
from dfwe.records import Coefficients, Evaluation
from dfwe.search.trial_runner import EvaluateOne, TimedEvaluation
from dfwe.stages.base import Stage
from dfwe.stages.candidate_pool import CandidatePool
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.training.ranks import (
    LocalProcesses,
    Ranks,
    connect,
    free_port,
    launched_environment,
    local_devices,
    num_ranks,
    use_device,
)

_PATIENCE = 20.0  # seconds in which the other processes of a failure tell of it, too
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")


@contextmanager
def opened_ranks(trainer: Mapping[str, Any]) -> Iterator[Ranks | None]:
    """Start, or join, the processes that the trainer's settings ask for; None where one is enough.

    Raises:
        ConfigurationError: another number of processes was started by torchrun or srun.
        ExecutorError: a process has ended before the study.
    """
    environment, size = launched_environment(), num_ranks(trainer)
    _check_launched(1 if environment is None else environment.world_size(), trainer, size=size)
    if size == 1:
        if isinstance(trainer["devices"], list):
            use_device(trainer["devices"], local_rank=0)
        yield None
        return
    with ExitStack() as stack:
        if environment is None:
            environment = stack.enter_context(_started(size))
        devices = local_devices(trainer)
        use_device(devices, local_rank=environment.local_rank())
        ranks = connect(environment)
        ranks.send(RankSetup(str(Path.cwd()), torch.get_num_threads(), devices))
        try:
            yield ranks
        except (RuntimeError, OSError) as error:
            if not is_lost(error):
                raise
            raise ExecutorError(
                f"one of the {size} processes that train together has ended: the same command goes on where it stopped"
            ) from error


def is_lost(error: Exception) -> bool:
    """Return whether it says that another process has ended."""
    return any(words in str(error) for words in _LOST)


@contextmanager
def over_ranks(stage: Stage, *, ranks: Ranks | None) -> Iterator[Stage]:
    """Yield the stage so that all processes make it, if it is one that they can share."""
    if ranks is not None and isinstance(stage, TrainStage):
        yield replace(stage, ranks=ranks)
    elif ranks is not None and isinstance(stage, MergeStage):
        with closing(RankCandidatePool(stage, ranks=ranks)) as pool:
            yield replace(stage, pool=pool)
    else:
        yield stage


@dataclass(frozen=True)
class RankSetup:
    """Settings with which a process computes as rank 0: the folder that paths are relative to, threads, devices."""

    folder: str
    threads: int
    devices: int | list[int]

    def __call__(self, ranks: Ranks) -> None:
        """Prepare this process."""
        os.chdir(self.folder)
        quiet()
        logging.getLogger("dfwe").setLevel(logging.ERROR)  # rank 0 warns
        torch.set_num_threads(self.threads)
        use_device(self.devices, local_rank=ranks.environment.local_rank())


class RankCandidatePool(CandidatePool):
    """All processes, of which each has the experts: a full round of candidates is shared out, others by dev's rows."""

    def __init__(self, stage: MergeStage, *, ranks: Ranks) -> None:
        self._stage, self._ranks = stage, ranks
        self._is_open = False

    def share(self, array: ExpertArray) -> ExpertArray:
        """Let the other processes load the experts, too."""
        self._ranks.send(partial(_evaluate_candidates, self._stage))
        self._is_open = True
        return array

    def evaluate_batch(
        self, candidates: Sequence[Coefficients], best: Evaluation | None, evaluate_one: EvaluateOne, /
    ) -> Iterator[TimedEvaluation]:
        """Evaluate candidates together with the other processes."""
        size = self._ranks.size
        shared = len(candidates) - len(candidates) % size
        rounds = [candidates[begin : begin + size] for begin in range(0, shared, size)]
        for candidates_of_round in [*rounds, *([candidate] for candidate in candidates[shared:])]:
            yield from self._evaluate(candidates_of_round, best=best, evaluate_one=evaluate_one)

    def close(self) -> None:
        """Let the other processes wait for another stage."""
        if self._is_open:
            with suppress(RuntimeError):  # one has ended
                self._ranks.from_first(None)

    def _evaluate(
        self, candidates: Sequence[Coefficients], *, best: Evaluation | None, evaluate_one: EvaluateOne
    ) -> list[TimedEvaluation]:
        self._ranks.from_first((candidates, best))
        scorer = self._stage.family.scorer(self._stage.target, split="dev")
        if len(candidates) == self._ranks.size:
            return self._ranks.gather(evaluate_one(candidates[0], best))
        with scorer.split_over(self._ranks):
            return [evaluate_one(candidates[0], best)]


def _evaluate_candidates(stage: MergeStage, ranks: Ranks) -> None:
    """Evaluate what `RankCandidatePool` asks for, until it is closed."""
    evaluator = candidate_evaluator(stage, array=stage.expert_array())
    scorer = stage.family.scorer(stage.target, split="dev")
    while (request := ranks.from_first(None)) is not None:
        candidates, best = request
        if len(candidates) == ranks.size:
            ranks.gather(evaluator(candidates[ranks.rank], best))
            continue
        with scorer.split_over(ranks):
            evaluator(candidates[0], best)


def work(ranks: Ranks) -> None:
    """Do what rank 0 sends, until it sends the end or is gone.

    A task that fails here and at rank 0 alike is told by rank 0. One that fails here alone would leave the others
    waiting: this process ends, and with its connections the others.
    """
    end: threading.Timer | None = None
    while (task := ranks.receive()) is not None:
        if end is not None:
            end.cancel()
        try:
            task(ranks)
        except Exception as error:
            end = _end_later(error, rank=ranks.rank)


def work_if_launched() -> bool:
    """Do what rank 0 sends where torchrun or srun started this process beside rank 0; return whether they did."""
    environment = launched_environment()
    if environment is None or environment.global_rank() == 0:
        return False
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # rank 0 tells of it
    _work_quietly(environment)
    return True


def end_launched() -> None:
    """End the processes that torchrun or srun started beside this one."""
    environment = launched_environment()
    if environment is not None:
        with suppress(RuntimeError):  # one has ended already
            connect(environment).send_end()


def main() -> None:
    """Be the process that `_started` started: rank, size, port."""
    rank, size, port = map(int, sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # rank 0 hears it, and its end is this one's
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work_quietly(LocalProcesses(rank=rank, size=size, port=port))


@contextmanager
def _started(size: int) -> Iterator[LocalProcesses]:
    """Start the other processes on this machine; they end with this one, however it ends."""
    port = free_port()
    command = [sys.executable, "-m", "dfwe.execution.ranks"]
    workers = [
        subprocess.Popen([*command, str(rank), str(size), str(port)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for rank in range(1, size)
    ]
    is_over = threading.Event()
    for worker in workers:
        threading.Thread(target=_watch, args=(worker, is_over), daemon=True).start()
    try:
        yield LocalProcesses(rank=0, size=size, port=port)
    finally:
        is_over.set()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.close()
        if distributed.is_initialized():
            distributed.destroy_process_group()
        for worker in workers:
            worker.wait()


def _watch(worker: subprocess.Popen[bytes], is_over: threading.Event) -> None:
    """End this process some time after a worker that it may wait for, if it does not end by itself."""
    worker.wait()
    if not is_over.wait(_PATIENCE):
        complain(f"a process of the study has ended (exit code {worker.returncode}): the same command goes on")
        os._exit(1)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _work_quietly(environment: ClusterEnvironment) -> None:
    """Work until the end; rank 0 tells the user that processes are gone."""
    try:
        work(connect(environment))
    except RuntimeError as error:
        if not is_lost(error):
            raise
        sys.exit(1)


def _end_later(error: Exception, *, rank: int) -> threading.Timer:
    """Return what ends this process in a while, if rank 0 does not send another task by then; raises our own faults."""
    words = words_of(error)
    if words is None or is_lost(error):
        raise error

    def end() -> None:
        complain(f"process {rank}: {words}")
        os._exit(1)

    timer = threading.Timer(_PATIENCE, end)
    timer.daemon = True
    timer.start()
    return timer


def _check_launched(launched: int, trainer: Mapping[str, Any], *, size: int) -> None:
    """Raise ConfigurationError unless the processes are as many as the trainer's settings ask for."""
    settings = f"trainer.devices={trainer['devices']} and trainer.num_nodes={trainer['num_nodes']}"
    if launched > 1 and launched != size:
        raise ConfigurationError(
            f"{settings} are {size} processes, but {launched} were started: set trainer.devices to the processes of "
            "one machine and trainer.num_nodes to the number of machines"
        )
    if launched == 1 and trainer["num_nodes"] > 1:
        raise ConfigurationError(
            f"{settings} need processes on several machines: start the command by torchrun or srun, one per device"
        )


if __name__ == "__main__":
    main()
