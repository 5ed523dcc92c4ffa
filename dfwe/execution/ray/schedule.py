"""Which stage is made next, and by how many workers; knows nothing of Ray."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from dfwe.errors import ExecutorError
from dfwe.execution.local import Start, describe
from dfwe.stages.base import Stage, Tell
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finished:
    """A stage that a worker has made, in so many seconds; None where the worker was lost."""

    digest: str
    seconds: float | None


class Team(ABC):
    """Workers, each of which makes a stage at a time or helps another with its candidates."""

    @property
    @abstractmethod
    def num_idle(self) -> int:
        """How many wait for work."""

    @abstractmethod
    def begin(self, digest: str, *, num_helpers: int) -> None:
        """Gives the stage to an idle worker, with so many others to help it."""

    @abstractmethod
    def wait(self) -> Finished | None:
        """Waits until something happens: a stage's end, or None where a worker has become idle otherwise.

        Raises what a stage raised.
        """


class Schedule:
    """Makes stages once those that they need are made, as many at a time as there are idle workers.

    Of those that can begin the first of the list does. Workers that no training or other merge waits for help a merge
    with the candidates that it asks at once. `is_held` tells whether the store has a stage.

    Raises:
        ExecutorError: a stage's worker was lost more than `retries` times.
    """

    def __init__(
        self,
        stages: Sequence[tuple[str, Stage]],
        *,
        team: Team,
        is_held: Callable[[Stage], bool],
        start: Start,
        retries: int,
    ) -> None:
        self._stages = {stage.digest: (part, stage) for part, stage in stages}
        self._team, self._is_held, self._start, self._retries = team, is_held, start, retries
        self._graph = TopologicalSorter(
            {
                digest: [need.digest for need in stage.needs if need.digest in self._stages]
                for digest, (_, stage) in self._stages.items()
            }
        )
        self._waiting: list[str] = []
        self._tells: dict[str, Tell] = {}
        self._losses: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}

    def run(self) -> dict[str, float]:
        """Makes them all; the seconds each made stage took, by title."""
        self._graph.prepare()
        while self._graph.is_active():
            self._take_ready()
            self._hand_out()
            if self._graph.is_active():
                self._take(self._team.wait())
        return self._seconds

    def _take_ready(self) -> None:
        """What can begin now waits in the order of the list; what the store has is done."""
        while ready := self._graph.get_ready():
            for digest in ready:
                if self._is_held(self._stages[digest][1]):
                    self._tell(digest)(1.0)
                    self._graph.done(digest)
                else:
                    self._waiting.append(digest)
        self._waiting.sort(key=list(self._stages).index)

    def _hand_out(self) -> None:
        while self._waiting and self._team.num_idle:
            digest = self._waiting.pop(0)
            self._tell(digest)
            self._team.begin(digest, num_helpers=self._num_helpers(self._stages[digest][1]))

    def _num_helpers(self, stage: Stage) -> int:
        """How many idle workers may help with the stage; those that longer stages wait for may not."""
        if not isinstance(stage, MergeStage):
            return 0
        longer = sum(not isinstance(self._stages[each][1], EvaluateStage) for each in self._waiting)
        return max(0, min(stage.asks - 1, self._team.num_idle - 1 - longer))

    def _take(self, finished: Finished | None) -> None:
        if finished is None:
            return
        if finished.seconds is None:
            self._take_loss(finished.digest)
            return
        self._seconds[self._title(finished.digest)] = finished.seconds
        self._tell(finished.digest)(1.0)
        self._graph.done(finished.digest)

    def _take_loss(self, digest: str) -> None:
        self._losses[digest] += 1
        title = self._title(digest)
        if self._losses[digest] > self._retries:
            raise ExecutorError(
                f"{title}: its worker was lost {self._losses[digest]} times, which is more than "
                f"executor.retries={self._retries}: is there memory enough for {self._team.num_idle + 1} workers? "
                "What is made stays, the same command goes on"
            )
        log.warning("%s: its worker was lost; it is begun again", title)
        self._waiting.insert(0, digest)

    def _tell(self, digest: str) -> Tell:
        """What is told the stage's share; it begins when this is first asked for."""
        if digest not in self._tells:
            self._tells[digest] = self._start(len(self._tells) + 1, len(self._stages), self._title(digest))
        return self._tells[digest]

    def _title(self, digest: str) -> str:
        return describe(*self._stages[digest])
