"""Merge by RegMean (Jin et al., 2023, arXiv:2212.09849): linear layers that answer their experts' inputs alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import MergeMethod, MethodProperties, TensorGroup, check_simplex, weighted_sum
from dfwe.values.allowed import Positive, Share


@dataclass(frozen=True)
class Regmean(MergeMethod):
    """W = (sum_i c_i G_i)^-1 sum_i c_i G_i W_i for the weights of linear layers; sum_i c_i theta_i for all else.

    G_i = X_i^T X_i / tokens is the Gram matrix of the layer's inputs in expert i (divided by the number of tokens, so
    that experts count alike whatever their data's length), its entries off the diagonal times `alpha`, W_i [in, out]
    the paper's orientation (torch's weights are its transposes), c_i the coefficients. Equal ones give the paper's.

    Departures: `ridge` times the mean of the diagonal is added to the diagonal of sum_i c_i G_i, and the system is
    solved for the distance to sum_i c_i W_i. What no input shows (zero rows of all G_i) is then that mixture, where the
    paper's inverse does not exist. RegMean++ is this method with the matrices of `MergedGram`.
    """

    alpha: Share  # the paper's factor of entries off the diagonal
    ridge: Positive  # of the mean of the diagonal

    properties = MethodProperties(needs_statistics=True, recovers_experts=True, merge_time_settings=("alpha", "ridge"))

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> None:
        """Check the statistics; MergeError if one is not a Gram matrix of the tensor's inputs."""
        expected = group.experts[0].shape[-1:] * 2
        for statistic in group.statistics:
            if statistic is not None and (group.experts[0].dim() != 2 or statistic.shape != expected):
                raise MergeError(
                    f"regmean: the statistic of '{group.info.name}' has shape {list(statistic.shape)}, expected "
                    f"{list(expected)}: set merge.statistics to a Gram, as conf/merge/regmean.yaml does"
                )

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> Float[Tensor, "*shape"]:
        """Return the regression for the weight of a linear layer, the mixture for any other tensor."""
        check_simplex(coefficients, method=self)
        mean = weighted_sum(group.experts, coefficients)
        grams = [statistic for statistic in group.statistics if statistic is not None]
        if len(grams) < len(group.experts):
            return mean
        total, moved = torch.zeros_like(grams[0]), torch.zeros_like(mean)
        for expert, gram, coefficient in zip(group.experts, grams, coefficients, strict=True):
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
