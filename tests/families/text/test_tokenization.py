"""Token ids within the limits, cached by everything that changes them."""

from dataclasses import replace

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from dfwe.errors import DataError
from dfwe.families.text.tokenization import (
    TokenisedSplit,
    TokenLimits,
    read_tokens,
    save_tokens,
    tokens_in_memory,
    tokens_key,
    warn_of_full,
)
from dfwe.families.tokens import source_ids
from dfwe.records import Instance


def instance(context="context: Monica Vale: I feel glad.", prompt=" emotion:", **more):
    values = {"targets": ("joy",), "references": ("joy",), "candidates": ("joy", "anger")} | more
    return Instance("i0", "d0", context, prompt, **values)


def limits(tokens=64, truncation="context", max_truncated_fraction=0.0):
    return TokenLimits(tokens, 8, truncation, max_truncated_fraction)


def test_a_short_input_is_tokenised_whole(tokenizer):
    ids, _ = source_ids(instance(), tokenizer=tokenizer, max_tokens=64)
    assert tokenizer.decode(ids, skip_special_tokens=True) == instance().source


def test_a_long_context_loses_its_oldest_words_and_the_prompt_survives(tokenizer):
    long = instance(context="context: " + "glad " * 100 + "furious.")
    ids, _ = source_ids(long, tokenizer=tokenizer, max_tokens=20)
    text = tokenizer.decode(ids, skip_special_tokens=True)
    assert len(ids) == 20
    assert text.endswith("furious. emotion:")
    assert ids[-1] == tokenizer.eos_token_id


def test_the_references_way_cuts_on_the_right(tokenizer):
    long = instance(context="context: " + "glad " * 100)
    (ids,) = tokens_in_memory([long], tokenizer=tokenizer, limits=limits(20, "reference")).tokens["source"]
    assert len(ids) == 20
    assert "emotion" not in tokenizer.decode(ids)


def test_prompts_longer_than_the_limit_are_an_error_that_counts_them_and_names_the_first(tokenizer):
    instances = [instance(), instance(prompt=" what" * 40)]
    message = r"the prompt of 1 of 2 examples is longer .*_tokens=20, the first is that of i0, by \d+"
    with pytest.raises(DataError, match=message):
        tokens_in_memory(instances, tokenizer=tokenizer, limits=limits(20))


def test_a_few_prompts_may_lose_their_beginning_with_a_warning_each_time(tokenizer, caplog):
    long = instance(prompt=" what" * 40 + " now:")
    for _ in range(2):
        split = tokens_in_memory([instance(), long], tokenizer=tokenizer, limits=limits(20, max_truncated_fraction=0.5))
    assert split.tokens["cut"][0] == 0 < split.tokens["cut"][1]
    assert tokenizer.decode(split.tokens["source"][1], skip_special_tokens=True).endswith("what now:")
    assert [len(ids) <= 20 for ids in split.tokens["source"]] == [True, True]
    assert caplog.text.count("they lose their beginning") == 2


def test_targets_and_candidates_end_with_the_end_token(tokenizer):
    split = tokens_in_memory([instance()], tokenizer=tokenizer, limits=limits())
    targets, candidates = split.tokens["targets"][0], split.tokens["candidates"][0]
    assert [ids[-1] for ids in (*targets, *candidates)] == [tokenizer.eos_token_id] * 3
    assert [tokenizer.decode(ids, skip_special_tokens=True) for ids in candidates] == ["joy", "anger"]


def test_tokens_key_names_texts_and_limits(tokenizer):
    def key(text, tokens=64):
        return tokens_key([text], tokenizer=tokenizer, limits=limits(tokens))

    assert key(instance()) == key(instance())
    assert len({key(instance()), key(instance(prompt=" other:")), key(instance(), 32)}) == 3


def test_saved_tokens_read_back_as_they_were(tokenizer, tmp_path):
    instances = [instance(), instance(prompt=" other:")]
    save_tokens(instances, tokenizer=tokenizer, limits=limits(), folder=tmp_path / "tokens")
    split = read_tokens(instances, limits=limits(), folder=tmp_path / "tokens")
    memory = tokens_in_memory(instances, tokenizer=tokenizer, limits=limits())
    assert all(split.tokens[name] == memory.tokens[name] for name in ("source", "targets", "candidates", "cut"))


def test_answers_that_are_cut_are_told(tokenizer, caplog):
    long = replace(instance(candidates=()), targets=("glad " * 20,))
    (ids,) = tokens_in_memory([long, instance()], tokenizer=tokenizer, limits=limits()).tokens["targets"][0]
    assert (len(ids), ids[-1]) == (8, tokenizer.eos_token_id)
    assert "answers of more than model.max_target_tokens=8 tokens: 1;" in caplog.text


def test_answers_that_the_tokenizer_cannot_write_are_told(caplog):
    backend = Tokenizer(models.WordLevel({"[UNK]": 0, "well": 1, "known": 2, "[SEP]": 3}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", sep_token="[SEP]")
    texts = [replace(instance(candidates=()), targets=(text,)) for text in ("Well known!", "unknown", "well known")]
    tokens_in_memory(texts, tokenizer=words, limits=limits())
    assert "2 of 3 answers, such as 'Well known!', are other texts" in caplog.text


def test_an_answer_that_is_too_long_is_an_error_that_names_it(tokenizer):
    long = instance(candidates=("joy", "glad " * 20))
    with pytest.raises(DataError, match=r"i0: the answer 'glad .* has \d+ tokens, more than model.max_target_tokens=8"):
        tokens_in_memory([long], tokenizer=tokenizer, limits=limits())


def test_answers_that_are_the_same_tokens_are_an_error_that_names_both():
    backend = Tokenizer(models.WordLevel({"[UNK]": 0, "joy": 1, "[SEP]": 2}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", sep_token="[SEP]")
    alike = instance(candidates=("joy", "anger", "rage"))
    with pytest.raises(DataError, match="i0: the answers 'anger' and 'rage' are the same tokens to the model"):
        tokens_in_memory([alike], tokenizer=words, limits=limits())


def test_texts_that_fill_the_model_are_counted(caplog):
    split = TokenisedSplit((instance(),) * 4, {"length": [4, 8, 3, 8]})
    warn_of_full(split, limits=TokenLimits(9, 4), of="mood, train")
    assert caplog.messages == []
    warn_of_full(split, limits=TokenLimits(8, 4), of="mood, train")
    (line,) = caplog.messages
    assert line.startswith("mood, train: 2 of 4 texts fill model.max_source_tokens=8 tokens")
