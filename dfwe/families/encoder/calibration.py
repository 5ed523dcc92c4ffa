"""Training examples of models with heads, as collectors of statistics read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dfwe.families.encoder.data import SentenceBatch, SentenceSplit, batch_on, sentence_batch
from dfwe.families.statistics.base import CalibrationExample, draw_places


@dataclass(frozen=True, eq=False)
class HeadExample(CalibrationExample):
    """A batch of one example; its answer is a label, or a number: the mean of a Gaussian of deviation 1."""

    batch: SentenceBatch
    is_closed: bool

    def to(self, device: torch.device) -> HeadExample:
        """Return the same on that device."""
        return HeadExample(batch_on(device, self.batch), self.is_closed)

    def read(self, model: Any) -> None:
        """Run the encoder and the head."""
        model(self.batch)

    def loss(self, model: Any) -> Float[Tensor, ""]:
        """Return the cross-entropy or the squared error."""
        loss: Tensor = model.head(self.batch["task"]).losses(model(self.batch), self.batch["gold"])[0]
        return loss

    def gold_log_likelihood(self, model: Any) -> Float[Tensor, ""]:
        """Return the log-probability of the gold label, or the log-density of the gold number but for a constant."""
        return -self.loss(model) if self.is_closed else -self.loss(model) / 2

    @property
    def gold_place(self) -> int | None:
        """Place of the gold label."""
        return int(self.batch["gold"][0]) if self.is_closed else None

    def closed_log_likelihoods(self, model: Any) -> Float[Tensor, " answers"]:
        """Return the labels' log-probabilities."""
        return functional.log_softmax(model(self.batch)[0].float(), dim=-1)

    def drawn_log_likelihoods(self, model: Any, *, samples: int, seed: int) -> Iterator[Float[Tensor, ""]]:
        """Yield log-densities of numbers drawn around the model's."""
        generator = torch.Generator().manual_seed(seed)
        for deviation in torch.randn(samples, generator=generator).tolist():
            mean: Tensor = model(self.batch)[0, 0]
            yield -(mean - (mean.detach() + deviation)).square() / 2


def draw_examples(splits: Sequence[SentenceSplit], *, examples: int, seed: int) -> list[HeadExample]:
    """Draw so many examples of these splits together, without repetition; all, if there are no more."""
    places = draw_places([len(split) for split in splits], examples=examples, seed=seed)
    rows = [(splits[place], row) for place, row in places]
    return [HeadExample(sentence_batch(split, [row]), split.is_closed) for split, row in rows]
