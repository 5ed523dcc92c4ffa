"""Which dev examples a search sees, and which confirm what it found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from dfwe.errors import SearchError
from dfwe.values.allowed import OpenShare, Pair

Rows = Bool[np.ndarray, " examples"]


class Confirm(ABC):
    """A way to keep some of dev from a search, so that its luck with the rest shows. Not in the DFWE paper."""

    @property
    @abstractmethod
    def num_searches(self) -> int:
        """How many searches there are, each with examples of its own."""

    @abstractmethod
    def seen(self, strata: Sequence[str], *, seed: int) -> tuple[Rows, ...]:
        """The examples that each search sees, strata (such as gold labels) in equal shares wherever they can be.

        Raises:
            SearchError: dev is too small for it.
        """


@dataclass(frozen=True)
class HeldBack(Confirm):
    """One search, which does not see a `share` of dev.

    Raises:
        SearchError: `share` is not between 0 and 1.
    """

    share: OpenShare

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise SearchError(f"the share of dev that is held back must be between 0 and 1, not {self.share}")

    @property
    def num_searches(self) -> int:
        """One."""
        return 1

    def seen(self, strata: Sequence[str], *, seed: int) -> tuple[Rows, ...]:
        """All but every (1 / share)-th example of a shuffled deal."""
        numbers = _deal(strata, seed=seed)
        held = np.floor((numbers + 1) * self.share) > np.floor(numbers * self.share)
        if not held.any() or held.all():
            raise SearchError(f"a share of {self.share} cannot be held back of {len(strata)} dev examples")
        return (~held,)


@dataclass(frozen=True)
class Folds(Confirm):
    """As many searches as folds, each of which sees all of dev but its fold: cross-validation (Stone 1974).

    Raises:
        SearchError: fewer than two folds.
    """

    number: Pair

    def __post_init__(self) -> None:
        if self.number < 2:
            raise SearchError(f"there must be at least 2 folds, not {self.number}")

    @property
    def num_searches(self) -> int:
        """One a fold."""
        return self.number

    def seen(self, strata: Sequence[str], *, seed: int) -> tuple[Rows, ...]:
        """All but the k-th hand of a shuffled deal, for each k."""
        if len(strata) < self.number:
            raise SearchError(f"{len(strata)} dev examples make no {self.number} folds")
        hands = _deal(strata, seed=seed) % self.number
        return tuple(hands != fold for fold in range(self.number))


def _deal(strata: Sequence[str], *, seed: int) -> Int[np.ndarray, " examples"]:
    """When each example is dealt: stratum by stratum, in each at random, from a random one on.

    Systematic sampling with a random start (Madow and Madow 1944): every k-th has its share of each stratum.
    """
    generator = np.random.default_rng(seed)
    names = {name: place for place, name in enumerate(sorted(set(strata)))}
    order = np.lexsort((generator.random(len(strata)), np.array([names[each] for each in strata])))
    numbers = np.empty(len(strata), dtype=np.int64)
    numbers[np.roll(order, generator.integers(max(1, len(strata))))] = np.arange(len(strata))
    return numbers
