"""Scorers of models on one split of an objective: of one task, or of several and their mean."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from dfwe.errors import MetricError, ModelError
from dfwe.families.fast.kernels import HalfCopy, fast_kernels
from dfwe.families.pruning import Pruner
from dfwe.families.statistics.base import in_evaluation
from dfwe.metrics.scorer import MeanOfScorers, ScoreBound, Scorer
from dfwe.records import Answer, Evaluation, Instance, PartialEvaluation
from dfwe.training.precision import is_out_of_memory
from dfwe.training.processes import Processes

log = logging.getLogger(__name__)

Until = Callable[[Sequence[int], Sequence[str]], bool]  # of instances and their answers


@dataclass(frozen=True, eq=False)
class Batch:
    """Instances that are answered together: their places in the split, and what a model reads."""

    members: tuple[int, ...]
    inputs: dict[str, Any]

    @property
    def size(self) -> int:
        """Number of tokens that are read, padding included."""
        return int(self.inputs["input_ids"].numel())


class SplitReader(ABC):
    """Asks a model the questions of one split; `is_closed` says whether it chooses among each instance's candidates."""

    instances: tuple[Instance, ...]
    is_closed: bool

    @abstractmethod
    def groups(self) -> list[list[int]]:
        """Return the places of all instances, those together that are answered together."""

    @abstractmethod
    def batch(self, members: Sequence[int]) -> Batch:
        """Return these instances as tensors."""

    @abstractmethod
    def answers(self, model: Any, batch: Any) -> list[Answer]:
        """Return the answers to a batch, in order."""


class ModelScorer(ABC):
    """Scores models on one split: one object for early stopping, search and the final test."""

    @property
    @abstractmethod
    def scorer(self) -> Scorer | MeanOfScorers:
        """Metrics of the objective."""

    @property
    @abstractmethod
    def approximates(self) -> bool:
        """True if `exact` makes a difference: models are evaluated in less than their own precision otherwise."""

    @property
    @abstractmethod
    def has_bound(self) -> bool:
        """True if `score_pruned` and `bound` are possible."""

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
    def split_over(self, ranks: Processes) -> AbstractContextManager[None]:
        """Divide the batches of every evaluation within the context: all processes begin it together.

        Each gets the evaluation that one process would have made.
        """

    @abstractmethod
    def label_counts(self) -> Float[np.ndarray, "examples labels counts"] | None:
        """Return what each label would count as the answer to an instance; None where answers have no common labels."""

    def score_pruned(self, model: Any, *, best: Evaluation) -> Evaluation | PartialEvaluation:
        """Return the evaluation, or `PartialEvaluation` once the model cannot score as much as `best`.

        Raises:
            MetricError: the scorer has no bound.
        """
        raise MetricError("this scorer evaluates a split to its end: it has no bound")

    def bound(self, predictions: tuple[str | None, ...]) -> float:
        """Return the highest score that answers in place of the Nones could give; raises as `score_pruned`."""
        raise MetricError("this scorer evaluates a split to its end: it has no bound")


