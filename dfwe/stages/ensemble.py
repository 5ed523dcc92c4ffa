"""The stage of an ensemble: label scores that experts' own stages kept, in the mean or with weights found on dev."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from dfwe.config.instantiate import bind
from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.search.ensemble_weights import EnsembleWeights
from dfwe.search.predictor import LabelMixture, log_probabilities, mean_log_probabilities
from dfwe.stages.base import Stage, Tell
from dfwe.stages.evaluate import ANSWERS, AnswersStage, EvaluateStage, write_predictions
from dfwe.stages.train import TrainStage, parent_of

Scores = Float[np.ndarray, "examples labels"]
Weights = Float[np.ndarray, " experts"]  # of a sum of 1


@dataclass(frozen=True)
class EnsembleStage(AnswersStage):
    """Answers each instance with the label whose log-likelihood, normalised over the labels, is highest in the mean.

    That is the normalised geometric mean of the experts' distributions, the logit ensemble. `weights` is the
    configuration of `EnsembleWeights`: then the mean is weighted. Where an expert's label scores were not kept (an
    older store) it answers again.
    """

    kind: ClassVar[str] = "ensemble"
    family: ModelFamily
    experts: Mapping[str, TrainStage]
    tested: Mapping[str, EvaluateStage]
    target: Task
    weights: Mapping[str, Any] | None = None
    seed: int = 0  # of the weights

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return "ensemble of the experts' answers" + ("" if self.weights is None else ", weighted")

    def spec(self) -> dict[str, Any]:
        """Return the experts and the task."""
        return {
            "family": self.family.spec(),
            "experts": {name: stage.digest for name, stage in self.experts.items()},
            "target": self.family.task_spec(self.target),
            **({} if self.weights is None else {"weights": dict(self.weights), "seed": self.seed}),
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
        result, weights = self._weigh(on_dev)
        dev = self.family.scorer(self.target, split="dev").evaluate(self._answers(on_dev, weights, split="dev"))
        instances = self.family.instances(self.target, split="test")
        write_predictions(folder / ANSWERS, self._answers(on_test, weights, split="test"), instances=instances)
        return {"dev": dev.scores, **result, "seconds": round(time.perf_counter() - start, 2)}, (ANSWERS,)

    def _scores(self, stage: TrainStage, *, split: Any) -> Float[np.ndarray, "examples labels"]:
        model = self.family.on_device(stage.model(stage.result(self.family.context.store)))
        scores = self.family.scorer(self.target, split=split)(model, exact=True).label_scores
        assert scores is not None
        return scores

    def _weigh(self, scores: Sequence[Scores]) -> tuple[dict[str, Any], Weights | None]:
        """Return what the card says of the experts' weights, and these; equal ones are not mentioned."""
        if self.weights is None:
            return {}, None
        scorer, rule = self.family.scorer(self.target, split="dev"), bind(self.weights)
        counts = scorer.label_counts()
        assert isinstance(rule, EnsembleWeights)
        assert counts is not None, "label scores have label counts"
        mixture = LabelMixture(np.stack([log_probabilities(array) for array in scores]), counts, scorer.scorer.score)
        result = rule.find(mixture, names=tuple(self.experts), seed=self.seed)
        return {
            "coefficients": result.coefficients.as_dict(),
            "tried": result.num_tried,
        }, result.coefficients.as_array()

    def _answers(self, scores: Sequence[Scores], weights: Weights | None, *, split: Any) -> tuple[str, ...]:
        best = mean_log_probabilities(scores, weights=weights).argmax(axis=1)
        instances = self.family.instances(self.target, split=split)
        return tuple(instance.candidates[place] for instance, place in zip(instances, best, strict=True))
