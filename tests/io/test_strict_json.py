import json
import re
from pathlib import Path

import pytest

import dfwe
from dfwe.errors import DataError, StoreError
from dfwe.io.strict_json import (
    MAX_DEPTH,
    json_lines,
    json_text,
    loads,
    loads_counted,
    read_json,
    read_json_lines,
    read_json_object,
)


def _nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": }', "f.json, line 1, column 7: broken JSON: Expecting value"),
        ('{"a": 1,\n "b": ?}', "f.json, line 2, column 7: broken JSON"),
        ('{"a": ' + _nested(100_000) + "}", f"f.json, line 1, column 56: it is nested deeper than {MAX_DEPTH} levels"),
        (_nested(MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH} levels"),
        (
            '{"a": ' + "9" * 5000 + "}",
            "column 7: expected a finite number that a float can hold, not a number of 5000 characters",
        ),
        ('{"a": [1,\n1e400]}', "f.json, line 2, column 1: expected a finite number that a float can hold, not 1e400"),
        ('{"NaN": NaN}', "column 9: expected a finite number that a float can hold, not NaN"),
        ("[-Infinity]", "not -Infinity"),
    ],
)
def test_loads_of_wrong_text_says_file_and_place(text, words):
    with pytest.raises(DataError) as error:
        loads(text, where="f.json")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_loads_of_a_line_says_the_files_line():
    with pytest.raises(DataError, match=r"^f\.jsonl, line 7, column 2: broken JSON"):
        loads("{", where="f.jsonl", line=7)
    with pytest.raises(DataError, match=r"^column 2: broken JSON"):
        loads("{", where="")


def test_loads_at_the_bounds_gives_what_json_gives():
    text = '{"deep": ' + _nested(MAX_DEPTH - 1) + ', "long": ' + "9" * 300 + ', "large": [1e308, 2.5, -7, true, null]}'
    assert loads(text, where="f") == json.loads(text)


def test_loads_lone_surrogates_are_replaced_and_counted():
    text = r'{"\ud800": ["\udc00\ud83d\ude00", "a\\ud800"]}'
    assert loads_counted(text, where="f") == ({"\ufffd": ["\ufffd😀", "a\\ud800"]}, 2)


def test_read_json_lines_ends_lines_at_newlines_alone(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('"one\u2028two\x85three"\r\n\n"four"'.encode())
    assert list(read_json_lines(path)) == [(1, "one\u2028two\x85three"), (3, "four")]


def test_json_lines_keep_a_line_of_a_strange_blank():
    assert list(json_lines("\u2028\n \t\r\n1")) == [(1, "\u2028"), (3, "1")]


def test_read_json_raises_the_error_that_is_asked_for(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": 1,\n"b": "\xff"}')
    with pytest.raises(StoreError, match=r"a\.json, line 2: the file must be UTF-8 text"):
        read_json(path, error=StoreError)


def test_read_json_where_no_file_is_says_so(tmp_path):
    with pytest.raises(DataError, match="run it first"):
        read_json(tmp_path / "none.json", missing="run it first")
    with pytest.raises(DataError, match="must be a file; it is a folder"):
        read_json(tmp_path)


def test_read_json_takes_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('\ufeff{"a": 1}', encoding="utf8")
    assert read_json_object(path) == {"a": 1}


def test_read_json_object_of_a_list_says_so(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[]", encoding="utf8")
    with pytest.raises(DataError, match="must hold a JSON object, not a list"):
        read_json_object(path)


def test_json_text_steers_no_terminal_and_says_the_same():
    value = {"a": "é\x1b[2J\x9b\u202e\n\ud800", "b": [1.5, None]}
    text = json_text(value)
    assert text == r'{"a": "é\u001b[2J\u009b\u202e\n\ud800", "b": [1.5, null]}'
    assert json.loads(text) == value


READS = re.compile(r"json\.loads?\(|OmegaConf\.load\(|yaml\.(safe_)?load\(|from (json|yaml) import .*load|JSONDecoder")
READERS = {
    "io/strict_json.py",
    "io/strict_yaml.py",
    "store/card.py",  # what it has just written
    "config/task_options.py",  # dfwe's own configuration
    "config/consistency.py",  # dfwe's own configuration
    "report/figures/style.py",  # what it has just drawn
    "report/html/use.py",  # a snippet for others
}


def test_json_and_yaml_are_read_by_strict_readers_only():
    root = Path(dfwe.__file__).parent
    files = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if READS.search(path.read_text("utf8"))}
    assert files <= READERS
