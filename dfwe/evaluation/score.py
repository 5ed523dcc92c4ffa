"""A model's answers on one split, and their score: one object for early stopping, search and the final test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from dfwe.data.tokenise import TokenisedSplit
from dfwe.errors import MetricError
from dfwe.evaluation.answers import Answers, Batch, Decoding
from dfwe.evaluation.encoder import Encode, encode
from dfwe.evaluation.half import HalfCopy
from dfwe.evaluation.kernels import fast_kernels
from dfwe.evaluation.race import Race
from dfwe.metrics.bound import Bound
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation, Stopped

log = logging.getLogger(__name__)


class SplitScorer:
    """Scores models on one split; its batches are built once and kept in memory.

    A batch that the memory has no room for is halved, once and for all.
    """

    def __init__(
        self,
        split: TokenisedSplit,
        *,
        scorer: Scorer,
        decoding: Decoding,
        tokenizer: Any,
        half: HalfCopy | None = None,
    ) -> None:
        self._half = half or HalfCopy()
        self._split, self._scorer, self._bf16 = split, scorer, decoding.bf16
        self._answers = Answers(split, decoding=decoding, tokenizer=tokenizer)
        self._batches = self._answers.batches()

    @property
    def scorer(self) -> Scorer:
        """The task's metrics."""
        return self._scorer

    @property
    def approximates(self) -> bool:
        """Whether `exact` makes a difference."""
        return self._bf16

    def __len__(self) -> int:
        return len(self._split)

    def __call__(self, model: nn.Module, *, exact: bool = False, encode: Encode = encode) -> Evaluation:
        """The model's evaluation, in float32 whatever the decoding says if `exact`; its mode is left as it was."""
        return self.evaluate(self.predict(model, exact=exact, encode=encode))

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """The evaluation of given answers, one an instance and in order."""
        return self._scorer.evaluate(predictions, references=self._references)

    def predict(self, model: nn.Module, *, exact: bool = False, encode: Encode = encode) -> tuple[str, ...]:
        """The model's answers in the order of the instances, its source read by `encode`."""
        answers = self._answered(model, self._batches, exact=exact, encode=encode)
        return tuple(answers[index] for index in range(len(self)))

    @property
    def has_bound(self) -> bool:
        """Whether `race` and `bound` are possible: Pearson's correlation, for one, has no bound."""
        return self._scorer.best_counts(self._references) is not None

    def race(self, model: nn.Module, *, best: Evaluation, encode: Encode = encode) -> Evaluation | Stopped:
        """As a call, but stopped at the first batch after which the model cannot score as much as `best` any more.

        `best` is another evaluation on the same split; the batches that cost it most come first.

        Raises:
            MetricError: the split has no bound.
        """
        race = Race(self._scorer, references=self._references, best=best)
        order = race.order([batch.members for batch in self._batches], sizes=[batch.size for batch in self._batches])
        answers = self._answered(model, [self._batches[place] for place in order], encode=encode, until=race.is_lost)
        if len(answers) < len(self):
            return Stopped(race.bound, tuple(answers.get(index) for index in range(len(self))))
        return self.evaluate(tuple(answers[index] for index in range(len(self))))

    def bound(self, predictions: tuple[str | None, ...]) -> float:
        """The highest score that answers in place of the Nones could give.

        Raises:
            MetricError: the split has no bound, or another number of instances.
        """
        if len(predictions) != len(self):
            raise MetricError(f"found {len(predictions)} answers for {len(self)} instances")
        bound = Bound(self._scorer, references=self._references)
        answered = {index: answer for index, answer in enumerate(predictions) if answer is not None}
        bound.take(list(answered.values()), examples=list(answered))
        return bound.value

    @property
    def _references(self) -> list[tuple[str, ...]]:
        return [instance.references for instance in self._split.instances]

    def _answered(
        self,
        model: nn.Module,
        batches: Sequence[Batch],
        *,
        encode: Encode,
        exact: bool = False,
        until: Callable[[Sequence[int], Sequence[str]], bool] = lambda members, answers: False,
    ) -> dict[int, str]:
        """Answers by instance, in the order of the batches; the rest is left out once `until` holds of a batch."""
        answers: dict[int, str] = {}
        todo, done = list(batches)[::-1], []
        used = self._half.of(model) if self._bf16 and not exact else model
        with _evaluating(used), fast_kernels(used):
            while todo:
                batch = todo.pop()
                found = self._answers.of(used, batch, encode=encode)
                if found is None:
                    half = len(batch.members) // 2
                    log.warning("no memory for %d instances at once, going on with halves", len(batch.members))
                    todo += [self._answers.batch(batch.members[half:]), self._answers.batch(batch.members[:half])]
                    continue
                done.append(batch)
                answers |= dict(zip(batch.members, found, strict=True))
                if until(batch.members, found):
                    break
        self._batches = done + todo[::-1]
        return answers


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        # Lightning validates under its own autocast: here the weights alone say how numbers are kept
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        model.train(training)
