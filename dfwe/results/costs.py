"""Count what the rows of a study cost: to train and search, to answer, to store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfwe.config.tasks import Objective, tasks_of
from dfwe.families.base import BaseModel, ModelFamily
from dfwe.stages.base import Stage
from dfwe.stages.distillation import TeacherStage
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.evaluate import AnswersStage, EvaluateStage
from dfwe.stages.external_expert import ExternalExpert
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.store.card import Card
from dfwe.store.store import Store
from dfwe.studies.source_selection.stage import SelectSourcesStage
from dfwe.values.names import BASELINE

_TRAINED = 3  # passes of a token: the backward pass takes two forward ones (Kaplan et al. 2020, section 2.1)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """What one stage did: the optimizer's steps, tokens that were trained on, tokens and instances that it answered."""

    steps: int = 0
    trained: int = 0
    answered: float = 0.0
    dev_answers: int = 0


@dataclass
class Costs:
    """Count what models cost; the work of each stage is counted once, since a study asks for each model.

    A model that learnt from a source costs the selection of the sources, too.
    """

    store: Store
    selection: SelectSourcesStage | None = None
    _work: dict[str, Work] = field(default_factory=dict)

    def of(self, stage: Stage) -> dict[str, Any]:
        """Return the cost of the model and of every expert and statistic that it is made from, pre-training aside.

        `train_steps` of the optimizer and `train_tokens` that the encoder read (no padding), of epochs that were run;
        `dev_answers`, one an instance that was asked on dev; `training`, all tokens that were read to train and search,
        those that were trained on three times (null where a part was trained elsewhere); `models` that answer a
        question; `seconds` of training and searching (null where one was not recorded); `bytes` of weights and
        statistics in the store (a merge itself is a few coefficients).
        """
        parts = list(_needed(stage))
        learnt = {task.name for part in parts if isinstance(part, TrainStage) for task in part.recipe.tasks}
        if self.selection is not None and learnt - {self.selection.target.name}:
            parts.extend(_needed(self.selection))
        stages = {part.digest: part for part in parts}.values()
        cards = [(part, part.result(self.store).card) for part in stages]
        seconds = [card.result.get("seconds") for _, card in cards]
        files = [file for part, card in cards if not isinstance(part, MergeStage) for file in card.files.values()]
        work = [self._work_of(part, card=card) for part, card in cards]
        trained = sum(item.trained for item in work)
        is_known = not any(isinstance(part, ExternalExpert) for part, _ in cards)
        return {
            "train_steps": sum(item.steps for item in work),
            "train_tokens": trained,
            "dev_answers": sum(item.dev_answers for item in work),
            "training": round(_TRAINED * trained + sum(item.answered for item in work)) if is_known else None,
            "models": num_models(stage, card=stage.result(self.store).card),
            "seconds": None if None in seconds else round(sum(time for time in seconds if time is not None), 2),
            "bytes": sum(file["bytes"] for file in files),
        }

    def _work_of(self, stage: Stage, *, card: Card) -> Work:
        if stage.digest not in self._work:
            self._work[stage.digest] = _work(stage, card=card)
        return self._work[stage.digest]


def num_models(stage: Stage, *, card: Card) -> int:
    """Return the number of models that answer one question: of an ensemble its members that have a weight."""
    if not isinstance(stage, EnsembleStage):
        return 1
    weights = card.result.get("coefficients") or dict.fromkeys(stage.experts, 1.0)
    return sum(weight > 0 for weight in weights.values())


def add_times_baseline(rows: Sequence[dict[str, Any]]) -> None:
    """Add to each row's cost how many times the baseline's `training` its own is; null where one is not known."""
    reference = next((row["cost"]["training"] for row in rows if row["name"] == BASELINE), None)
    for row in rows:
        row["cost"]["times_baseline"] = ratio(row["cost"]["training"], reference)


def not_dearer(row: Row, *, rows: Iterable[Row]) -> list[Row] | None:
    """Return the other rows that cost no more to train, and no more to answer, the cheapest first.

    None where the row's own cost is not known; a row whose cost is not known is left out. Scores play no part.
    """
    cost = row["cost"]
    if cost["training"] is None:
        return None
    rivals = [other for other in rows if other["name"] != row["name"] and other["cost"]["training"] is not None]
    cheap = [other for other in rivals if all(other["cost"][key] <= cost[key] for key in ("training", "models"))]
    return sorted(cheap, key=lambda other: (other["cost"]["training"], other["cost"]["models"]))


def ratio(cost: float | None, reference: float | None) -> float | None:
    """Return a cost as a multiple of another one; None where one is not known, or the other is nothing."""
    return cost / reference if cost is not None and reference else None


def _work(stage: Stage, *, card: Card) -> Work:
    if isinstance(stage, TrainStage):
        epochs, family = len(card.result["epochs"]), stage.family
        asked = [(scored, epochs * len(family.instances(scored, split="dev"))) for scored in stage.scored_on_dev]
        answered = sum(_answered(family, scored, dev_answers=number) for scored, number in asked)
        return Work(stage.num_steps(epochs), stage.num_tokens(epochs), answered, sum(number for _, number in asked))
    if isinstance(stage, MergeStage | AnswersStage):
        steps, trained, dev_answers = (
            card.result.get(key, 0) for key in ("train_steps", "train_tokens", "dev_answers")
        )
        return Work(steps, trained, _answered(stage.family, stage.target, dev_answers=dev_answers), dev_answers)
    if isinstance(stage, TeacherStage):
        return Work(answered=len(card.result["members"]) * stage.num_tokens)
    return Work()


def _answered(family: ModelFamily, objective: Objective | None, *, dev_answers: int) -> float:
    """Return the tokens of so many answers on dev: of those that pruning left out no one knows which, so their mean."""
    if not dev_answers or objective is None:
        return 0.0
    tokens = sum(family.num_split_tokens(task, split="dev") for task in tasks_of(objective))
    return dev_answers * tokens / len(family.instances(objective, split="dev"))


def _needed(stage: Stage) -> Iterator[Stage]:
    """Yield the stage and all that it is made from, whatever their kind; the base model and answers on test aside."""
    yield stage
    for need in stage.needs:
        if not isinstance(need, BaseModel | EvaluateStage):
            yield from _needed(need)
