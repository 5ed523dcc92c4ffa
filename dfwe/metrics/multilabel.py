"""Several labels per example, found in generated text by their natural names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.errors import MetricError
from dfwe.metrics.base import Counts, Metric, References, check_pairs, ratio
from dfwe.values.allowed import Natural


@dataclass(frozen=True)
class MultilabelF1(Metric):
    """Micro F1 over the label codes at the indices `scored`.

    A code counts as predicted where its natural name occurs in the text, case-sensitively and anywhere
    ("engaged" holds "age"), as in the reference implementation; with `whole_words`, the corrected variant,
    only between word boundaries. A text with no name counts as `default`.
    """

    names: Mapping[str, str]  # code to natural name, in the benchmark's order
    scored: Sequence[Natural]
    default: str
    whole_words: bool = False  # the reference's; conf/task says it in full

    num_counts = 3  # labels: correct, predicted and gold

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Count the scored labels that are correct, predicted and gold.

        Raises:
            MetricError: no examples, one without a gold code, or a code that is none of the names'.
        """
        check_pairs(predictions, references=references, metric="multi-label F1")
        scored = self._scored_codes()
        rows = []
        for number, (text, gold) in enumerate(zip(predictions, references, strict=True), start=1):
            self._check_gold(gold, number=number)
            predicted, expected = self.parse(text) & scored, set(gold) & scored
            rows.append((len(predicted & expected), len(predicted), len(expected)))
        return np.array(rows, dtype=np.float64)

    def best_counts(self, references: References) -> Counts:
        """Return the rows of exactly the scored gold codes; raises as `counts` does for its codes.

        No text need have that row: where a name holds another, as "engaged" holds "age", both are found.
        """
        scored = self._scored_codes()
        for number, gold in enumerate(references, start=1):
            self._check_gold(gold, number=number)
        sizes = np.array([len(set(gold) & scored) for gold in references], dtype=np.float64)
        return np.stack([sizes] * 3, axis=1)

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return F1 in [0, 1]."""
        return ratio(2 * totals[..., 0], totals[..., 1] + totals[..., 2])

    def parse(self, text: str) -> frozenset[str]:
        """Return the codes that a generated text names, or only the default."""
        codes = frozenset(code for code, name in self.names.items() if self._holds(text, name=name))
        return codes or frozenset({self.default})

    def _scored_codes(self) -> set[str]:
        codes = list(self.names)
        return {codes[index] for index in self.scored}

    def _holds(self, text: str, *, name: str) -> bool:
        if self.whole_words:
            return re.search(rf"\b{re.escape(name)}\b", text) is not None
        return name in text

    def _check_gold(self, gold: Sequence[str], *, number: int) -> None:
        unknown = [code for code in gold if code not in self.names]
        if unknown:
            raise MetricError(
                f"example {number} has the gold label '{unknown[0]}', expected one of {', '.join(self.names)}"
            )
