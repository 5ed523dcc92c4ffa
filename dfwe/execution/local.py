"""Running a study's stages in order, with progress, and collecting what they gave."""

from __future__ import annotations

import gc
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import Protocol

from omegaconf import DictConfig

from dfwe.families.base import ModelFamily
from dfwe.process.logs import about
from dfwe.stages.base import Stage, Tell
from dfwe.store.store import Store

Start = Callable[[int, int, str], Tell]


class Execute(Protocol):
    """Makes every stage that the store does not hold; returns the seconds each made stage took, by title.

    Each stage comes with its part, after those it needs. `start(number, total, title)` gives what is told the stage's
    share in [0, 1].
    """

    def __call__(self, stages: Sequence[tuple[str, Stage]], *, start: Start) -> dict[str, float]:
        """Runs them."""


class Executor(ABC):
    """Where a study's stages are made."""

    @abstractmethod
    def opened(self, config: DictConfig, *, family: ModelFamily) -> AbstractContextManager[Execute]:
        """What runs stages of the study that the configuration describes, until the context ends."""


class LocalExecutor(Executor):
    """In this process, one after the other."""

    def opened(self, config: DictConfig, *, family: ModelFamily) -> AbstractContextManager[Execute]:
        """Needs nothing."""
        return nullcontext(partial(execute, store=family.context.store))


def execute(stages: Sequence[tuple[str, Stage]], *, store: Store, start: Start) -> dict[str, float]:
    """As `Execute` says, in the stages' order."""
    store.use(f"{stage.kind}-{stage.digest}" for _, stage in stages)
    seconds: dict[str, float] = {}
    for number, (part, stage) in enumerate(stages, start=1):
        title = describe(part, stage)
        tell = start(number, len(stages), title)
        if stage.find(store) is None:
            seconds[title] = made_in(stage, store=store, tell=tell)
        tell(1.0)
    return seconds


def made_in(stage: Stage, *, store: Store, tell: Tell = lambda share: None) -> float:
    """Makes the stage; the seconds that it took."""
    _spare_libraries()
    begun = time.perf_counter()
    with about(stage.title):
        stage.result(store, tell=tell)
    seconds = round(time.perf_counter() - begun, 2)
    gc.collect()  # a Trainer and its module hold each other: else every stage's optimizer state stays in memory
    return seconds


@cache
def _spare_libraries() -> None:
    """Takes what the imports left out of all later collections: half a million objects, a quarter of a second each."""
    gc.collect()
    gc.freeze()


def describe(part: str, stage: Stage) -> str:
    """A stage in the user's words."""
    words = {"train": "train expert {}", "finetune": "fine-tune {}", "baseline": "train the {}"}
    return words.get(part, "{}").format(stage.title).replace("expert expert ", "expert ")  # on all tasks
