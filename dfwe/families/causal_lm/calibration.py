"""Training examples of decoder-only models, as collectors of statistics read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dfwe.families.causal_lm.labels import candidate_log_likelihoods
from dfwe.families.causal_lm.model import answer_loss
from dfwe.families.text.calibration import TextExample
from dfwe.families.text.trie import PackedTries


@dataclass(frozen=True, eq=False)
class CausalExample(TextExample):
    """A prompt, and the answer that follows it."""

    def read(self, model: Any) -> None:
        """Run the model on the prompt and the gold answer."""
        self.loss(model)

    def loss(self, model: Any) -> Float[Tensor, ""]:
        """Return the mean over the gold answer's tokens of -log p(token)."""
        return self._loss(model, self.target)

    def closed_log_likelihoods(self, model: Any) -> Float[Tensor, " answers"]:
        """Return the log-likelihoods of the closed set, normalised over it."""
        tries = PackedTries.of([self.candidates]).to(self.source.device)
        mask = torch.ones_like(self.source)
        scores = candidate_log_likelihoods(model, input_ids=self.source, attention_mask=mask, tries=tries)
        return scores.log_softmax(0)

    def log_likelihood(self, model: Any, target: Int[Tensor, "1 target"]) -> Float[Tensor, ""]:
        """Return log p(target | prompt), summed over the target's tokens."""
        return -self._loss(model, target) * target.shape[1]

    @property
    def num_before(self) -> int:
        """The prompt's."""
        return self.source.shape[1]

    def _loss(self, model: Any, target: Int[Tensor, "1 target"]) -> Float[Tensor, ""]:
        ids = torch.cat([self.source, target[:, :-1]], dim=1)
        return answer_loss(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": target})
