"""Free text against its reference texts: exact match and token F1 as FETA-Friends computes them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dfwe.metrics.base import Metric, check_pairs, check_some, ratio

Overlap = tuple[int, int, int]  # tokens shared, only predicted, only in the reference


def normalise(text: str) -> str:
    """Lower the case, remove ASCII punctuation, then a, an, the, then repeated blanks."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


@dataclass(frozen=True)
class ExactMatch(Metric):
    """Fraction of predictions that, normalised, equal one of their references.

    A text that contains one of `unanswerable_phrases` counts as empty; Friends has none of them.
    """

    unanswerable_phrases: Sequence[str] = ()

    @property
    def num_counts(self) -> int:
        """Two: match or not, and 1."""
        return 2

    def counts(
        self, predictions: Sequence[str], *, references: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "examples counts"]:
        """Return 1 for matches and 0 for others, and 1.

        Raises:
            MetricError: no examples (the reference implementation crashes), or one without a reference.
        """
        pairs = _clean(predictions, references=references, phrases=self.unanswerable_phrases, metric="exact match")
        return np.array([(float(prediction in alternatives), 1.0) for prediction, alternatives in pairs])

    def best_counts(self, references: Sequence[Sequence[str]]) -> Float[np.ndarray, "examples counts"]:
        """Return a match per example."""
        return np.ones((len(references), 2))

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return the fraction in [0, 1]."""
        return ratio(totals[..., 0], totals[..., 1])

    def is_correct(self, counts: Float[np.ndarray, "examples counts"]) -> Bool[np.ndarray, " examples"]:
        """Return which predictions match."""
        return counts[:, 0] > 0


@dataclass(frozen=True)
class TokenF1Macro(Metric):
    """The mean over examples of the best token F1 over an example's references."""

    unanswerable_phrases: Sequence[str] = ()

    @property
    def num_counts(self) -> int:
        """Two: the best F1, and 1."""
        return 2

    def counts(
        self, predictions: Sequence[str], *, references: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "examples counts"]:
        """Return the best F1, and 1; raises as ExactMatch does."""
        pairs = _clean(predictions, references=references, phrases=self.unanswerable_phrases, metric="token F1")
        return np.array([(max(_f1(_overlap(prediction, text)) for text in texts), 1.0) for prediction, texts in pairs])

    def best_counts(self, references: Sequence[Sequence[str]]) -> Float[np.ndarray, "examples counts"]:
        """Return F1 1 per example."""
        return np.ones((len(references), 2))

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return the mean in [0, 1]."""
        return ratio(totals[..., 0], totals[..., 1])


@dataclass(frozen=True)
class TokenF1Micro(Metric):
    """Token F1 of all tokens together, with the reference implementation's two oddities.

    It never updates the best F1 that it compares with, so an example is counted against the *last* reference
    with any overlap; and an example without overlap adds nothing at all, so a wrong answer costs nothing.
    Where no example overlaps the reference crashes; here that is 0.
    """

    unanswerable_phrases: Sequence[str] = ()

    @property
    def num_counts(self) -> int:
        """Number of tokens: shared, only predicted, only in the reference."""
        return 3

    def counts(
        self, predictions: Sequence[str], *, references: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "examples counts"]:
        """Return the overlap with the last overlapping reference; raises as ExactMatch does."""
        pairs = _clean(predictions, references=references, phrases=self.unanswerable_phrases, metric="token F1")
        return _overlaps(pairs, choose=_last_with_overlap)

    def best_counts(self, references: Sequence[Sequence[str]]) -> Float[np.ndarray, "examples counts"]:
        """Return all tokens of the longest reference as shared; the first reference's own row may be worse."""
        return _all_shared(references, phrases=self.unanswerable_phrases)

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return F1 in [0, 1]."""
        return _micro(totals)


@dataclass(frozen=True)
class CorrectedTokenF1Micro(Metric):
    """Token F1 of all tokens together, each example against its best reference, the first on a tie.

    An example without overlap counts in full: its tokens as wrongly predicted, those of its first reference
    as missed.
    """

    unanswerable_phrases: Sequence[str] = ()

    @property
    def num_counts(self) -> int:
        """Number of tokens: shared, only predicted, only in the reference."""
        return 3

    def counts(
        self, predictions: Sequence[str], *, references: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "examples counts"]:
        """Return the overlap with the best reference; raises as ExactMatch does."""
        pairs = _clean(predictions, references=references, phrases=self.unanswerable_phrases, metric="token F1")
        return _overlaps(pairs, choose=lambda overlaps: max(overlaps, key=_f1))

    def best_counts(self, references: Sequence[Sequence[str]]) -> Float[np.ndarray, "examples counts"]:
        """Return all tokens of the longest reference as shared, none as wrong."""
        return _all_shared(references, phrases=self.unanswerable_phrases)

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return F1 in [0, 1]."""
        return _micro(totals)


def _clean(
    predictions: Sequence[str], *, references: Sequence[Sequence[str]], phrases: Sequence[str], metric: str
) -> list[tuple[str, list[str]]]:
    check_some(predictions, metric=metric)
    check_pairs(predictions, references=references)
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


def _overlaps(
    pairs: Sequence[tuple[str, list[str]]], *, choose: Callable[[Sequence[Overlap]], Overlap]
) -> Float[np.ndarray, "examples 3"]:
    rows = [choose([_overlap(prediction, text) for text in texts]) for prediction, texts in pairs]
    return np.array(rows, dtype=np.float64)


def _all_shared(references: Sequence[Sequence[str]], *, phrases: Sequence[str]) -> Float[np.ndarray, "examples 3"]:
    """Return rows with all tokens shared and none wrong; an empty reference counts as one token (`_overlap`)."""
    clean = _cleaner(phrases)
    lengths = [max(max(1, len(clean(text).split())) for text in texts) for texts in references]
    return np.array([(length, 0, 0) for length in lengths], dtype=np.float64).reshape(-1, 3)


def _micro(totals: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
    shared, spurious, missed = totals[..., 0], totals[..., 1], totals[..., 2]
    return ratio(2 * shared, 2 * shared + spurious + missed)
