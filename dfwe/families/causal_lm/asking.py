"""Asking decoder-only models: what the reader of texts needs of the family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dfwe.families.causal_lm.generate import greedy
from dfwe.families.causal_lm.labels import candidate_log_likelihoods
from dfwe.families.text.decoding import ReferenceDecoding, generate_as_reference
from dfwe.families.text.reader import Inference
from dfwe.families.text.trie import PackedTries


class CausalInference(Inference):
    """Decoder-only models read prompts that are filled up on their left."""

    def inputs(self, sources: Sequence[Sequence[int]], *, pad_id: int) -> dict[str, Tensor]:
        """Return the sources, filled up on the left."""
        return left_padded(sources, pad_id=pad_id)

    def candidate_log_likelihoods(self, model: Any, *, tries: PackedTries, **inputs: Tensor) -> Tensor:
        """Return those of all rows' candidates."""
        return candidate_log_likelihoods(model, tries=tries, **inputs)

    def greedy(self, model: Any, *, max_new_tokens: int, max_tokens: int, pad_id: int, **inputs: Tensor) -> Tensor:
        """Return the ids behind the prompt."""
        return greedy(model, max_new_tokens=max_new_tokens, pad_id=pad_id, **inputs)

    def reference(self, model: Any, *, decoding: ReferenceDecoding, seed: int, pad_id: int, **inputs: Tensor) -> Tensor:
        """Return the ids behind the prompt."""
        ids = generate_as_reference(model, decoding=decoding, seed=seed, pad_id=pad_id, **inputs)
        return ids[:, inputs["input_ids"].shape[1] :]


def left_padded(rows: Sequence[Sequence[int]], *, pad_id: int) -> dict[str, Tensor]:
    """Return `input_ids` and `attention_mask` of rows that are filled up on the left, so that they end together."""
    longest = max(map(len, rows))
    gaps = [longest - len(row) for row in rows]
    return {
        "input_ids": torch.tensor([[*[pad_id] * gap, *row] for gap, row in zip(gaps, rows, strict=True)]),
        "attention_mask": torch.tensor([[*[0] * gap, *[1] * len(row)] for gap, row in zip(gaps, rows, strict=True)]),
    }
