"""Score of several tasks: the mean of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.errors import MetricError
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation


@dataclass(frozen=True)
class MeanOfScorers:
    """Several tasks as one: the examples of all of them, part by part, and the mean of the parts' scores.

    An example's row of counts is 0 in the columns of the other parts, so that the score is a function of the sum of
    rows, as one task's is: bootstrap and bagging resample the examples of all tasks together.
    """

    parts: Mapping[str, Scorer]

    def __post_init__(self) -> None:
        if not self.parts:
            raise MetricError("a mean of tasks' scores needs at least one task")

    def joined(self, evaluations: Mapping[str, Evaluation]) -> Evaluation:
        """Join the parts' evaluations in the order of `parts`; metrics are named `part/metric`.

        Undefined metrics stay so; label scores are left out, as the parts' labels differ.
        """
        parts = {name: evaluations[name] for name in self.parts}
        return Evaluation(
            score=sum(part.score for part in parts.values()) / len(parts),
            metrics={
                f"{name}/{metric}": value for name, part in parts.items() for metric, value in part.metrics.items()
            },
            predictions=tuple(answer for part in parts.values() for answer in part.predictions),
            counts=_block_diagonal([part.counts for part in parts.values()]),
            undefined=tuple(f"{name}/{metric}" for name, part in parts.items() for metric in part.undefined),
        )

    def score(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return the mean of the parts' scores of summed rows, vectorised over leading axes; in [0, 1]."""
        ends = np.cumsum([scorer.num_counts for scorer in self.parts.values()])
        totals_by_part = np.split(totals, ends[:-1], axis=-1)
        scores = [scorer.score(part) for scorer, part in zip(self.parts.values(), totals_by_part, strict=True)]
        return np.asarray(np.mean(scores, axis=0))

    def is_correct(self, counts: Float[np.ndarray, "examples counts"]) -> None:
        """Return None: a mean of tasks is not a fraction of correct answers."""


def _block_diagonal(
    blocks: list[Float[np.ndarray, "_examples _counts"]],
) -> Float[np.ndarray, "examples counts"]:
    """Return a matrix with the blocks down the diagonal, 0 elsewhere."""
    whole = np.zeros((sum(len(block) for block in blocks), sum(block.shape[1] for block in blocks)))
    row = column = 0
    for block in blocks:
        whole[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + len(block), column + block.shape[1]
    return whole
