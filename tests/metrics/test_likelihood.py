import math

import numpy as np
import pytest

from dfwe.errors import MetricError
from dfwe.metrics.likelihood import TokenProbability, likelihood_text
from dfwe.metrics.scorer import Scorer

SCORER = Scorer({"p": TokenProbability()})


def test_it_is_one_over_the_perplexity_of_all_tokens():
    answers = [likelihood_text(-6.0, num_tokens=3), likelihood_text(-2.0, num_tokens=1)]
    evaluation = SCORER.evaluate(answers, references=[["a"], ["b"]])
    assert evaluation.score == pytest.approx(math.exp(-8 / 4))
    resampled = SCORER.score(np.array([[2.0, 0.0], [0.0, 0.0]]) @ evaluation.counts)
    assert resampled.tolist() == [pytest.approx(math.exp(-2)), 0.0]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("good", "a passage's prediction, .*: broken JSON"),
        ("[1]", r"'\[1\]' is not a log-likelihood with its number of tokens"),
        ("3", "'3' is not a log-likelihood with its number of tokens"),
        ("[NaN, 2]", "expected a finite number .*, not NaN"),
        ("[-Infinity, 2]", "expected a finite number .*, not -Infinity"),
        ("[1, -1]", "the log-likelihood of a passage is 1.0"),
    ],
)
def test_what_is_no_likelihood_is_refused(answer, reason):
    with pytest.raises(MetricError, match=reason):
        SCORER.evaluate([answer], references=[["a"]])
