"""What a merge rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from dfwe.merging.experts import ExpertArray

Combine = Callable[[Float[Tensor, " experts"], Float[Tensor, " parameters"]], None]


class Rule(ABC):
    """A way to make one model of several, given a coefficient per expert."""

    @property
    @abstractmethod
    def convex(self) -> bool:
        """Whether the result is the convex mixture of the experts, so that a vertex gives an expert itself."""

    @abstractmethod
    def prepare(self, experts: ExpertArray) -> Combine:
        """A function that writes the merge with given coefficients into a flat buffer.

        What does not depend on the coefficients is computed here, once.

        Raises:
            MergeError: the rule needs something that the experts lack, such as their parent.
        """
