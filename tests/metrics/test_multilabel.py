import numpy as np
import pytest
from sklearn.metrics import f1_score

from dfwe.errors import MetricError
from dfwe.metrics.multilabel import MultilabelF1

NAMES = {"k:likes": "likes", "k:age": "age", "k:owner": "owner of", "k:none": "nothing known"}


def metric(*, scored=(0, 1, 2), whole_words=False):
    return MultilabelF1(NAMES, scored=scored, default="k:likes", whole_words=whole_words)


def value(of, predictions, references):
    return float(of.value(of.counts(predictions, references=references).sum(axis=0)))


def test_names_are_found_anywhere_in_the_text_in_their_own_case():
    assert metric().parse("engaged and owner of") == {"k:age", "k:owner"}
    assert metric().parse("k:age") == {"k:age"}
    assert metric().parse("AGE") == {"k:likes"}


def test_the_corrected_variant_finds_whole_words_only():
    assert metric(whole_words=True).parse("engaged and owner of") == {"k:owner"}
    assert metric(whole_words=True).parse("engaged") == {"k:likes"}


def test_a_text_without_a_name_is_the_default():
    assert value(metric(), [""], [["k:likes"]]) == 1.0


def test_labels_that_are_not_scored_neither_help_nor_harm():
    assert value(metric(), ["nothing known", "age"], [["k:none"], ["k:age"]]) == 1.0
    references = [["k:none"], ["k:likes"]]
    assert value(metric(scored=(0, 3)), ["nothing known", "age"], references) == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_scikit_learns_micro_f1(seed):
    rng = np.random.default_rng(seed)
    truth, found = rng.integers(0, 2, size=(2, 20, 4))
    truth[truth.sum(axis=1) == 0, 0] = 1
    codes, names = list(NAMES), list(NAMES.values())
    references = [[codes[i] for i in np.flatnonzero(row)] for row in truth]
    predictions = [" and ".join(names[i] for i in np.flatnonzero(row)) for row in found]
    found[found.sum(axis=1) == 0, 0] = 1  # the default
    expected = f1_score(truth, found, labels=[0, 1, 2], average="micro", zero_division=0)
    assert value(metric(), predictions, references) == pytest.approx(expected, abs=1e-12)


def test_a_gold_code_off_the_list_is_an_error():
    with pytest.raises(MetricError, match="example 1 has the gold label 'k:hates', expected one of k:likes"):
        metric().counts(["likes"], references=[["k:likes", "k:hates"]])


def test_no_examples_are_an_error():
    with pytest.raises(MetricError, match="of no examples is undefined"):
        metric().counts([], references=[])
