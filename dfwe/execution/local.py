"""Run a study's stages in order, with progress."""

from __future__ import annotations

import ctypes
import gc
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from typing import ClassVar, Protocol

from omegaconf import DictConfig

from dfwe.execution.ranks import opened_ranks, over_ranks
from dfwe.families.base import ModelFamily
from dfwe.process.logs import about
from dfwe.stages.base import Stage, Tell
from dfwe.stages.external_expert import ExternalExpert
from dfwe.store.store import Store
from dfwe.training.ranks import Ranks

Start = Callable[[int, int, str], Tell]


class Execute(Protocol):
    """Makes every stage that the store does not hold; returns the seconds each made stage took, by title.

    Each stage comes with its part, after those it needs. `start(number, total, title)` gives what is told the stage's
    share in [0, 1].
    """

    def __call__(self, stages: Sequence[tuple[str, Stage]], *, start: Start) -> dict[str, float]:
        """Run them."""


class Executor(ABC):
    """Where a study's stages are made."""

    is_sequential: ClassVar[bool]  # whether it makes one stage after the other

    @abstractmethod
    def opened(self, config: DictConfig, *, family: ModelFamily) -> AbstractContextManager[Execute]:
        """Return the context within which stages of the configuration's study are run."""


class LocalExecutor(Executor):
    """In this process, one after the other; with those beside it that the trainer asks for."""

    is_sequential: ClassVar[bool] = True

    @contextmanager
    def opened(self, config: DictConfig, *, family: ModelFamily) -> Iterator[Execute]:
        """Yield within a context that has the processes; raises as `opened_ranks`."""
        with opened_ranks(family.context.trainer) as ranks:
            yield partial(execute, store=family.context.store, ranks=ranks)


def execute(
    stages: Sequence[tuple[str, Stage]], *, store: Store, start: Start, ranks: Ranks | None = None
) -> dict[str, float]:
    """Execute the stages in their order, see `Execute`."""
    store.reserve(f"{stage.kind}-{stage.digest}" for _, stage in stages)
    seconds: dict[str, float] = {}
    for number, (part, stage) in enumerate(stages, start=1):
        title = describe(part, stage)
        tell = start(number, len(stages), title)
        if stage.find(store) is None:
            with over_ranks(stage, ranks=ranks) as shared:
                seconds[title] = make_timed(shared, store=store, tell=tell)
        tell(1.0)
    return seconds


def make_timed(stage: Stage, *, store: Store, tell: Tell = lambda share: None) -> float:
    """Make the stage and return the seconds that it took."""
    _spare_libraries()
    start = time.perf_counter()
    with about(stage.title):
        stage.result(store, tell=tell)
    seconds = round(time.perf_counter() - start, 2)
    gc.collect()  # a Trainer and its module hold each other: else every stage's optimizer state stays in memory
    _trim()(0)
    return seconds


@cache
def _trim() -> Callable[[int], int]:
    """Return glibc's function that gives freed memory back to the system, a third of what a process has by then.

    Tensors of less than 32 MB lie between others that are still used. Where there is no such function nothing is done.
    """
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # musl, macOS, Windows
        return lambda padding: 0
    return trim


@cache
def _spare_libraries() -> None:
    """Take the imports' objects out of all later collections: half a million, a quarter of a second each time."""
    gc.collect()
    gc.freeze()


def describe(part: str, stage: Stage) -> str:
    """Return a stage's title in the user's words."""
    if isinstance(stage, ExternalExpert):
        return f"load {stage.title}"
    words = {"train": "train expert {}", "finetune": "fine-tune {}", "baseline": "train the {}"}
    return words.get(part, "{}").format(stage.title).replace("expert expert ", "expert ")  # on all tasks
