"""Scores that documents come with, such as those of lm-evaluation-harness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dfwe.errors import MetricError
from dfwe.io.strict_json import loads
from dfwe.metrics.base import Counts, MeanMetric, References, check_pairs
from dfwe.values.allowed import Name


@dataclass(frozen=True)
class DocumentMean(MeanMetric):
    """The mean over documents of the value that a document's prediction, a JSON object, has under `key`."""

    key: Name  # as lm-eval prints it, such as "acc,none": the metric and the filter of responses

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return the values, and 1; MetricError for no documents, or a prediction without such a value."""
        check_pairs(predictions, references=references, metric=f"the mean of {self.key}")
        return np.array([(_value(text, key=self.key), 1.0) for text in predictions], dtype=np.float64)

    def best_counts(self, references: References) -> None:
        """Return None: a value may be as high as it likes."""


def _value(text: str, *, key: str) -> float:
    try:
        value = float(loads(text, where="a document's prediction", error=MetricError)[key])
    except MetricError:
        raise
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise MetricError(f"'{text[:60]}' has no value {key}") from error
    if not math.isfinite(value):
        raise MetricError(f"the value {key} of a document is {value}: expected a finite number")
    return value
