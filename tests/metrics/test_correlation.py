import numpy as np
import pytest

from dfwe.errors import MetricError
from dfwe.metrics.correlation import Pearson, binned_errors

METRIC = Pearson(unparsable=-1.0)


def value(predictions, gold):
    return float(METRIC.value(METRIC.counts(predictions, references=[[text] for text in gold]).sum(axis=0)))


def drawn(seed):
    rng = np.random.default_rng(seed)
    gold = rng.uniform(0, 5, size=40)
    return [f"{number:.1f}" for number in gold + rng.normal(0, 2, size=40)], [f"{number:.2f}" for number in gold]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_numpys_correlation(seed):
    predictions, gold = drawn(seed)
    expected = np.corrcoef([float(text) for text in predictions], [float(text) for text in gold])[0, 1]
    assert value(predictions, gold) == pytest.approx(expected, abs=1e-12)


def test_a_line_is_one_and_a_falling_line_zero():
    assert value(["1", "2", "4"], ["1.5", "2.5", "4.5"]) == pytest.approx(1.0)
    assert value(["4", "2", "1"], ["1", "2", "4"]) == 0.0


@pytest.mark.parametrize("constant", ["2.6", "0.1", "0"])
def test_pearson_constant_predictions_are_zero(constant):
    assert value([constant] * 7, ["0.3", "1.7", "2.9", "4.1", "4.9", "0.2", "3.3"]) == 0.0


@pytest.mark.parametrize("text", ["", "very", "nan", "inf"])
def test_what_is_no_number_counts_as_the_number_said(text):
    assert value(["1", text, "3"], ["1", "2", "3"]) == value(["1", "-1", "3"], ["1", "2", "3"])


def test_weights_on_rows_are_the_same_as_repeated_examples():
    predictions, gold = drawn(9)
    weights = np.random.default_rng(0).integers(0, 3, size=(6, 40)).astype(float)
    values = METRIC.value(weights @ METRIC.counts(predictions, references=[[text] for text in gold]))
    for row, found in zip(weights.astype(int), values, strict=True):
        repeated = [index for index, times in enumerate(row) for _ in range(times)]
        expected = value([predictions[i] for i in repeated], [gold[i] for i in repeated])
        assert found == pytest.approx(expected, abs=1e-12)


def test_no_examples_are_an_error():
    with pytest.raises(MetricError, match="Pearson's correlation of no examples is undefined"):
        METRIC.counts([], references=[])


@pytest.mark.parametrize("references", [["much"], ["1", "2"], ["nan"]])
def test_a_gold_answer_that_is_not_one_number_is_an_error(references):
    with pytest.raises(MetricError, match="example 1 must have one number as its gold answer"):
        METRIC.counts(["1"], references=[references])


@pytest.mark.parametrize(
    ("predictions", "gold", "defined"),
    [
        (["1", "2", "3"], ["1", "5", "2"], True),
        (["3", "2", "1"], ["1", "2", "3"], True),  # the wrong way round is 0, and defined
        (["0.1", "0.1", "0.1"], ["1", "5", "2"], False),
        (["1", "2", "3"], ["2.6", "2.6", "2.6"], False),
        (["1"], ["2"], False),
    ],
)
def test_pearson_of_constants_is_undefined(predictions, gold, defined):
    totals = METRIC.counts(predictions, references=[[text] for text in gold]).sum(axis=0)
    assert METRIC.is_defined(totals) is defined


def test_binned_errors_include_the_end_of_the_last_bin():
    bins = binned_errors([1.0, 2.0, 4.0, 5.0], gold=[0.0, 1.0, 4.5, 5.0], edges=[0.0, 1.0, 4.0, 5.0])
    assert [(each["low"], each["n"], each["squared_error"]) for each in bins] == [
        (0, 1, 1.0),
        (1, 1, 1.0),
        (4, 2, 0.125),
    ]


def test_binned_errors_of_an_empty_bin_are_undefined():
    assert binned_errors([1.0], gold=[0.0], edges=[0.0, 1.0, 2.0])[1]["squared_error"] is None
