"""Scorers of models on one split of an objective: the interface, and the mean over several tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from dfwe.errors import MetricError
from dfwe.metrics.mean import MeanOfScorers
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation, PartialEvaluation


class ModelScorer(ABC):
    """Scores models on one split: one object for early stopping, search and the final test."""

    @property
    @abstractmethod
    def scorer(self) -> Scorer | MeanOfScorers:
        """Metrics of the objective."""

    @property
    @abstractmethod
    def approximates(self) -> bool:
        """Whether `exact` makes a difference: models are evaluated in less than their own precision otherwise."""

    @property
    @abstractmethod
    def has_bound(self) -> bool:
        """Whether `race` and `bound` are possible."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of instances."""

    @abstractmethod
    def __call__(self, model: Any, *, exact: bool = False) -> Evaluation:
        """Return the model's evaluation; its mode is left as it was."""

    @abstractmethod
    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """Return the evaluation of given answers, one per instance and in order."""

    @abstractmethod
    def label_counts(self) -> Float[np.ndarray, "examples labels counts"] | None:
        """Return what each label would count as the answer to an instance; None where answers have no common labels."""

    def race(self, model: Any, *, best: Evaluation) -> Evaluation | PartialEvaluation:
        """Return the evaluation, or `PartialEvaluation` once the model cannot score as much as `best`.

        Raises:
            MetricError: the scorer has no bound.
        """
        raise MetricError("this scorer evaluates a split to its end: it has no bound")

    def bound(self, predictions: tuple[str | None, ...]) -> float:
        """Return the highest score that answers in place of the Nones could give; raises as `race`."""
        raise MetricError("this scorer evaluates a split to its end: it has no bound")


class MeanScorer(ModelScorer):
    """Scores models on several tasks at once; the score is the mean of the tasks' scores.

    Instances are those of the parts, one part after the other. Metrics are named `part/metric`. No candidate is stopped
    early.
    """

    def __init__(self, parts: Mapping[str, ModelScorer]) -> None:
        self._parts = dict(parts)
        self._scorer = MeanOfScorers({name: _scorer_of_task(part) for name, part in parts.items()})

    @property
    def scorer(self) -> MeanOfScorers:
        """Metrics of all tasks together."""
        return self._scorer

    @property
    def approximates(self) -> bool:
        """Whether a part does."""
        return any(part.approximates for part in self._parts.values())

    @property
    def has_bound(self) -> bool:
        """Always false: a candidate is evaluated on all tasks."""
        return False

    @property
    def parts(self) -> Mapping[str, ModelScorer]:
        """Scorers of the tasks."""
        return dict(self._parts)

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts.values())

    def __call__(self, model: Any, *, exact: bool = False) -> Evaluation:
        """Return the model's evaluation on all parts; raises as they do."""
        return self._scorer.joined({name: part(model, exact=exact) for name, part in self._parts.items()})

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """Return the evaluation of given answers in order; MetricError for another number of them."""
        if len(predictions) != len(self):
            sizes = ", ".join(f"{name} {len(part)}" for name, part in self._parts.items())
            raise MetricError(f"found {len(predictions)} answers for {len(self)} instances ({sizes})")
        answers = self.split(predictions)
        return self._scorer.joined({name: part.evaluate(answers[name]) for name, part in self._parts.items()})

    def split(self, predictions: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the answers by part."""
        answers, begin = {}, 0
        for name, part in self._parts.items():
            answers[name] = predictions[begin : begin + len(part)]
            begin += len(part)
        return answers

    def label_counts(self) -> None:
        """Return None: the parts have no labels in common."""


def _scorer_of_task(part: ModelScorer) -> Scorer:
    assert isinstance(part.scorer, Scorer), "a mean of means"
    return part.scorer


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turn off the model's dropout, gradients and autocast; its mode is restored afterwards."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        # Lightning validates under its own autocast: here the weights alone say how numbers are kept
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        model.train(training)
