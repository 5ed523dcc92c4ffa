"""A model's answers to the instances of one split, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from dfwe.errors import ConfigurationError
from dfwe.families.batching import token_batches
from dfwe.families.padding import pad
from dfwe.families.seq2seq.inference.generate import ReferenceDecoding, greedy, reference
from dfwe.families.seq2seq.inference.labels import best_candidates, candidate_log_likelihoods
from dfwe.families.seq2seq.inference.trie import PackedTries
from dfwe.families.seq2seq.tokenization import TokenisedSplit
from dfwe.records import Answer

Decode = Literal["labels", "candidates", "greedy", "reference"]


@dataclass(frozen=True)
class Decoding:
    """How answers are found.

    `labels` and `candidates` take the most likely of the instance's closed set, `greedy` writes free text, `reference`
    samples as the benchmark's code does, by the numbers of `reference`. `max_tokens` bounds what is read at once,
    padding included, and `text_tokens` the batch that texts are written for. With `bf16` a copy of the model answers
    whose weights are bfloat16.
    """

    decode: Decode
    max_new_tokens: int
    max_tokens: int
    text_tokens: int
    bf16: bool
    seed: int = 0
    reference: ReferenceDecoding | None = None


@dataclass(frozen=True)
class Batch:
    """Instances that are answered together."""

    members: tuple[int, ...]  # of the split
    inputs: Mapping[str, Tensor]
    tries: PackedTries | None  # of closed sets of answers

    @property
    def size(self) -> int:
        """Source tokens, padding included."""
        return self.inputs["input_ids"].numel()

    def to(self, device: torch.device) -> Batch:
        """The same on that device."""
        inputs = {name: tensor.to(device) for name, tensor in self.inputs.items()}
        return Batch(self.members, inputs, self.tries.to(device) if self.tries else None)


class Answers:
    """Answers to a split's instances.

    Raises:
        ConfigurationError: a closed set of answers is asked for, and an instance has none.
    """

    def __init__(self, split: TokenisedSplit, *, decoding: Decoding, tokenizer: Any) -> None:
        self._split, self._decoding, self._tokenizer = split, decoding, tokenizer
        self.closed = decoding.decode in ("labels", "candidates")
        if self.closed and not all(instance.candidates for instance in split.instances):
            raise ConfigurationError(f"decode={decoding.decode} needs a closed set of answers; use decode=greedy")

    def batches(self) -> list[Batch]:
        """All instances, in batches of similar lengths."""
        decoding = self._decoding
        tokens = decoding.text_tokens if decoding.decode == "greedy" else decoding.max_tokens
        groups = token_batches(list(self._split.tokens["length"]), max_tokens=tokens)
        return [self.batch(tuple(members)) for members in groups]

    def batch(self, members: tuple[int, ...]) -> Batch:
        """These instances as tensors."""
        rows = self._split.tokens[list(members)]
        inputs = {
            "input_ids": pad(rows["source"], value=self._tokenizer.pad_token_id),
            "attention_mask": pad([[1] * len(row) for row in rows["source"]], value=0),
        }
        return Batch(members, inputs, PackedTries.of(rows["candidates"]) if self.closed else None)

    def of(self, model: nn.Module, batch: Batch) -> list[Answer] | None:
        """The batch's answers, in order; None where it does not fit the memory and can be halved."""
        device = next(model.parameters()).device
        try:
            here = batch.to(device)
            return self._written(model, here) if here.tries is None else self._most_likely(model, here)
        except RuntimeError as error:
            if not is_out_of_memory(error) or len(batch.members) == 1:
                raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _most_likely(self, model: nn.Module, batch: Batch) -> list[Answer]:
        assert batch.tries is not None
        scores = candidate_log_likelihoods(model, tries=batch.tries, **_source(batch))
        sets = [self._split.instances[i].candidates for i in batch.members]
        sizes = [len(options) for options in sets]
        best = best_candidates(scores, sizes=sizes)
        rows = np.split(scores.cpu().numpy(), np.cumsum(sizes)[:-1])
        return [Answer(options[place], row) for options, place, row in zip(sets, best, rows, strict=True)]

    def _written(self, model: nn.Module, batch: Batch) -> list[Answer]:
        decoding = self._decoding
        if decoding.decode == "reference":
            assert decoding.reference is not None
            seed = decoding.seed + batch.members[0]
            ids = reference(model, decoding=decoding.reference, seed=seed, **_source(batch))
        else:
            new, most = decoding.max_new_tokens, decoding.max_tokens
            ids = greedy(model, max_new_tokens=new, max_tokens=most, **_source(batch))
        texts: list[str] = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [Answer(text) for text in texts]


def _source(batch: Batch) -> dict[str, Any]:
    return dict(batch.inputs)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether it is one: CUDA has an exception of its own; the CPU's allocator says it in its message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
