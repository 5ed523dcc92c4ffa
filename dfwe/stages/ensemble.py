"""The stage of an ensemble: label scores that experts' own stages kept, averaged."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.records import Evaluation
from dfwe.stages.base import Stage, Tell
from dfwe.stages.evaluate import ANSWERS, EvaluateStage, read_predictions, write_predictions
from dfwe.stages.train import TrainStage, parent_of
from dfwe.store.store import Entry


@dataclass(frozen=True)
class EnsembleStage(Stage):
    """Answers each instance with the label whose log-likelihood, normalised over the labels, is highest in the mean.

    That is the normalised geometric mean of the experts' distributions, the logit ensemble. Where an expert's label
    scores were not kept (an older store) it answers again.
    """

    kind: ClassVar[str] = "ensemble"
    family: ModelFamily
    experts: Mapping[str, TrainStage]
    tested: Mapping[str, EvaluateStage]
    target: Task

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return "ensemble of the experts' answers"

    def spec(self) -> dict[str, Any]:
        """Return the experts and the task."""
        return {
            "family": self.family.spec(),
            "experts": {name: stage.digest for name, stage in self.experts.items()},
            "target": self.family.task_spec(self.target),
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """Experts and their answers."""
        return (*parent_of(self.family), *self.experts.values(), *self.tested.values())

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Average the experts' label scores, and answer dev and test."""
        start, store = time.perf_counter(), self.family.context.store
        on_dev, on_test = [], []
        for number, (name, stage) in enumerate(self.experts.items()):
            tell(number / len(self.experts))
            label_scores = stage.label_scores(stage.result(store))
            on_dev.append(self._scores(stage, split="dev") if label_scores is None else label_scores)
            tested = self.tested[name]
            label_scores = tested.label_scores(tested.result(store))
            on_test.append(self._scores(stage, split="test") if label_scores is None else label_scores)
        dev = self.family.scorer(self.target, split="dev").evaluate(self._answers(on_dev, split="dev"))
        instances = self.family.instances(self.target, split="test")
        write_predictions(folder / ANSWERS, self._answers(on_test, split="test"), instances=instances)
        return {"dev": dev.scores, "seconds": round(time.perf_counter() - start, 2)}, (ANSWERS,)

    def evaluation(self, entry: Entry) -> Evaluation:
        """Return the evaluation on test, from the stored answers."""
        return self.family.scorer(self.target, split="test").evaluate(read_predictions(entry.file(ANSWERS)))

    def _scores(self, stage: TrainStage, *, split: Any) -> Float[np.ndarray, "examples labels"]:
        model = stage.model(stage.result(self.family.context.store)).to(self.family.context.device)
        scores = self.family.scorer(self.target, split=split)(model, exact=True).label_scores
        assert scores is not None
        return scores

    def _answers(self, scores: Sequence[Float[np.ndarray, "examples labels"]], *, split: Any) -> tuple[str, ...]:
        best = mean_log_probabilities(scores).argmax(axis=1)
        instances = self.family.instances(self.target, split=split)
        return tuple(instance.candidates[place] for instance, place in zip(instances, best, strict=True))


def mean_log_probabilities(
    scores: Sequence[Float[np.ndarray, "examples labels"]],
) -> Float[np.ndarray, "examples labels"]:
    """Return the models' mean of log-likelihoods, normalised over each example's labels (-inf: no label)."""
    total = np.zeros(scores[0].shape)
    for array in scores:
        shifted = array.astype(np.float64) - array.max(axis=1, keepdims=True)
        total += shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.asarray(total / len(scores))
