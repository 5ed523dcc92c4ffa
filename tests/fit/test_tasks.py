"""Tasks of several tables: what holds for the target alone, and guesses that give way."""

import pytest

from dfwe.conf import conf_dir
from dfwe.errors import ConfigurationError, DataError
from dfwe.fit.report import description, shared
from dfwe.fit.study import check_model
from dfwe.fit.tasks import NO_GROUP, TableOptions, read_tasks
from dfwe.io.strict_yaml import read_yaml

DEFAULTS = read_yaml(conf_dir() / "fit.yaml")


@pytest.fixture
def write(tmp_path):
    """A function from a header and rows to the file that holds them."""

    def write(name, header, rows):
        (tmp_path / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf8")
        return tmp_path / name

    return write


@pytest.fixture
def messages(write):
    """A table of sixty messages by twenty users."""
    return write(
        "messages.csv", "text,topic,user_id", [f"a message {n},{('sea', 'pan')[n % 2]},u{n // 3}" for n in range(60)]
    )


def tasks(table, *sources, **options):
    defaults = {"texts": (), "label": None, "group": None, "kind": None, "test": None, "encoding": "utf-8"}
    return read_tasks(table, sources=sources, options=TableOptions(**{**defaults, **options}), defaults=DEFAULTS)


def test_kind_is_the_targets_alone(messages, write, monkeypatch):
    monkeypatch.setattr("dfwe.fit.study.check_package", lambda *_, **__: None)  # MiniLM may not be installed
    notes = write("notes.csv", "text,label", [f"a note {n},its answer {n}" for n in range(40)])
    assert [task.kind for task in tasks(notes, messages, kind="text")] == ["text", "labels"]
    made = tasks(messages, notes)
    assert [task.kind for task in made] == ["labels", "text"]
    check_model("minilm", tasks=made)
    check_model("llama_toy", tasks=made)
    with pytest.raises(ConfigurationError, match="in column 'label' are free text, .*leave out --source .*notes.csv"):
        check_model("minilm_classifier", tasks=made)


def test_labels_that_only_the_test_table_has_are_told(write):
    table = write("t.csv", "text,topic", [f"text {n},{n % 2}" for n in range(40)])
    test = write("test.csv", "text,topic", [f"other {n},{n % 3}" for n in range(9)])
    (target,) = tasks(table, test=test, kind="labels")
    assert f"  labels: '2' of {test} stand in no row of {table}" in description(target, shots=None)
    floats = write("floats.csv", "text,topic", [f"other {n},{n % 2}.0" for n in range(9)])
    with pytest.raises(DataError, match=r"its labels, '0\.0', '1\.0', are none of .*t\.csv's, '0', '1': write them"):
        tasks(table, test=floats, kind="labels")


def test_columns_that_a_source_lacks_are_guessed_and_said(messages, write):
    other = write("other.csv", "note,label", [f"a long note {n},{n % 2}" for n in range(40)])
    target, source = tasks(messages, other, texts=("text",), label="topic", group="user_id")
    assert source.table.columns.label == "label"
    lines = "\n".join(description(source, shots=None))
    for option, column in (("--text", "text"), ("--label", "topic"), ("--group", "user_id")):
        assert f"guessed: {other} has no column '{column}' ({option})" in lines
    assert target.notes == ()


@pytest.mark.parametrize(
    ("header", "note"),
    [
        ("text,topic,x", "has no column 'user_id', which was guessed"),
        ("text,topic,user_id", "has values of both tables"),
    ],
)
def test_a_guessed_group_gives_way_to_the_test_table(header, note, messages, write):
    test = write("test.csv", header, [f"another {n},{('sea', 'pan')[n % 2]},u{n}" for n in range(10)])
    (task,) = tasks(messages, test=test)
    assert task.table.columns.group is None
    assert task.reader()["group"] is None
    assert note in "\n".join(description(task, shots=None))
    with pytest.raises(DataError, match="has no column 'user_id'|stands in .*messages.csv and in"):
        tasks(messages, test=test, group="user_id")[0].splits()


def test_a_test_table_needs_no_group(write):
    header, rows = "text,topic", [f"a long message {n},{n % 2}" for n in range(40)]
    (task,) = tasks(write("train.csv", header, rows), test=write("test.csv", header, rows[:9]))
    assert task.splits() == {"train": 32, "dev": 8, "test": 9}
    assert task.num_repeated() == 18
    with pytest.raises(DataError, match="bad.csv has no column 'topic'"):
        tasks(write("train.csv", header, rows), test=write("bad.csv", "text,topik", rows))


def test_group_none_turns_the_guess_off(messages):
    assert tasks(messages)[0].table.columns.group == "user_id"
    assert tasks(messages, group=NO_GROUP)[0].table.columns.group is None


def test_one_number_only_is_refused(write):
    table = write("ones.csv", "text,label", [f"a text {n},{('1', '1.0')[n % 2]}" for n in range(40)])
    with pytest.raises(DataError, match="column 'label' holds one number only, 1: expected at least two"):
        tasks(table, kind="number")


@pytest.mark.parametrize("label", ["???", "a ${b} c", "${...labels}"])
def test_labels_that_settings_cannot_hold_are_refused(write, label):
    table = write("words.csv", "text,label", [f"a text {n},{('yes', label)[n % 2]}" for n in range(20)])
    with pytest.raises(DataError, match="which settings cannot hold: write it without") as raised:
        tasks(table)
    assert f"has the label '{label}'" in str(raised.value)


def test_repeated_texts_are_counted(write):
    rows = [f"the same {n // 20},{n % 2}" for n in range(40)]
    (task,) = tasks(write("same.csv", "text,label", rows))
    lines = "\n".join(description(task, shots=None))
    assert "repeated: 40 rows have a text that stands in another split, too: set --group text" in lines


def test_task_names_differ(messages, write):
    copy = write("Messages.csv", "text,topic", [f"a text {n},{n % 2}" for n in range(40)])
    assert [task.name for task in tasks(messages, copy)] == ["messages", "messages_table"]


def test_a_table_named_twice_is_refused(messages, write):
    other = write("other.csv", "text,topic", [f"a text {n},{('sea', 'pan')[n % 2]}" for n in range(40)])
    for sources, test in (((messages,), None), ((other,), other), ((), messages)):
        with pytest.raises(DataError, match="is named already: its rows would be trained on and tested on"):
            tasks(messages, *sources, test=test)


def test_few_groups_are_told(write):
    rows = [f"a text {n},{'ab'[n % 2]},g{n // 20}" for n in range(400)]
    (grouped,) = tasks(write("grouped.csv", "text,label,who", rows), group="who")
    assert "few groups: test has 4, fewer than 30" in "\n".join(description(grouped, shots=None))


def test_few_rows_rare_labels_and_numbers_as_labels_are_told(write):
    (few,) = tasks(write("few.csv", "text,label", [f"a text {n},{n % 2 if n else 7}" for n in range(12)]))
    lines = "\n".join(description(few, shots=None))
    assert "few rows: dev and test have fewer than 30" in lines
    assert "rare labels: no row of dev has '7'" in lines
    assert "3 labels: 1 6, 0 5, 7 1 (--kind number for a number)" in lines
    assert "each with its share of every label)" in lines
    (many,) = tasks(write("many.csv", "text,label", [f"a text {n},{'ab'[n % 2]}" for n in range(200)]))
    lines = "\n".join(description(many, shots=None))
    assert "few rows" not in lines
    assert "few groups" not in lines
    assert "rare labels" not in lines
    assert "--kind number" not in lines


def test_broken_and_odd_rows_are_told(write):
    rows = [f"a text {n},{'ab'[n % 2]}" for n in range(40)]
    (mine,) = tasks(write("mine.csv", '"text","label"', ['"a b","a","c"', '"c', 'd","b"', *rows]))
    broken, odd = list(description(mine, shots=None))[-2:]
    assert broken.startswith("  broken: 1 of 42 rows left out: ")
    assert odd.startswith("  odd: 1 of 42 rows are odd: ")


def test_texts_that_a_source_shares_with_dev_or_test_are_told(write):
    rows = [f"a text {n},{'ab'[n % 2]}" for n in range(40)]
    mine, copy = tasks(write("mine.csv", "text,topic", rows), write("copy.csv", "text,topic", rows))
    number = sum(text in copy.texts["train"] for split in ("dev", "test") for text in mine.texts[split])
    assert number > 8
    (line,) = shared(copy, target=mine)
    assert f"it trains on the texts of {number} rows of mine's dev or test: take them out of it" in line
    (_, other) = tasks(
        write("mine.csv", "text,topic", rows), write("other.csv", "text,topic", [f"b {r}" for r in rows])
    )
    assert list(shared(other, target=mine)) == []
