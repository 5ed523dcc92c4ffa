"""What a merge rule is: a pure function of tensors."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.place import Place


@dataclass(frozen=True)
class Traits:
    """What has to be known of a rule to use it."""

    parent: bool = False  # needs the experts' common parent
    elementwise: bool = False  # merges every value by itself, so that a tensor can be merged in blocks
    vertices: bool = False  # with all weight on one expert it gives that expert
    linear: bool = False  # the mean of coefficients gives the mean of their models
    late: tuple[str, ...] = ()  # settings that only `tensor` (or `factors`) reads: what was found before stays valid
    statistics: bool = False  # needs what experts' statistics stages collected (Fisher, Gram)


@dataclass(frozen=True, eq=False)
class Piece:
    """One tensor, or a block of one, of everything that is merged."""

    place: Place
    experts: Sequence[Float[Tensor, "*shape"]]
    parent: Float[Tensor, "*shape"] | None = None
    statistics: Sequence[Tensor | None] = ()  # one an expert, where the rule needs them; None: none of that tensor
    begin: int = 0  # of a block: the position of its first value in the whole tensor

    @property
    def base(self) -> Float[Tensor, "*shape"]:
        """The parent's tensor, for rules that need one."""
        assert self.parent is not None, "Traits.parent was not set"
        return self.parent


class Rule(ABC):
    """A way to make one model of several, given a coefficient per expert; a frozen dataclass of its settings.

    On the simplex, equal coefficients give what the method's paper gives without any. A rule overrides `survey` or
    `examine` if it has something to find before, and `notes` if there is something to know of a merge: most have not,
    so that these three are no abstract methods.
    """

    @property
    @abstractmethod
    def traits(self) -> Traits:
        """What has to be known to use it."""

    @abstractmethod
    def check(self, num_experts: int) -> None:
        """Raises MergeError where the rule's settings are out of range, or it does not merge so many experts.

        A study asks before it trains anything.
        """

    def survey(self, pieces: Iterable[Piece]) -> Any:
        """What the rule must know of whole models (norms, thresholds), found once; small. Tensors come whole."""
        return None

    def examine(self, piece: Piece, *, survey: Any) -> Any:
        """What the rule must know of one whole tensor before it merges it, found once: `tensor`'s `found`."""
        return survey

    def notes(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        """What readers of the results should know of a merge of these whole tensors, as JSON."""
        return {}

    @abstractmethod
    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The merge of one tensor (of a block, if the rule is elementwise): a new tensor.

        Raises:
            MergeError: the coefficients are none that the rule can use.
        """


@dataclass(frozen=True)
class Factors:
    """A weighted sum: of the experts, and of their parent."""

    experts: tuple[float, ...]
    parent: float = 0.0


class Mixing(Rule):
    """A rule whose result is a weighted sum of experts and parent in each tensor: it gives the factors alone.

    A search then writes the sum straight into the model, at the speed of the memory.
    """

    @abstractmethod
    def factors(self, coefficients: Sequence[float], *, place: Place, survey: Any) -> Factors:
        """The factors of the tensor at that place."""

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The weighted sum of one tensor or block."""
        factors = self.factors(coefficients, place=piece.place, survey=found)
        if not self.traits.parent:
            return weighted_sum(piece.experts, factors.experts)
        return weighted_sum([piece.base, *piece.experts], [factors.parent, *factors.experts])


def weighted_sum(weights: Sequence[Float[Tensor, "*shape"]], coefficients: Sequence[float]) -> Float[Tensor, "*shape"]:
    """sum_i alpha_i theta_i as a new tensor; nothing else is allocated."""
    total = weights[0] * coefficients[0]
    for tensor, coefficient in zip(weights[1:], coefficients[1:], strict=True):
        total.add_(tensor, alpha=coefficient)
    return total


def name_of(rule: Rule | type) -> str:
    """The rule's name in messages: `task_arithmetic` of TaskArithmetic."""
    kind = rule if isinstance(rule, type) else type(rule)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def check_parent(parent: object, *, rule: Rule | type) -> None:
    """Raises MergeError where there is no parent, or none is named, for a rule that needs one."""
    if parent is None:
        raise MergeError(f"{name_of(rule)} needs the experts' common parent (a recipe's base_model)")


def on_simplex(coefficients: Sequence[float], *, rule: str) -> None:
    """Raises MergeError unless the coefficients are at least 0 and add up to 1."""
    if min(coefficients) < 0 or abs(sum(coefficients) - 1) > 1e-5:
        found = ", ".join(f"{value:.6g}" for value in coefficients)
        raise MergeError(
            f"{rule} needs coefficients that are at least 0 and add up to 1, not {found}: "
            "take merge.coefficients=simplex"
        )
