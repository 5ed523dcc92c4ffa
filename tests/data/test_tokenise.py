"""Token ids within the limits, cached by everything that changes them."""

import pytest

from dfwe.data.tokenise import TokenLimits, source_ids, tokenise
from dfwe.errors import DataError
from dfwe.records import Instance


def instance(context="context: Monica Vale: I feel glad.", prompt=" emotion:", **more):
    values = {"targets": ("joy",), "references": ("joy",), "candidates": ("joy", "anger")} | more
    return Instance("i0", "d0", context, prompt, **values)


def limits(tokens=64, truncation="context"):
    return TokenLimits(tokens, 8, truncation)


def test_a_short_input_is_tokenised_whole(tokenizer):
    ids = source_ids(instance(), tokenizer=tokenizer, limits=limits())
    assert tokenizer.decode(ids, skip_special_tokens=True) == instance().source


def test_a_long_context_loses_its_oldest_words_and_the_prompt_survives(tokenizer):
    long = instance(context="context: " + "glad " * 100 + "furious.")
    ids = source_ids(long, tokenizer=tokenizer, limits=limits(20))
    text = tokenizer.decode(ids, skip_special_tokens=True)
    assert len(ids) == 20
    assert text.endswith("furious. emotion:")
    assert ids[-1] == tokenizer.eos_token_id


def test_the_references_way_cuts_on_the_right(tokenizer):
    long = instance(context="context: " + "glad " * 100)
    ids = source_ids(long, tokenizer=tokenizer, limits=limits(20, "reference"))
    assert len(ids) == 20
    assert "emotion" not in tokenizer.decode(ids)


def test_a_prompt_longer_than_the_limit_is_an_error_that_names_the_instance(tokenizer):
    with pytest.raises(DataError, match=r"i0: its prompt alone .*model.max_source_tokens=10"):
        source_ids(instance(prompt=" what" * 40), tokenizer=tokenizer, limits=limits(10))


def test_targets_and_candidates_end_with_the_end_token(tokenizer, tmp_path):
    split = tokenise([instance()], tokenizer=tokenizer, limits=limits(), cache=tmp_path)
    row = split.tokens[0]
    assert [ids[-1] for ids in (*row["targets"], *row["candidates"])] == [tokenizer.eos_token_id] * 3
    assert [tokenizer.decode(ids, skip_special_tokens=True) for ids in row["candidates"]] == ["joy", "anger"]


def test_the_cache_serves_the_same_texts_and_no_others(tokenizer, tmp_path):
    for each in (instance(), instance(), instance(prompt=" other:")):
        tokenise([each], tokenizer=tokenizer, limits=limits(), cache=tmp_path)
    tokenise([instance()], tokenizer=tokenizer, limits=limits(32), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
