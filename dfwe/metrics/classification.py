"""One label per example: F1 and accuracy as FETA-Friends computes them, and the F1 of each label.

A prediction counts as a label only if it equals it exactly (case and blanks included); anything else is "no
label".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from dfwe.errors import MetricError
from dfwe.metrics.base import Counts, MeanMetric, Metric, References, check_pairs, gold_answers, ratio

_RARE = 10  # gold answers


@dataclass(frozen=True)
class F1(Metric):
    """F1 over labels, as scikit-learn's `f1_score` without `labels` gives it: absent labels do not enter the
    mean.

    A row holds, for each label and last for "no label", whether it was right, was predicted, and is the gold
    label; then F1 of a label is 2 * right / (predicted + gold).

    With `no_label_class` "no label" is one more class, as in the reference implementation: it drags the macro
    mean down by a class that nobody can get right. Without it, the corrected variant, "no label" is a missed
    gold label and nothing else. Of no examples the value is 0, the reference's.
    """

    labels: Sequence[str]
    average: Literal["micro", "macro", "weighted"]
    no_label_class: bool = True  # the reference's; conf/task says it in full

    @property
    def num_counts(self) -> int:
        """Three counts per label and for "no label"."""
        return 3 * (len(self.labels) + 1)

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return counts of correct, predicted and gold answers by label.

        Raises:
            MetricError: a gold label off the list, or not exactly one for an example.
        """
        one_hot = np.eye(len(self.labels) + 1)
        predicted = one_hot[_indices(predictions, labels=self.labels)]
        gold = one_hot[_gold(predictions, references=references, labels=self.labels)]
        if not self.no_label_class:
            predicted[:, -1] = 0.0
        return np.concatenate([predicted * gold, predicted, gold], axis=1)

    def best_counts(self, references: References) -> Counts:
        """Return the gold labels' rows; raises as `counts` does.

        Any other answer lowers its gold label's F1, raises no other's, and may bring a label with F1 0 into the macro
        mean.
        """
        return self.counts(gold_answers(references), references=references)

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return F1 in [0, 1], averaged over labels as configured by `average`."""
        right, predicted, gold = np.split(totals, 3, axis=-1)
        if self.average == "micro":
            return ratio(2 * right.sum(-1), (predicted + gold).sum(-1))
        weights = gold if self.average == "weighted" else (predicted + gold > 0).astype(np.float64)
        return ratio((weights * ratio(2 * right, predicted + gold)).sum(-1), weights.sum(-1))

    def rare_classes(self, totals: Float[np.ndarray, " counts"]) -> tuple[str, ...]:
        """Return the labels of a macro mean with fewer than 10 gold answers.

        With seven labels, the rarest on 2 to 5 examples, 95 % bootstrap intervals of macro F1 hold 87 to 92 % in
        simulation, with 10 and more at least 93 % (tests/test_coverage.py).
        """
        if self.average != "macro":
            return ()
        gold = np.split(totals, 3)[2]
        return tuple(label for label, number in zip(self.labels, gold, strict=False) if number < _RARE)


@dataclass(frozen=True)
class Accuracy(MeanMetric):
    """The share of predictions that equal the gold label; of no examples it is 0, the reference's."""

    labels: Sequence[str]

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return 1 for correct answers and 0 for others, and 1.

        Raises:
            MetricError: a gold label off the list, or not exactly one for an example.
        """
        gold = _gold(predictions, references=references, labels=self.labels)
        right = _indices(predictions, labels=self.labels) == gold
        return np.stack([right.astype(np.float64), np.ones(len(predictions))], axis=1)

    def best_counts(self, references: References) -> Counts:
        """Return the gold labels' rows; raises as `counts` does."""
        return self.counts(gold_answers(references), references=references)

    def is_correct(self, counts: Counts) -> Bool[np.ndarray, " examples"]:
        """Return which predictions are correct."""
        return counts[:, 0] > 0


@dataclass(frozen=True)
class ClassScore:
    """F1 of one label in [0, 1] (None: neither gold nor predicted), and the number of examples it is gold for."""

    f1: float | None
    num_gold: int


def score_classes(
    predicted: Sequence[Collection[str]], *, gold: Sequence[Collection[str]], labels: Sequence[str]
) -> dict[str, ClassScore]:
    """Return each label's F1, 2 * right / (predicted + gold), over examples with the given sets of labels.

    A prediction that is not one of the labels is right for none of them.
    """
    num_right = Counter(label for pair in zip(predicted, gold, strict=True) for label in set(pair[0]) & set(pair[1]))
    num_predicted = Counter(label for labels_of in predicted for label in set(labels_of))
    num_gold = Counter(label for labels_of in gold for label in set(labels_of))
    scores = {}
    for label in labels:
        total = num_predicted[label] + num_gold[label]
        scores[label] = ClassScore(2 * num_right[label] / total if total else None, num_gold[label])
    return scores


def _indices(texts: Sequence[str], *, labels: Sequence[str]) -> Int[np.ndarray, " examples"]:
    indices = {label: index for index, label in enumerate(labels)}
    return np.array([indices.get(text, len(labels)) for text in texts], dtype=np.int64)


def _gold(predictions: Sequence[str], *, references: References, labels: Sequence[str]) -> Int[np.ndarray, " examples"]:
    check_pairs(predictions, references=references)
    for number, gold in enumerate(references, start=1):
        if len(gold) != 1:
            raise MetricError(f"example {number} must have one gold label, not {len(gold)}: {', '.join(gold)}")
        if gold[0] not in labels:
            raise MetricError(f"example {number} has the gold label '{gold[0]}', expected one of {', '.join(labels)}")
    return _indices([gold[0] for gold in references], labels=labels)
