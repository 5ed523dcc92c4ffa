import pytest

from dfwe.models.toy_tokenizer import train_bert_tokenizer, train_tokenizer

TEXTS = ["context: Joey Marsh: I am glad. emotion:", "joy", "I am glad and merry", "glad"] * 5


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, vocab_size=400)


@pytest.mark.parametrize(
    "text",
    ["joy", " joy", "  two  blanks  ", "Joey and JOEY", "", " ", "tab\tand\nline", "naïve – ☃", "</p> it's 1,000."],
)
def test_tokenizer_decodes_every_text_as_it_was(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_tokenizer_appends_the_end_token(tokenizer):
    assert tokenizer("glad")["input_ids"][-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token == "</s>"


def test_tokenizer_pads_on_the_right(tokenizer):
    short, _ = tokenizer(["glad", "I am glad and merry"], padding=True)["input_ids"]
    assert short[2:] == [0] * (len(short) - 2)
    assert tokenizer.pad_token_id == 0


def test_tokenizer_has_one_token_per_word_anywhere(tokenizer):
    assert tokenizer("glad")["input_ids"][0] == tokenizer("I am glad")["input_ids"][2]
    assert len(tokenizer("glad")["input_ids"]) == 2


def test_tokenizer_of_same_texts_is_the_same(tokenizer):
    again = train_tokenizer(iter(TEXTS), vocab_size=400)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_tokenizer_offsets_point_into_the_text(tokenizer):
    text = "I am glad"
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    assert [text[start:end].strip() for start, end in offsets[:-1]] == ["I", "am", "glad"]


def test_tokenizer_after_saving_is_the_same(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = " I am  glad"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.decode(loaded(text)["input_ids"], skip_special_tokens=True) == text


def test_bert_tokenizer_marks_and_lowercases_sentences():
    tokenizer = train_bert_tokenizer(TEXTS, vocab_size=400)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("Glad and merry")["input_ids"])
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")
    assert tokenizer.decode(tokenizer("Glad and merry")["input_ids"], skip_special_tokens=True) == "glad and merry"
    assert tokenizer.convert_tokens_to_ids(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]) == [0, 1, 2, 3, 4]
