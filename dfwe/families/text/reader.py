"""A model's answers to the instances of one split, batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dfwe.errors import ConfigurationError
from dfwe.families.batching import token_batches
from dfwe.families.scorer import Batch, SplitReader, SplitScorer
from dfwe.families.text.decoding import Decoding, ReferenceDecoding, also_ending_at, end_token, warn_of_unused
from dfwe.families.text.tokenization import PLAIN, PromptForm, TokenisedSplit, TokenLimits, tokens_in_memory
from dfwe.families.text.trie import PackedTries
from dfwe.metrics.scorer import Scorer
from dfwe.models.dispatch import input_device
from dfwe.records import Answer, Instance


class Inference(ABC):
    """How models of one family are asked: what they read, how they score closed sets of answers and write texts.

    `inputs` are what `inputs` returns, on the model's device.
    """

    @abstractmethod
    def inputs(self, sources: Sequence[Sequence[int]], *, pad_id: int) -> dict[str, Tensor]:
        """Return the sources as `input_ids` and `attention_mask`, [sources, longest]."""

    @abstractmethod
    def candidate_log_likelihoods(
        self, model: Any, *, tries: PackedTries, **inputs: Tensor
    ) -> Float[Tensor, " candidates"]:
        """Return log p(candidate | source of its row), the end token included, of all rows' candidates in order."""

    @abstractmethod
    def greedy(
        self, model: Any, *, max_new_tokens: int, max_tokens: int, pad_id: int, **inputs: Tensor
    ) -> Int[Tensor, "batch target"]:
        """Return ids of the most likely continuation, token by token, as `generate` does, filled up with padding."""

    @abstractmethod
    def reference(
        self, model: Any, *, decoding: ReferenceDecoding, seed: int, pad_id: int, **inputs: Tensor
    ) -> Int[Tensor, "batch target"]:
        """Return ids by the benchmark's decoding, from a stream of that seed; torch's global state stays."""


@dataclass(frozen=True, eq=False)
class TextBatch(Batch):
    """Source texts that are answered together."""

    tries: PackedTries | None  # of closed sets of answers

    def to(self, device: torch.device) -> TextBatch:
        """Return the same on that device."""
        inputs = {name: tensor.to(device) for name, tensor in self.inputs.items()}
        return TextBatch(self.members, inputs, self.tries.to(device) if self.tries else None)


class TextReader(SplitReader):
    """Answers to a split's instances.

    Raises:
        ConfigurationError: a closed set of answers is asked for, and an instance has none.
    """

    def __init__(
        self,
        split: TokenisedSplit,
        *,
        decoding: Decoding,
        tokenizer: Any,
        inference: Inference,
        form: PromptForm = PLAIN,
    ) -> None:
        self._split, self._decoding, self._tokenizer = split, decoding, tokenizer
        self._inference, self._form = inference, form
        pad_id = tokenizer.pad_token_id
        self._pad_id = end_token(tokenizer) if pad_id is None else pad_id  # what fills up is never read
        self.instances = split.instances
        self.is_closed = decoding.decode in ("labels", "candidates")
        if self.is_closed and not all(instance.candidates for instance in split.instances):
            raise ConfigurationError(f"decode={decoding.decode} needs a closed set of answers; use decode=greedy")

    def groups(self) -> list[list[int]]:
        """Return the places of instances of similar lengths."""
        decoding = self._decoding
        tokens = decoding.text_tokens if decoding.decode == "greedy" else decoding.max_tokens
        return token_batches(list(self._split.tokens["length"]), max_tokens=tokens)

    def batch(self, members: Sequence[int]) -> TextBatch:
        """Return these instances as tensors."""
        rows = self._split.tokens[list(members)]
        inputs = self._inference.inputs(rows["source"], pad_id=self._pad_id)
        return TextBatch(tuple(members), inputs, PackedTries.of(rows["candidates"]) if self.is_closed else None)

    def answers(self, model: Any, batch: Any) -> list[Answer]:
        """Return the batch's answers, in order."""
        here = batch.to(input_device(model))
        if here.tries is not None:
            return self._most_likely(model, here)
        with also_ending_at(model, end_token(self._tokenizer)):
            return self._written(model, here)

    def _most_likely(self, model: nn.Module, batch: TextBatch) -> list[Answer]:
        assert batch.tries is not None
        scores = self._inference.candidate_log_likelihoods(model, tries=batch.tries, **batch.inputs)
        if self._decoding.length_normalized:
            scores = scores / batch.tries.lengths
        sets = [self._split.instances[i].candidates for i in batch.members]
        sizes = [len(options) for options in sets]
        best = best_candidates(scores, sizes=sizes)
        rows = np.split(scores.cpu().numpy(), np.cumsum(sizes)[:-1])
        return [Answer(options[place], row) for options, place, row in zip(sets, best, rows, strict=True)]

    def _written(self, model: nn.Module, batch: TextBatch) -> list[Answer]:
        decoding = self._decoding
        if decoding.decode == "reference":
            assert decoding.reference is not None
            ids = self._inference.reference(
                model,
                decoding=decoding.reference,
                seed=decoding.seed + batch.members[0],
                pad_id=self._pad_id,
                **batch.inputs,
            )
        else:
            warn_of_unused(model)
            ids = self._inference.greedy(
                model,
                max_new_tokens=decoding.max_new_tokens,
                max_tokens=decoding.max_tokens,
                pad_id=self._pad_id,
                **batch.inputs,
            )
        texts: list[str] = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [Answer(self._form.answer_text(text)) for text in texts]


def best_candidates(scores: Float[Tensor, " candidates"], *, sizes: Sequence[int]) -> list[int]:
    """Return for each row its best candidate's place in the row's own list; the first of equals."""
    return [int(row.argmax()) for row in torch.split(scores, list(sizes))]


def answer_instances(
    model: Any,
    instances: Sequence[Instance],
    *,
    scorer: Scorer,
    tokenizer: Any,
    limits: TokenLimits,
    decoding: Decoding,
    inference: Inference,
    form: PromptForm = PLAIN,
) -> list[Answer]:
    """Return the model's answers to instances of one task, in order."""
    split = tokens_in_memory(instances, tokenizer=tokenizer, limits=limits, form=form)
    reader = TextReader(split, decoding=decoding, tokenizer=tokenizer, inference=inference, form=form)
    return SplitScorer(reader, scorer=scorer).answers(model)
