"""Free text against its reference texts by the field's own libraries: ROUGE by rouge-score, chrF by sacreBLEU."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from dfwe.errors import ConfigurationError
from dfwe.metrics.base import Counts, MeanMetric, Metric, References, check_pairs, ratio
from dfwe.values.allowed import Count, Natural


@dataclass(frozen=True)
class Rouge(MeanMetric):
    """The mean over examples of the best ROUGE F1 (Lin, 2004) over an example's references.

    There is no `rougeLsum`: references have lost their line ends. With `stemmer` words are cut by Porter's stemmer, for
    English.
    """

    kind: Literal["rouge1", "rouge2", "rougeL"]
    stemmer: bool

    def __post_init__(self) -> None:
        _check_installed("rouge_score", package="rouge-score", metric="Rouge")

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return the best F1, and 1; MetricError for no examples, or one without a reference."""
        check_pairs(predictions, references=references, metric="ROUGE")
        rouge = _rouge(self.kind, self.stemmer)
        pairs = zip(predictions, references, strict=True)
        best = [max(rouge.score(text, answer)[self.kind].fmeasure for text in texts) for answer, texts in pairs]
        return np.array([(score, 1.0) for score in best])


@dataclass(frozen=True)
class ChrF(Metric):
    """chrF of all examples together, as a fraction (Popovic, 2015); with `word_order` 2 it is chrF++.

    The F-score, `beta` times as much weight on recall, of the mean precision and recall of character n-grams up to
    `char_order` and word n-grams up to `word_order`. Orders that no answer or no reference has are left out. Each
    answer is compared with the reference that suits it best.
    """

    char_order: Count
    word_order: Natural
    beta: Count

    def __post_init__(self) -> None:
        _check_installed("sacrebleu", package="sacrebleu", metric="ChrF")

    @property
    def num_counts(self) -> int:
        """Of each order the n-grams of the answer, of the reference, and of both."""
        return 3 * (self.char_order + self.word_order)

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return the numbers of n-grams; MetricError for no examples, or one without a reference."""
        check_pairs(predictions, references=references, metric="chrF")
        chrf = _chrf(self.char_order, self.word_order, self.beta)
        # sacreBLEU has no public way to its sums, only to scores of whole sets
        rows = [
            chrf._extract_corpus_statistics([answer], [[text] for text in texts])[0]
            for answer, texts in zip(predictions, references, strict=True)
        ]
        return np.array(rows, dtype=np.float64)

    def best_counts(self, references: References) -> None:
        """Return None: a long answer next to short ones may raise or lower the whole."""

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return the F-score in [0, 1]."""
        answer, reference, both = (totals[..., place::3] for place in range(3))
        used = (answer > 0) & (reference > 0)
        orders = used.sum(axis=-1)
        precision = ratio(np.where(used, ratio(both, answer), 0.0).sum(axis=-1), orders)
        recall = ratio(np.where(used, ratio(both, reference), 0.0).sum(axis=-1), orders)
        weight = self.beta**2
        return ratio((1 + weight) * precision * recall, weight * precision + recall)


def _check_installed(module: str, *, package: str, metric: str) -> None:
    if find_spec(module) is None:
        raise ConfigurationError(
            f"the metric {metric} needs the package {package}: install it with pip install 'dfwe[text-metrics]'"
        )


@cache
def _rouge(kind: str, stemmer: bool) -> Any:
    from absl.logging import get_absl_handler  # rouge-score's
    from rouge_score.rouge_scorer import RougeScorer  # seconds, for NLTK

    # where logging is set up anew, that handler closes its stream unless it is the process's own
    get_absl_handler().python_handler.setStream(sys.__stderr__)
    return RougeScorer([kind], use_stemmer=stemmer)


@cache
def _chrf(char_order: int, word_order: int, beta: int) -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(char_order=char_order, word_order=word_order, beta=beta)
