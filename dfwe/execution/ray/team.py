"""A study's workers on Ray: who waits, who makes what; lost ones are replaced."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayActorError

from dfwe.errors import ExecutorError
from dfwe.execution.ray.got import got
from dfwe.execution.ray.kept import Kept
from dfwe.execution.ray.schedule import Finished, Team

log = logging.getLogger(__name__)

_PATIENCE = 60.0  # seconds without any worker after which it is said that there is none
_TICK = 0.2  # seconds between two looks: while Ray itself waits, Ctrl-C is heard once a second, which is too late
_MUSTER = 10.0  # seconds that the first worker waits for the others: a merge is to find its helpers


@dataclass(frozen=True)
class Job:
    """A stage in the hands of a worker, with those that help it."""

    digest: str
    worker: Any
    helpers: tuple[Any, ...]


class RayTeam(Team):
    """So many workers, each started by `hire`, which returns its handle and the sign that it is ready.

    `keep` takes what a worker has said and logged.
    """

    def __init__(
        self, size: int, *, hire: Callable[[], tuple[Any, Any]], keep: Callable[[Kept], None], retries: int
    ) -> None:
        self._hire, self._keep, self._starts_left = hire, keep, size + retries
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, Job] = {}
        self._said = False
        for _ in range(size):
            self._start()

    @property
    def num_idle(self) -> int:
        """How many wait for work."""
        return len(self._idle)

    def begin(self, digest: str, *, num_helpers: int) -> None:
        """Gives the stage to an idle worker, with so many others to help it."""
        worker = self._idle.pop(0)
        helpers = tuple(self._idle.pop(0) for _ in range(num_helpers))
        self._busy[worker.make.remote(digest, helpers)] = Job(digest, worker, helpers)

    def wait(self) -> Finished | None:
        """Waits until a stage is made, or its worker lost; or, None, until a worker is ready.

        Raises what a stage or its planning raised; ExecutorError where workers are lost again and again before they
        begin.
        """
        done = self._happened()
        if done[0] in self._busy:
            return self._end(done[0])
        for ready in done:
            self._welcome(ready)
        return None

    def close(self) -> None:
        """Ends all workers."""
        jobs = self._busy.values()
        for worker in [*self._idle, *self._starting.values(), *(job.worker for job in jobs)]:
            ray.kill(worker)
        for helper in (helper for job in jobs for helper in job.helpers):
            ray.kill(helper)

    def _happened(self) -> list[Any]:
        """A stage's end, or the signs of workers that are ready: while none works, of all that start together."""
        begun = time.monotonic()
        while not (done := _done([*self._busy, *self._starting])):
            if not self._said and not self._busy and time.monotonic() - begun > _PATIENCE:
                log.warning("no worker has started yet: has the cluster room for one, its CPUs and GPUs not in use?")
                self._said = True
        begun = time.monotonic()
        while not self._busy and len(done) < len(self._starting) and time.monotonic() - begun < _MUSTER:
            done = _done(list(self._starting), all_of_them=True)
        return done

    def _start(self) -> None:
        worker, ready = self._hire()
        self._starting[ready] = worker

    def _welcome(self, ready: Any) -> None:
        worker = self._starting.pop(ready)
        try:
            got(ready)
        except RayActorError as error:
            self._starts_left -= 1
            if self._starts_left < 0:
                raise ExecutorError(f"workers are lost as soon as they start: {error}") from error
            self._start()
        else:
            self._idle.append(worker)

    def _end(self, made: Any) -> Finished:
        job = self._busy.pop(made)
        self._idle.extend(job.helpers)
        try:
            found = got(made)
        except RayActorError:
            self._start()
            return Finished(job.digest, None)
        self._idle.append(job.worker)
        self._keep(found.kept)
        return Finished(job.digest, found.seconds)


def _done(references: list[Any], *, all_of_them: bool = False) -> list[Any]:
    """Those that are there after a tick at most; as soon as there is one, or all."""
    done, _ = ray.wait(references, num_returns=len(references) if all_of_them else 1, timeout=_TICK)
    return list(done)
