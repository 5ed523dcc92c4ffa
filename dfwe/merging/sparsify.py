"""Which entries of a task vector are kept: by their size, or by chance."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece
from dfwe.merging.recipe_rule import take

Rescale = Literal["probability", "norm", "none"]
RESCALES: tuple[Rescale, ...] = ("probability", "norm", "none")


class Selection(ABC):
    """What is kept of one expert's tensor."""

    @abstractmethod
    def of(self, vector: Float[Tensor, "*shape"], *, begin: int) -> Float[Tensor, "*shape"]:
        """The vector's kept entries, all others 0; it may be written into. `begin` is as in Cut.below."""


@dataclass(frozen=True)
class Cut(Selection):
    """A cut through the entries of a vector that are ordered by size: what lies below it.

    Entries of the cut's own size are below it if they stand before the position `before`: all of them if that is None.
    """

    size: float
    before: int | None = 0

    def below(self, sizes: Float[Tensor, "*shape"], *, begin: int = 0) -> Bool[Tensor, "*shape"]:
        """Which entries are; `begin` is the position of the first one in the whole tensor."""
        if self.before is None:
            return sizes <= self.size
        if self.before == 0:
            return sizes < self.size
        positions = torch.arange(begin, begin + sizes.numel(), device=sizes.device).view(sizes.shape)
        return (sizes < self.size) | ((sizes == self.size) & (positions < self.before))

    def of(self, vector: Float[Tensor, "*shape"], *, begin: int = 0) -> Float[Tensor, "*shape"]:
        """The vector with 0 for the entries whose size is below the cut."""
        if self.before is not None and self.before > 0:
            return vector.masked_fill(self.below(vector.abs(), begin=begin), 0.0)
        least = self.size if self.before is None else float(np.nextafter(np.float32(self.size), np.float32(-1)))
        return torch.nn.functional.hardshrink(vector, least)  # one pass: 0 for what is at most that large


def cut(sizes: Float[Tensor, "*shape"], *, num_below: int) -> Cut:
    """The cut with exactly so many entries below it; of entries of one size the first ones."""
    flat = sizes.reshape(-1)
    if num_below <= 0:
        return Cut(0.0)
    size = flat.kthvalue(num_below).values
    missing = num_below - int((flat < size).sum())
    same = (flat == size).nonzero().view(-1)
    return Cut(float(size), None if missing == len(same) else int(same[missing]))


@dataclass(frozen=True, eq=False)
class Kept(Selection):
    """Which entries of one expert's tensor are kept by chance, and what those are multiplied with."""

    mask: Bool[Tensor, " values"]
    factor: float | Float[Tensor, " values"]

    def of(self, vector: Float[Tensor, "*shape"], *, begin: int) -> Float[Tensor, "*shape"]:
        """The kept and rescaled entries, written into the vector."""
        part = slice(begin, begin + vector.numel())
        factor = self.factor if isinstance(self.factor, float) else self.factor[part].view(vector.shape)
        return vector.mul_(self.mask[part].view(vector.shape)).mul_(factor)


def keep_by_chance(
    piece: Piece, *, probabilities: Sequence[float | Float[Tensor, "*shape"]], rescale: Rescale, seed: int
) -> tuple[Kept, ...]:
    """What is kept of each expert's task vector, a whole tensor, each entry with its probability.

    The draws are a function of seed, expert's place and tensor's name alone, and an entry that is kept with a
    probability is kept with every larger one. `rescale` divides by the probability, or gives the L1 norm from before
    ("norm", as mergekit), or does nothing.
    """
    kept = []
    for place, (vector, probability) in enumerate(zip(task_vectors(piece), probabilities, strict=True)):
        flat = probability.reshape(-1) if isinstance(probability, Tensor) else probability
        draws = _draws(vector.numel(), seed=seed, place=place, tensor=piece.place.tensor)
        mask = draws.to(vector.device) < flat
        kept.append(Kept(mask, _factor(vector.view(-1), mask=mask, probability=flat, rescale=rescale)))
    return tuple(kept)


def task_vectors(piece: Piece) -> Iterator[Float[Tensor, "*shape"]]:
    """theta_i - theta_0 of each expert, one at a time, as new tensors."""
    return (expert - piece.base for expert in piece.experts)


def sparse_vectors(piece: Piece, *, kept: Sequence[Selection]) -> list[Float[Tensor, "*shape"]]:
    """What is kept of each expert's task vector, as new tensors."""
    return [each.of(vector, begin=piece.begin) for each, vector in zip(kept, task_vectors(piece), strict=True)]


def share_of_entries(density: float, *, rule: str) -> None:
    """Raises MergeError unless the density, the share of entries that are kept, lies in (0, 1]."""
    if not 0 < density <= 1:
        raise MergeError(f"{rule}: density must be in (0, 1], not {density:g}")


def one_of(value: str, *, name: str, known: Sequence[str], rule: str) -> None:
    """Raises MergeError unless the setting is one of those known."""
    if value not in known:
        raise MergeError(f"{rule}: {name} must be one of {', '.join(known)}, not {value}")


def mergekit_settings(
    parameters: Mapping[str, Any], *, normalize: bool, rescale: bool | None, rule: str, **own: float
) -> dict[str, Any]:
    """The parameters of mergekit's rules for sparse task vectors over their defaults: density, lambda and more.

    `rescale` is the default of mergekit's, true or false, which comes back as our "norm" or "none"; None for rules that
    do not rescale. `int8_mask` only saves mergekit memory.

    Raises:
        MergeError: an unknown parameter, a wrong type, or a rescaling where there is none.
    """
    known = {"density": 1.0, "lambda": 1.0, "normalize": normalize, "rescale": bool(rescale), "int8_mask": False, **own}
    settings = take(parameters, known=known, rule=rule)
    if rescale is None and settings["rescale"]:
        raise MergeError(f"{rule}: `rescale` is for rules that drop by chance, remove it")
    return {**settings, "rescale": "norm" if settings["rescale"] else "none"}


def _draws(number: int, *, seed: int, place: int, tensor: str) -> Float[Tensor, " values"]:
    key = hashlib.sha256(f"{seed}:{place}:{tensor}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(key[:16], "big"))
    return torch.from_numpy(random.random(number, dtype=np.float32))


def _factor(
    vector: Float[Tensor, " values"],
    *,
    mask: Bool[Tensor, " values"],
    probability: float | Float[Tensor, " values"],
    rescale: Rescale,
) -> float | Float[Tensor, " values"]:
    if rescale == "probability":
        return 1.0 / probability
    if rescale == "none":
        return 1.0
    before, after = float(vector.abs().sum()), float((vector * mask).abs().sum())
    return before / after if min(before, after) >= 1e-7 else 1.0  # mergekit's bound
