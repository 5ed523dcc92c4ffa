from dataclasses import dataclass

import numpy as np
import pytest

from dfwe.errors import MetricError
from dfwe.metrics.base import Metric
from dfwe.metrics.classification import F1, Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer
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
