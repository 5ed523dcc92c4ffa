"""What experts' label scores say of a mixture of their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError

_AT_ONCE = 64  # candidates, for the memory of their mixed scores


@dataclass(frozen=True, eq=False)
class LabelMixture:
    """What a mixture of experts would score if mixing weights mixed their label scores, which to first order it does.

    `scores` are the experts' log-likelihoods of each example's labels, -inf where it has fewer; `counts` what each
    label, given as the answer, would count; `score` the metric of summed counts. An answer is the softmax of the mixed
    scores divided by `temperature` rather than the best label alone: where two labels are close, a mixture of weights
    may answer either.

    Raises:
        SearchError: scores and counts are of other examples or labels.
    """

    scores: Float[np.ndarray, "experts examples labels"]
    counts: Float[np.ndarray, "counted answers counts"]  # as many as examples and labels
    score: Callable[[Float[np.ndarray, "*batch counts"]], Float[np.ndarray, "*batch"]]

    def __post_init__(self) -> None:
        if self.scores.shape[1:] != self.counts.shape[:2]:
            raise SearchError(
                f"the experts scored {self.scores.shape[2]} labels of {self.scores.shape[1]} examples, but there are "
                f"counts of {self.counts.shape[1]} labels of {self.counts.shape[0]}: was their dev split another?"
            )

    def predict(
        self, rows: Float[np.ndarray, "candidates experts"], *, temperature: float
    ) -> Float[np.ndarray, " candidates"]:
        """Predicted scores of mixtures with these coefficients; to choose proposals by, never to be reported."""
        parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
        return np.concatenate([self._predict(part, temperature=temperature) for part in parts])

    def _predict(
        self, rows: Float[np.ndarray, "candidates experts"], *, temperature: float
    ) -> Float[np.ndarray, " candidates"]:
        there = np.isfinite(self.scores).all(axis=0)
        mixed = np.tensordot(rows, np.where(there, self.scores, 0.0), axes=1)
        mixed = np.where(there, mixed, -np.inf)  # after mixing: a coefficient may be negative
        powers = np.exp((mixed - mixed.max(axis=-1, keepdims=True)) / temperature)
        answers = powers / powers.sum(axis=-1, keepdims=True)
        return self.score(np.tensordot(answers, self.counts, axes=2))
