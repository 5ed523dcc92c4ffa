"""RegMean (Jin et al., 2023, arXiv:2212.09849): linear layers that answer their experts' inputs as the experts do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits, on_simplex, weighted_sum
from dfwe.values.allowed import Positive, Share


@dataclass(frozen=True)
class Regmean(Rule):
    """W = (sum_i c_i G_i)^-1 sum_i c_i G_i W_i for the weights of linear layers; sum_i c_i theta_i for all else.

    G_i = X_i^T X_i / tokens is the Gram matrix of the layer's inputs in expert i (divided by the number of tokens, so
    that experts count alike whatever their data's length), its entries off the diagonal times `alpha`, W_i [in, out]
    the paper's orientation (torch's weights are its transposes), c_i the coefficients. Equal ones give the paper's.

    Departures: `ridge` times the mean of the diagonal is added to the diagonal of sum_i c_i G_i, and the system is
    solved for the distance to sum_i c_i W_i. What no input shows (zero rows of all G_i) is then that mixture, where the
    paper's inverse does not exist. RegMean++ is this rule with the
    matrices of `MergedGram`.
    """

    alpha: Share  # the paper's factor of what is off the diagonal
    ridge: Positive  # of the mean of the diagonal

    @property
    def traits(self) -> Traits:
        """A vertex is an expert; a matrix is merged as a whole."""
        return Traits(vertices=True, late=("alpha", "ridge"), statistics=True)

    def check(self, num_experts: int) -> None:
        """MergeError for an alpha outside [0, 1], a ridge that is not above 0."""
        if not 0 <= self.alpha <= 1:
            raise MergeError(f"regmean: alpha must be in [0, 1], not {self.alpha}")
        if not self.ridge > 0:
            raise MergeError(f"regmean: ridge must be above 0, not {self.ridge}: singular matrices have no inverse")

    def examine(self, piece: Piece, *, survey: Any) -> None:
        """Nothing; MergeError where a statistic is no Gram matrix of the tensor's inputs."""
        width = piece.experts[0].shape[-1:]
        for each in piece.statistics:
            if each is not None and (piece.experts[0].dim() != 2 or each.shape != width * 2):
                raise MergeError(
                    f"regmean: the statistic of '{piece.place.tensor}' has shape {list(each.shape)}, expected "
                    f"{list(width * 2)}: collect it by dfwe.families.seq2seq.statistics.gram.Gram"
                )

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The regression of one weight, the mixture of any other tensor."""
        on_simplex(coefficients, rule="regmean")
        mean = weighted_sum(piece.experts, coefficients)
        grams = [each for each in piece.statistics if each is not None]
        if len(grams) < len(piece.experts):
            return mean
        total, moved = torch.zeros_like(grams[0]), torch.zeros_like(mean)
        for expert, gram, coefficient in zip(piece.experts, grams, coefficients, strict=True):
            if coefficient:
                scaled = self._scaled(gram).mul_(coefficient)
                total.add_(scaled)
                moved.addmm_(expert - mean, scaled)
        ridge = self.ridge * float(total.diagonal().mean())
        if ridge == 0.0:  # no input at all
            return mean
        total = total.double()  # products are as exact as the matrices are; solving would lose digits
        total.diagonal().add_(ridge)
        return mean.add_(torch.linalg.solve(total, moved.double(), left=False))

    def _scaled(self, gram: Float[Tensor, "inputs inputs"]) -> Float[Tensor, "inputs inputs"]:
        return (gram * self.alpha).diagonal_scatter(gram.diagonal())
