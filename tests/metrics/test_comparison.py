"""Differences to the baseline."""

import pytest

from dfwe.metrics.classification import F1, Accuracy
from dfwe.metrics.comparison import delta, with_interval
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer

SCORER = Scorer(metrics={"acc": Accuracy(labels=["a", "b"])})
GOLD = [["a"]] * 100


def of(num_right):
    return SCORER.evaluate(["a"] * num_right + ["b"] * (100 - num_right), references=GOLD)


def test_delta_has_paired_standard_error():
    found = delta(of(70), baseline=of(60), scorer=SCORER, seed=0)
    assert found["delta"] == pytest.approx(0.1)
    # ten of a hundred answers differ, all one way: sqrt(0.1 * 0.9 / 100)
    assert found["delta_standard_error"] == pytest.approx(0.03, rel=0.1)


def test_equal_answers_differ_by_nothing_for_certain():
    found = delta(of(60), baseline=of(60), scorer=SCORER, seed=0)
    assert found == {
        "delta": 0.0,
        "delta_standard_error": 0.0,
        "delta_interval": [0.0, 0.0],
        "p": 1.0,
        "p_by": "mcnemar",
    }


def test_delta_p_is_mcnemars_for_accuracy():
    found = delta(of(70), baseline=of(60), scorer=SCORER, seed=0)
    assert found["p"] == pytest.approx(2 / 2**10)  # ten of ten differing answers
    scorer = Scorer(metrics={"f1": F1(labels=["a", "b"], average="macro")})
    first, second = (scorer.evaluate(["a"] * n + ["b"] * (9 - n), references=[["a"]] * 9) for n in (5, 4))
    found = delta(first, baseline=second, scorer=scorer, seed=0)
    assert found["p_by"] == "bootstrap"
    assert found["delta_interval"][0] <= found["delta"] <= found["delta_interval"][1]


def test_with_interval_omits_undefined_scores():
    low, high = with_interval(of(60), scorer=SCORER, seed=0)["interval"]
    assert low < 0.6 < high
    numbers = Scorer(metrics={"pearson": Pearson(unparsable=-1.0)})
    constant = numbers.evaluate(["2", "2"], references=[["1"], ["2"]])
    assert "interval" not in with_interval(constant, scorer=numbers, seed=0)


def test_an_undefined_score_differs_from_none():
    numbers = Scorer(metrics={"pearson": Pearson(unparsable=-1.0)})
    first, second = (numbers.evaluate(answers, references=[["1"], ["2"]]) for answers in (["1", "2"], ["2", "2"]))
    assert delta(first, baseline=second, scorer=numbers, seed=0) == {}
    assert delta(second, baseline=first, scorer=numbers, seed=0) == {}
