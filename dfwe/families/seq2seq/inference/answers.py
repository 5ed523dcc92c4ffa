"""A model's answers to the instances of one split, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from dfwe.errors import ConfigurationError
from dfwe.families.batching import token_batches
from dfwe.families.scorer import Batch, SplitReader, SplitScorer
from dfwe.families.seq2seq.inference.generate import ReferenceDecoding, greedy, reference
from dfwe.families.seq2seq.inference.labels import best_candidates, candidate_log_likelihoods
from dfwe.families.seq2seq.inference.trie import PackedTries
from dfwe.families.seq2seq.tokenization import TokenisedSplit, TokenLimits, tokens_in_memory
from dfwe.families.tokens import pad
from dfwe.metrics.scorer import Scorer
from dfwe.records import Answer, Instance

Decode = Literal["labels", "candidates", "greedy", "reference"]


@dataclass(frozen=True)
class Decoding:
    """How answers are found.

    `labels` and `candidates` take the most likely of the instance's closed set, `greedy` writes free text, `reference`
    samples as the benchmark's code does, by the numbers of `reference`. `max_tokens` bounds what is read at once,
    padding included, and `text_tokens` the batch that texts are written for.
    """

    decode: Decode
    max_new_tokens: int
    max_tokens: int
    text_tokens: int
    seed: int = 0
    reference: ReferenceDecoding | None = None


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

    def __init__(self, split: TokenisedSplit, *, decoding: Decoding, tokenizer: Any) -> None:
        self._split, self._decoding, self._tokenizer = split, decoding, tokenizer
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
        inputs = {
            "input_ids": pad(rows["source"], value=self._tokenizer.pad_token_id),
            "attention_mask": pad([[1] * len(row) for row in rows["source"]], value=0),
        }
        return TextBatch(tuple(members), inputs, PackedTries.of(rows["candidates"]) if self.is_closed else None)

    def answers(self, model: Any, batch: Any) -> list[Answer]:
        """Return the batch's answers, in order."""
        here = batch.to(next(model.parameters()).device)
        return self._written(model, here) if here.tries is None else self._most_likely(model, here)

    def _most_likely(self, model: nn.Module, batch: TextBatch) -> list[Answer]:
        assert batch.tries is not None
        scores = candidate_log_likelihoods(model, tries=batch.tries, **batch.inputs)
        sets = [self._split.instances[i].candidates for i in batch.members]
        sizes = [len(options) for options in sets]
        best = best_candidates(scores, sizes=sizes)
        rows = np.split(scores.cpu().numpy(), np.cumsum(sizes)[:-1])
        return [Answer(options[place], row) for options, place, row in zip(sets, best, rows, strict=True)]

    def _written(self, model: nn.Module, batch: TextBatch) -> list[Answer]:
        decoding = self._decoding
        if decoding.decode == "reference":
            assert decoding.reference is not None
            seed = decoding.seed + batch.members[0]
            ids = reference(model, decoding=decoding.reference, seed=seed, **batch.inputs)
        else:
            new, most = decoding.max_new_tokens, decoding.max_tokens
            ids = greedy(model, max_new_tokens=new, max_tokens=most, **batch.inputs)
        texts: list[str] = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [Answer(text) for text in texts]


def answer_instances(
    model: Any,
    instances: Sequence[Instance],
    *,
    scorer: Scorer,
    tokenizer: Any,
    limits: TokenLimits,
    decoding: Decoding,
) -> list[Answer]:
    """Return the model's answers to instances of one task, in order."""
    split = tokens_in_memory(instances, tokenizer=tokenizer, limits=limits)
    return SplitScorer(TextReader(split, decoding=decoding, tokenizer=tokenizer), scorer=scorer).answers(model)
