"""The answers of a model with heads on one task's split, or on several, and their score."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from dfwe.families.batching import token_batches
from dfwe.families.multi_head.tokenization import SentenceSplit, sentence_batch
from dfwe.families.scorer import ModelScorer, evaluating
from dfwe.families.seq2seq.fast.kernels import fast_kernels
from dfwe.families.seq2seq.inference.answers import is_out_of_memory
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation

log = logging.getLogger(__name__)

Rows = dict[int, tuple[str, Float[np.ndarray, " labels"] | None]]  # an example's answer and its labels' scores


class HeadScorer(ModelScorer):
    """Scores models on one split of one task by that task's head; what `SplitScorer` is to text-to-text models.

    At most `max_tokens` tokens are read at once, padding and both sentences of a pair included. A batch that the memory
    has no room for is halved, once and for all.
    """

    def __init__(self, split: SentenceSplit, *, scorer: Scorer, max_tokens: int) -> None:
        self._split, self._scorer = split, scorer
        sentences = max((len(each) for each in split.tokens), default=1)
        lengths = [int(length) for length in split.lengths]
        self._groups = token_batches(lengths, max_tokens=max_tokens // sentences)

    @property
    def scorer(self) -> Scorer:
        """The task's metrics."""
        return self._scorer

    @property
    def approximates(self) -> bool:
        """Always false: answers are found in the precision of the weights."""
        return False

    @property
    def has_bound(self) -> bool:
        """Always false: a split is evaluated to its end."""
        return False

    def __len__(self) -> int:
        return len(self._split)

    def __call__(self, model: Any, *, exact: bool = False) -> Evaluation:
        """Return the model's evaluation; its mode is left as it was. `exact` makes no difference.

        Raises:
            ModelError: the model has no head for the task.
        """
        rows = self._answered(model)
        answers = tuple(rows[index][0] for index in range(len(self)))
        scores = [row for row in (rows[index][1] for index in range(len(self))) if row is not None]
        return replace(self.evaluate(answers), label_scores=np.stack(scores) if scores else None)

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """Return the evaluation of given answers, one per instance and in order."""
        return self._scorer.evaluate(predictions, references=self._references)

    def label_counts(self) -> Float[np.ndarray, "examples labels counts"] | None:
        """Return what each label would count as an instance's answer; None where the answers are numbers."""
        sets = [instance.candidates for instance in self._split.instances]
        if len(set(sets)) != 1 or not sets[0]:
            return None
        columns = [self._scorer.counts([label] * len(self), references=self._references) for label in sets[0]]
        return np.stack(columns, axis=1)

    @property
    def _references(self) -> list[tuple[str, ...]]:
        return [instance.references for instance in self._split.instances]

    def _answered(self, model: Any) -> Rows:
        """Return the answers by instance; groups are remembered as the memory allows."""
        rows: Rows = {}
        todo, done = self._groups[::-1], []
        with evaluating(model), fast_kernels(model):
            while todo:
                group = todo.pop()
                found = self._read(model, group)
                if found is None:
                    half = len(group) // 2
                    log.warning("no memory for %d instances at once, going on with halves", len(group))
                    todo += [group[half:], group[:half]]
                    continue
                done.append(group)
                rows |= found
        self._groups = done
        return rows

    def _read(self, model: Any, group: list[int]) -> Rows | None:
        """Return the group's rows; None where it does not fit the memory and can be halved."""
        device = next(model.parameters()).device
        batch = sentence_batch(self._split, group)
        here = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
        try:
            outputs = model(here)
        except RuntimeError as error:
            if not is_out_of_memory(error) or len(group) == 1:
                raise
            return None
        head = model.head(self._split.task)
        scores = head.label_scores(outputs)
        rows = [None] * len(group) if scores is None else list(scores.float().cpu().numpy())
        return dict(zip(group, zip(head.answers(outputs), rows, strict=True), strict=True))
