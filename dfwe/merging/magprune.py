"""MAGPRUNE of DELLA (Deep et al., 2024, arXiv:2406.11617): entries are kept by chance, large ones more often."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece
from dfwe.merging.sparsify import Kept, Rescale, keep_by_chance, share_of_entries, task_vectors


def magprune(piece: Piece, *, density: float, epsilon: float, rescale: Rescale, seed: int) -> tuple[Kept, ...]:
    """What is kept of each expert's task vector, a whole tensor; see Della and `keep_by_chance`."""
    if density == 1 or epsilon == 0:
        return keep_by_chance(piece, probabilities=[density] * len(piece.experts), rescale=rescale, seed=seed)
    probabilities = [density + epsilon * (2.0 * _ranks(vector.abs_()) - 1.0) for vector in task_vectors(piece)]
    return keep_by_chance(piece, probabilities=probabilities, rescale=rescale, seed=seed)


def check_probabilities(density: float, *, epsilon: float, rule: str) -> None:
    """Raises MergeError unless the density is 1, or density +/- epsilon lie in (0, 1) and epsilon is at least 0."""
    share_of_entries(density, rule=rule)
    if epsilon < 0 or (density < 1 and not 0 < density - epsilon <= density + epsilon < 1):
        raise MergeError(
            f"{rule}: epsilon must be at least 0 and density +/- epsilon in (0, 1), "
            f"not epsilon {epsilon:g} at density {density:g}"
        )


def _ranks(sizes: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """How many of its row are smaller, from 0 for the smallest to 1 for the largest.

    A vector is one row; of a tensor with more dimensions the second is ranked, as in mergekit. A row of one entry has
    the middle rank (mergekit fails there).
    """
    rows = sizes if sizes.dim() > 1 else sizes.reshape(1, -1)
    if rows.shape[1] < 2:
        return sizes.new_full(sizes.shape, 0.5)
    order = rows.argsort(dim=1, stable=True)
    ranks = order.argsort(dim=1).to(sizes.dtype) / (rows.shape[1] - 1)
    return ranks.reshape(sizes.shape)
