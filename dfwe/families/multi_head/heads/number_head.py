"""Heads whose answer is a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfwe.errors import ConfigurationError
from dfwe.families.multi_head.heads.base import Head, check_gold


@final
class NumberHead(Head):
    """A number, a network's one output; the mean of a Gaussian where a distribution is needed."""

    def __init__(self, network: nn.Module, *, labels: Sequence[str], num_sentences: int, pooling: str) -> None:
        super().__init__()
        if labels:
            raise ConfigurationError(f"a head for numbers takes no labels, the task has {', '.join(labels)}")
        self.network, self.num_sentences, self.pooling = network, num_sentences, pooling

    def forward(self, embeddings: Float[Tensor, "sentences batch width"]) -> Float[Tensor, "batch outputs"]:
        """Return the numbers, in one column."""
        numbers: Tensor = self.network(embeddings)
        return numbers

    def losses(self, outputs: Float[Tensor, "batch outputs"], gold: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Squared errors."""
        check_gold(gold, what="a number")
        return (outputs[:, 0].float() - gold).square()

    def divergences(
        self, outputs: Float[Tensor, "batch outputs"], others: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, " batch"]:
        """Squared differences."""
        return (outputs[:, 0].float() - others[:, 0].float()).square()

    def answers(self, outputs: Float[Tensor, "batch outputs"]) -> tuple[str, ...]:
        """Return the numbers, with all digits they have."""
        return tuple(repr(number) for number in outputs[:, 0].tolist())

    def label_scores(self, outputs: Float[Tensor, "batch outputs"]) -> None:
        """None: there are no labels."""
        return None

    def fisher_factors(
        self, outputs: Float[Tensor, "batch outputs"], *, sigma: float, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "factors batch outputs"]:
        """One vector, sqrt(mean of z^2 over the samples) / sigma with z standard normal (Cuts and Stitches, Figure 3).

        A number y drawn around the output mu has d log N(y; mu, sigma^2) = (y - mu) / sigma^2 d mu = z / sigma d mu.
        Infinitely many samples give 1 / sigma.
        """
        if sigma <= 0 or samples < 1:
            raise ConfigurationError(f"a Gaussian needs sigma > 0 and a sample or more, not {sigma} and {samples}")
        drawn = torch.randn(samples, len(outputs), generator=generator, device=generator.device)
        return (drawn.square().mean(0).sqrt() / sigma).to(outputs.device)[None, :, None]
