"""Heads whose answer is one of a task's labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dfwe.errors import ConfigurationError
from dfwe.families.multi_head.heads.base import Head, check_gold


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

    def losses(self, outputs: Float[Tensor, "batch outputs"], gold: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Cross-entropy; gold holds indices among the labels."""
        check_gold(gold, what=f"one of {', '.join(self.labels)}")
        return functional.cross_entropy(outputs.float(), gold.long(), reduction="none")

    def divergences(
        self, outputs: Float[Tensor, "batch outputs"], others: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, " batch"]:
        """KL(p | q) + KL(q | p) = sum (p - q) (log p - log q)."""
        log_p, log_q = outputs.float().log_softmax(-1), others.float().log_softmax(-1)
        return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(-1)

    def answers(self, outputs: Float[Tensor, "batch outputs"]) -> tuple[str, ...]:
        """Return the likeliest labels."""
        return tuple(self.labels[index] for index in outputs.argmax(-1).tolist())

    def label_scores(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, "batch labels"]:
        """Log-softmax."""
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