class SplitScorer(ModelScorer):
    """Scores models on one split of one task; its batches are built once and kept in memory.

    A batch that the memory has no room for is halved, once and for all. With `half` a copy of the model in bfloat16
    answers, except where `exact` is asked for.
    """

    def __init__(self, reader: SplitReader, *, scorer: Scorer, half: HalfCopy | None = None) -> None:
        self._reader, self._scorer, self._half = reader, scorer, half
        self._batches = [reader.batch(group) for group in reader.groups()]
        self._clusters = tuple(instance.dialogue_id for instance in reader.instances)
        self._ranks: Processes | None = None

    @property
    def scorer(self) -> Scorer:
        """The task's metrics."""
        return self._scorer

    @property
    def approximates(self) -> bool:
        """True if `exact` makes a difference."""
        return self._half is not None

    @property
    def has_bound(self) -> bool:
        """True if `score_pruned` and `bound` are possible: Pearson's correlation, for one, has no bound."""
        return self._scorer.best_counts(self._references) is not None

    def __len__(self) -> int:
        return len(self._reader.instances)

    def __call__(self, model: Any, *, exact: bool = False) -> Evaluation:
        """Return the model's evaluation, in its own precision if `exact`; its mode is left as it was."""
        return self._evaluation(self.answers(model, exact=exact))

    def answers(self, model: Any, *, exact: bool = False) -> list[Answer]:
        """Return the model's answers in the order of the instances."""
        answers = self._read(model, self._batches, exact=exact)
        return [answers[place] for place in range(len(self))]

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """Return the evaluation of given answers, one per instance and in order."""
        evaluation = self._scorer.evaluate(predictions, references=self._references)
        return replace(evaluation, clusters=self._clusters)

    @contextmanager
    def split_over(self, ranks: Processes) -> Iterator[None]:
        """Divide the batches of every evaluation within the context."""
        self._ranks = ranks
        try:
            yield
        finally:
            self._ranks = None

    def label_counts(self) -> Float[np.ndarray, "examples labels counts"] | None:
        """Return what each answer of an instance's closed set would count; None without closed sets or such counts.

        Beside the labels of an instance that has fewer than others stand those of its last.
        """
        sets = [instance.candidates for instance in self._reader.instances]
        if not self._reader.is_closed or not sets or self._scorer.functions:
            return None
        columns = [[texts[min(place, len(texts) - 1)] for texts in sets] for place in range(max(map(len, sets)))]
        return np.stack([self._scorer.counts(column, references=self._references) for column in columns], axis=1)

    def score_pruned(self, model: Any, *, best: Evaluation) -> Evaluation | PartialEvaluation:
        """Return the evaluation, stopped at the first batch after which the model cannot score as much as `best`.

        `best` is another evaluation on the same split; the batches that cost it most come first.

        Raises:
            MetricError: the split has no bound.
        """
        pruner = Pruner(self._scorer, references=self._references, best=best)
        order = pruner.order([batch.members for batch in self._batches], sizes=[batch.size for batch in self._batches])
        answers = self._read(model, [self._batches[place] for place in order], until=pruner.is_lost)
        if len(answers) == len(self):
            return self._evaluation([answers[place] for place in range(len(self))])
        texts = {place: answer.text for place, answer in answers.items()}
        return PartialEvaluation(pruner.bound, tuple(texts.get(place) for place in range(len(self))))

    def bound(self, predictions: tuple[str | None, ...]) -> float:
        """Return the highest score that answers in place of the Nones could give.

        Raises:
            MetricError: the split has no bound, or another number of instances.
        """
        if len(predictions) != len(self):
            raise MetricError(f"found {len(predictions)} answers for {len(self)} instances")
        bound = ScoreBound(self._scorer, references=self._references)
        answers = {place: answer for place, answer in enumerate(predictions) if answer is not None}
        bound.take(list(answers.values()), examples=list(answers))
        return bound.value

    @property
    def _references(self) -> list[tuple[str, ...]]:
        return [instance.references for instance in self._reader.instances]

    def _evaluation(self, answers: Sequence[Answer]) -> Evaluation:
        evaluation = self.evaluate(tuple(answer.text for answer in answers))
        return replace(evaluation, label_scores=evaluation_scores(answers))

    def _read(
        self,
        model: Any,
        batches: Sequence[Batch],
        *,
        exact: bool = False,
        until: Until | None = None,
    ) -> dict[int, Answer]:
        """Return answers by instance, in the order of the batches; the rest is left out once `until` holds of one."""
        reading = model if self._half is None or exact else self._half.of(model)
        with evaluating(reading), fast_kernels(reading):
            if self._ranks is None:
                answers, self._batches = self._read_here(reading, batches, until=until)
            else:
                answers, self._batches = self._read_together(reading, batches, ranks=self._ranks, until=until)
        return answers

    def _read_here(
        self, model: Any, batches: Sequence[Batch], *, until: Until | None
    ) -> tuple[dict[int, Answer], list[Batch]]:
        """Return answers as `_read` does, and the batches, halved where the memory asks for it."""
        answers: dict[int, Answer] = {}
        todo, done = list(batches)[::-1], []
        while todo:
            batch = todo.pop()
            of_batch = self._answers_if_room(model, batch)
            if of_batch is None:
                half = len(batch.members) // 2
                log.warning("no memory for %d instances at once, going on with halves", len(batch.members))
                todo += [self._reader.batch(batch.members[half:]), self._reader.batch(batch.members[:half])]
                continue
            done.append(batch)
            answers |= dict(zip(batch.members, of_batch, strict=True))
            if until is not None and until(batch.members, [answer.text for answer in of_batch]):
                break
        return answers, done + todo[::-1]

    def _read_together(
        self, model: Any, batches: Sequence[Batch], *, ranks: Processes, until: Until | None
    ) -> tuple[dict[int, Answer], list[Batch]]:
        """Return what `_read_here` does: of each round of batches every process reads its part.

        With `until` a round has one batch per process, and those after the one that it holds of are dropped.
        """
        built = {batch.members: batch for batch in batches}
        order = ranks.from_first(list(built))  # that of rank 0, which may have halved some
        answers: dict[int, Answer] = {}
        done: list[Batch] = []
        round_size = max(1, len(order)) if until is None else ranks.size
        for begin in range(0, len(order), round_size):
            members_of_round = order[begin : begin + round_size]
            own = [self._batch_of(members, built) for members in members_of_round[ranks.rank :: ranks.size]]
            parts = ranks.gather([_plain(*self._read_here(model, [batch], until=None)) for batch in own])
            for place, members in enumerate(members_of_round):
                of_batch, pieces = parts[place % ranks.size][place // ranks.size]
                answers |= of_batch
                done += [self._batch_of(piece, built) for piece in pieces]
                if until is not None and until(members, [of_batch[member].text for member in members]):
                    rest = order[begin + place + 1 :]
                    return answers, done + [self._batch_of(members, built) for members in rest]
        return answers, done

    def _batch_of(self, members: tuple[int, ...], built: Mapping[tuple[int, ...], Batch]) -> Batch:
        return built[members] if members in built else self._reader.batch(members)

    def _answers_if_room(self, model: Any, batch: Batch) -> list[Answer] | None:
        """Return the batch's answers; None where it does not fit the memory, ModelError where it cannot be halved."""
        try:
            return self._reader.answers(model, batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(batch.members) == 1:
                raise ModelError(
                    "no memory for one instance: set trainer.eval_tokens or model.max_source_tokens lower"
                ) from error
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None


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
        """True if a part does."""
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

    @contextmanager
    def split_over(self, ranks: Processes) -> Iterator[None]:
        """Divide the batches of every part."""
        with ExitStack() as stack:
            for part in self._parts.values():
                stack.enter_context(part.split_over(ranks))
            yield

    def label_counts(self) -> None:
        """Return None: the parts have no labels in common."""


def _plain(answers: dict[int, Answer], batches: list[Batch]) -> tuple[dict[int, Answer], list[tuple[int, ...]]]:
    """Return the answers, and the members of the batches in place of their tensors."""
    return answers, [batch.members for batch in batches]


def _scorer_of_task(part: ModelScorer) -> Scorer:
    assert isinstance(part.scorer, Scorer), "a mean of means"
    return part.scorer


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turn off the model's dropout, gradients and autocast; its mode is restored afterwards."""
    with in_evaluation(model), torch.inference_mode():
        yield


def evaluation_scores(answers: Sequence[Answer]) -> Float[np.ndarray, "examples labels"] | None:
    """Return the answers' label scores as one array, -inf behind the shorter rows; None where one has no scores."""
    present = [answer.label_scores for answer in answers if answer.label_scores is not None]
    if not present or len(present) < len(answers):
        return None
    padded = np.full((len(present), max(map(len, present))), -np.inf, dtype=np.float32)
    for place, row in enumerate(present):
        padded[place, : len(row)] = row
    return padded
