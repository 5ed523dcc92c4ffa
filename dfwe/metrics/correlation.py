"""Numbers: Pearson's correlation, from sums as resampling needs it (`scipy.stats` takes single pairs), and errors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float

from dfwe.errors import MetricError
from dfwe.metrics.base import Counts, Metric, References, check_pairs, ratio
from dfwe.values.allowed import Within

_ROUNDING = 1e-12  # a variance below this share of the mean square is rounding: the numbers are all the same


@dataclass(frozen=True)
class Pearson(Metric):
    """Pearson's correlation of predicted and gold numbers, 0 where it is negative or undefined (`is_defined`).

    r = (n Sxy - Sx Sy) / sqrt((n Sxx - Sx^2) (n Syy - Sy^2)), of sums over examples. Scores here lie in [0, 1], and a
    model that orders examples the wrong way round is of no more use than one that says the same of all. A prediction
    that is no finite number counts as `unparsable`; T5 takes -1 (Raffel et al., 2020: their code's `string_to_float`),
    which is off most scales and so costs what a bad answer should.
    """

    unparsable: Annotated[float, Within(at_least=-1, at_most=1)]

    num_counts = 6  # 1, x, y, xx, yy, xy

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return a row per example.

        Raises:
            MetricError: no examples, or a gold answer that is not one finite number.
        """
        check_pairs(predictions, references=references, metric="Pearson's correlation")
        x = np.array([_number(text, otherwise=self.unparsable) for text in predictions])
        y = np.array([_gold(texts, number=number) for number, texts in enumerate(references, start=1)])
        return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)

    def best_counts(self, references: References) -> None:
        """Return None: next to wrong numbers the correct one can lower the correlation."""

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return the correlation in [0, 1]."""
        n, x, y, xx, yy, xy = (totals[..., index] for index in range(6))
        spread_x, spread_y = _spread(n, x, xx), _spread(n, y, yy)
        return np.asarray(np.clip(ratio(n * xy - x * y, np.sqrt(spread_x * spread_y)), 0.0, 1.0))

    def is_defined(self, totals: Float[np.ndarray, " counts"]) -> bool:
        """Return whether neither the predictions nor the gold numbers are all the same."""
        n, x, y, xx, yy = (totals[..., index] for index in range(5))
        return bool(_spread(n, x, xx) > 0 and _spread(n, y, yy) > 0)


def binned_errors(
    predicted: Sequence[float], *, gold: Sequence[float], edges: Sequence[float]
) -> list[dict[str, float | int | None]]:
    """Return the mean squared error by bins of the gold number, from each edge to below the next.

    The last bin includes its end.
    """
    errors, numbers = (np.asarray(predicted) - np.asarray(gold)) ** 2, np.asarray(gold)
    bins = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = (numbers >= low) & ((numbers <= high) if place == len(edges) - 2 else (numbers < high))
        error = float(errors[inside].mean()) if inside.any() else None
        bins.append({"low": low, "high": high, "n": int(inside.sum()), "squared_error": error})
    return bins


def _spread(
    n: Float[np.ndarray, "*batch"], total: Float[np.ndarray, "*batch"], squares: Float[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch"]:
    spread = n * squares - total * total
    return np.where(spread > _ROUNDING * n * squares, spread, 0.0)


def _number(text: str, *, otherwise: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise


def _gold(texts: Sequence[str], *, number: int) -> float:
    value = _number(texts[0], otherwise=math.nan) if len(texts) == 1 else math.nan
    if math.isnan(value):
        raise MetricError(f"example {number} must have one number as its gold answer, not {', '.join(texts)}")
    return value
