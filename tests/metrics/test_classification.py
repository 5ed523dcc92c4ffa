"""F1, accuracy, and the F1 of each label."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from dfwe.errors import MetricError
from dfwe.metrics.classification import F1, Accuracy, ClassScore, score_classes

LABELS = ("red", "green", "blue", "grey")
AVERAGES = ("micro", "macro", "weighted")


def value(metric, predictions, gold):
    return float(metric.value(metric.counts(predictions, references=[[label] for label in gold]).sum(axis=0)))


def drawn(seed, *, choices):
    rng = np.random.default_rng(seed)
    gold = [str(label) for label in rng.choice(LABELS, size=30, p=[0.5, 0.3, 0.2, 0.0])]
    return [str(label) for label in rng.choice(choices, size=30)], gold


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("seed", range(5))
def test_f1_is_scikit_learns_with_no_label_as_one_more_class(average, seed):
    predictions, gold = drawn(seed, choices=[*LABELS, "Red", "red ", ""])
    known = [label if label in LABELS else "no label" for label in predictions]
    expected = f1_score(gold, known, average=average, zero_division=0)
    assert value(F1(LABELS, average), predictions, gold) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("average", AVERAGES)
def test_the_corrected_f1_leaves_the_class_of_no_label_out(average):
    predictions, gold = drawn(7, choices=[*LABELS, "", "mauve"])
    known = [label if label in LABELS else "no label" for label in predictions]
    present = sorted({*gold, *known} - {"no label"})
    expected = f1_score(gold, known, average=average, labels=present, zero_division=0)
    metric = F1(LABELS, average, no_label_class=False)
    assert value(metric, predictions, gold) == pytest.approx(expected, abs=1e-12)


def test_macro_f1_counts_no_label_in_faithful_variant():
    predictions, gold = ["red", "mauve", "blue"], ["red", "green", "blue"]
    assert value(F1(LABELS, "macro"), predictions, gold) == pytest.approx(2 / 4)
    assert value(F1(LABELS, "macro", no_label_class=False), predictions, gold) == pytest.approx(2 / 3)


def test_accuracy_is_scikit_learns():
    predictions, gold = drawn(3, choices=LABELS)
    assert value(Accuracy(LABELS), predictions, gold) == pytest.approx(accuracy_score(gold, predictions))


@pytest.mark.parametrize("prediction", ["Red", " red", "red ", "red.", ""])
def test_only_the_exact_label_counts(prediction):
    assert value(Accuracy(LABELS), [prediction], ["red"]) == 0.0


@pytest.mark.parametrize("metric", [Accuracy(LABELS), *(F1(LABELS, average) for average in AVERAGES)])
def test_no_examples_have_the_value_zero(metric):
    assert metric.counts([], references=[]).shape == (0, metric.num_counts)
    assert value(metric, [], []) == 0.0


@pytest.mark.parametrize("metric", [Accuracy(LABELS), *(F1(LABELS, average) for average in AVERAGES)])
def test_weights_on_rows_are_the_same_as_repeated_examples(metric):
    predictions, gold = drawn(11, choices=[*LABELS, ""])
    weights = np.random.default_rng(0).integers(0, 3, size=(6, 30)).astype(float)
    values = metric.value(weights @ metric.counts(predictions, references=[[label] for label in gold]))
    for row, found in zip(weights.astype(int), values, strict=True):
        repeated = [index for index, times in enumerate(row) for _ in range(times)]
        expected = value(metric, [predictions[i] for i in repeated], [gold[i] for i in repeated])
        assert found == pytest.approx(expected, abs=1e-12)


def test_a_gold_label_off_the_list_is_an_error():
    with pytest.raises(MetricError, match="example 2 has the gold label 'mauve', expected one of red, green"):
        F1(LABELS, "micro").counts(["red", "red"], references=[["red"], ["mauve"]])


def test_two_gold_labels_are_an_error():
    with pytest.raises(MetricError, match="example 1 must have one gold label, not 2"):
        Accuracy(LABELS).counts(["red"], references=[["red", "blue"]])


def singles(texts):
    return [(text,) for text in texts]


def test_score_classes_per_label():
    scores = score_classes(singles("aabx"), gold=singles("aaab"), labels="abc")
    # a: 2 right of 2 predicted and 3 gold; b: none right; c: never there
    assert scores == {"a": ClassScore(0.8, 3), "b": ClassScore(0.0, 1), "c": ClassScore(None, 0)}


def test_score_classes_match_scikit_learn():
    gold, said = "abcabcaabbccab", "abcbacaabbcbcb"
    scores = score_classes(singles(said), gold=singles(gold), labels="abc")
    expected = f1_score(list(gold), list(said), labels=list("abc"), average=None)
    assert [scores[label].f1 for label in "abc"] == pytest.approx(expected)


def test_score_classes_with_several_labels():
    scores = score_classes([{"a", "b"}, {"b"}], gold=[{"a"}, {"a", "b"}], labels="ab")
    assert (scores["a"].f1, scores["b"].f1) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_score_classes_unequal_lengths_raise():
    with pytest.raises(ValueError, match="longer"):
        score_classes(singles("a"), gold=singles("ab"), labels="ab")
