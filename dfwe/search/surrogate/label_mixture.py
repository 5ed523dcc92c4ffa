"""First-order prediction of a merge's label scores from the experts' label scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from dfwe.errors import SearchError


@dataclass(frozen=True, eq=False)
class LabelMixture:
    """Predict a mixture of experts as if mixing weights mixed their label scores, which holds to first order.

    `scores` are the experts' log-likelihoods of each example's labels, -inf where it has fewer; `counts` are the
    counts of each label as the answer; `score` is the metric of summed counts.

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
                f"counts of {self.counts.shape[1]} labels of {self.counts.shape[0]}: was it another dev split?"
            )

    def mix(self, rows: Float[np.ndarray, "candidates experts"]) -> Float[np.ndarray, "candidates examples labels"]:
        """Mix the experts' label scores by these coefficients; 0 for a label that an example lacks."""
        return np.tensordot(rows, self.fill_missing(self.scores), axes=1)

    def fill_missing(
        self, scores: Float[np.ndarray, "*models examples labels"]
    ) -> Float[np.ndarray, "*models examples labels"]:
        """Replace the label scores of labels that an example lacks by 0."""
        return np.where(self._exists, scores, 0.0).astype(np.float64)

    def answers(self, scores: Float[np.ndarray, "*models examples labels"]) -> Int[np.ndarray, "*models examples"]:
        """Return the indices of the best labels."""
        return np.asarray(np.where(self._exists, scores, -np.inf).argmax(axis=-1))

    def expected(
        self,
        scores: Float[np.ndarray, "candidates examples labels"],
        *,
        temperatures: Float[np.ndarray, " candidates"],
    ) -> tuple[Float[np.ndarray, " candidates"], Float[np.ndarray, " candidates"]]:
        """Return the expected metric of models with about these label scores, and its standard deviation.

        A label is the answer with the probability that the softmax of the scores divided by the temperature gives it:
        where two labels are close, a model whose scores are not known exactly may answer either. The second is the
        standard deviation of a share of n examples that are so answered, sqrt(sum of (1 - sum of squared
        probabilities)) / n. Both are to choose proposals by, never to be reported.
        """
        logits = np.where(self._exists, scores, -np.inf)
        powers = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperatures[:, None, None])
        answers = powers / powers.sum(axis=-1, keepdims=True)
        chance = (1.0 - (answers**2).sum(axis=-1)).sum(axis=-1)
        return self.score(np.tensordot(answers, self.counts, axes=2)), np.sqrt(chance) / scores.shape[1]

    @cached_property
    def _exists(self) -> Bool[np.ndarray, "examples labels"]:
        return np.asarray(np.isfinite(self.scores).all(axis=0))
