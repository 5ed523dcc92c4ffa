"""Tables as they come: delimiters, columns that are guessed, kinds of answers."""

import gzip

import pytest

from dfwe.conf import conf_dir
from dfwe.errors import DataError
from dfwe.fit.table import LabelledTable, find_columns, kind_of, read_table
from dfwe.io.strict_yaml import read_yaml

DEFAULTS = read_yaml(conf_dir() / "fit.yaml")


@pytest.fixture
def written(tmp_path):
    """A function from a text to the file that holds it."""

    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf8")
        return path

    return write


def found(path, *, texts=(), label=None, group=None):
    source, sheet = read_table(path, encoding="utf-8")
    columns = find_columns(sheet, texts=texts, label=label, group=group, defaults=DEFAULTS)
    return LabelledTable(path, source, sheet, columns)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_read_table_finds_the_delimiter(mark, written):
    rows = [("text", "label"), ("a cup, a pan", "x"), ('say "no"; go', "y")]
    text = "".join(mark.join('"{}"'.format(cell.replace('"', '""')) for cell in row) + "\n" for row in rows)
    source, sheet = read_table(written(text), encoding="utf-8")
    assert source.delimiter == mark
    assert [row.cells["text"] for row in sheet.rows] == ["a cup, a pan", 'say "no"; go']


def test_read_table_keeps_quotes_where_the_header_has_them(written):
    path = written('"text","label"\n"he said "hi" to me","a"\n"she left","b"\n')
    source, sheet = read_table(path, encoding="utf-8")
    assert (source.quoting, sheet.columns, len(sheet.rows)) == (True, ("text", "label"), 1)
    assert len(sheet.report.invalid) == 1


def test_read_table_says_that_a_file_is_compressed(tmp_path):
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(b"text,label\na,b\n" * 9))
    with pytest.raises(DataError, match=r"m\.csv\.gz is compressed: unpack it first"):
        read_table(tmp_path / "m.csv.gz", encoding="utf-8")


def test_read_table_takes_quotes_as_letters_where_that_reads_more(written):
    path = written('text\tlabel\n"so he left\tx\nthe end\ty\n')
    source, sheet = read_table(path, encoding="utf-8")
    assert (source.quoting, [row.cells["label"] for row in sheet.rows]) == (False, ["x", "y"])


def test_read_table_reads_json_lines(written):
    path = written('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n', name="rows.jsonl")
    assert read_table(path, encoding="utf-8")[1].columns == ("text", "label")


@pytest.mark.parametrize(
    ("header", "texts", "label", "group"),
    [
        ("id,Sentence,Sentiment", ("Sentence",), "Sentiment", None),
        ("premise,hypothesis,gold_label", ("premise", "hypothesis"), "gold_label", None),
        ("note,kind", ("note",), "kind", None),
        ("dialogue_id,utterance,emotion", ("utterance",), "emotion", "dialogue_id"),
    ],
)
def test_find_columns_guesses_by_names_and_cells(header, texts, label, group, written):
    names = header.split(",")
    cells = [
        [
            f"g{n % 12}" if name == "dialogue_id" else f"kind{n % 2}" if name == label else f"a long text {n}"
            for name in names
        ]
        for n in range(24)
    ]
    columns = found(written("\n".join([header, *map(",".join, cells)]) + "\n")).columns
    assert (columns.texts, columns.label, columns.group) == (texts, label, group)
    assert "(guessed)" in str(columns)


