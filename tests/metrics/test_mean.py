import numpy as np
import pytest

from dfwe.errors import MetricError
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.mean import MeanOfScorers
from dfwe.metrics.scorer import Scorer

MOOD = Scorer({"acc": Accuracy(("good", "bad"))})
ALIKE = Scorer({"pearson": Pearson(unparsable=-1.0)})
BOTH = MeanOfScorers({"mood": MOOD, "alike": ALIKE})


def joined(*, numbers=("1", "2", "4")):
    mood = MOOD.evaluate(["good", "good", "bad", "bad"], references=[["good"], ["bad"], ["bad"], ["bad"]])
    alike = ALIKE.evaluate(numbers, references=[["1.5"], ["2.5"], ["4.5"]])
    return BOTH.joined({"alike": alike, "mood": mood})


def test_mean_of_scorers_names_metrics_by_part():
    found = joined()
    assert found.metrics == pytest.approx({"mood/acc": 0.75, "alike/pearson": 1.0})
    assert found.score == pytest.approx(0.875)
    assert found.predictions == ("good", "good", "bad", "bad", "1", "2", "4")
    assert found.label_scores is None


def test_an_example_counts_in_its_own_part_alone():
    counts = joined().counts
    assert counts.shape == (7, 2 + 6)
    assert not counts[:4, 2:].any()
    assert not counts[4:, :2].any()
    assert counts[4].tolist() == [0, 0, 1, 1, 1.5, 1, 2.25, 1.5]


def test_mean_score_of_summed_rows_is_vectorised():
    found = joined()
    assert BOTH.score(found.counts.sum(axis=0)) == pytest.approx(found.score)
    weights = np.array([[2.0, 0, 1, 1, 1, 1, 1], [0, 1, 0, 0, 3, 0, 1]])
    assert BOTH.score(weights @ found.counts) == pytest.approx([(1.0 + 1.0) / 2, (0.0 + 1.0) / 2])


def test_what_is_undefined_stays_so_under_its_parts_name():
    found = joined(numbers=("2", "2", "2"))
    assert found.undefined == ("alike/pearson",)
    assert found.score == pytest.approx(0.375)
    assert found.scores == {
        "score": None,
        "metrics": {"mood/acc": 0.75, "alike/pearson": None},
        "undefined": ["alike/pearson"],
    }


def test_a_mean_of_nothing_is_an_error():
    with pytest.raises(MetricError, match="at least one task"):
        MeanOfScorers({})
