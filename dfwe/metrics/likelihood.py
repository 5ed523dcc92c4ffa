"""How likely texts are to a model: perplexity as a score."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.errors import MetricError
from dfwe.io.strict_json import loads
from dfwe.metrics.base import Counts, Metric, References, check_pairs


@dataclass(frozen=True)
class TokenProbability(Metric):
    """The geometric mean of the probabilities of all tokens, exp(mean log p): one over the perplexity.

    It lies in [0, 1], and the model of the lowest perplexity, which is that of the lowest loss, has the highest. A
    prediction is `[log-likelihood, number of tokens]` of a passage, as JSON.
    """

    num_counts = 2  # log-likelihood, tokens

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return each passage's log-likelihood and number of tokens.

        Raises:
            MetricError: no examples, or a prediction that is not two such numbers.
        """
        check_pairs(predictions, references=references, metric="perplexity")
        return np.array([_parsed(text) for text in predictions], dtype=np.float64)

    def best_counts(self, references: References) -> None:
        """Return None: how many tokens a passage has depends on the model's tokenizer."""

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return the probability, 0 of no tokens."""
        tokens = totals[..., 1]
        return np.where(tokens > 0, np.exp(np.minimum(totals[..., 0] / np.maximum(tokens, 1), 0.0)), 0.0)


def likelihood_text(log_likelihood: float, *, num_tokens: int) -> str:
    """Return the prediction that `TokenProbability` reads."""
    return json.dumps([log_likelihood, num_tokens])


def _parsed(text: str) -> tuple[float, float]:
    try:
        log_likelihood, tokens = (
            float(number) for number in loads(text, where="a passage's prediction", error=MetricError)
        )
    except MetricError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise MetricError(f"'{text[:40]}' is not a log-likelihood with its number of tokens: {error}") from error
    if not math.isfinite(log_likelihood) or tokens < 0:
        raise MetricError(f"the log-likelihood of a passage is {log_likelihood}: the model's weights are broken")
    return log_likelihood, tokens
