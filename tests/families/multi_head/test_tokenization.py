"""Sentences as token ids: cut at their end, gold as numbers, batches sentence-major."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dfwe.errors import DataError
from dfwe.families.encoder.data import sentence_batch
from dfwe.families.multi_head.tokenization import tokenise_sentences
from dfwe.records import Instance

PAIRS = [("tea", "warm tea"), ("warm cold tea", "tea"), ("cold", "cold")]  # tea 3, warm 4, cold 5; see conftest
ANSWERS = ["yes", "no", "yes"]


def instance(number, sentences, *references):
    return Instance(f"i{number}", "d", "", "", references, references, sentences=tuple(sentences))


@pytest.fixture
def pairs():
    return [instance(n, each, answer) for n, (each, answer) in enumerate(zip(PAIRS, ANSWERS, strict=True))]


@pytest.fixture
def tokenised(word_tokenizer):
    def _tokenised(instances, *, labels=("no", "yes"), max_tokens=10, max_truncated_fraction=0.0):
        return tokenise_sentences(
            instances,
            task="pairs",
            labels=labels,
            tokenizer=word_tokenizer,
            max_tokens=max_tokens,
            max_truncated_fraction=max_truncated_fraction,
        )

    return _tokenised


def test_every_sentence_stands_between_its_special_tokens(tokenised, pairs):
    split = tokenised(pairs)
    assert split.tokens == (([1, 3, 2], [1, 4, 3, 2]), ([1, 4, 5, 3, 2], [1, 3, 2]), ([1, 5, 2], [1, 5, 2]))
    assert (len(split), split.task, split.pad_id) == (3, "pairs", 0)


def test_an_example_is_as_long_as_its_longest_sentence(tokenised, pairs):
    assert tokenised(pairs).lengths == (4, 5, 3)


def test_a_label_is_its_index_and_an_unknown_answer_no_number(tokenised, pairs):
    gold = tokenised([*pairs, instance(3, ("tea", "tea"))]).gold
    np.testing.assert_array_equal(gold, [1.0, 0.0, 1.0, np.nan])


def test_without_labels_the_answer_is_a_number(tokenised):
    split = tokenised([instance(0, ("tea",), "2.25"), instance(1, ("cold",))], labels=())
    np.testing.assert_array_equal(split.gold, [2.25, np.nan])
    assert not tokenised([replace(instance(0, ("tea",), "2.25"), candidates=("2.0", "2.25"))], labels=()).is_closed


def test_a_batch_has_all_first_sentences_before_the_second_ones(tokenised, pairs):
    batch = sentence_batch(tokenised(pairs), [2, 0])
    assert batch["task"] == "pairs"
    assert batch["input_ids"].tolist() == [[1, 5, 2, 0], [1, 3, 2, 0], [1, 5, 2, 0], [1, 4, 3, 2]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    torch.testing.assert_close(batch["gold"], torch.tensor([1.0, 1.0]), rtol=0, atol=0)
    assert batch["input_ids"].dtype == batch["attention_mask"].dtype == torch.int64


def test_a_long_sentence_loses_its_end_and_keeps_its_closing_token(tokenised, pairs, caplog):
    split = tokenised(pairs, max_tokens=3, max_truncated_fraction=0.7)
    assert split.tokens == (([1, 3, 2], [1, 4, 2]), ([1, 4, 2], [1, 3, 2]), ([1, 5, 2], [1, 5, 2]))
    assert "2 of 3 examples" in caplog.text
    assert "they lose their end" in caplog.text


def test_too_many_cut_examples_are_an_error_that_names_the_first(tokenised, pairs):
    message = r"pairs: a sentence of 2 of 3 examples is longer than .*=3, the first is that of i0, by 1 tokens: raise"
    with pytest.raises(DataError, match=message):
        tokenised(pairs, max_tokens=3, max_truncated_fraction=0.6)


@pytest.mark.parametrize(
    ("other", "labels", "message"),
    [
        (instance(9, (), "yes"), ("no", "yes"), "pairs, i9: it has no sentences for a head to read"),
        (instance(9, ("tea",), "yes"), ("no", "yes"), "pairs, i9: it has 1 sentences, the first instance 2"),
        (
            instance(9, ("a", "b"), "maybe"),
            ("no", "yes"),
            "i9: its answer 'maybe' is none of the task's labels no",
        ),
        (instance(9, ("a", "b"), "much"), (), "i9: its answer 'much' is no number, and the task has no labels"),
    ],
)
def test_an_instance_that_does_not_fit_is_an_error_that_names_it(tokenised, other, labels, message):
    with pytest.raises(DataError, match=message):
        tokenised([instance(0, PAIRS[0]), other], labels=labels)
