"""Running a study's stages in order, with progress, and collecting what they gave."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

from dfwe.stages.base import Stage, Tell
from dfwe.store.store import Store


def execute(
    stages: Sequence[tuple[str, Stage]], *, store: Store, start: Callable[[int, int, str], Tell]
) -> dict[str, float]:
    """Makes every stage that the store does not hold; returns the seconds each made stage took, by title.

    Each stage comes with its part, after those it needs. `start(number, total, title)` gives what is told the stage's
    share in [0, 1].
    """
    store.use(f"{stage.kind}-{stage.digest}" for _, stage in stages)
    seconds: dict[str, float] = {}
    for number, (part, stage) in enumerate(stages, start=1):
        title = describe(part, stage)
        tell = start(number, len(stages), title)
        if stage.find(store) is None:
            begun = time.perf_counter()
            stage.result(store, tell=tell)
            seconds[title] = round(time.perf_counter() - begun, 2)
            gc.collect()  # a Trainer and its module hold each other: else every stage's optimizer state stays in memory
        tell(1.0)
    return seconds


def describe(part: str, stage: Stage) -> str:
    """A stage in the user's words."""
    words = {"train": "train expert {}", "finetune": "fine-tune {}", "baseline": "train the {}"}
    return words.get(part, "{}").format(stage.title)
