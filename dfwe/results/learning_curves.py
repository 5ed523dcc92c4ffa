"""How each training of a study went: its dev scores after every epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dfwe.stages.base import Stage
from dfwe.stages.train import TrainStage
from dfwe.store.store import Store


def curve_results(stages: Iterable[tuple[str, Stage]], *, store: Store) -> list[dict[str, Any]]:
    """Return a record for each training among a study's stages and their parts, in the order in which they were made.

    `epochs` hold the dev scores, fractions: `target`, and `own` of an expert's own task where that is another; null
    where they are not known. `best_epoch` counts from 1, and `criterion` is what it was chosen by.
    """
    return [
        {
            "name": stage.recipe.name,
            "part": part,
            "tasks": [task.short for task in stage.recipe.tasks],
            **{key: stage.result(store).card.result[key] for key in ("epochs", "best_epoch", "criterion")},
        }
        for part, stage in stages
        if isinstance(stage, TrainStage)
    ]
