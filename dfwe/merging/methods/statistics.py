"""Merge weighted by statistics of the experts' training data: Fisher merging, DF-Merge and RegMean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dfwe.errors import MergeError
from dfwe.merging.base import (
    AnyShape,
    MergeMethod,
    MethodProperties,
    TensorGroup,
    check_simplex,
    method_name,
    weighted_sum,
)
from dfwe.values.allowed import NonNegative, Positive, Share

Scales = tuple[float, ...] | None  # what each expert's Fisher values are divided by; None for nothing


class FisherMethod(MergeMethod):
    """Weigh values by the diagonals of the experts' Fisher matrices."""

    floor: NonNegative
    normalise: bool

    def prepare_model(self, groups: Iterable[TensorGroup]) -> Scales:
        """Compute the scales of the experts' Fisher values: their root mean squares; 1 if all are 0."""
        if not self.normalise:
            return None
        totals: list[float] = []
        size = 0
        for group in groups:
            size += group.experts[0].numel()
            squares = [0.0 if values is None else float(values.double().square().sum()) for values in group.statistics]
            totals = [a + b for a, b in zip(totals or [0.0] * len(squares), squares, strict=True)]
        return tuple((total / size) ** 0.5 or 1.0 for total in totals)

    def prepare_tensor(self, group: TensorGroup, *, state: Scales) -> Scales:
        """Check the statistics; MergeError if one is not a Fisher diagonal."""
        expected = group.experts[0].shape
        for statistic in group.statistics:
            if statistic is not None and statistic.shape != expected:
                raise MergeError(
                    f"{method_name(self)}: the statistic of '{group.info.name}' has shape {list(statistic.shape)}, "
                    f"expected the tensor's {list(expected)}: set merge.statistics to a DiagonalFisher, as conf/merge "
                    "does"
                )
        return state

    def notes(self, groups: Iterable[TensorGroup]) -> dict[str, Any]:
        """Count the values for which every expert's Fisher value is 0, and list the tensors that hold no others.

        They are weighted by nothing but the coefficients, with a floor as without one. Rare words' embeddings are among
        them, and heads of tasks that no expert's Fisher values were measured on.
        """
        zeros, size, tensors = 0, 0, []
        for group in groups:
            positive = torch.zeros(group.experts[0].shape, dtype=torch.bool, device=group.experts[0].device)
            for statistic in group.statistics:
                if statistic is not None:
                    positive |= statistic > 0
            missing = positive.numel() - int(positive.sum())
            zeros, size = zeros + missing, size + positive.numel()
            if missing == positive.numel():
                tensors.append(group.info.name)
        return {"without_fisher": {"values": zeros, "of": size, "tensors": tensors}}


@dataclass(frozen=True)
class Fisher(FisherMethod):
    """theta_p = sum_i alpha_i F_ip theta_ip / sum_i alpha_i F_ip, with F_i the diagonal of expert i's Fisher matrix.

    Fisher merging (Matena and Raffel, 2022, arXiv:2111.09832). Where no F_ip is above 0, theta_p is the mixture
    sum_i alpha_i theta_ip. With `normalise` each F_i is divided by its root mean square over the whole model, so that
    no expert counts more for larger gradients (the paper divides by the norm: between experts the same). `floor` is the
    least F_ip, after that division; the paper's formula has none, its authors' code and other tools have one of 1e-6
    (FusionBench adds it, here it is a maximum).
    """

    floor: NonNegative
    normalise: bool

    properties = MethodProperties(
        needs_statistics=True, is_elementwise=True, recovers_experts=True, merge_time_settings=("floor",)
    )

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Scales) -> AnyShape:
        """Return the mixture, moved to where the weights of single values put it."""
        check_simplex(coefficients, method=self)
        mean = weighted_sum(group.experts, coefficients)
        moved, total = torch.zeros_like(mean), torch.zeros_like(mean)
        for number, (expert, coefficient) in enumerate(zip(group.experts, coefficients, strict=True)):
            weights = _fisher_values(group, expert=number, scales=state, floor=self.floor).mul_(coefficient)
            total.add_(weights)
            moved.add_(weights.mul_(expert - mean))
        return torch.where(total > 0, moved.div_(total), 0.0).add_(mean)


@dataclass(frozen=True)
class DfMerge(FisherMethod):
    """theta_p = sum_i F_ip (theta_0p + lambda_i tau_ip) / sum_i F_ip, tau_i = theta_i - theta_0.

    DF-Merge (Lee et al., 2025, arXiv:2504.18992). F_i is the diagonal of expert i's Fisher matrix and lambda_i =
    scale * n * alpha_i for n experts: equal coefficients on the simplex and a scale of 1 give Fisher merging with equal
    coefficients. Where no F_ip is above 0 the experts count alike. `floor` and `normalise` are those of Fisher merging.

    Departures: the paper finds lambda by Bayesian optimisation and measures F anew at each theta_0 + lambda_i tau_i;
    here any search finds it, and F is the experts', collected once.
    """

    scale: float
    floor: NonNegative
    normalise: bool

    properties = MethodProperties(
        needs_parent=True,
        needs_statistics=True,
        is_elementwise=True,
        is_linear=True,
        merge_time_settings=("scale", "floor"),
    )

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Scales) -> AnyShape:
        """Add the weighted task vectors of one block to the parent."""
        number = len(group.experts)
        moved, total, mean = (torch.zeros_like(group.parent) for _ in range(3))
        for position, (expert, coefficient) in enumerate(zip(group.experts, coefficients, strict=True)):
            vector = (expert - group.parent).mul_(self.scale * number * coefficient)
            weights = _fisher_values(group, expert=position, scales=state, floor=self.floor)
            total.add_(weights)
            mean.add_(vector, alpha=1.0 / number)
            moved.add_(weights.mul_(vector))
        return torch.where(total > 0, moved.div_(total), mean).add_(group.parent)


@dataclass(frozen=True)
class Regmean(MergeMethod):
    """W = (sum_i c_i G_i)^-1 sum_i c_i G_i W_i for the weights of linear layers; sum_i c_i theta_i for all else.

    RegMean (Jin et al., 2023, arXiv:2212.09849): linear layers that answer their experts' inputs alike.
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

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Return the regression for the weight of a linear layer, the mixture for any other tensor."""
        check_simplex(coefficients, method=self)
        mean = weighted_sum(group.experts, coefficients)
        grams = [statistic for statistic in group.statistics if statistic is not None]
        if len(grams) < len(group.experts):
            return mean
        total, moved = torch.zeros_like(grams[0]), torch.zeros_like(mean)
        for expert, gram, coefficient in zip(group.experts, grams, coefficients, strict=True):
            if coefficient:
                scaled = (gram * self.alpha).diagonal_scatter(gram.diagonal()).mul_(coefficient)
                total.add_(scaled)
                moved.addmm_(expert - mean, scaled)
        ridge = self.ridge * float(total.diagonal().mean())
        if ridge == 0.0:  # no input at all
            return mean
        total = total.double()  # products are as exact as the matrices are; solving would lose digits
        total.diagonal().add_(ridge)
        return mean.add_(torch.linalg.solve(total, moved.double(), left=False))


def _fisher_values(group: TensorGroup, *, expert: int, scales: Scales, floor: float) -> AnyShape:
    """Return the expert's Fisher values as a new tensor, divided by its scale and raised to the floor.

    A tensor without statistics (one that takes no part in answers) has zeros.
    """
    statistic, scale = group.statistics[expert], 1.0 if scales is None else scales[expert]
    values = torch.zeros_like(group.experts[expert]) if statistic is None else statistic / scale
    return values.clamp_(min=floor)
