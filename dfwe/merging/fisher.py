"""Fisher merging (Matena and Raffel, 2022, arXiv:2111.09832): experts weighed value by value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits, on_simplex, weighted_sum
from dfwe.values.allowed import NonNegative


@dataclass(frozen=True)
class Fisher(Rule):
    """theta_p = sum_i alpha_i F_ip theta_ip / sum_i alpha_i F_ip, with F_i the diagonal of expert i's Fisher matrix.

    Where no F_ip is above 0, theta_p is the mixture sum_i alpha_i theta_ip. With `normalise` each F_i is divided by its
    root mean square over the whole model, so that no expert counts more for larger gradients (the paper divides by the
    norm: between experts the same). `floor` is the least F_ip, after that division; the paper's formula has none, its
    authors' code and other tools have one of 1e-6 (FusionBench adds it, here it is a maximum).
    """

    floor: NonNegative
    normalise: bool

    @property
    def traits(self) -> Traits:
        """A vertex is an expert."""
        return Traits(elementwise=True, vertices=True, late=("floor",), statistics=True)

    def check(self, num_experts: int) -> None:
        """MergeError for a floor below 0."""
        check_floor(self.floor, rule="fisher")

    def survey(self, pieces: Iterable[Piece]) -> tuple[float, ...] | None:
        """What each expert's Fisher values are divided by; None for nothing."""
        return root_mean_squares(pieces) if self.normalise else None

    def examine(self, piece: Piece, *, survey: Any) -> Any:
        """The same; MergeError where a statistic is no Fisher diagonal."""
        check_shapes(piece, rule="fisher")
        return survey

    def notes(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        """How many values no expert has a Fisher value above 0 for, so that they are the plain mixture."""
        return {"without_fisher": without_fisher(pieces)}

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The mixture, moved to where the weights of single values put it."""
        on_simplex(coefficients, rule="fisher")
        mean = weighted_sum(piece.experts, coefficients)
        moved, total = torch.zeros_like(mean), torch.zeros_like(mean)
        for number, (expert, coefficient) in enumerate(zip(piece.experts, coefficients, strict=True)):
            weights = fisher_of(piece, expert=number, scales=found, floor=self.floor).mul_(coefficient)
            total.add_(weights)
            moved.add_(weights.mul_(expert - mean))
        return torch.where(total > 0, moved.div_(total), 0.0).add_(mean)


def fisher_of(piece: Piece, *, expert: int, scales: Sequence[float] | None, floor: float) -> Float[Tensor, "*shape"]:
    """The expert's Fisher values of the piece as a new tensor, divided by its scale and raised to the floor.

    A tensor without any (one that takes no part in answers) has zeros.
    """
    statistic, scale = piece.statistics[expert], 1.0 if scales is None else scales[expert]
    values = torch.zeros_like(piece.experts[expert]) if statistic is None else statistic / scale
    return values.clamp_(min=floor)


def without_fisher(pieces: Iterable[Piece]) -> dict[str, Any]:
    """Values for which every expert's Fisher value is 0: how many, of how many, and the tensors that hold no others.

    They are weighed by nothing but the coefficients, with a floor as without one. Rare words' embeddings are among
    them, and heads of tasks that no expert's Fisher values were measured on.
    """
    zeros, size, whole = 0, 0, []
    for piece in pieces:
        known = torch.zeros(piece.experts[0].shape, dtype=torch.bool, device=piece.experts[0].device)
        for statistic in piece.statistics:
            if statistic is not None:
                known |= statistic > 0
        missing = known.numel() - int(known.sum())
        zeros, size = zeros + missing, size + known.numel()
        if missing == known.numel():
            whole.append(piece.place.tensor)
    return {"values": zeros, "of": size, "tensors": whole}


def root_mean_squares(pieces: Iterable[Piece]) -> tuple[float, ...]:
    """Of each expert's Fisher values over the whole model; 1 where all are 0."""
    totals: list[float] = []
    size = 0
    for piece in pieces:
        size += piece.experts[0].numel()
        squares = [0.0 if each is None else float(each.double().square().sum()) for each in piece.statistics]
        totals = [a + b for a, b in zip(totals or [0.0] * len(squares), squares, strict=True)]
    return tuple((total / size) ** 0.5 or 1.0 for total in totals)


def check_floor(floor: float, *, rule: str) -> None:
    """MergeError for a floor below 0."""
    if not floor >= 0:
        raise MergeError(f"{rule}: floor must be at least 0, not {floor}")


def check_shapes(piece: Piece, *, rule: str) -> None:
    """MergeError where a statistic has another shape than its tensor: it is no Fisher diagonal."""
    for each in piece.statistics:
        if each is not None and each.shape != piece.experts[0].shape:
            raise MergeError(
                f"{rule}: the statistic of '{piece.place.tensor}' has shape {list(each.shape)}, expected the tensor's "
                f"{list(piece.experts[0].shape)}: collect it by dfwe.families.seq2seq.statistics.fisher.DiagonalFisher"
            )
