"""A model's answers on one split, and their score: one object for early stopping, search and the final test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dfwe.data.batching import token_batches
from dfwe.data.datamodule import pad
from dfwe.data.tokenise import TokenisedSplit
from dfwe.errors import ConfigurationError
from dfwe.evaluation.generate import greedy, reference
from dfwe.evaluation.labels import best_candidates, candidate_log_likelihoods
from dfwe.evaluation.trie import PackedTries
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation

Decode = Literal["labels", "candidates", "greedy", "reference"]


@dataclass(frozen=True)
class Decoding:
    """How answers are found.

    `labels` and `candidates` take the most likely of the instance's closed set, `greedy` writes free text, `reference`
    samples as the benchmark's code does. `max_tokens` bounds a batch, padding included.
    """

    decode: Decode
    max_new_tokens: int
    max_tokens: int
    bf16: bool
    seed: int = 0


class SplitScorer:
    """Scores models on one split; its batches are built once and kept in memory."""

    def __init__(self, split: TokenisedSplit, *, scorer: Scorer, decoding: Decoding, tokenizer: Any) -> None:
        self._split, self._scorer, self._decoding, self._tokenizer = split, scorer, decoding, tokenizer
        self._members = token_batches(list(split.tokens["length"]), max_tokens=decoding.max_tokens)
        closed = decoding.decode in ("labels", "candidates")
        if closed and not all(instance.candidates for instance in split.instances):
            raise ConfigurationError(f"decode={decoding.decode} needs a closed set of answers; use decode=greedy")
        self._batches = [self._batch(members) for members in self._members]
        self._tries = [self._packed(members) for members in self._members] if closed else []

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
        references = [instance.references for instance in self._split.instances]
        return self._scorer.evaluate(predictions, references=references)

    def predict(self, model: nn.Module) -> tuple[str, ...]:
        """The model's answers in the order of the instances."""
        answers = [""] * len(self._split)
        with _evaluating(model, bf16=self._decoding.bf16) as device:
            for number, members in enumerate(self._members):
                batch = {name: tensor.to(device) for name, tensor in self._batches[number].items()}
                found = self._chosen(model, number, batch) if self._tries else self._written(model, members, batch)
                for index, answer in zip(members, found, strict=True):
                    answers[index] = answer
        return tuple(answers)

    def _chosen(self, model: nn.Module, number: int, batch: dict[str, Tensor]) -> list[str]:
        tries = self._tries[number].to(batch["input_ids"].device)
        scores = candidate_log_likelihoods(model, **batch, tries=tries)
        sets = [self._split.instances[i].candidates for i in self._members[number]]
        best = best_candidates(scores, sizes=[len(each) for each in sets])
        return [each[place] for each, place in zip(sets, best, strict=True)]

    def _written(self, model: nn.Module, members: list[int], batch: dict[str, Tensor]) -> list[str]:
        ids = self._generate(model, batch, seed=self._decoding.seed + members[0])
        texts: list[str] = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        return texts

    def _generate(self, model: nn.Module, batch: dict[str, Tensor], *, seed: int) -> Tensor:
        if self._decoding.decode == "reference":
            return reference(model, **batch, seed=seed)
        return greedy(model, **batch, max_new_tokens=self._decoding.max_new_tokens)

    def _batch(self, members: list[int]) -> dict[str, Tensor]:
        sources = self._split.tokens[members]["source"]
        return {
            "input_ids": pad(sources, value=self._tokenizer.pad_token_id),
            "attention_mask": pad([[1] * len(row) for row in sources], value=0),
        }

    def _packed(self, members: list[int]) -> PackedTries:
        return PackedTries.of(self._split.tokens[members]["candidates"])


@contextmanager
def _evaluating(model: nn.Module, *, bf16: bool) -> Iterator[torch.device]:
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            yield device
    finally:
        model.train(training)
