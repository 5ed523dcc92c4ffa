"""Estimate how long the trainings that are left take, from those that have run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dfwe.execution.local import Start
from dfwe.stages.base import Stage, Tell
from dfwe.stages.train import TrainStage
from dfwe.store.store import Store

_SHORTEST = 1.0  # seconds of training that a rate is measured by


@dataclass
class RemainingTime:
    """Instances that the trainings of a round of stages read, and the seconds that they took.

    Early stopping ends a training before its cap, so there are two numbers: if the trainings left use the part of
    their caps that those before used, and if all of them run to their caps.
    """

    rows: Sequence[int]  # by each stage, in all epochs of its cap; 0 where nothing is trained
    clock: Callable[[], float] = time.monotonic
    _seconds: float = 0.0
    _num_read: float = 0.0  # in these seconds
    _num_planned: int = 0  # of the same trainings' caps
    _shares: dict[int, float] = field(default_factory=dict)

    def following(self, start: Start) -> Start:
        """Return the same `start`, whose titles tell the time left."""

        def start_stage(number: int, total: int, title: str) -> Tell:
            tell = start(number, total, f"{title}{self._note(number)}")
            begin = self.clock()

            def tell_share(share: float) -> None:
                if share < 1.0:
                    self._shares[number] = share
                else:
                    self._finish(number, seconds=self.clock() - begin)
                tell(share)

            return tell_share

        return start_stage

    def _finish(self, number: int, *, seconds: float) -> None:
        """Count a training that has run; what the store held told no share."""
        share, rows = self._shares.pop(number, 0.0), self.rows[number - 1]
        if share and rows:
            self._seconds += seconds
            self._num_read += share * rows
            self._num_planned += rows

    def _note(self, number: int) -> str:
        """Return the time left as a part of a title; empty where no training is left."""
        left = sum(self.rows[number - 1 :])
        if not left:
            return ""
        if self._seconds < _SHORTEST:
            return " (training time left: unknown)"
        most = left * self._seconds / self._num_read
        return (
            f" (training time left: about {_words(most * self._num_read / self._num_planned)}, at most {_words(most)})"
        )


def num_rows(stages: Sequence[tuple[str, Stage]], *, store: Store) -> list[int]:
    """Return how many instances each stage's training may read; 0 where it trains nothing, or is in the store."""
    return [_num_rows(stage) if stage.find(store) is None else 0 for _, stage in stages]


def _num_rows(stage: Stage) -> int:
    return stage.num_planned_rows if isinstance(stage, TrainStage) else 0


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
