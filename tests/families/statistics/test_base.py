"""Questions drawn from training data."""

import pytest

from dfwe.families.seq2seq.calibration import Seq2SeqExample
from dfwe.families.text.calibration import draw_examples
from dfwe.families.text.tokenization import TokenLimits, tokens_in_memory
from dfwe.records import Instance


@pytest.fixture
def split(tokenizer):
    def make(num, *, candidates=()):
        instances = [
            Instance(f"i{i}", "d", "glad " * (i + 1), " emotion:", ("joy", "anger"), ("joy",), candidates)
            for i in range(num)
        ]
        return tokens_in_memory(instances, tokenizer=tokenizer, limits=TokenLimits(64, 8))

    return make


def test_questions_come_from_all_splits_without_repetition(split):
    splits = [(split(5, candidates=("joy", "fear")), 3), (split(4), 7)]
    drawn = draw_examples(Seq2SeqExample, splits, examples=7, seed=0)
    kinds = {(len(each.source[0]), each.max_new_tokens) for each in drawn}
    assert len(drawn) == len(kinds) == 7
    assert {each.max_new_tokens for each in drawn} == {3, 7}
    assert all(bool(each.candidates) == (each.max_new_tokens == 3) for each in drawn)


def test_all_are_drawn_where_there_are_no_more(split):
    assert len(draw_examples(Seq2SeqExample, [(split(5), 3)], examples=100, seed=0)) == 5


def test_the_seed_says_which(split):
    splits = [(split(20), 3)]

    def lengths(seed):
        return [len(each.source[0]) for each in draw_examples(Seq2SeqExample, splits, examples=6, seed=seed)]

    assert lengths(0) == lengths(0) != lengths(1)


def test_a_question_is_the_source_and_its_first_gold_answer(split, tokenizer):
    (one,) = draw_examples(Seq2SeqExample, [(split(1, candidates=("joy", "fear")), 3)], examples=1, seed=0)
    assert tokenizer.decode(one.source[0], skip_special_tokens=True).endswith("emotion:")
    assert tokenizer.decode(one.target[0], skip_special_tokens=True) == "joy"
    assert one.target[0, -1] == tokenizer.eos_token_id
    assert len(one.candidates) == 2
    assert one.inputs["attention_mask"].shape == one.source.shape
