"""Differences to the baseline."""

import pytest

from dfwe.metrics.classification import Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer
from dfwe.stages.delta import delta

SCORER = Scorer(metrics={"acc": Accuracy(labels=["a", "b"])})
GOLD = [["a"]] * 100


def of(num_right):
    return SCORER.evaluate(["a"] * num_right + ["b"] * (100 - num_right), references=GOLD)


def test_it_is_the_difference_of_scores_with_its_paired_standard_error():
    found = delta(of(70), baseline=of(60), scorer=SCORER, seed=0)
    assert found["delta"] == pytest.approx(0.1)
    # ten of a hundred answers differ, all one way: sqrt(0.1 * 0.9 / 100)
    assert found["delta_standard_error"] == pytest.approx(0.03, rel=0.1)


def test_equal_answers_differ_by_nothing_for_certain():
    assert delta(of(60), baseline=of(60), scorer=SCORER, seed=0) == {"delta": 0.0, "delta_standard_error": 0.0}


def test_an_undefined_score_differs_from_none():
    numbers = Scorer(metrics={"pearson": Pearson(unparsable=-1.0)})
    first, second = (numbers.evaluate(answers, references=[["1"], ["2"]]) for answers in (["1", "2"], ["2", "2"]))
    assert delta(first, baseline=second, scorer=numbers, seed=0) == {}
    assert delta(second, baseline=first, scorer=numbers, seed=0) == {}
