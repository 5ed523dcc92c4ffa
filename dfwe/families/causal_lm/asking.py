"""Asking decoder-only models: what the reader of texts needs of the family."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dfwe.families.causal_lm.generate import greedy
from dfwe.families.causal_lm.labels import answers_of, candidate_log_likelihoods, teacher_forced_log_likelihoods
from dfwe.families.text.decoding import ReferenceDecoding, generate_as_reference
from dfwe.families.text.reader import Inference
from dfwe.families.text.trie import PackedTries

log = logging.getLogger(__name__)

_CLOSE = {torch.float32: 1e-2, torch.bfloat16: 0.5}  # log-likelihoods of several tokens; other ways differ by far more


class CausalInference(Inference):
    """Decoder-only models read prompts that are filled up on their left.

    Labels are scored in one pass over a packed tree. Whether a model's attention allows that is tried once, on the
    first row: where it does not, each label has a pass of its own.
    """

    def __init__(self) -> None:
        self._is_packed: bool | None = None

    def inputs(self, sources: Sequence[Sequence[int]], *, pad_id: int) -> dict[str, Tensor]:
        """Return the sources, filled up on the left."""
        return left_padded(sources, pad_id=pad_id)

    def candidate_log_likelihoods(self, model: Any, *, tries: PackedTries, **inputs: Tensor) -> Tensor:
        """Return the log-likelihoods by one pass over each row's prompt and tree."""
        if self._is_packed is None:
            self._is_packed = _can_pack(model, tries=tries, **inputs)
        score = candidate_log_likelihoods if self._is_packed else teacher_forced_log_likelihoods
        return score(model, tries=tries, **inputs)

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


def _can_pack(model: Any, *, tries: PackedTries, **inputs: Tensor) -> bool:
    """Return whether packed scoring gives what a pass per candidate gives, on the first row."""
    rows, answers = answers_of(tries)
    first = PackedTries.of([[answer for row, answer in zip(rows, answers, strict=True) if row == 0]])
    tries = first.to(tries.tokens.device)
    inputs = {name: tensor[:1] for name, tensor in inputs.items()}
    try:
        packed = candidate_log_likelihoods(model, tries=tries, **inputs)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise
        log.warning("%s scores each label in a pass of its own: %s", model.config.model_type, error)
        return False
    expected = teacher_forced_log_likelihoods(model, tries=tries, **inputs)
    same = bool((packed - expected).abs().max() <= _CLOSE.get(model.dtype, 0.5))
    if not same:
        log.warning("%s scores each label in a pass of its own: it ignores the mask of a tree", model.config.model_type)
    return same
