"""F1 of each label by itself."""

import pytest
from sklearn.metrics import f1_score

from dfwe.metrics.by_class import ClassScore, score_classes


def singles(texts):
    return [(text,) for text in texts]


def test_each_label_has_its_own_f1_and_its_gold_examples():
    scores = score_classes(singles("aabx"), gold=singles("aaab"), labels="abc")
    # a: 2 right of 2 predicted and 3 gold; b: none right; c: never there
    assert scores == {"a": ClassScore(0.8, 3), "b": ClassScore(0.0, 1), "c": ClassScore(None, 0)}


def test_it_is_scikit_learns_f1_of_each_label():
    gold, said = "abcabcaabbccab", "abcbacaabbcbcb"
    scores = score_classes(singles(said), gold=singles(gold), labels="abc")
    expected = f1_score(list(gold), list(said), labels=list("abc"), average=None)
    assert [scores[label].f1 for label in "abc"] == pytest.approx(expected)


def test_an_example_may_have_several_labels():
    scores = score_classes([{"a", "b"}, {"b"}], gold=[{"a"}, {"a", "b"}], labels="ab")
    assert (scores["a"].f1, scores["b"].f1) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_answers_and_gold_must_pair_up():
    with pytest.raises(ValueError, match="longer"):
        score_classes(singles("a"), gold=singles("ab"), labels="ab")
