"""How sure scores of several tasks are."""

import numpy as np
import pytest

from dfwe.families.encoder.data import SentenceSplit
from dfwe.families.encoder.reader import HeadReader
from dfwe.families.scorer import MeanScorer, SplitScorer
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer
from dfwe.records import Instance
from dfwe.results.comparison import PairedComparison

NUM = 100


def part(task, metric, references):
    instances = tuple(Instance(f"{i}", f"{i}", "", "", (), (each,), (), ("a",)) for i, each in enumerate(references))
    split = SentenceSplit(task, instances, (([1, 2],),) * len(instances), np.zeros(len(instances)), 0)
    return SplitScorer(HeadReader(split, max_tokens=64), scorer=Scorer(metrics={"m": metric}))


def right(number):
    return ("a",) * number + ("b",) * (NUM - number)


@pytest.fixture
def two_accuracies():
    """A function from a model's numbers of right answers by task to its evaluation, and the scorer."""
    labels = Accuracy(labels=["a", "b"])
    scorer = MeanScorer({task: part(task, labels, ["a"] * NUM) for task in ("SST", "QDPD")})
    return lambda *numbers: scorer.evaluate(sum(map(right, numbers), ())), scorer


def test_the_mean_of_two_tasks_has_the_spread_of_independent_test_sets(two_accuracies):
    of, scorer = two_accuracies
    found = PairedComparison.of({"a": of(50, 50)}, scorer=scorer, seed=0).intervals("a")
    low, high = found["tasks"]["SST"]
    assert high - low == pytest.approx(2 * 1.96 * 0.05, rel=0.1)
    low, high = found["mean"]
    assert high - low == pytest.approx(2 * 1.96 * 0.05 / np.sqrt(2), rel=0.1)


def test_each_task_is_compared_with_its_own_single_task_model(two_accuracies):
    of, scorer = two_accuracies
    evaluations = {"soup": of(70, 61), "one": of(60, 0), "other": of(0, 60)}
    certainty = PairedComparison.of(evaluations, scorer=scorer, seed=0)
    found = certainty.difference("soup", references={"SST": "one", "QDPD": "other"})
    assert [each["delta"] for each in found["tasks"].values()] == pytest.approx([0.1, 0.01])
    assert found["mean"]["delta"] == pytest.approx(0.055)
    # ten of a hundred answers differ, all one way, and one of the other hundred: half the root of both variances
    expected = np.sqrt(0.1 * 0.9 / 100 + 0.01 * 0.99 / 100) / 2
    assert found["mean"]["delta_standard_error"] == pytest.approx(expected, rel=0.1)


def test_accuracies_have_mcnemars_p_and_holms_and_their_mean_the_bootstraps(two_accuracies):
    of, scorer = two_accuracies
    certainty = PairedComparison.of({"soup": of(70, 61), "one": of(60, 60)}, scorer=scorer, seed=0)
    found = certainty.difference("soup", references={"SST": "one", "QDPD": "one"})
    first, second = found["tasks"].values()
    assert (first["p"], first["p_by"], first["p_holm"]) == (2 / 2**10, "mcnemar", 4 / 2**10)
    assert (second["p"], second["p_holm"]) == (1.0, 1.0)
    assert (found["mean"]["p_by"], found["mean"]["p"] < 0.01) == ("bootstrap", True)


def test_a_task_without_a_single_task_model_is_not_compared_and_neither_is_the_mean(two_accuracies):
    of, scorer = two_accuracies
    found = PairedComparison.of({"soup": of(70, 61), "one": of(60, 60)}, scorer=scorer, seed=0).difference(
        "soup", references={"SST": "one"}
    )
    assert list(found["tasks"]) == ["SST"]
    assert "mean" not in found


def test_an_undefined_score_has_no_interval_and_no_difference():
    numbers = MeanScorer({"STS": part("STS", Pearson(unparsable=-1.0), ["1", "2", "3", "5"])})
    evaluations = {"good": numbers.evaluate(("1", "2", "4", "4")), "flat": numbers.evaluate(("2",) * 4)}
    certainty = PairedComparison.of(evaluations, scorer=numbers, seed=0)
    assert certainty.intervals("flat") == {"tasks": {}}
    assert certainty.difference("good", references={"STS": "flat"}) == {"tasks": {}}
    assert "mean" in certainty.intervals("good")


def test_the_same_seed_gives_the_same_and_a_model_beside_it_changes_nothing(two_accuracies):
    of, scorer = two_accuracies
    one = PairedComparison.of({"a": of(50, 40)}, scorer=scorer, seed=3).intervals("a")
    assert PairedComparison.of({"b": of(9, 9), "a": of(50, 40)}, scorer=scorer, seed=3).intervals("a") == one
    assert PairedComparison.of({"a": of(50, 40)}, scorer=scorer, seed=4).intervals("a") != one
