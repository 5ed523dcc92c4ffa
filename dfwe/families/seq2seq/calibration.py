"""Training examples of encoder-decoders, as collectors of statistics read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dfwe.families.seq2seq.inference.labels import candidate_log_likelihoods
from dfwe.families.text.calibration import TextExample
from dfwe.families.text.trie import PackedTries


@dataclass(frozen=True, eq=False)
class Seq2SeqExample(TextExample):
    """A source that the encoder reads, and an answer that the decoder writes."""

    @property
    def inputs(self) -> dict[str, Tensor]:
        """Inputs of the model."""
        return {"input_ids": self.source, "attention_mask": torch.ones_like(self.source)}

    def read(self, model: Any) -> None:
        """Run the encoder on the source, the decoder on the gold answer."""
        model(**self.inputs, labels=self.target)

    def loss(self, model: Any) -> Float[Tensor, ""]:
        """Return the mean over the gold answer's tokens of -log p(token)."""
        loss: Tensor = model(**self.inputs, labels=self.target).loss
        return loss

    def closed_log_likelihoods(self, model: Any) -> Float[Tensor, " answers"]:
        """Return the log-likelihoods of the closed set, normalised over it."""
        tries = PackedTries.of([self.candidates]).to(self.source.device)
        source: dict[str, Any] = self.inputs
        return candidate_log_likelihoods(model, tries=tries, **source).log_softmax(0)

    def log_likelihood(self, model: Any, target: Int[Tensor, "1 target"]) -> Float[Tensor, ""]:
        """Return log p(target | source), summed over the target's tokens."""
        mean: Tensor = model(**self.inputs, labels=target).loss
        return -mean * target.shape[1]

    @property
    def num_before(self) -> int:
        """One: the start token."""
        return 1
