"""A model's answers on one split, and their score: one object for early stopping, search and the final test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dfwe.data.batching import token_batches
from dfwe.data.datamodule import pad
from dfwe.data.tokenise import TokenisedSplit
from dfwe.errors import ConfigurationError, MetricError
from dfwe.evaluation.generate import greedy, reference
from dfwe.evaluation.half import HalfCopy
from dfwe.evaluation.labels import best_candidates, candidate_log_likelihoods
from dfwe.evaluation.race import Race
from dfwe.evaluation.trie import PackedTries
from dfwe.metrics.bound import Bound
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation, Stopped

log = logging.getLogger(__name__)

Decode = Literal["labels", "candidates", "greedy", "reference"]


@dataclass(frozen=True)
class Decoding:
    """How answers are found.

    `labels` and `candidates` take the most likely of the instance's closed set, `greedy` writes free text, `reference`
    samples as the benchmark's code does. `max_tokens` bounds a batch, padding included. With `bf16` a copy of the model
    answers whose weights are bfloat16.
    """

    decode: Decode
    max_new_tokens: int
    max_tokens: int
    bf16: bool
    seed: int = 0


@dataclass(frozen=True)
class _Batch:
    """Instances that are answered together."""

    members: tuple[int, ...]  # of the split
    inputs: Mapping[str, Tensor]
    tries: PackedTries | None  # of closed sets of answers

    @property
    def size(self) -> int:
        """Source tokens, padding included."""
        return self.inputs["input_ids"].numel()


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
        self._split, self._scorer, self._decoding, self._tokenizer = split, scorer, decoding, tokenizer
        self._closed = decoding.decode in ("labels", "candidates")
        if self._closed and not all(instance.candidates for instance in split.instances):
            raise ConfigurationError(f"decode={decoding.decode} needs a closed set of answers; use decode=greedy")
        groups = token_batches(list(split.tokens["length"]), max_tokens=decoding.max_tokens)
        self._batches = [self._batch(tuple(members)) for members in groups]

    @property
    def scorer(self) -> Scorer:
        """The task's metrics."""
        return self._scorer

    def __len__(self) -> int:
        return len(self._split)

    def __call__(self, model: nn.Module) -> Evaluation:
        """The model's evaluation; the model's mode is left as it was."""
        return self.evaluate(self.predict(model))

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """The evaluation of given answers, one an instance and in order."""
        return self._scorer.evaluate(predictions, references=self._references)

    def predict(self, model: nn.Module) -> tuple[str, ...]:
        """The model's answers in the order of the instances."""
        answers = self._answered(model, self._batches)
        return tuple(answers[index] for index in range(len(self)))

    @property
    def has_bound(self) -> bool:
        """Whether `race` and `bound` are possible: Pearson's correlation, for one, has no bound."""
        return self._scorer.best_counts(self._references) is not None

    def race(self, model: nn.Module, *, best: Evaluation) -> Evaluation | Stopped:
        """As a call, but stopped at the first batch after which the model cannot score as much as `best` any more.

        `best` is another evaluation on the same split; the batches that cost it most come first.

        Raises:
            MetricError: the split has no bound.
        """
        race = Race(self._scorer, references=self._references, best=best)
        order = race.order([batch.members for batch in self._batches], sizes=[batch.size for batch in self._batches])
        answers = self._answered(model, [self._batches[place] for place in order], until=race.is_lost)
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
        batches: Sequence[_Batch],
        *,
        until: Callable[[Sequence[int], Sequence[str]], bool] = lambda members, answers: False,
    ) -> dict[int, str]:
        """Answers by instance, in the order of the batches; the rest is left out once `until` holds of a batch."""
        answers: dict[int, str] = {}
        todo, done = list(batches)[::-1], []
        used = self._half.of(model) if self._decoding.bf16 else model
        with _evaluating(used) as device:
            while todo:
                batch = todo.pop()
                found = self._answers(used, batch, device=device)
                if found is None:
                    half = len(batch.members) // 2
                    log.warning("no memory for %d instances at once, going on with halves", len(batch.members))
                    todo += [self._batch(batch.members[half:]), self._batch(batch.members[:half])]
                    continue
                done.append(batch)
                answers |= dict(zip(batch.members, found, strict=True))
                if until(batch.members, found):
                    break
        self._batches = done + todo[::-1]
        return answers

    def _answers(self, model: nn.Module, batch: _Batch, *, device: torch.device) -> list[str] | None:
        """The batch's answers; None where it does not fit the memory and can be halved."""
        try:
            inputs = {name: tensor.to(device) for name, tensor in batch.inputs.items()}
            return self._chosen(model, batch, inputs) if batch.tries else self._written(model, batch, inputs)
        except RuntimeError as error:
            if not _is_out_of_memory(error) or len(batch.members) == 1:
                raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _chosen(self, model: nn.Module, batch: _Batch, inputs: Mapping[str, Tensor]) -> list[str]:
        assert batch.tries is not None
        scores = candidate_log_likelihoods(model, **inputs, tries=batch.tries.to(inputs["input_ids"].device))
        sets = [self._split.instances[i].candidates for i in batch.members]
        best = best_candidates(scores, sizes=[len(each) for each in sets])
        return [each[place] for each, place in zip(sets, best, strict=True)]

    def _written(self, model: nn.Module, batch: _Batch, inputs: Mapping[str, Tensor]) -> list[str]:
        if self._decoding.decode == "reference":
            ids = reference(model, **inputs, seed=self._decoding.seed + batch.members[0])
        else:
            ids = greedy(model, **inputs, max_new_tokens=self._decoding.max_new_tokens)
        texts: list[str] = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        return texts

    def _batch(self, members: tuple[int, ...]) -> _Batch:
        rows = self._split.tokens[list(members)]
        inputs = {
            "input_ids": pad(rows["source"], value=self._tokenizer.pad_token_id),
            "attention_mask": pad([[1] * len(row) for row in rows["source"]], value=0),
        }
        return _Batch(members, inputs, PackedTries.of(rows["candidates"]) if self._closed else None)


def _is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA has an exception of its own; the CPU's allocator says it in its message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[torch.device]:
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        # Lightning validates under its own autocast: here the weights alone say how numbers are kept
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield device
    finally:
        model.train(training)
