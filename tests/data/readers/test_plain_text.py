import pytest

from dfwe.data.readers.plain_text import PlainText
from dfwe.errors import ConfigurationError, DataError


def corpus(root, files, words=3):
    return PlainText(root=root, files=files, words=words, encoding="utf-8").read()


def texts(corpus, split):
    return [corpus.dialogues[name]["text"] for name in corpus.splits[split]]


def test_passages_are_the_file(tmp_path):
    (tmp_path / "a.txt").write_text("One two\n\nthree  four five\tsix seven\n")
    (tmp_path / "b.txt").write_text("eight")
    read = corpus(tmp_path, {"dev": "a.txt", "test": "b.txt"})
    assert texts(read, "dev") == ["One two\n\nthree", "  four five\tsix", " seven"]
    assert texts(read, "test") == ["eight"]
    assert read.splits["train"] == ()


def test_every_second_passage_is_test_without_a_file(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3 4 5")
    read = corpus(tmp_path, {"dev": "a.txt"}, words=1)
    assert texts(read, "dev") == ["1", " 3", " 5"]
    assert texts(read, "test") == [" 2", " 4"]


def test_another_text_or_length_is_other_data(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3 4 5")
    first = corpus(tmp_path, {"dev": "a.txt"}, words=1).digest
    assert corpus(tmp_path, {"dev": "a.txt"}, words=2).digest != first
    (tmp_path / "a.txt").write_text("1 2 3 4 6")
    assert corpus(tmp_path, {"dev": "a.txt"}, words=1).digest != first


@pytest.mark.parametrize(
    ("content", "files", "message"),
    [
        ("one", {"dev": "a.txt"}, "has 3 words or fewer"),
        (" \n", {"dev": "a.txt", "test": "a.txt"}, "has no word"),
        ("one", {"dev": "none.txt"}, "none.txt is missing"),
    ],
)
def test_texts_that_cannot_be_split_are_refused(tmp_path, content, files, message):
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        corpus(tmp_path, files)


def test_a_file_for_dev_is_needed(tmp_path):
    with pytest.raises(ConfigurationError, match="needs a file for dev"):
        corpus(tmp_path, {"test": "a.txt"})