def test_find_columns_takes_what_is_given(written):
    columns = found(written("a,b,c\none two,x,1\nthree four,y,2\n"), texts=["a"], label="b", group="c").columns
    assert str(columns) == "text = 'a', label = 'b', group = 'c'"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "text;label\na;x\n",
            {"label": "lable"},
            "has no column 'lable' (did you mean label?): it has 'text', 'label'",
        ),
        ("text\na\n", {}, "its header is one column, 'text': expected columns separated by"),
        ("a,b\n1\n", {}, "no row can be read: 1 of 1 rows left out"),
        ("", {}, "is empty: expected a header and rows"),
        ("text,label\n", {}, "has no rows below its header"),
        ("a,b\n1,2\n3,4\n", {"label": "b"}, "which column is the text? Name it with --text: 'a', 'b'"),
        (
            "text,b,c\nx,1,2\ny,2,1\n",
            {},
            "label? Name it with --label, or rename the column of the labels to 'label': 'text', 'b', 'c'",
        ),
        ("text,label\nx,1\n", {"texts": ["label"]}, "which column is the label?"),
        ("text,label\nx,1\n", {"texts": ["label"], "label": "label"}, "cannot be both the text and the label"),
    ],
)
def test_mistakes_name_the_file_and_the_way_out(text, options, message, written):
    with pytest.raises(DataError) as raised:
        found(written(text), **options)
    assert message in str(raised.value)
    assert "table.csv" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.xlsx", "rows.xlsx is not a text file: save it as CSV"),
        ("rows.json", "rows.json is one JSON list: write one object per line"),
    ],
)
def test_read_table_says_how_to_save_what_it_cannot_read(name, message, written):
    with pytest.raises(DataError, match=message):
        read_table(written(' [{"text": "a", "label": "x"}]', name=name), encoding="utf-8")


def test_read_table_names_the_option_for_an_encoding(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("text,label\ncafé,x\n".encode("latin-1"))
    with pytest.raises(DataError, match="of dfwe fit and dfwe predict: --encoding"):
        read_table(path, encoding="utf-8")
    assert read_table(path, encoding="latin-1")[1].rows[0].cells["text"] == "café"


def test_read_table_reads_a_byte_order_mark_and_semicolons(tmp_path):
    path = tmp_path / "bom.csv"
    path.write_bytes("\ufefftext;label\na, b;x\n".encode())
    assert read_table(path, encoding="utf-8")[1].columns == ("text", "label")


def test_read_table_refuses_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="is not a file: name a table in CSV"):
        read_table(tmp_path / "no.csv", encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([f"kind {n % 3}" for n in range(30)], "labels"),
        ([str(n % 5) for n in range(30)], "labels"),
        ([f"{n / 10:.1f}" for n in range(30)], "number"),
    ],
)
def test_kind_of_tells_labels_from_numbers(values, kind, written):
    table = found(written("text,label\n" + "".join(f"some text,{value}\n" for value in values)))
    assert kind_of(table, defaults=DEFAULTS) == kind


def test_kind_of_a_source_may_be_free_text(written):
    table = found(written("text,label\n" + "".join(f"some text,w{n}\n" for n in range(9))))
    assert kind_of(table, defaults=DEFAULTS, is_source=True) == "text"
    ids = found(written("text,label\n" + "".join(f"some text,{n}\n" for n in range(30))))
    with pytest.raises(DataError, match="as ids are: rename the column of the labels to 'label'"):
        kind_of(ids, defaults=DEFAULTS, is_source=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["same"] * 9, "has one value only, 'same': expected at least two"),
        ([f"w{n}" for n in range(9)], "has 9 distinct values in 9 rows: name another with --label, or set --kind text"),
        ([str(n) for n in range(30)], "has another whole number in each row, as ids are"),
        ([" "] * 9, "has no row with a text and a label"),
        (
            [*(f"{n}.5" for n in range(40)), "n.a.", "?"],
            "but words in 2 of 42 rows, such as 'n.a.', '\\?': clean them, or set --kind labels",
        ),
        ([f'"{n},5"' for n in range(30)], "has numbers with a comma, '0,5': write 0.5"),
    ],
)
def test_kind_of_refuses_what_nobody_can_learn(values, message, written):
    table = found(written("text,label\n" + "".join(f"some text,{value}\n" for value in values)))
    with pytest.raises(DataError, match=message):
        kind_of(table, defaults=DEFAULTS)
