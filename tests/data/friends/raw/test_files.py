import pytest

from dfwe.data.friends.raw.files import (
    convert,
    json_records,
    label_of,
    names_of,
    read_release,
    records,
    scene_id,
    table,
    text_of,
)
from dfwe.data.friends.scene import Excerpt, Turn
from dfwe.data.readers.base import RowReport
from dfwe.errors import DataError
from dfwe.io.files import read_text


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfplum")
    assert read_text(tmp_path / "a") == "plum"


def test_what_is_not_utf8_is_an_error_with_its_line(tmp_path):
    (tmp_path / "a").write_bytes(b"one\ntwo \xe9\n")
    with pytest.raises(DataError, match="a, line 2: the file must be UTF-8 text"):
        read_text(tmp_path / "a")


def test_a_folder_in_the_place_of_a_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="must be a file; it is a folder"):
        read_text(tmp_path)


def test_records_are_the_list_itself_or_that_under_its_key():
    assert json_records("[1, 2]", name="f") == [1, 2]
    assert json_records('{"data": [3]}', name="f", key="data") == [3]


def test_broken_json_is_an_error_with_line_and_column():
    with pytest.raises(DataError, match="f, line 2, column 3: broken JSON: Expecting value"):
        json_records("[1,\n  }", name="f")


@pytest.mark.parametrize("text", ["{}", "3", "null", '"text"'])
def test_json_that_is_no_list_is_an_error(text):
    with pytest.raises(DataError, match="f must hold a list"):
        json_records(text, name="f")


@pytest.mark.parametrize("holder", [[], {}, {"data": {}}, None, "data"])
def test_json_without_the_list_is_an_error(holder):
    with pytest.raises(DataError, match="f must be an object with a list 'data'"):
        records(holder, name="f", key="data")


def test_convert_unreadable_records_are_invalid_rows():
    made, rows = convert(enumerate([{"a": 1}, {}, [], None, {"a": "x"}], 1), path="f", read=lambda r: 1 + int(r["a"]))
    assert made == [2]
    assert (rows.num_rows, [(i.path, i.line) for i in rows.invalid]) == (
        5,
        [("f", 2), ("f", 3), ("f", 4), ("f", 5)],
    )
    assert rows.invalid[0].reason == "field 'a' is missing"
    assert rows.invalid[1].reason.startswith("not of the release's form: list indices")
    assert rows.invalid[3].reason == "invalid literal for int() with base 10: 'x'"


def test_our_own_mistakes_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        convert([(1, 0)], path="f", read=lambda record: 1 / record)


@pytest.fixture
def rows_of(tmp_path):
    def _rows(content):
        (tmp_path / "t.csv").write_bytes(content)
        return table(tmp_path / "t.csv", columns=("a", "b"), read=lambda line, row: (line, (int(row["a"]), row["b"])))

    return _rows


def test_rows_of_a_table_are_read(rows_of):
    made, rows = rows_of(b'\xef\xbb\xbfa,c,b\r\n1,x,"one, ""two""\nthree"\r\n\r\n2,y,z')
    assert made == [(2, (1, 'one, "two"\nthree')), (5, (2, "z"))]
    assert (rows.num_rows, rows.invalid, [odd.line for odd in rows.suspicious]) == (2, (), [2])


def test_table_invalid_row_has_its_first_line(rows_of):
    made, rows = rows_of(b'a,b\n1,"two\nlines"\nx,y\n1,2,3\n4,\xc2\x85five\n')
    assert [each for _, each in made] == [(1, "two\nlines"), (4, "\x85five")]
    assert [bad.line for bad in rows.invalid] == [4, 5]
    assert rows.num_rows == 4


def test_a_row_of_another_length_says_so(rows_of):
    _, rows = rows_of(b"a,b\n1,2,3\n")
    assert rows.invalid[0].reason == "3 fields, expected 2 (a, b)"


def test_table_open_quote_makes_all_its_lines_invalid(rows_of):
    made, rows = rows_of(b'a,b\n1,x\n2,"y\n3,z\n4,w\n')
    assert made == [(2, (1, "x"))]
    assert [bad.line for bad in rows.invalid] == [3, 4, 5]


@pytest.mark.parametrize("content", [b"a,c\n1,2\n", b"c\n1\n"])
def test_a_missing_column_is_an_error(rows_of, content):
    with pytest.raises(DataError, match=r"t\.csv has no column '[ab]': it has '"):
        rows_of(content)


def test_an_empty_table_is_an_error(rows_of):
    with pytest.raises(DataError, match=r"t\.csv is empty"):
        rows_of(b"")


def test_a_table_that_is_not_utf8_is_an_error(rows_of):
    with pytest.raises(DataError, match=r"t\.csv, line 2: not utf-8 text"):
        rows_of(b"a,b\n1,\xff\n")


@pytest.mark.parametrize("text", ["s1_e01_c01", "s01_e01", "s01_e01_c01 ", "01_e01_c01", ""])
def test_what_is_no_scene_id_is_refused(text):
    with pytest.raises(ValueError, match="is not a scene id"):
        scene_id(text)


def test_labels_are_compared_without_case():
    assert label_of(" Joy ", labels=("fear", "joy")) == "joy"
    with pytest.raises(ValueError, match="unknown label 'glee', expected one of fear, joy"):
        label_of("glee", labels=("fear", "joy"))


@pytest.mark.parametrize("value", ["Ada", None, [1], {"Ada": 1}])
def test_names_are_a_list_of_texts(value):
    assert names_of(["Ada"]) == ("Ada",)
    with pytest.raises(ValueError, match="expected a list of names"):
        names_of(value)


def test_a_release_is_what_its_files_give_in_order(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).write_text("")

    def read(path):
        return [Excerpt("r", path.name, (Turn((), "Hum."),))], RowReport(2)

    reading = read_release("r", folder=tmp_path, files=("b", "c", "a"), read=read)
    assert [excerpt.key for excerpt in reading.excerpts] == ["b", "a"]
    assert (reading.name, reading.report.num_rows, reading.missing) == ("r", 4, ("c",))


@pytest.mark.parametrize("value", [None, 3, ["a"], {"a": "b"}])
def test_what_is_not_a_text_is_refused(value):
    assert text_of("a") == "a"
    with pytest.raises(ValueError, match="expected a text, found"):
        text_of(value)
