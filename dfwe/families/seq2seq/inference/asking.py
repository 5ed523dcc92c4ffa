"""Asking encoder-decoders: what the reader of texts needs of the family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from dfwe.families.seq2seq.inference.generate import greedy
from dfwe.families.seq2seq.inference.labels import candidate_log_likelihoods
from dfwe.families.text.decoding import ReferenceDecoding, generate_as_reference
from dfwe.families.text.reader import Inference
from dfwe.families.text.trie import PackedTries
from dfwe.families.tokens import pad


class Seq2SeqInference(Inference):
    """Encoder-decoders read the source once, filled up on its right."""

    def inputs(self, sources: Sequence[Sequence[int]], *, pad_id: int) -> dict[str, Tensor]:
        """Return the sources, filled up on the right."""
        return {
            "input_ids": pad(sources, value=pad_id),
            "attention_mask": pad([[1] * len(source) for source in sources], value=0),
        }

    def candidate_log_likelihoods(self, model: Any, *, tries: PackedTries, **inputs: Tensor) -> Tensor:
        """Return the log-likelihoods by one pass of the decoder over each row's tree."""
        return candidate_log_likelihoods(model, tries=tries, **inputs)

    def greedy(self, model: Any, *, max_new_tokens: int, max_tokens: int, pad_id: int, **inputs: Tensor) -> Tensor:
        """Return the ids without the start token; the source is read in parts of `max_tokens`."""
        return greedy(model, max_new_tokens=max_new_tokens, max_tokens=max_tokens, pad_id=pad_id, **inputs)

    def reference(self, model: Any, *, decoding: ReferenceDecoding, seed: int, pad_id: int, **inputs: Tensor) -> Tensor:
        """Return the ids with the start token."""
        return generate_as_reference(model, decoding=decoding, seed=seed, pad_id=pad_id, **inputs)
