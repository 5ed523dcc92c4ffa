"""Merge by Model Stock (Jang et al., 2024, arXiv:2403.19522): move towards the mean as far as experts agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import (
    LinearMethod,
    MergeMethod,
    MethodProperties,
    RecipeFormat,
    TensorGroup,
    TensorInfo,
    TensorWeights,
    around_parent,
)
from dfwe.merging.methods.geometry import cosines, inner_products
from dfwe.values.allowed import NonNegative

_SINGULAR = 1e-6


@dataclass(frozen=True)
class ModelStockByFilter(MergeMethod):
    """Merge like ModelStock, with a separate t for each row (the last axis) of a tensor: mergekit's `filter_wise`."""

    floor: NonNegative  # as ModelStock's

    properties = MethodProperties(needs_parent=True, is_linear=True)

    def check_experts(self, num_experts: int) -> None:
        """Raise MergeError for less than two experts."""
        _check_several(num_experts)

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> Float[Tensor, "*rows one"]:
        """Compute t of each row."""
        pairs = [self._cosine(group, pair) for pair in combinations(range(len(group.experts)), 2)]
        return _ratio(pairs, num_experts=len(group.experts)).float()

    def merge_tensor(
        self, group: TensorGroup, *, coefficients: Sequence[float], state: Tensor
    ) -> Float[Tensor, "*shape"]:
        """Move each row from the parent to the weighted mean, by t."""
        moved = torch.zeros_like(group.parent)
        for expert, coefficient in zip(group.experts, coefficients, strict=True):
            moved.add_(expert - group.parent, alpha=coefficient)
        return moved.mul_(state).add_(group.parent)

    def _cosine(self, group: TensorGroup, pair: tuple[int, int]) -> Tensor:
        first, second = (group.experts[expert].double() - group.parent.double() for expert in pair)
        lengths = (first.norm(dim=-1, keepdim=True) * second.norm(dim=-1, keepdim=True)).clamp(min=self.floor)
        products = (first * second).sum(-1, keepdim=True)
        return torch.where(lengths > 0, products / lengths.clamp(min=1e-300), 0.0).clamp(-1.0, 1.0)


@dataclass(frozen=True)
class ModelStock(LinearMethod):
    """theta = theta_0 + t sum_i alpha_i (theta_i - theta_0), t = n c / (1 + (n - 1) c), for each tensor.

    c is the mean cosine of the angles between two of the n experts' task vectors (equation 4 of the paper, for more
    than two experts). Where 1 + (n - 1) c is 0 the tensor stays the parent's.

    Departures: alpha_i weigh the mean (t does not depend on them; equal ones give the paper's). `floor` bounds the
    product of two lengths in a cosine: 0 is the paper's, mergekit 0.1.5 has 1e-6, which makes t smaller where experts
    hardly moved. mergekit's `filter_wise` is ModelStockByFilter.
    """

    floor: NonNegative

    recipe = RecipeFormat(defaults={"floor": 1e-6}, switches={"filter_wise": ModelStockByFilter})
    properties = MethodProperties(needs_parent=True, is_elementwise=True, is_linear=True)

    def check_experts(self, num_experts: int) -> None:
        """Raise MergeError for less than two experts."""
        _check_several(num_experts)

    def prepare_model(self, groups: Iterable[TensorGroup]) -> dict[str, float]:
        """Compute t of each tensor."""
        return {group.info.name: self._tensor_ratio(group) for group in groups}

    def tensor_weights(
        self, coefficients: Sequence[float], *, tensor: TensorInfo, state: dict[str, float]
    ) -> TensorWeights:
        """Return t times each coefficient, and what is left of the parent."""
        return around_parent(state[tensor.name] * coefficient for coefficient in coefficients)

    def _tensor_ratio(self, group: TensorGroup) -> float:
        cosine = cosines(inner_products(group, from_parent=True), floor=self.floor)
        pairs = [torch.tensor(cosine[pair]) for pair in combinations(range(len(cosine)), 2)]
        return float(_ratio(pairs, num_experts=len(cosine)))


def _ratio(cosines_of_pairs: Sequence[Tensor], *, num_experts: int) -> Tensor:
    """Return t, the way from the parent to the mean."""
    cosine = torch.stack(list(cosines_of_pairs)).mean(0)
    divisor = 1.0 + (num_experts - 1) * cosine
    singular = divisor.abs() < _SINGULAR
    return torch.where(singular, 0.0, num_experts * cosine / torch.where(singular, 1.0, divisor))


def _check_several(num_experts: int) -> None:
    if num_experts < 2:
        raise MergeError(f"model_stock compares experts: it needs at least two, not {num_experts}")
