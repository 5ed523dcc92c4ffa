from dataclasses import dataclass

import numpy as np
import pytest

from dfwe.errors import MetricError
from dfwe.metrics.base import Metric
from dfwe.metrics.classification import F1, Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import MeanOfScorers, Scorer, mean_if_defined, scores_by_task
from dfwe.metrics.span import ExactMatch

LABELS = ("red", "green")


@dataclass(frozen=True)
class Constant(Metric):
    constant: float

    @property
    def num_counts(self):
        return 1

    def counts(self, predictions, *, references):
        return np.ones((len(predictions), 1))

    def best_counts(self, references):
        return np.ones((len(references), 1))

    def value(self, totals):
        return np.full(totals.shape[:-1], self.constant)


def scorer():
    return Scorer({"acc": Accuracy(LABELS), "F1-macro": F1(LABELS, "macro"), "half": Constant(0.5)})


def test_the_score_is_the_plain_mean_of_the_metrics():
    evaluation = scorer().evaluate(["red", "red"], references=[["red"], ["green"]])
    # macro: red 2/3, green 0
    assert evaluation.metrics == pytest.approx({"acc": 0.5, "F1-macro": 1 / 3, "half": 0.5})
    assert evaluation.score == pytest.approx((0.5 + 1 / 3 + 0.5) / 3)
    assert evaluation.predictions == ("red", "red")
    assert evaluation.counts.shape == (2, 2 + 9 + 1)


def test_the_score_of_summed_counts_is_that_of_the_evaluation():
    evaluation = scorer().evaluate(["red", "red", "x"], references=[["red"], ["green"], ["green"]])
    assert scorer().score(evaluation.counts.sum(axis=0)) == pytest.approx(evaluation.score)


def test_a_resample_scores_as_its_examples_do():
    predictions, references = ["red", "red", "green"], [["red"], ["green"], ["green"]]
    counts = scorer().evaluate(predictions, references=references).counts
    weights = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 2.0]])
    again = scorer().evaluate(["red", "red", "green"], references=[["red"], ["red"], ["green"]])
    scores = scorer().score(weights @ counts)
    assert scores.shape == (2,)
    assert scores[0] == pytest.approx(again.score)


def test_lengths_that_differ_are_an_error():
    with pytest.raises(MetricError, match="found 1 predictions and 2 lists of references"):
        scorer().evaluate(["red"], references=[["red"], ["green"]])


def test_a_metric_that_is_not_a_number_is_an_error():
    with pytest.raises(MetricError, match="metric broken is nan"):
        Scorer({"broken": Constant(float("nan"))}).evaluate(["red"], references=[["red"]])


def test_scorer_no_examples_raises_without_reference_value():
    with pytest.raises(MetricError, match="of no examples is undefined"):
        Scorer({"Exact_Match": ExactMatch()}).evaluate([], references=[])
    assert Scorer({"acc": Accuracy(LABELS)}).evaluate([], references=[]).score == 0.0


def test_a_scorer_without_metrics_is_an_error():
    with pytest.raises(MetricError, match="at least one metric"):
        Scorer({})


def test_an_undefined_metric_is_named_and_counts_as_zero():
    scorer = Scorer({"pearson": Pearson(unparsable=-1.0), "half": Constant(0.5)})
    found = scorer.evaluate(["2", "2"], references=[["1"], ["3"]])
    assert found.undefined == ("pearson",)
    assert (found.score, found.metrics["pearson"]) == (0.25, 0.0)
    assert found.scores == {"score": None, "metrics": {"pearson": None, "half": 0.5}, "undefined": ["pearson"]}


def test_defined_scores_are_reported_as_they_are():
    found = scorer().evaluate(["red", "red"], references=[["red"], ["green"]])
    assert found.undefined == ()
    assert found.scores == {"score": found.score, "metrics": dict(found.metrics)}


def test_rare_classes_have_fewer_than_10_gold_answers():
    gold = [["red"]] * 10 + [["green"]] * 9
    evaluation = scorer().evaluate(["red"] * 19, references=gold)
    assert scorer().rare_classes(evaluation.counts) == ("green",)
    assert Scorer({"micro": F1(LABELS, "micro"), "acc": Accuracy(LABELS)}).rare_classes(evaluation.counts[:, :11]) == ()


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


def test_score_of_a_task_is_the_mean_of_its_metrics():
    scores = scores_by_task({"SST/acc": 0.5, "STS/pearson": 0.8, "STS/other": 0.6})
    assert scores == {"SST": 0.5, "STS": pytest.approx(0.7)}


def test_undefined_metric_leaves_task_and_mean_undefined():
    scores = scores_by_task({"SST/acc": 0.5, "STS/pearson": None})
    assert scores == {"SST": 0.5, "STS": None}
    assert mean_if_defined(list(scores.values())) is None
    assert mean_if_defined([0.5, 0.7]) == pytest.approx(0.6)
