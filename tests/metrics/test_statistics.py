"""How sure scores are."""

from dataclasses import replace
from math import comb

import numpy as np
import pytest

from dfwe.metrics.classification import F1, Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.statistics import (
    bootstrap,
    delta,
    holm,
    interval,
    mcnemar,
    resampled_scores,
    resampling_weights,
    two_sided_p,
    with_interval,
)
from dfwe.seeding import derive


def share(totals):
    return totals[..., 0] / totals[..., 1]


def scores(right, *, resamples=4000):
    counts = np.stack([np.array(right, float), np.ones(len(right))], axis=1)
    weights = resampling_weights(len(right), resamples=resamples, generator=np.random.default_rng(0))
    return resampled_scores(counts, score=share, weights=weights)


def test_interval_approaches_the_normal_approximation():
    low, high = interval(scores([1] * 240 + [0] * 160))
    half = 1.96 * np.sqrt(0.6 * 0.4 / 400)
    assert (low, high) == (pytest.approx(0.6 - half, abs=0.005), pytest.approx(0.6 + half, abs=0.005))


def test_the_interval_of_a_certain_score_has_no_width():
    assert interval(scores([1, 1, 1])) == (1.0, 1.0)


def test_paired_resamples_have_the_standard_error():
    first, second = np.random.default_rng(0).integers(0, 2, size=(2, 400))
    error = np.std(scores(first) - scores(second))
    assert error == pytest.approx(np.std(first - second) / np.sqrt(400), rel=0.06)


@pytest.mark.parametrize(
    ("differences", "p"), [([1.0] * 99, 0.02), ([-1.0] * 99, 0.02), ([1.0, -1.0] * 50, 1.0), ([0.0] * 9, 1.0)]
)
def test_two_sided_p_counts_the_rarer_side_twice(differences, p):
    assert two_sided_p(np.array(differences)) == pytest.approx(p)


def test_mcnemar_is_the_binomial_tail():
    first = np.array([1] * 9 + [0] * 2 + [1] * 50, bool)
    second = np.array([0] * 9 + [1] * 2 + [1] * 50, bool)
    by_hand = 2 * sum(comb(11, k) for k in range(3)) / 2**11
    assert mcnemar(first, second) == mcnemar(second, first) == pytest.approx(by_hand)


def test_mcnemar_of_many_answers_is_quick_and_exact():
    first = np.arange(40_000) < 19_000  # 21,000 others are right in the second
    assert 0 < mcnemar(first, ~first) < 1e-20


def test_mcnemar_of_equally_right_models_is_1():
    one = np.array([True, False, True])
    assert mcnemar(one, one) == 1.0
    assert mcnemar(one, ~one) == 1.0


def test_holm_adjusts_in_order():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a": 0.03, "b": 0.06, "c": 0.06}
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}


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


def test_examples_that_stand_alone_are_drawn_themselves():
    evaluation, generator = of(60), np.random.default_rng(derive(3, "delta"))
    weights = resampling_weights(100, resamples=1000, generator=generator)
    expected = resampled_scores(evaluation.counts, score=SCORER.score, weights=weights)
    alone = replace(evaluation, clusters=tuple(map(str, range(100))))
    assert bootstrap(evaluation, scorer=SCORER, seed=3).tolist() == expected.tolist()
    assert bootstrap(alone, scorer=SCORER, seed=3).tolist() == expected.tolist()


def test_dialogues_are_drawn_whole_and_have_no_mcnemar():
    shared = tuple(str(number // 10) for number in range(100))  # ten dialogues, each all right or all wrong
    ours, theirs = (replace(of(right), clusters=shared) for right in (70, 60))
    found = delta(ours, baseline=theirs, scorer=SCORER, seed=0)
    assert found["p_by"] == "bootstrap"
    assert found["delta_standard_error"] == pytest.approx(np.sqrt(0.1 * 0.9 / 10), rel=0.1)  # one of ten differs
    assert set(np.round(bootstrap(ours, scorer=SCORER, seed=0), 9)) <= {round(k / 10, 9) for k in range(11)}


@pytest.mark.parametrize(("number", "p"), [(1, 1.0), (2, 0.5), (5, 1 / 16)])
def test_few_dialogues_claim_nothing(number, p):
    shared = tuple(str(place % number) for place in range(100))
    ours, theirs = (replace(of(right), clusters=shared) for right in (90, 60))
    found = delta(ours, baseline=theirs, scorer=SCORER, seed=0)
    assert found["p"] >= p
    assert (found["delta_interval"] is None, found["delta_standard_error"] is None) == (number == 1,) * 2
    assert ("interval" in with_interval(ours, scorer=SCORER, seed=0)) == (number > 1)


def test_an_undefined_score_differs_from_none():
    numbers = Scorer(metrics={"pearson": Pearson(unparsable=-1.0)})
    first, second = (numbers.evaluate(answers, references=[["1"], ["2"]]) for answers in (["1", "2"], ["2", "2"]))
    assert delta(first, baseline=second, scorer=numbers, seed=0) == {}
    assert delta(second, baseline=first, scorer=numbers, seed=0) == {}
