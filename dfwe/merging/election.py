"""Sign election and disjoint merge: the second half of TIES (Yadav et al., 2023, arXiv:2306.01708)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

Aggregate = Literal["mean", "sum", "max"]
AGGREGATES: tuple[Aggregate, ...] = ("mean", "sum", "max")


def elect(
    vectors: Sequence[Float[Tensor, "*shape"]], *, coefficients: Sequence[float], aggregate: Aggregate
) -> Float[Tensor, "*shape"]:
    """The merge of the vectors, entry by entry, from those experts that agree with the elected sign.

    The sign of sum_i alpha_i t_i is elected, + where that is 0; A are the experts whose alpha_i t_i has it.
    mean: sum_A alpha_i t_i / sum_A alpha_i. sum: sum_A n alpha_i t_i. max: n alpha_i t_i of the largest size in A.
    """
    weights = torch.tensor(coefficients, dtype=vectors[0].dtype, device=vectors[0].device)
    weights = weights.view(-1, *[1] * vectors[0].dim())
    weighted = torch.stack(list(vectors)).mul_(weights)
    sign = torch.where(weighted.sum(0) < 0, -1.0, 1.0)
    sizes = weighted.mul_(sign).clamp_(min=0)  # of what agrees
    if aggregate == "max":
        return sizes.amax(0).mul_(len(vectors)).mul_(sign)
    if aggregate == "sum":
        return sizes.sum(0).mul_(len(vectors)).mul_(sign)
    share = ((sizes > 0) * weights).sum(0)
    return sizes.sum(0).div_(share.masked_fill_(share == 0, 1.0)).mul_(sign)


def summed(settings: Mapping[str, Any], *, num_experts: int) -> tuple[Aggregate, float]:
    """The aggregate that mergekit's `normalize` means, and the scale: mergekit's sum is not over n alpha_i."""
    if settings["normalize"]:
        return "mean", settings["lambda"]
    return "sum", settings["lambda"] / num_experts
