import numpy as np
import pytest

from dfwe.errors import MetricError
from dfwe.metrics.span import ExactMatch, TokenF1Macro, TokenF1Micro, normalise

METRICS = (ExactMatch(), TokenF1Macro(), TokenF1Micro(), TokenF1Micro(best_reference=True))


def value(metric, predictions, references):
    return float(metric.value(metric.counts(predictions, references=references).sum(axis=0)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Lamp", "lamp"),
        ("a-b", "ab"),
        ("an  old\tlamp\n", "old lamp"),
        ("A.N. lamp", "lamp"),  # punctuation goes first, so what is left is an article
        ("theatre", "theatre"),
        ("...", ""),
        ("“lamp”", "“lamp”"),  # only ASCII punctuation goes
    ],
)
def test_texts_are_normalised_in_the_order_of_the_reference(text, expected):
    assert normalise(text) == expected


def test_any_reference_may_match_exactly():
    references = [["a desk", "the lamp"], ["chair"]]
    assert value(ExactMatch(), ["Lamp!", "table"], references) == 0.5


def test_macro_token_f1_takes_the_best_reference():
    # "big lamp" against "big red lamp": 2 shared, 3 and 2 long, so 2 * 2 / 5
    assert value(TokenF1Macro(), ["big lamp", "x"], [["sofa", "big red lamp"], ["y"]]) == pytest.approx(0.4)


def test_token_f1_counts_repeated_words():
    assert value(TokenF1Macro(), ["no no"], [["no no no no"]]) == pytest.approx(2 * 2 / 6)


def test_micro_token_f1_reference_choice_by_variant():
    references = [["big red lamp", "lamp on the desk of somebody", "sofa"]]
    # last with overlap: 1 shared, 2 spurious, 4 missed ("the" is dropped)
    assert value(TokenF1Micro(), ["big red lamp"], references) == pytest.approx(2 / (2 + 2 + 4))
    assert value(TokenF1Micro(best_reference=True), ["big red lamp"], references) == 1.0


def test_micro_token_f1_without_overlap_by_variant():
    predictions, references = ["lamp", "two wrong"], [["lamp"], ["sofa", "some other chair"]]
    assert value(TokenF1Micro(), predictions, references) == 1.0
    # 1 shared; 2 spurious and 1 missed of the first reference
    assert value(TokenF1Micro(best_reference=True), predictions, references) == pytest.approx(2 / (2 + 2 + 1))


def test_no_overlap_at_all_is_zero():
    assert value(TokenF1Micro(), ["lamp"], [["sofa"]]) == 0.0


@pytest.mark.parametrize("metric", METRICS)
def test_two_empty_sides_are_a_right_answer(metric):
    assert value(metric, ["the"], [["..."]]) == 1.0


@pytest.mark.parametrize("metric", METRICS)
def test_values_are_vectorised_over_leading_axes(metric):
    counts = metric.counts(["lamp", "sofa bed", "x"], references=[["lamp"], ["sofa"], ["y"]])
    weights = np.array([[[1.0, 1.0, 1.0], [0.0, 2.0, 1.0]], [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
    values = metric.value(weights @ counts)
    assert values.shape == (2, 2)
    assert values[0, 0] == metric.value(counts.sum(axis=0))
    assert values[1, 1] == 0.0


def test_a_text_with_an_unanswerable_phrase_counts_as_empty():
    metric = ExactMatch(unanswerable_phrases=["No answer"])
    assert value(metric, ["there is no answer."], [["no answer"]]) == 1.0
    assert value(metric, ["no answer"], [["lamp"]]) == 0.0


@pytest.mark.parametrize("metric", METRICS)
def test_no_examples_are_an_error(metric):
    with pytest.raises(MetricError, match="of no examples is undefined"):
        metric.counts([], references=[])


@pytest.mark.parametrize("metric", METRICS)
def test_an_example_without_a_reference_is_an_error(metric):
    with pytest.raises(MetricError, match="example 2 has no reference"):
        metric.counts(["lamp", "sofa"], references=[["lamp"], []])
