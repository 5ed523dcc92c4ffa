"""TIES-Merging (Yadav et al., 2023, arXiv:2306.01708): trim, elect sign, disjoint merge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits


@dataclass(frozen=True)
class Ties(Rule):
    """theta = theta_0 + scale * tau, tau_p = sum_{i in A_p} alpha_i t_ip / sum_{i in A_p} alpha_i.

    t_i is the task vector theta_i - theta_0 with all but its `density` largest entries (over the whole vector, as in
    the paper) set to zero; A_p are the experts whose t_ip is not zero and has the elected sign, that of
    sum_i alpha_i t_ip.

    Departure: the paper has no coefficients; here they weigh the election and the mean. Equal ones give the paper's.
    """

    density: float  # share of entries kept, in (0, 1]
    scale: float  # the paper's lambda

    @property
    def traits(self) -> Traits:
        """Trimming and election make a vertex another model than its expert."""
        return Traits(parent=True, elementwise=True, late=("scale",))

    def check(self, num_experts: int) -> None:
        """MergeError for a density outside (0, 1]."""
        if not 0 < self.density <= 1:
            raise MergeError(f"ties: density must be in (0, 1], not {self.density}")

    def survey(self, pieces: Iterable[Piece]) -> tuple[float, ...]:
        """For each expert the size of the smallest entry that is kept."""
        gathered = [[(expert - piece.base).abs().flatten() for expert in piece.experts] for piece in pieces]
        return tuple(_threshold(torch.cat(sizes), density=self.density) for sizes in zip(*gathered, strict=True))

    def tensor(
        self, piece: Piece, *, coefficients: Sequence[float], found: tuple[float, ...]
    ) -> Float[Tensor, "*shape"]:
        """Election and disjoint mean of one block."""
        vectors = [expert - piece.base for expert in piece.experts]
        trimmed = torch.stack([each * (each.abs() >= least) for each, least in zip(vectors, found, strict=True)])
        weights = torch.tensor(coefficients).view(-1, *[1] * piece.base.dim()).to(trimmed)
        weighted = trimmed * weights
        agree = (trimmed.sign() == weighted.sum(0).sign()) & (trimmed != 0)
        total = (agree * weights).sum(0)
        mean = (weighted * agree).sum(0) / total.clamp(min=1e-12)
        return torch.where(total > 0, mean, 0.0).mul_(self.scale).add_(piece.base)


def _threshold(sizes: Float[Tensor, " parameters"], *, density: float) -> float:
    kept = max(1, round(density * sizes.numel()))
    return float(sizes.kthvalue(sizes.numel() - kept + 1).values)
