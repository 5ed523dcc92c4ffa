"""The predict command's errors; its answers are tested with a study (tests/stages)."""

import pytest

from dfwe.errors import DataError, ModelError
from dfwe.predict import answers, main


def test_a_folder_that_is_no_merged_model_is_refused(tmp_path, capsys):
    assert main(["--model", str(tmp_path), "--task", "meld", "x.jsonl"]) == 2
    assert "is not a merged model: it holds no dfwe.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1, column 2: broken JSON"),
        ("[]", "line 1: a dialogue must be an object"),
        ("", "asks nothing of MELD"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, line, message):
    (tmp_path / "dfwe.json").write_text('{"tasks": {}, "max_words": 10}')
    file = tmp_path / "new.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        list(answers(tmp_path, task="meld", file=file))


TURN = '{"speakers": ["Ann"], "utterance": "Hello."}'


@pytest.mark.parametrize("end", ["\\u2028", "\u2028", "\x85", "\x0b"])
def test_lines_end_at_newlines_alone(tmp_path, end):
    (tmp_path / "dfwe.json").write_text('{"tasks": {}, "max_words": 10}')
    file = tmp_path / "new.jsonl"
    escaped = end if end != "\x0b" else "\\u000b"  # JSON escapes control characters
    file.write_text(f'{{"dialogue_id": "a{escaped}b", "dialogue": [3]}}\n', encoding="utf8")
    with pytest.raises(DataError, match="line 1: turn 0 of dialogue 'a.*b' must be an object"):
        list(answers(tmp_path, task="meld", file=file))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f'{{"dialogue": [{TURN}]}}', "must be an object with 'dialogue_id', a text"),
        (
            '{"dialogue_id": "d", "dialogue": [{"speakers": ["Ann"]}]}',
            "turn 0 of dialogue 'd' needs 'utterance', a text",
        ),
        ('{"dialogue_id": "d", "dialogue": [{"utterance": "Hi."}]}', "turn 0 of dialogue 'd' needs 'speakers', a list"),
        (
            '{"dialogue_id": "d", "dialogue": [{"speakers": "Ann", "utterance": "Hi."}]}',
            "needs 'speakers', a list of names, not the text 'Ann'",
        ),
        (
            f'{{"dialogue_id": "d", "dialogue": [{TURN}], "dialogue_metadata": 1}}',
            "'dialogue_metadata' of dialogue 'd'",
        ),
        ('{"dialogue_id": ' + "[" * 9999 + "}", "line 1, column 66: it is nested deeper than 50 levels"),
        ('{"dialogue_id": "d", "n": 1e999}', "expected a finite number that a float can hold, not 1e999"),
    ],
)
def test_a_dialogue_of_another_form_is_one_line(tmp_path, capsys, line, message):
    (tmp_path / "dfwe.json").write_text('{"tasks": {}, "max_words": 10}')
    file = tmp_path / "new.jsonl"
    file.write_text(line + "\n")
    assert main(["--model", str(tmp_path), "--task", "meld", str(file)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "must hold one JSON object a line: 1 of 1 rows left out:.*line 1: column 2: broken JSON"),
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
    with pytest.raises(DataError, match="is missing"):
        list(answers(tmp_path, task="meld", file=tmp_path / "nothing.jsonl"))


def test_a_folder_without_the_references_numbers_is_refused(tmp_path):
    (tmp_path / "dfwe.json").write_text('{"tasks": {}, "max_words": 10, "decode": "reference"}')
    with pytest.raises(ModelError, match="does not say the numbers of decode=reference"):
        list(answers(tmp_path, task="meld", file=tmp_path / "nothing.jsonl"))


def test_no_model_is_an_error(tmp_path):
    with pytest.raises(ModelError):
        list(answers(tmp_path, task="meld", file=tmp_path / "nothing.jsonl"))
