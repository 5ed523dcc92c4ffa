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

from dfwe.config.tasks import Target
from dfwe.errors import StoreError
from dfwe.families.base import Bench
from dfwe.records import Evaluation, Instance
from dfwe.stages.base import Stage, Tell
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.store.store import Entry
from dfwe.strict_json import read_json

ANSWERS, LABEL_SCORES = "predictions.json", "label_scores.npy"


@dataclass(frozen=True)
class EvaluateStage(Stage):
    """Scores an expert or a merge on the target's test split; the only stage that reads test instances.

    `bench` may answer in another way than the subject's own bench.
    """

    kind: ClassVar[str] = "evaluate"
    bench: Bench
    subject: TrainStage | MergeStage
    target: Target

    @property
    def title(self) -> str:
        """What the user reads."""
        words = f"test {self.subject.title}"
        return words if self.bench.decode == self.subject.bench.decode else f"{words}, decode={self.bench.decode}"

    def spec(self) -> dict[str, Any]:
        """The model, the task, the split."""
        return {
            "bench": self.bench.spec(),
            "subject": self.subject.digest,
            "target": self.bench.task_spec(self.target),
            "split": "test",
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The model; of a merge, which is made again from its coefficients, what that needs, too."""
        return (self.bench.parent, self.subject, *self.subject.needs)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Answers every test instance once."""
        begun = time.perf_counter()
        scorer = self.bench.scorer(self.target, split="test")
        model = self.subject.model(self.subject.result(self.bench.store))
        evaluation = scorer(model.to(self.bench.device), exact=True)
        instances = self.bench.instances(self.target, split="test")
        write_predictions(folder / ANSWERS, evaluation.predictions, instances=instances)
        result = {**evaluation.scores, "n": len(instances), "seconds": round(time.perf_counter() - begun, 2)}
        if evaluation.label_scores is None:
            return result, (ANSWERS,)
        np.save(folder / LABEL_SCORES, evaluation.label_scores)
        return result, (ANSWERS, LABEL_SCORES)

    def evaluation(self, entry: Entry) -> Evaluation:
        """The evaluation, from the stored answers."""
        return self.bench.scorer(self.target, split="test").evaluate(read_predictions(entry.file(ANSWERS)))

    def label_scores(self, entry: Entry) -> Float[np.ndarray, "examples labels"] | None:
        """How likely each label was found; None for free text, and where they were not kept (an older store)."""
        return np.asarray(np.load(entry.file(LABEL_SCORES))) if LABEL_SCORES in entry.card.files else None


def write_predictions(path: Path, predictions: Sequence[str], *, instances: Sequence[Instance]) -> None:
    """The answers on a split beside their instances' ids."""
    pairs = zip(instances, predictions, strict=True)
    content = [{"instance_id": instance.instance_id, "prediction": answer} for instance, answer in pairs]
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf8")


def read_predictions(path: Path) -> tuple[str, ...]:
    """The answers alone."""
    return tuple(each["prediction"] for each in read_json(path, error=StoreError))
