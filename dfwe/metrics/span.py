"""Free text against its reference texts: exact match and token F1 as FETA-Friends computes them.

A text that contains one of a metric's `unanswerable_phrases` counts as empty; Friends has none of them.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dfwe.metrics.base import Counts, MeanMetric, Metric, References, check_pairs, ratio

Overlap = tuple[int, int, int]  # tokens shared, only predicted, only in the reference


def normalise(text: str) -> str:
    """Lower the case, remove ASCII punctuation, then a, an, the, then repeated blanks."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


@dataclass(frozen=True)
class ExactMatch(MeanMetric):
    """Fraction of predictions that, normalised, equal one of their references."""

    unanswerable_phrases: Sequence[str] = ()

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return 1 for matches and 0 for others, and 1.

        Raises:
            MetricError: no examples (the reference implementation crashes), or one without a reference.
        """
        check_pairs(predictions, references=references, metric="exact match")
        pairs = _clean(predictions, references=references, phrases=self.unanswerable_phrases)
        return np.array([(float(prediction in alternatives), 1.0) for prediction, alternatives in pairs])

    def is_correct(self, counts: Counts) -> Bool[np.ndarray, " examples"]:
        """Return which predictions match."""
        return counts[:, 0] > 0


@dataclass(frozen=True)
class TokenF1Macro(MeanMetric):
    """The mean over examples of the best token F1 over an example's references."""

    unanswerable_phrases: Sequence[str] = ()

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return the best F1, and 1; raises as ExactMatch does."""
        check_pairs(predictions, references=references, metric="token F1")
        pairs = _clean(predictions, references=references, phrases=self.unanswerable_phrases)
        return np.array([(max(_f1(_overlap(prediction, text)) for text in texts), 1.0) for prediction, texts in pairs])


@dataclass(frozen=True)
class TokenF1Micro(Metric):
    """Token F1 of all tokens together, with the reference implementation's two oddities.

    It never updates the best F1 that it compares with, so an example is counted against the *last* reference
    with any overlap; and an example without overlap adds nothing at all, so a wrong answer costs nothing.
    Where no example overlaps the reference crashes; here that is 0.

    With `best_reference`, the corrected variant, an example is counted against its best reference, the first on a tie:
    without overlap its tokens are wrongly predicted, and those of its first reference missed.
    """

    unanswerable_phrases: Sequence[str] = ()
    best_reference: bool = False
    num_counts = 3  # tokens: shared, only predicted, only in the reference

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return the overlap with the reference that counts; raises as ExactMatch does."""
        check_pairs(predictions, references=references, metric="token F1")
        pairs = _clean(predictions, references=references, phrases=self.unanswerable_phrases)
        overlaps = ([_overlap(prediction, text) for text in texts] for prediction, texts in pairs)
        rows = [max(row, key=_f1) if self.best_reference else _last_with_overlap(row) for row in overlaps]
        return np.array(rows, dtype=np.float64)

    def best_counts(self, references: References) -> Counts:
        """Return the longest reference as shared, an empty one as one token; the first reference's row may be worse."""
        clean = _cleaner(self.unanswerable_phrases)
        lengths = [max(max(1, len(clean(text).split())) for text in texts) for texts in references]
        return np.array([(length, 0, 0) for length in lengths], dtype=np.float64).reshape(-1, 3)

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return F1 in [0, 1]."""
        shared, spurious, missed = totals[..., 0], totals[..., 1], totals[..., 2]
        return ratio(2 * shared, 2 * shared + spurious + missed)


def _clean(
    predictions: Sequence[str], *, references: References, phrases: Sequence[str]
) -> list[tuple[str, list[str]]]:
    clean = _cleaner(phrases)
    return [(clean(text), [clean(t) for t in texts]) for text, texts in zip(predictions, references, strict=True)]


def _cleaner(phrases: Sequence[str]) -> Callable[[str], str]:
    empty = [normalise(phrase) for phrase in phrases]

    def clean(text: str) -> str:
        normalised = normalise(text)
        return "" if any(phrase in normalised for phrase in empty) else normalised

    return clean


def _overlap(prediction: str, reference: str) -> Overlap:
    if prediction == reference == "":
        return (1, 0, 0)  # nothing expected, nothing said: one right token
    predicted, expected = Counter(prediction.split()), Counter(reference.split())
    shared = (predicted & expected).total()
    return (shared, predicted.total() - shared, expected.total() - shared)


def _f1(overlap: Overlap) -> float:
    shared, spurious, missed = overlap
    return 2 * shared / (2 * shared + spurious + missed)


def _last_with_overlap(overlaps: Sequence[Overlap]) -> Overlap:
    return next((overlap for overlap in reversed(overlaps) if overlap[0]), (0, 0, 0))
