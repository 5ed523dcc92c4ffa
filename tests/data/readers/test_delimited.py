"""Delimited text: lines, quotes, names of columns, and what is broken."""

import pytest

from dfwe.data.readers.delimited import Delimited
from dfwe.errors import ConfigurationError, DataError


def read(tmp_path, content, **settings):
    (tmp_path / "x.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    defaults = {"delimiter": ",", "quoting": True, "columns": None, "encoding": "utf-8", "rename": {}}
    return Delimited(path="x.csv", **(defaults | settings)).sheet(tmp_path)


def test_the_first_line_names_the_columns(tmp_path):
    sheet = read(tmp_path, "text,mood\nA cup.,good\nA crack.,bad\n")
    assert sheet.columns == ("text", "mood")
    assert [(row.line, row.cells) for row in sheet.rows] == [
        (2, {"text": "A cup.", "mood": "good"}),
        (3, {"text": "A crack.", "mood": "bad"}),
    ]
    assert (sheet.stem, sheet.report.num_rows, sheet.report.invalid) == ("x", 2, ())


def test_columns_can_be_named_and_renamed(tmp_path):
    sheet = read(tmp_path, "A cup.\tgood\n", delimiter="\t", columns=["a", "b"], rename={"b": "mood"})
    assert [(row.line, row.cells) for row in sheet.rows] == [(1, {"a": "A cup.", "mood": "good"})]


def test_delimited_quoted_cell_may_span_lines(tmp_path):
    sheet = read(tmp_path, 'text,mood\n"One, two.\nThree ""four"".",good\n\nFive.,bad\n')
    assert [(row.line, row.cells["text"]) for row in sheet.rows] == [(2, 'One, two.\nThree "four".'), (5, "Five.")]


def test_delimited_ignores_line_ends_and_byte_order_mark(tmp_path):
    sheet = read(tmp_path, b"\xef\xbb\xbftext,mood\r\nA cup.,good\r\nA crack.,bad\r\n")
    assert sheet.columns == ("text", "mood")
    assert [(row.line, row.cells["mood"]) for row in sheet.rows] == [(2, "good"), (3, "bad")]


def test_without_quoting_a_quote_is_a_character(tmp_path):
    sheet = read(tmp_path, 'text,mood\n"A cup.,good\n', quoting=False)
    assert sheet.rows[0].cells["text"] == '"A cup.'


def test_another_encoding_is_read_when_it_is_said(tmp_path):
    content = "text,mood\nCafé.,good\n".encode("latin-1")
    assert read(tmp_path, content, encoding="latin-1").rows[0].cells["text"] == "Café."
    with pytest.raises(DataError, match=r"x\.csv, line 2: not utf-8 text"):
        read(tmp_path, content)


def test_delimited_wrong_field_count_is_invalid(tmp_path):
    sheet = read(tmp_path, "text,mood\nA cup.,good\nA, crack.,bad\nA lid.\nA jug.,good\n")
    assert [row.line for row in sheet.rows] == [2, 5]
    assert [(bad.line, bad.reason) for bad in sheet.report.invalid] == [
        (3, "3 fields, expected 2 (text, mood)"),
        (4, "1 field, expected 2 (text, mood)"),
    ]
    assert sheet.report.num_rows == 4


def test_delimited_open_quote_invalidates_its_lines(tmp_path):
    sheet = read(tmp_path, 'text,mood\nA cup.,good\n"A crack.,bad\nA lid.,bad\nA jug.,good\n')
    assert [row.line for row in sheet.rows] == [2]
    assert [bad.line for bad in sheet.report.invalid] == [3, 4, 5]
    assert "is a quote not closed" in sheet.report.invalid[0].reason
    assert sheet.report.num_rows == 4


def test_delimited_text_after_closing_quote_is_invalid(tmp_path):
    sheet = read(tmp_path, 'text,mood\n"A" cup.,good\nA lid.,bad\n')
    assert ([bad.line for bad in sheet.report.invalid], [row.line for row in sheet.rows]) == ([2], [3])


def test_delimited_missing_file_raises(tmp_path):
    source = Delimited(path="y.csv", delimiter=",", quoting=True, columns=None, encoding="utf-8", rename={})
    with pytest.raises(DataError, match=r"y\.csv is missing: data\.files .* must be the folder it is in"):
        source.sheet(tmp_path)


def test_delimited_unknown_encoding_raises(tmp_path):
    with pytest.raises(ConfigurationError, match="unknown encoding 'utf-9'"):
        read(tmp_path, "text\n", encoding="utf-9")


def test_a_whole_record_that_spans_lines_is_odd(tmp_path):
    sheet = read(tmp_path, 'text,mood\n"He said,good\nA lid.,bad\nshe said",bad\nA jug.,good\n')
    assert [row.line for row in sheet.rows] == [2, 5]
    assert [(odd.line, odd.reason) for odd in sheet.report.suspicious] == [
        (2, "the record goes on to line 4: a quotation mark opens in one line and closes in a later one")
    ]
    assert "`quoting: false`" in sheet.report.suspicious[0].remedy


@pytest.mark.parametrize("cell", ["NaN", "nan", "null", "None", "NA", "n/a", "<NA>", "true", "1e5", "0x10"])
def test_words_that_others_take_for_values_are_texts(tmp_path, cell):
    assert read(tmp_path, f"text,mood\n{cell},good\n").rows[0].cells["text"] == cell


def test_delimited_huge_cell_is_invalid(tmp_path):
    sheet = read(tmp_path, f"text,mood\n{'word ' * 40000},good\nA jug.,good\n")
    assert [(bad.line, bad.reason) for bad in sheet.report.invalid] == [(2, "a cell has more than 131072 characters")]
    assert [row.line for row in sheet.rows] == [3]


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (
            "text;mood\nA cup.;good\n",
            {},
            "the header has one column that contains ';': set the file's `delimiter` to ';'",
        ),
        ("text\tmood\nA cup.\tgood\n", {}, r"contains '\\t': set the file's `delimiter` to '\\t' \(it is ','\)"),
        ("text,mood\nA cup.,good\n", {"delimiter": "\t"}, "contains ',': set"),
        ("text,mood\n", {}, r"x\.csv has no rows below its header"),
        ("text,mood", {}, r"x\.csv has no rows below its header"),
        ("\n\n", {"columns": ["a", "b"]}, r"x\.csv has no rows: expected at least one"),
        ("\n\n", {}, r"x\.csv is empty"),
        ("", {}, r"x\.csv is empty: its first line must name the columns"),
        ("text,text\n", {}, "more than one column 'text'"),
        ("text,mood\n", {"rename": {"label": "mood"}}, "no column 'label' to rename: it has 'text', 'mood'"),
        ("text,mood\n", {"rename": {"text": "mood"}}, "more than one column 'mood'"),
    ],
)
def test_delimiters_rows_and_columns_that_cannot_be_are_said(tmp_path, content, settings, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content, **settings)


def test_a_wrong_delimiter_below_given_columns_is_the_remedy(tmp_path):
    sheet = read(tmp_path, "A cup.;good\nA lid;bad\n", columns=["text", "mood"])
    assert {bad.remedy for bad in sheet.report.invalid} == {"Set the file's `delimiter` to ';' (it is ',')"}
