"""Prompts and answers as one text."""

import pytest

from dfwe.errors import ModelError
from dfwe.families.causal_lm.prompts import CausalForm
from dfwe.families.text.tokenization import TokenLimits, tokens_key
from dfwe.models.toy_tokenizer import train_decoder_tokenizer, train_tokenizer
from dfwe.records import Instance

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TEXTS = ["one two three four five six seven eight nine ten joy anger emotion :"] * 20
PLAIN, CHAT = CausalForm(False, " "), CausalForm(True, " ")


@pytest.fixture
def words():
    """A decoder's tokenizer with a chat template."""
    tokenizer = train_decoder_tokenizer(TEXTS, vocab_size=400)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def instance(context="one two three four five six", prompt=" emotion:"):
    return Instance("i", "d", context, prompt, ("joy",), ("joy",), ("joy", "anger"))


def text_of(tokenizer, form, *, most):
    ids, cut = form.source(instance(), tokenizer=tokenizer, limits=TokenLimits(most, 8))
    return tokenizer.decode(ids), cut, len(ids)


def test_a_plain_prompt_stands_as_it_is(words):
    assert text_of(words, PLAIN, most=100)[:2] == ("one two three four five six emotion:", 0)


def test_a_chat_prompt_is_the_users_turn(words):
    expected = words.apply_chat_template(
        [{"role": "user", "content": instance().source}], tokenize=False, add_generation_prompt=True
    )
    assert text_of(words, CHAT, most=100)[:2] == (expected, 0)


def test_a_prompt_ends_without_an_end_token(words):
    closing = train_tokenizer(TEXTS, vocab_size=400)
    assert closing(instance().source)["input_ids"][-1] == closing.eos_token_id
    ids, _ = PLAIN.source(instance(), tokenizer=closing, limits=TokenLimits(100, 8))
    assert ids == closing(instance().source, add_special_tokens=False)["input_ids"]


def test_a_chat_prompt_has_the_same_date_every_day(words):
    words.chat_template = "{{ 'Today: ' + strftime_now('%d %b %Y') + '\n' }}" + TEMPLATE
    assert CHAT.frame(words) == ("Today: 26 Jul 2024\n<user>", "</s><assistant>")


def test_end_token_and_template_name_tokens(words):
    keys = []
    for end, template in (("</s>", TEMPLATE), ("<pad>", TEMPLATE), ("</s>", f"Sir, {TEMPLATE}")):
        words.eos_token, words.chat_template = end, template
        limits = TokenLimits(100, 8)
        keys.append([tokens_key([instance()], tokenizer=words, limits=limits, form=form) for form in (PLAIN, CHAT)])
    assert len({plain for plain, _ in keys}) == 2
    assert len({chat for _, chat in keys}) == 3


@pytest.mark.parametrize(("form", "begin"), [(PLAIN, ""), (CHAT, "<user>")], ids=["plain", "chat"])
def test_a_long_prompt_loses_its_oldest_words_alone(words, form, begin):
    whole, _, length = text_of(words, form, most=100)
    text, cut, number = text_of(words, form, most=length - 3)
    assert (cut, number) == (0, length - 3)
    assert text.startswith(begin)
    assert "one" not in text
    assert whole.endswith(text.removeprefix(begin))


def test_what_the_question_itself_loses_is_counted(words):
    _, cut, _ = text_of(words, PLAIN, most=1)
    assert cut > 0


@pytest.mark.parametrize("train", [train_decoder_tokenizer, train_tokenizer], ids=["as it is", "blank first"])
def test_an_answer_has_the_tokens_that_follow_a_prompt(train):
    tokenizer = train(TEXTS, vocab_size=400)
    answer = PLAIN.answer("joy", tokenizer=tokenizer)
    whole = tokenizer("emotion: joy", add_special_tokens=False)["input_ids"]
    assert whole[-len(answer) :] == answer
    assert tokenizer("emotion:", add_special_tokens=False)["input_ids"] + answer == whole


def test_a_chat_answer_has_no_delimiter(words):
    assert words.decode(CHAT.answer("joy", tokenizer=words)) == "joy"


def test_without_a_template_chat_is_refused(words):
    words.chat_template = None
    with pytest.raises(ModelError, match="no chat template; set model.family.chat_template=false"):
        CHAT.source(instance(), tokenizer=words, limits=TokenLimits(100, 8))


def test_a_template_that_drops_the_prompt_is_refused(words):
    words.chat_template = "hello"
    with pytest.raises(ModelError, match="no single place"):
        CHAT.source(instance(), tokenizer=words, limits=TokenLimits(100, 8))
