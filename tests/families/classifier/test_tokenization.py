"""Instances as a classifier's tokens."""

import logging

import pytest
from transformers import AutoTokenizer

from dfwe.errors import DataError
from dfwe.families.classifier.tokenization import encode_instances
from dfwe.families.encoder.data import sentence_batch
from dfwe.records import Instance

LABELS = ("bad", "good")


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return AutoTokenizer.from_pretrained(tiny_bert)


def dialogue(context, *, answer="good"):
    return Instance("i", "d", context, " is the kettle warm?", (answer,), (answer,), LABELS)


def pair(first, second, *, answer="good"):
    return Instance("i", "d", "", "", (answer,), (answer,), LABELS, (first, second))


def encode(tokenizer, *instances, max_tokens=64, max_truncated_fraction=0.0, labels=LABELS, truncation="context"):
    return encode_instances(
        instances,
        task="mood",
        labels=labels,
        tokenizer=tokenizer,
        max_tokens=max_tokens,
        max_truncated_fraction=max_truncated_fraction,
        truncation=truncation,
    )


def test_encode_source_text_is_read_whole(tokenizer):
    split = encode(tokenizer, dialogue("a merry tale"))
    assert split.tokens[0][0] == tokenizer("a merry tale is the kettle warm?")["input_ids"]
    assert split.gold.tolist() == [1.0]


def test_encode_long_context_loses_beginning_and_keeps_question(tokenizer):
    question = tokenizer("is the kettle warm?", add_special_tokens=False)["input_ids"]
    split = encode(tokenizer, dialogue("a merry tale " * 20), max_tokens=len(question) + 4)
    ids = split.tokens[0][0]
    assert len(ids) == len(question) + 4
    assert ids[-len(question) - 1 : -1] == question
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)


def test_encode_pair_is_one_sequence_with_segments(tokenizer):
    split = encode(tokenizer, pair("a merry tale", "the kettle is warm"))
    expected = tokenizer("a merry tale", "the kettle is warm", return_token_type_ids=True)
    batch = sentence_batch(split, [0])
    assert batch["input_ids"].tolist() == [expected["input_ids"]]
    assert batch["token_type_ids"].tolist() == [expected["token_type_ids"]]


def test_encode_long_pair_cuts_beginning_of_longer_sentence(tokenizer, caplog):
    instances = [pair("merry " * 9 + "warm", "mild"), pair("merry", "mild")]
    with caplog.at_level(logging.WARNING):
        split = encode(tokenizer, *instances, max_tokens=8, max_truncated_fraction=0.5)
    expected = tokenizer("merry " * 3 + "warm", "mild")["input_ids"]
    assert split.tokens[0][0] == expected
    assert "the question of 1 of 2 examples is longer than model.max_source_tokens=8" in caplog.text


@pytest.mark.parametrize(("side", "truncation"), [("right", "reference"), ("left", "context")])
@pytest.mark.parametrize("instance", [dialogue("a merry tale " * 9), pair("merry " * 9 + "warm", "mild " * 4 + "a")])
def test_encode_cuts_where_the_tokenizer_does(tokenizer, instance, side, truncation, caplog):
    cutting = AutoTokenizer.from_pretrained(tokenizer.name_or_path, truncation_side=side)
    texts = instance.sentences or (instance.source,)
    expected = cutting(*texts, truncation=True, max_length=12, return_token_type_ids=True)
    with caplog.at_level(logging.WARNING):
        split = encode(tokenizer, instance, max_tokens=12, max_truncated_fraction=1.0, truncation=truncation)
    assert (split.tokens[0][0], split.segments[0][0]) == (expected["input_ids"], expected["token_type_ids"])
    if truncation == "reference":
        assert "they lose their end" in caplog.text


def test_encode_too_many_cut_is_refused(tokenizer):
    with pytest.raises(DataError, match="raise model.max_source_tokens, or data.max_truncated_fraction"):
        encode(tokenizer, pair("merry " * 9, "mild"), max_tokens=8)


def test_encode_unknown_answer_is_refused(tokenizer):
    with pytest.raises(DataError, match="'odd' is none of the task's labels"):
        encode(tokenizer, dialogue("a tale", answer="odd"))


def test_encode_number_without_labels(tokenizer):
    assert encode(tokenizer, pair("a", "b", answer="3.5"), labels=()).gold.tolist() == [3.5]
