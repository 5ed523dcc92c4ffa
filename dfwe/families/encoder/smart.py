"""SMART: answers that hardly change where the word embeddings do, and steps that hardly change the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.values.allowed import Natural, NonNegative, Positive, Share

Forward = Callable[[Tensor], Tensor]  # word embeddings [rows, length, width] -> outputs [batch, outputs]
Divergences = Callable[[Tensor, Tensor], Tensor]  # two outputs -> [batch]


@dataclass(frozen=True)
class Proximal:
    """The Bregman proximal point with momentum (Jiang et al. 2020, equations 4 and 5).

    The loss gains `weight` (mu) times the mean divergence from the answers of averaged weights; after each step average
    <- beta average + (1 - beta) weights. beta is `early_factor` in the first `early_share` of the training, then
    `factor`.
    """

    weight: NonNegative
    factor: Share
    early_factor: Share
    early_share: Share

    def factor_at(self, share: float) -> float:
        """Return beta when that share of the training, in [0, 1], is done."""
        return self.early_factor if share <= self.early_share else self.factor


@dataclass(frozen=True)
class Smart:
    """Smoothness-inducing adversarial regularisation (Jiang et al. 2020, equation 2 and Algorithm 1).

    The loss gains `weight` (lambda) times the mean over examples of the largest divergence between the answers to the
    word embeddings x and to x + delta, |delta|_inf <= `epsilon`. Delta starts as normal noise of deviation `noise`
    (sigma) and takes `ascents` steps of length `step` (eta) along the gradient divided by its largest element in the
    example, each cut off at `epsilon`. The embeddings of both sentences of a pair are one example's.

    The paper does not say what dropout does meanwhile. With `same_dropout` all passes over a batch drop out the same,
    and the penalty is that of delta alone: with an epsilon of 1e-5, which is lost in bfloat16's rounding besides, next
    to nothing (benchmarks/RESULTS.md). Without, each pass draws anew, and answers are to change little with dropout,
    too, which is then most of the penalty.
    """

    weight: NonNegative
    epsilon: Positive
    step: NonNegative
    noise: Positive
    ascents: Natural
    same_dropout: bool
    proximal: Proximal | None

    @property
    def passes(self) -> int:
        """Number of times a step reads a batch: as it is, in each ascent, with the adversary, by averaged weights."""
        return 2 + self.ascents + (self.proximal is not None)

    def penalty(
        self,
        forward: Forward,
        *,
        embeddings: Float[Tensor, "rows length width"],
        outputs: Float[Tensor, "batch outputs"],
        divergences: Divergences,
    ) -> Float[Tensor, ""]:
        """Return lambda times the mean divergence between `outputs`, of `embeddings`, and those of the adversary.

        Its gradient goes through both. `rows` are the first sentences of all examples, then the second ones, if any.
        The noise is of torch's global generator, as dropout is.
        """
        adversary = self._adversary(forward, embeddings.detach(), outputs.detach(), divergences)
        return self.weight * divergences(forward(embeddings + adversary), outputs).mean()

    def _adversary(
        self,
        forward: Forward,
        embeddings: Float[Tensor, "rows length width"],
        outputs: Float[Tensor, "batch outputs"],
        divergences: Divergences,
    ) -> Float[Tensor, "rows length width"]:
        delta = torch.randn_like(embeddings) * self.noise
        for _ in range(self.ascents):
            delta.requires_grad_(True)
            total = divergences(forward(embeddings + delta), outputs).sum()
            with torch.autocast(embeddings.device.type, enabled=False):
                (gradient,) = torch.autograd.grad(total, delta)
            delta = delta.detach() + self.step * _normalised(gradient, num_examples=len(outputs))
            delta = delta.clamp(-self.epsilon, self.epsilon)
        return delta.clamp(-self.epsilon, self.epsilon)


def same_draws(function: Forward, *, seed: int | None, device: torch.device) -> Forward:
    """Return the function, whose calls draw what `seed` gives and leave torch's generator alone; itself for None."""
    if seed is None:
        return function

    def seeded(values: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            return function(values)

    return seeded


def _normalised(
    gradient: Float[Tensor, "rows length width"], *, num_examples: int
) -> Float[Tensor, "rows length width"]:
    by_example = gradient.view(-1, num_examples, *gradient.shape[1:])
    largest = by_example.abs().amax((0, 2, 3), keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)
    return (by_example / largest).view_as(gradient)
