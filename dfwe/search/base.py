"""Interface of derivative-free searches, and limits that end them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.records import Coefficients, PrunedTrial, Trial

AnyTrial = Trial | PrunedTrial


class Search(ABC):
    """Minimise a function of a vector: ask for a point, tell its loss, and so on.

    Given the same losses a search asks for the same points, bit for bit. A killed search is resumed by repeating them.
    `initialize`, `observe` and `close` may be left out.

    Attributes:
        budget: Number of evaluations the search is meant for.
        batch_size: Number of points it returns before it needs the loss of the first.
        supports_pruning: True if a bound may replace the loss of a candidate that is not the best so far, initial
            trials included. The search then asks for the same points.
        has_final_candidate: True if `final_candidate` is set when the search is over.
        final_candidate: Result of a search that ends with more than its best candidate, such as a greedy soup.
        diameters: Largest distance of two corners of its simplex before each iteration, in logits; may be empty.
    """

    budget: int
    batch_size: int = 1
    supports_pruning: bool = False
    has_final_candidate: bool = False
    final_candidate: Coefficients | None = None
    diameters: Sequence[float] = ()

    def initialize(self, initial_trials: Sequence[Trial]) -> None:  # noqa: B027
        """Observe, before the first ask, trials that cost nothing: the experts' own and the start's."""

    def observe(self, trial: Trial) -> None:  # noqa: B027
        """Learn from all that an evaluated or replayed candidate gives, before its loss is told; not from the start."""

    @abstractmethod
    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """Return the next point to evaluate, any real numbers; None once the search has finished.

        It is not called while the losses of `batch_size` points are due.
        """

    @abstractmethod
    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Record the loss of a point that was asked for; lower is better."""

    def close(self) -> None:  # noqa: B027
        """Stop threads of the search; call it always, and do not use the search afterwards."""


@dataclass(frozen=True)
class SearchLimits:
    """Limits of the seconds a search may evaluate, and of its passes over the dev split; None for no limit.

    No candidate is begun once a limit is reached: the last one may exceed it. The start is always evaluated. Seconds
    are those of the trials' evaluations, replayed ones included, so that a resumed search has no more time. Dev passes
    count answered instances: a pruned trial counts for its share.
    """

    seconds: float | int | None = None
    dev_passes: float | int | None = None

    def find_reached(self, trials: Sequence[AnyTrial]) -> str | None:
        """Return the limit that the trials have reached, in words; None if there is none."""
        seconds, passes = sum(trial.seconds for trial in trials), sum(map(_dev_passes, trials))
        if self.seconds is not None and seconds >= self.seconds:
            return f"{self.seconds:g} seconds"
        if self.dev_passes is not None and passes >= self.dev_passes - 1e-9:  # shares do not sum to whole numbers
            return f"{self.dev_passes:g} dev passes"
        return None


def _dev_passes(trial: AnyTrial) -> float:
    """Return the share of the dev split that a trial answered; 1 unless it was pruned."""
    if isinstance(trial, Trial):
        return 1.0
    return trial.evaluation.num_answered / len(trial.evaluation.predictions)
