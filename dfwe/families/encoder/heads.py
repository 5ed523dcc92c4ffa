"""Heads: what a task's outputs mean, whatever network computes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dfwe.errors import ConfigurationError, ModelError

Gold = Float[Tensor, " batch"] | Float[Tensor, "batch labels"]  # answers, or a teacher's probabilities of each label


class Head(nn.Module, ABC):
    """A task's own part of a model: from sentence embeddings to outputs, and all that these mean.

    `num_sentences` is how many sentences an example has, `pooling` (one of POOLINGS) how each of them becomes one
    embedding. Losses, divergences and factors are float32 whatever the outputs are.
    """

    num_sentences: int
    pooling: str

    @abstractmethod
    def forward(self, embeddings: Float[Tensor, "sentences batch width"]) -> Float[Tensor, "batch outputs"]:
        """Return logits, or one number an example."""

    @abstractmethod
    def losses(self, outputs: Float[Tensor, "batch outputs"], gold: Gold) -> Float[Tensor, " batch"]:
        """Return each example's loss; ModelError where a gold answer is NaN, as in a batch of a task without labels."""

    @abstractmethod
    def divergences(
        self, outputs: Float[Tensor, "batch outputs"], others: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, " batch"]:
        """Return how far apart two outputs of each example are: SMART's symmetric l_s (Jiang et al. 2020, 3.1)."""

    @abstractmethod
    def answers(self, outputs: Float[Tensor, "batch outputs"]) -> tuple[str, ...]:
        """Return the examples' answers as metrics take them."""

    @abstractmethod
    def label_scores(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, "batch labels"] | None:
        """Return log-probabilities of the labels; None where there are none."""

    @abstractmethod
    def fisher_factors(
        self, outputs: Float[Tensor, "batch outputs"], *, sigma: float, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "factors batch outputs"]:
        """Return vectors v_f such that an example's diagonal Fisher information is sum_f (J' v_f)^2; no gradients.

        J is the Jacobian of the outputs by the parameters. `sigma`, `samples` and the generator are for numbers only.
        """


@final
class LabelHead(Head):
    """A distribution over labels: the softmax of a network's outputs."""

    def __init__(self, network: nn.Module, *, labels: Sequence[str], num_sentences: int, pooling: str) -> None:
        super().__init__()
        if len(labels) < 2:
            raise ConfigurationError(f"a head that chooses needs two labels or more, not {list(labels)}")
        self.network, self.labels = network, tuple(labels)
        self.num_sentences, self.pooling = num_sentences, pooling

    def forward(self, embeddings: Float[Tensor, "sentences batch width"]) -> Float[Tensor, "batch outputs"]:
        """Return the labels' logits."""
        logits: Tensor = self.network(embeddings)
        return logits

    def losses(self, outputs: Float[Tensor, "batch outputs"], gold: Gold) -> Float[Tensor, " batch"]:
        """Return the cross-entropy; gold holds indices among the labels, or distributions over them (soft labels)."""
        _check_gold(gold, expected=f"one of {', '.join(self.labels)}")
        return functional.cross_entropy(outputs.float(), gold.long() if gold.ndim == 1 else gold, reduction="none")

    def divergences(
        self, outputs: Float[Tensor, "batch outputs"], others: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, " batch"]:
        """Return KL(p | q) + KL(q | p) = sum (p - q) (log p - log q)."""
        log_p, log_q = outputs.float().log_softmax(-1), others.float().log_softmax(-1)
        return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(-1)

    def answers(self, outputs: Float[Tensor, "batch outputs"]) -> tuple[str, ...]:
        """Return the likeliest labels."""
        return tuple(self.labels[index] for index in outputs.argmax(-1).tolist())

    def label_scores(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, "batch labels"]:
        """Return the log-softmax."""
        return outputs.float().log_softmax(-1)

    def fisher_factors(
        self, outputs: Float[Tensor, "batch outputs"], *, sigma: float, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "factors batch outputs"]:
        """Return the columns but the last, zero, of the Cholesky factor L of diag(p) - p p', p the softmax.

        That matrix is the covariance of the log-likelihood's gradient by the logits, so that the expectation over
        labels (Cuts and Stitches, equation 1) is exact with one vector less than there are labels, and nothing is
        drawn. With s_k = sum_{i >= k} p_i:
        L_kk = sqrt(p_k s_{k+1} / s_k) and, below it, L_ik = -(p_i / s_{k+1}) L_kk.
        Taken from logarithms, no label's probability is too small to divide by.
        """
        log_p = outputs.detach().double().log_softmax(-1)
        log_s = log_p.flip(-1).logcumsumexp(-1).flip(-1)  # of p_k and all behind it
        diagonal = ((log_p[:, :-1] + log_s[:, 1:] - log_s[:, :-1]) / 2).exp()
        below = -(log_p[:, :, None] - log_s[:, None, 1:]).exp() * diagonal[:, None]
        factors = below.tril(-1)
        factors.diagonal(dim1=1, dim2=2).copy_(diagonal)
        return factors.permute(2, 0, 1).float()


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

    def losses(self, outputs: Float[Tensor, "batch outputs"], gold: Gold) -> Float[Tensor, " batch"]:
        """Return squared errors."""
        _check_gold(gold, expected="a number")
        return (outputs[:, 0].float() - gold).square()

    def divergences(
        self, outputs: Float[Tensor, "batch outputs"], others: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, " batch"]:
        """Return squared differences."""
        return (outputs[:, 0].float() - others[:, 0].float()).square()

    def answers(self, outputs: Float[Tensor, "batch outputs"]) -> tuple[str, ...]:
        """Return the numbers, with all digits they have."""
        return tuple(repr(number) for number in outputs[:, 0].tolist())

    def label_scores(self, outputs: Float[Tensor, "batch outputs"]) -> None:
        """Return None: there are no labels."""
        return None

    def fisher_factors(
        self, outputs: Float[Tensor, "batch outputs"], *, sigma: float, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "factors batch outputs"]:
        """Return one vector, sqrt(mean of z^2 over samples) / sigma, z standard normal (Cuts and Stitches, Figure 3).

        A number y drawn around the output mu has d log N(y; mu, sigma^2) = (y - mu) / sigma^2 d mu = z / sigma d mu.
        Infinitely many samples give 1 / sigma.
        """
        draws = torch.randn(samples, len(outputs), generator=generator, device=generator.device)
        return (draws.square().mean(0).sqrt() / sigma).to(outputs.device)[None, :, None]


def _check_gold(gold: Gold, *, expected: str) -> None:
    """Raise ModelError where a gold answer is NaN; `expected` says what was to be learnt."""
    if missing := int(gold.isnan().sum()):
        raise ModelError(
            f"{missing} of {len(gold)} examples in a batch have no gold answer, {expected} is expected: a task is "
            "trained on, and its loss measured on, labelled examples only (see its columns and `labels`)"
        )
