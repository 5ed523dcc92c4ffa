"""The predict command's errors; its answers are tested with a study (tests/stages)."""

import pytest

from dfwe.errors import DataError, ModelError
from dfwe.predict import answers, main


def test_a_folder_that_is_no_merged_model_is_refused(tmp_path, capsys):
    assert main(["--model", str(tmp_path), "--task", "meld", "x.jsonl"]) == 2
    assert "is not a merged model: it holds no dfwe.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "line 1: broken JSON"), ("[]", "line 1: a dialogue must be an object"), ("", "asks nothing of MELD")],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, line, message):
    (tmp_path / "dfwe.json").write_text('{"tasks": {}, "max_words": 10}')
    file = tmp_path / "new.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        list(answers(tmp_path, task="meld", file=file))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "must hold one JSON object a line: 1 of 1 rows left out:.*line 1: broken JSON"),
        ('{"text": "A cup."}', "has no column 'sentence', which sst needs: it has 'text'"),
        ('{"sentence": " "}', "column 'sentence' is empty"),
    ],
)
def test_rows_to_answer_must_have_their_columns(tmp_path, line, message):
    (tmp_path / "dfwe.json").write_text('{"tasks": {}, "max_words": 10}')
    file = tmp_path / "new.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(DataError, match=f"(?s){message}"):
        list(answers(tmp_path, task="sst", file=file))


def test_a_missing_file_is_an_error(tmp_path):
    (tmp_path / "dfwe.json").write_text('{"tasks": {}, "max_words": 10}')
    with pytest.raises(DataError, match="cannot be read"):
        list(answers(tmp_path, task="meld", file=tmp_path / "nothing.jsonl"))


def test_a_folder_without_the_references_numbers_is_refused(tmp_path):
    (tmp_path / "dfwe.json").write_text('{"tasks": {}, "max_words": 10, "decode": "reference"}')
    with pytest.raises(ModelError, match="does not say the numbers of decode=reference"):
        list(answers(tmp_path, task="meld", file=tmp_path / "nothing.jsonl"))


def test_no_model_is_an_error(tmp_path):
    with pytest.raises(ModelError):
        list(answers(tmp_path, task="meld", file=tmp_path / "nothing.jsonl"))
