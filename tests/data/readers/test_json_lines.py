"""JSON lines: keys, values of all kinds, and what is broken."""

import tracemalloc

import pytest

from dfwe.data.readers.json_lines import JsonLines
from dfwe.data.readers.table import Table
from dfwe.errors import DataError


def read(tmp_path, content, **rename):
    (tmp_path / "x.jsonl").write_text(content)
    return JsonLines(path="x.jsonl", encoding="utf-8", rename=rename).sheet(tmp_path)


def test_an_object_a_line_with_renamed_keys(tmp_path):
    sheet = read(tmp_path, '{"s": "A cup.", "gold": "good"}\n\n{"s": "A lid.", "gold": "bad"}\n', gold="mood")
    assert [(row.line, row.cells) for row in sheet.rows] == [
        (1, {"s": "A cup.", "mood": "good"}),
        (3, {"s": "A lid.", "mood": "bad"}),
    ]


def test_json_lines_values_become_texts_or_alternatives(tmp_path):
    sheet = read(tmp_path, '{"a": 3, "b": 0.5, "c": null, "d": ["x", "y"], "e": {"f": 1}, "g": true}\n')
    assert sheet.rows[0].cells == {"a": "3", "b": "0.5", "c": "", "d": ("x", "y"), "e": '{"f": 1}', "g": "true"}


def test_a_key_that_one_object_lacks_is_an_empty_cell(tmp_path):
    sheet = read(tmp_path, '{"a": "1"}\n{"a": "2", "b": "3"}\n')
    assert sheet.columns == ("a", "b")
    assert sheet.rows[0].cells == {"a": "1", "b": ""}


def test_rows_of_different_keys_take_little_memory(tmp_path):
    (tmp_path / "x.jsonl").write_text("".join(f'{{"k{n}": "1", "a": "2"}}\n' for n in range(1000)))
    table = Table(
        root=tmp_path,
        files={"train": JsonLines(path="x.jsonl", encoding="utf-8", rename={})},
        **{"holdout_fractions": {"dev": 0.1, "test": 0.1}, "seed": 0, "id": None, "group": None, "exclude": {}},
    )
    tracemalloc.start()
    corpus = table.read()
    assert tracemalloc.get_traced_memory()[1] < 10_000_000  # with a cell per pair 28 million
    tracemalloc.stop()
    (row,) = corpus.dialogues["x-8"]["rows"]
    assert (list(row["cells"])[:3], row["cells"]["k7"], row["cells"]["k8"]) == (["k0", "a", "k1"], "1", "")


def test_json_lines_broken_lines_are_invalid(tmp_path):
    sheet = read(tmp_path, '{"a": "1"}\n{"a": \n[1]\n{"a": "2"}\n')
    assert [row.line for row in sheet.rows] == [1, 4]
    assert [(bad.line, bad.reason) for bad in sheet.report.invalid] == [
        (2, "column 7: broken JSON: Expecting value"),
        (3, "not a JSON object"),
    ]
    assert sheet.report.num_rows == 4


def test_a_key_to_rename_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no column 'label' to rename: it has 'a'"):
        read(tmp_path, '{"a": "1"}\n', label="mood")


def test_lines_end_at_newlines_alone(tmp_path):
    sheet = read(tmp_path, '{"a": "one\u2028two\x85three"}\n')
    assert sheet.rows[0].cells == {"a": "one\u2028two\x85three"}


def test_a_lone_surrogate_is_replaced_and_counted(tmp_path):
    sheet = read(tmp_path, '{"a": "x"}\n{"a": "y\\ud83d"}\n')
    assert sheet.rows[1].cells == {"a": "y\ufffd"}
    (odd,) = sheet.report.suspicious
    assert (odd.line, odd.reason.split(" (")[0]) == (2, "1 lone surrogates")


@pytest.mark.parametrize("value", ["NaN", "1e400", "[" * 5000, "9" * 5000])
def test_json_lines_non_values_are_invalid(tmp_path, value):
    sheet = read(tmp_path, f'{{"a": {value}}}\n{{"a": "NaN"}}\n')
    assert [bad.line for bad in sheet.report.invalid] == [1]
    assert [row.cells for row in sheet.rows] == [{"a": "NaN"}]


def test_a_file_without_lines_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"is empty: expected one JSON object per line"):
        read(tmp_path, "\n \n")
