"""The answers of a model with heads on one task's split, or on several, and their score."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import torch
from jaxtyping import Float

from dfwe.errors import MetricError
from dfwe.families.batching import token_batches
from dfwe.families.multi_head.tokenization import SentenceSplit, sentence_batch
from dfwe.families.seq2seq.fast.kernels import fast_kernels
from dfwe.families.seq2seq.inference.answers import is_out_of_memory
from dfwe.families.seq2seq.scorer import evaluating
from dfwe.metrics.mean import MeanOfScorers
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation

log = logging.getLogger(__name__)

Rows = dict[int, tuple[str, Float[np.ndarray, " labels"] | None]]  # an example's answer and its labels' scores


class Unbounded:
    """What scores models to the end of a split, in the precision of their weights: no candidate is stopped early."""

    @property
    def approximates(self) -> bool:
        """False: answers are found in the precision of the weights."""
        return False

    @property
    def has_bound(self) -> bool:
        """False: a split is evaluated to its end."""
        return False

    def race(self, model: Any, *, best: Evaluation) -> NoReturn:
        """MetricError: see `has_bound`."""
        self.bound(())

    def bound(self, predictions: tuple[str | None, ...]) -> NoReturn:
        """MetricError: see `has_bound`."""
        raise MetricError("a model with heads is evaluated to its end, there is no bound")


class HeadScorer(Unbounded):
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

    def __len__(self) -> int:
        return len(self._split)

    def __call__(self, model: Any, *, exact: bool = False) -> Evaluation:
        """The model's evaluation; its mode is left as it was. `exact` makes no difference.

        Raises:
            ModelError: the model has no head for the task.
        """
        rows = self._answered(model)
        answers = tuple(rows[index][0] for index in range(len(self)))
        scores = [row for row in (rows[index][1] for index in range(len(self))) if row is not None]
        return replace(self.evaluate(answers), label_scores=np.stack(scores) if scores else None)

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """The evaluation of given answers, one an instance and in order."""
        return self._scorer.evaluate(predictions, references=self._references)

    def label_counts(self) -> Float[np.ndarray, "examples labels counts"] | None:
        """What each label would count as the answer to an instance; None where the answers are numbers."""
        sets = [instance.candidates for instance in self._split.instances]
        if len(set(sets)) != 1 or not sets[0]:
            return None
        columns = [self._scorer.counts([label] * len(self), references=self._references) for label in sets[0]]
        return np.stack(columns, axis=1)

    @property
    def _references(self) -> list[tuple[str, ...]]:
        return [instance.references for instance in self._split.instances]

    def _answered(self, model: Any) -> Rows:
        """Answers by instance; groups are remembered as the memory allows."""
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
        """The group's rows; None where it does not fit the memory and can be halved."""
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


class MeanScorer(Unbounded):
    """Scores models on several tasks at once; the score is the mean of the tasks' scores.

    Instances are those of the parts, one part after the other. Metrics are named `part/metric`.
    """

    def __init__(self, parts: Mapping[str, HeadScorer]) -> None:
        self._parts = dict(parts)
        self._scorer = MeanOfScorers({name: part.scorer for name, part in parts.items()})

    @property
    def scorer(self) -> MeanOfScorers:
        """The tasks' metrics together."""
        return self._scorer

    @property
    def parts(self) -> Mapping[str, HeadScorer]:
        """The tasks' own scorers."""
        return dict(self._parts)

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts.values())

    def __call__(self, model: Any, *, exact: bool = False) -> Evaluation:
        """The model's evaluation on all parts; raises as they do."""
        return self._scorer.joined({name: part(model) for name, part in self._parts.items()})

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """The evaluation of given answers, one an instance and in order; MetricError for another number of them."""
        if len(predictions) != len(self):
            sizes = ", ".join(f"{name} {len(part)}" for name, part in self._parts.items())
            raise MetricError(f"found {len(predictions)} answers for {len(self)} instances ({sizes})")
        own = self.split(predictions)
        return self._scorer.joined({name: part.evaluate(own[name]) for name, part in self._parts.items()})

    def split(self, predictions: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """The answers by part."""
        found, begin = {}, 0
        for name, part in self._parts.items():
            found[name] = predictions[begin : begin + len(part)]
            begin += len(part)
        return found

    def label_counts(self) -> None:
        """None: the parts have no labels in common."""
