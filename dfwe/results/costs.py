"""Count what a model cost: its own stage and all that it needs, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dfwe.stages.base import Stage
from dfwe.stages.merge import MergeStage
from dfwe.stages.statistics import StatisticsStage
from dfwe.stages.train import TrainStage
from dfwe.store.store import Store


@dataclass
class Costs:
    """What models cost; the work of each training is counted once, since a study asks for each model."""

    store: Store
    _work: dict[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, stage: Stage) -> dict[str, Any]:
        """Return the cost of the model and of every expert and statistic that it is made from, pre-training aside.

        `train_steps` of the optimizer and `train_tokens` that the encoder read (no padding), of epochs that were run;
        `dev_answers`, one an instance that was asked on dev; `seconds` of training and searching (null where one was
        not recorded); `bytes` of weights and statistics in the store (a merge itself is a few coefficients).
        """
        stages = {part.digest: part for part in _needed(stage)}.values()
        cards = [(part, part.result(self.store).card) for part in stages]
        seconds = [card.result.get("seconds") for _, card in cards]
        files = [card for part, card in cards if not isinstance(part, MergeStage)]
        trainings = [(part, len(card.result["epochs"])) for part, card in cards if isinstance(part, TrainStage)]
        work = [self._work_of(training, epochs=epochs) for training, epochs in trainings]
        return {
            "train_steps": sum(steps for steps, _ in work),
            "train_tokens": sum(tokens for _, tokens in work),
            "dev_answers": sum(epochs * _dev_size(training) for training, epochs in trainings)
            + sum(card.result["dev_answers"] for part, card in cards if isinstance(part, MergeStage)),
            "seconds": None if None in seconds else round(sum(time for time in seconds if time is not None), 2),
            "bytes": sum(file["bytes"] for card in files for file in card.files.values()),
        }

    def _work_of(self, stage: TrainStage, *, epochs: int) -> tuple[int, int]:
        """Return steps and tokens."""
        if stage.digest not in self._work:
            steps = stage.family.num_steps(stage.recipe, epochs=epochs)
            self._work[stage.digest] = (steps, stage.num_tokens(epochs))
        return self._work[stage.digest]


def _needed(stage: Stage) -> Iterator[Stage]:
    yield stage
    for need in stage.needs:
        if isinstance(need, TrainStage | StatisticsStage):
            yield from _needed(need)


def _dev_size(stage: TrainStage) -> int:
    objective = stage.recipe.objective
    return 0 if objective is None else len(stage.family.instances(objective, split="dev"))
