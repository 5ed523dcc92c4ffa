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


@pytest.mark.parametrize("answer", ["good", "[1]", "3", "[NaN, 2]", "[-Infinity, 2]"])
def test_what_is_no_likelihood_is_refused(answer):
    with pytest.raises(MetricError):
        SCORER.evaluate([answer], references=[["a"]])
