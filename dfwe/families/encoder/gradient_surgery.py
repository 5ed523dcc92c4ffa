"""Gradient surgery: each task's gradient loses what conflicts with another task's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.values.allowed import Natural, OneOf

Gradients = Sequence[Tensor | None]  # one task's by tensor, or all tasks' of one; None where a task does not reach it
Orders = Sequence[Sequence[int]]  # for each task the others, in the order in which they are looked at


@dataclass(frozen=True)
class Surgery:
    """Gradient surgery (Yu et al. 2020, Algorithm 1) on each parameter tensor by itself, or on the whole gradient.

    By `parameter` is what Cuts and Stitches (section 4.2) does, `whole` what Yu et al. do. The orders are drawn from
    `seed`, the epoch and the batch, so that a resumed training draws what it would have drawn.
    """

    scope: Annotated[str, OneOf("parameter", "whole")]  # parameter or whole
    seed: Natural

    def combine(
        self, gradients: Sequence[Gradients], *, weights: Sequence[float], epoch: int, batch: int
    ) -> list[Tensor | None]:
        """Sum weight times projected gradient over the tasks, by parameter; use up the gradients' own memory.

        The result lies where the gradients lay, so that T gradients are all that is ever held: a projected gradient is
        a linear combination of the original ones, whose coefficients need their scalar products alone. Positive weights
        could as well be multiplied in before: what a projection takes off is proportional to the gradient, and knows
        only the direction of the other one.
        """
        by_tensor = list(zip(*gradients, strict=True))
        products = _products(by_tensor)
        if self.scope == "whole":
            products = np.broadcast_to(products.sum(0), products.shape)
        orders = draw_orders(len(gradients), generator=np.random.default_rng([self.seed, epoch, batch]))
        shares = np.asarray(weights, dtype=np.float64) @ projections(products, orders=orders)
        return [_mixed(tensor, share) for tensor, share in zip(by_tensor, shares, strict=True)]


def draw_orders(num_tasks: int, *, generator: np.random.Generator) -> Orders:
    """Draw for each task the other tasks in random order."""
    return [[int(j) for j in generator.permutation(num_tasks) if j != i] for i in range(num_tasks)]


def projections(
    products: Float[np.ndarray, "tensors tasks tasks"], *, orders: Orders
) -> Float[np.ndarray, "tensors tasks tasks"]:
    """Return the coefficients C of projected_i = sum_j C_ij g_j in each tensor, from the scalar products there.

    g_i <- g_i - (g_i . g_j / |g_j|^2) g_j for each other task j in turn whose scalar product with what is left of g_i
    is negative; g_j is always the original gradient (Yu et al. 2020, Algorithm 1).
    """
    num_tasks = products.shape[-1]
    shares = np.broadcast_to(np.eye(num_tasks), products.shape).copy()
    for task, order in enumerate(orders):
        for other in order:
            with np.errstate(invalid="ignore"):  # gradients that are infinite stay so; the end of the training says it
                product = (shares[:, task] * products[:, other]).sum(-1)  # with what is left of the task's gradient
            square = products[:, other, other]
            conflicts = (product < 0) & (square > 0)  # a gradient may be too short to be squared
            shares[:, task, other] -= np.divide(product, square, out=np.zeros_like(product), where=conflicts)
    return shares


def _products(by_tensor: Sequence[Gradients]) -> Float[np.ndarray, "tensors tasks tasks"]:
    """Return the tasks' scalar products in each tensor, 0 with a task that does not reach it."""
    rows, columns = np.tril_indices(len(by_tensor[0]))
    zero = torch.zeros((), device=next(value.device for tensor in by_tensor for value in tensor if value is not None))
    flat = [[None if value is None else value.reshape(-1) for value in tensor] for tensor in by_tensor]
    dots = [_dot(tensor[i], tensor[j], zero=zero) for tensor in flat for i, j in zip(rows, columns, strict=True)]
    lower = torch.stack(dots).double().cpu().numpy().reshape(len(by_tensor), -1)
    products = np.empty((len(by_tensor), *[len(by_tensor[0])] * 2))
    products[:, rows, columns] = products[:, columns, rows] = lower
    return products


def _dot(left: Tensor | None, right: Tensor | None, *, zero: Tensor) -> Float[Tensor, ""]:
    return zero if left is None or right is None else left.dot(right)


def _mixed(gradients: Gradients, shares: Float[np.ndarray, " tasks"]) -> Tensor | None:
    result: Tensor | None = None
    for gradient, share in zip(gradients, shares.tolist(), strict=True):
        if gradient is not None:
            result = gradient.mul_(share) if result is None else result.add_(gradient, alpha=share)
    return result
