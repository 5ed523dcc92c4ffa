"""F1 of each label by itself: where a mean over labels comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassScore:
    """One label's F1 in [0, 1] (None: never gold, never predicted), and how many examples it is gold for."""

    f1: float | None
    num_gold: int


def score_classes(
    predicted: Sequence[Collection[str]], *, gold: Sequence[Collection[str]], labels: Sequence[str]
) -> dict[str, ClassScore]:
    """Return each label's F1, 2 * right / (predicted + gold), over examples with the given sets of labels.

    What is predicted and is none of the labels is right for none of them.
    """
    right = Counter(label for said, true in zip(predicted, gold, strict=True) for label in set(said) & set(true))
    said = Counter(label for each in predicted for label in set(each))
    true = Counter(label for each in gold for label in set(each))
    return {
        label: ClassScore(
            2 * right[label] / (said[label] + true[label]) if said[label] + true[label] else None, true[label]
        )
        for label in labels
    }
