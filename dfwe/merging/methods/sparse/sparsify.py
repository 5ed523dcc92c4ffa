"""Sparsify task vectors: keep entries by their size, or at random."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dfwe.merging.base import TensorGroup

Rescale = Literal["probability", "norm", "none"]


class Mask(ABC):
    """Select entries of one expert's tensor."""

    @abstractmethod
    def apply(self, vector: Float[Tensor, "*shape"], *, begin: int) -> Float[Tensor, "*shape"]:
        """Return the vector with its masked entries set to 0; may write into it.

        `begin` is the position of its first entry in the whole tensor.
        """


@dataclass(frozen=True)
class MagnitudeThreshold(Mask):
    """Keep the entries whose size is not below a threshold.

    Entries of the threshold's size are below it if they stand before the position `before`; all of them if it is None.
    """

    size: float
    before: int | None = 0

    def is_below(self, sizes: Float[Tensor, "*shape"], *, begin: int = 0) -> Bool[Tensor, "*shape"]:
        """Return true for the entries below the threshold; `begin` is as in `Mask.apply`."""
        if self.before is None:
            return sizes <= self.size
        if self.before == 0:
            return sizes < self.size
        positions = torch.arange(begin, begin + sizes.numel(), device=sizes.device).view(sizes.shape)
        return (sizes < self.size) | ((sizes == self.size) & (positions < self.before))

    def apply(self, vector: Float[Tensor, "*shape"], *, begin: int = 0) -> Float[Tensor, "*shape"]:
        """Set the entries below the threshold to 0."""
        if self.before is not None and self.before > 0:
            return vector.masked_fill(self.is_below(vector.abs(), begin=begin), 0.0)
        least = self.size if self.before is None else float(np.nextafter(np.float32(self.size), np.float32(-1)))
        return torch.nn.functional.hardshrink(vector, least)  # one pass: 0 for what is at most that large

    @classmethod
    def with_below(cls, sizes: Float[Tensor, "*shape"], *, number: int) -> MagnitudeThreshold:
        """Return the threshold with exactly that number of entries below it; of entries of one size the first ones."""
        flat = sizes.reshape(-1)
        if number <= 0:
            return cls(0.0)
        size = flat.kthvalue(number).values
        missing = number - int((flat < size).sum())
        ties = (flat == size).nonzero().view(-1)
        return cls(float(size), None if missing == len(ties) else int(ties[missing]))


@dataclass(frozen=True, eq=False)
class RandomMask(Mask):
    """Keep randomly drawn entries, multiplied by a factor."""

    mask: Bool[Tensor, " values"]
    factor: float | Float[Tensor, " values"]

    def apply(self, vector: Float[Tensor, "*shape"], *, begin: int) -> Float[Tensor, "*shape"]:
        """Write the rescaled entries into the vector, 0 for all others."""
        part = slice(begin, begin + vector.numel())
        factor = self.factor if isinstance(self.factor, float) else self.factor[part].view(vector.shape)
        return vector.mul_(self.mask[part].view(vector.shape)).mul_(factor)


def random_masks(
    group: TensorGroup, *, probabilities: Sequence[float | Float[Tensor, "*shape"]], rescale: Rescale, seed: int
) -> tuple[RandomMask, ...]:
    """Draw a mask for each expert's task vector, a whole tensor, from each entry's probability of being kept.

    The draws depend only on the seed, the expert's position and the tensor's name, and an entry that is kept with a
    probability is kept with every larger one. `rescale` divides by the probability, or restores the L1 norm
    ("norm", as mergekit), or does nothing.
    """
    masks = []
    for position, (vector, probability) in enumerate(zip(task_vectors(group), probabilities, strict=True)):
        flat = probability.reshape(-1) if isinstance(probability, Tensor) else probability
        draws = _uniform(vector.numel(), key=f"{seed}:{position}:{group.info.name}")
        mask = draws.to(vector.device) < flat
        masks.append(RandomMask(mask, _factor(vector.view(-1), mask=mask, probability=flat, rescale=rescale)))
    return tuple(masks)


def task_vectors(group: TensorGroup) -> Iterator[Float[Tensor, "*shape"]]:
    """Yield theta_i - theta_0 of each expert, one at a time, as new tensors."""
    return (expert - group.parent for expert in group.experts)


def _uniform(number: int, *, key: str) -> Float[Tensor, " values"]:
    digest = hashlib.sha256(key.encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:16], "big"))
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
