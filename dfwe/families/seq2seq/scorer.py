"""A model's answers on one split, and their score: one object for early stopping, search and the final test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

from dfwe.errors import MetricError
from dfwe.families.pruning import Race
from dfwe.families.scorer import ModelScorer, evaluating
from dfwe.families.seq2seq.fast.bf16 import HalfCopy
from dfwe.families.seq2seq.fast.kernels import fast_kernels
from dfwe.families.seq2seq.inference.answers import Answers, Batch, Decoding
from dfwe.families.seq2seq.tokenization import TokenisedSplit
from dfwe.metrics.scorer import ScoreBound, Scorer
from dfwe.records import Answer, Evaluation, PartialEvaluation

log = logging.getLogger(__name__)


class SplitScorer(ModelScorer):
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

    def __call__(self, model: nn.Module, *, exact: bool = False) -> Evaluation:
        """The model's evaluation, in float32 whatever the decoding says if `exact`; its mode is left as it was."""
        answers = self._in_order(self._answered(model, self._batches, exact=exact))
        return self._evaluated(answers)

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """The evaluation of given answers, one an instance and in order."""
        return self._scorer.evaluate(predictions, references=self._references)

    def predict(self, model: nn.Module, *, exact: bool = False) -> tuple[str, ...]:
        """The model's answers in the order of the instances."""
        return tuple(answer.text for answer in self.answers(model, exact=exact))

    def answers(self, model: nn.Module, *, exact: bool = False) -> list[Answer]:
        """As `predict`, with the likelihoods of closed sets of answers."""
        return self._in_order(self._answered(model, self._batches, exact=exact))

    def label_counts(self) -> Float[np.ndarray, "examples labels counts"] | None:
        """What each answer of an instance's closed set would count, as in `Evaluation.counts`; None for free text.

        Beside the labels of an instance that has fewer than others stand those of its last.
        """
        sets = [instance.candidates for instance in self._split.instances]
        if not self._answers.closed:
            return None
        columns = [[each[min(place, len(each) - 1)] for each in sets] for place in range(max(map(len, sets)))]
        counts = [self._scorer.counts(column, references=self._references) for column in columns]
        return np.stack(counts, axis=1)

    @property
    def has_bound(self) -> bool:
        """Whether `race` and `bound` are possible: Pearson's correlation, for one, has no bound."""
        return self._scorer.best_counts(self._references) is not None

    def race(self, model: nn.Module, *, best: Evaluation) -> Evaluation | PartialEvaluation:
        """As a call, but stopped at the first batch after which the model cannot score as much as `best` any more.

        `best` is another evaluation on the same split; the batches that cost it most come first.

        Raises:
            MetricError: the split has no bound.
        """
        race = Race(self._scorer, references=self._references, best=best)
        order = race.order([batch.members for batch in self._batches], sizes=[batch.size for batch in self._batches])
        answers = self._answered(model, [self._batches[place] for place in order], until=race.is_lost)
        if len(answers) < len(self):
            texts = {index: answer.text for index, answer in answers.items()}
            return PartialEvaluation(race.bound, tuple(texts.get(index) for index in range(len(self))))
        return self._evaluated(self._in_order(answers))

    def bound(self, predictions: tuple[str | None, ...]) -> float:
        """The highest score that answers in place of the Nones could give.

        Raises:
            MetricError: the split has no bound, or another number of instances.
        """
        if len(predictions) != len(self):
            raise MetricError(f"found {len(predictions)} answers for {len(self)} instances")
        bound = ScoreBound(self._scorer, references=self._references)
        answered = {index: answer for index, answer in enumerate(predictions) if answer is not None}
        bound.take(list(answered.values()), examples=list(answered))
        return bound.value

    def _in_order(self, answers: dict[int, Answer]) -> list[Answer]:
        return [answers[index] for index in range(len(self))]

    def _evaluated(self, answers: Sequence[Answer]) -> Evaluation:
        evaluation = self.evaluate(tuple(answer.text for answer in answers))
        return replace(evaluation, label_scores=_padded([answer.label_scores for answer in answers]))

    @property
    def _references(self) -> list[tuple[str, ...]]:
        return [instance.references for instance in self._split.instances]

    def _answered(
        self,
        model: nn.Module,
        batches: Sequence[Batch],
        *,
        exact: bool = False,
        until: Callable[[Sequence[int], Sequence[str]], bool] = lambda members, answers: False,
    ) -> dict[int, Answer]:
        """Answers by instance, in the order of the batches; the rest is left out once `until` holds of a batch."""
        answers: dict[int, Answer] = {}
        todo, done = list(batches)[::-1], []
        used = self._half.of(model) if self._bf16 and not exact else model
        with evaluating(used), fast_kernels(used):
            while todo:
                batch = todo.pop()
                found = self._answers.of(used, batch)
                if found is None:
                    half = len(batch.members) // 2
                    log.warning("no memory for %d instances at once, going on with halves", len(batch.members))
                    todo += [self._answers.batch(batch.members[half:]), self._answers.batch(batch.members[:half])]
                    continue
                done.append(batch)
                answers |= dict(zip(batch.members, found, strict=True))
                if until(batch.members, [answer.text for answer in found]):
                    break
        self._batches = done + todo[::-1]
        return answers


def _padded(rows: Sequence[Float[np.ndarray, " labels"] | None]) -> Float[np.ndarray, "examples labels"] | None:
    """The rows as one array, -inf behind the shorter ones; None where one has no scores."""
    known = [row for row in rows if row is not None]
    if not known or len(known) < len(rows):
        return None
    padded = np.full((len(known), max(map(len, known))), -np.inf, dtype=np.float32)
    for place, row in enumerate(known):
        padded[place, : len(row)] = row
    return padded
