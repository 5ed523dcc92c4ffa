"""The evaluate stage: a model of the study, once, on the test split."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dfwe.merging.experts import load_weights
from dfwe.records import Evaluation
from dfwe.stages.base import Stage, Tell
from dfwe.stages.bench import Bench
from dfwe.stages.merge import MergeStage
from dfwe.stages.tasks import Target
from dfwe.stages.train import WEIGHTS, TrainStage
from dfwe.store.store import Entry

ANSWERS = "predictions.json"


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
        evaluation = scorer(self._model(), exact=True)
        ids = [instance.instance_id for instance in self.bench.instances(self.target, split="test")]
        answers = [{"instance_id": i, "prediction": p} for i, p in zip(ids, evaluation.predictions, strict=True)]
        (folder / ANSWERS).write_text(json.dumps(answers, ensure_ascii=False), encoding="utf8")
        return {**evaluation.scores, "n": len(ids), "seconds": round(time.perf_counter() - begun, 2)}, (ANSWERS,)

    def evaluation(self, entry: Entry) -> Evaluation:
        """The evaluation, from the stored answers."""
        answers = json.loads(entry.file(ANSWERS).read_text(encoding="utf8"))
        predictions = tuple(each["prediction"] for each in answers)
        return self.bench.scorer(self.target, split="test").evaluate(predictions)

    def _model(self) -> Any:
        store = self.bench.store
        entry = self.subject.result(store)
        if isinstance(self.subject, MergeStage):
            return self.subject.model(entry).to(self.bench.device)
        model = self.bench.model()
        load_weights(model, entry.file(WEIGHTS), name=self.subject.label)
        return model.to(self.bench.device)
