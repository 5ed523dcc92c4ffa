"""The evaluate stage: a model of the study, once, on the test split."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from dfwe.config.tasks import Objective, Task
from dfwe.errors import StoreError
from dfwe.families.base import ModelFamily
from dfwe.io.strict_json import read_json
from dfwe.records import Evaluation, Instance
from dfwe.stages.base import Stage, Tell
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage, parent_of
from dfwe.store.store import Entry

ANSWERS, LABEL_SCORES = "predictions.json", "label_scores.npy"


@dataclass(frozen=True)
class EvaluateStage(Stage):
    """Scores an expert or a merge on the target's test split; the only stage that reads test instances.

    `family` may answer in another way than the subject's own family.
    """

    kind: ClassVar[str] = "evaluate"
    family: ModelFamily
    subject: TrainStage | MergeStage
    target: Objective

    @property
    def title(self) -> str:
        """Title in the user's words."""
        words = f"test {self.subject.title}"
        return (
            words
            if self.family.settings.decode == self.subject.family.settings.decode
            else f"{words}, decode={self.family.settings.decode}"
        )

    def spec(self) -> dict[str, Any]:
        """Return the model, the task, the split."""
        return {
            "family": self.family.spec(),
            "subject": self.subject.digest,
            "target": self.family.task_spec(self.target),
            "split": "test",
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """Stage of the model; of a merge, which is made again from its coefficients, what that needs, too."""
        return (*parent_of(self.family), self.subject, *self.subject.needs)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Answer every test instance once."""
        start = time.perf_counter()
        scorer = self.family.scorer(self.target, split="test")
        model = self.subject.model(self.subject.result(self.family.context.store))
        evaluation = scorer(self.family.on_device(model), exact=True)
        instances = self.family.instances(self.target, split="test")
        write_predictions(folder / ANSWERS, evaluation.predictions, instances=instances)
        result = {**evaluation.scores, "n": len(instances), "seconds": round(time.perf_counter() - start, 2)}
        if evaluation.label_scores is None:
            return result, (ANSWERS,)
        np.save(folder / LABEL_SCORES, evaluation.label_scores)
        return result, (ANSWERS, LABEL_SCORES)

    def evaluation(self, entry: Entry) -> Evaluation:
        """Return the evaluation, from the stored answers."""
        return self.family.scorer(self.target, split="test").evaluate(read_predictions(entry.file(ANSWERS)))

    def label_scores(self, entry: Entry) -> Float[np.ndarray, "examples labels"] | None:
        """Return the likelihood of each label; None for free text, and where an older store did not keep them."""
        return np.asarray(np.load(entry.file(LABEL_SCORES))) if LABEL_SCORES in entry.card.files else None


class AnswersStage(Stage):
    """The stage of a model that is known by its answers alone: it is its own evaluation, and gives no weights."""

    family: ModelFamily
    target: Task

    def evaluation(self, entry: Entry) -> Evaluation:
        """Return the evaluation on test, from the stored answers."""
        return self.family.scorer(self.target, split="test").evaluate(read_predictions(entry.file(ANSWERS)))


def write_predictions(path: Path, predictions: Sequence[str], *, instances: Sequence[Instance]) -> None:
    """Write the answers on a split beside their instances' ids."""
    pairs = zip(instances, predictions, strict=True)
    content = [{"instance_id": instance.instance_id, "prediction": answer} for instance, answer in pairs]
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf8")


def read_predictions(path: Path) -> tuple[str, ...]:
    """Read the answers alone."""
    return tuple(answer["prediction"] for answer in read_json(path, error=StoreError))
