"""Rows that a task refuses become bad rows."""

import pytest

from dfwe.data.prompts.answers import OneOf
from dfwe.data.prompts.template import Template
from dfwe.data.readers.delimited import Delimited
from dfwe.data.readers.table import Table
from dfwe.data.readers.tlidb import Tlidb
from dfwe.data.usable import usable
from dfwe.errors import DataError

ANSWER = OneOf(column="mood", labels=("good", "bad"), texts={})
MOODS = Template(task="moods", context="{text}", prompt=" mood:", answer=ANSWER)
ROWS = ["A cup.,good", "A lid.,fine", "A jug.,", ",bad", "A pot.,bad", "A pan.,bad", "A mug.,good"]


def corpus(folder, rows=ROWS, header="text,mood", group=None):
    (folder / "moods.csv").write_text("\n".join([header, *rows]) + "\n")
    file = Delimited(path="moods.csv", delimiter=",", quoting=True, columns=None, encoding="utf-8", rename={})
    cut = {"dev": 0.15, "test": 0.15}
    return Table(root=folder, files={"train": file}, cut=cut, seed=0, id=None, group=group, leave_out={}).read()


def test_refused_rows_are_listed_with_their_lines(tmp_path):
    cleaned = usable(corpus(tmp_path), prompt=MOODS)
    rows = cleaned.rows[str(tmp_path / "moods.csv")]
    assert rows.num_read == 7
    assert [(bad.line, bad.reason) for bad in rows.bad] == [
        (3, "unknown label 'fine' in column 'mood', expected one of good, bad"),
        (4, "column 'mood' is empty"),
        (5, "column 'text' is empty"),
    ]


def test_no_instance_is_made_of_them(tmp_path):
    cleaned = usable(corpus(tmp_path), prompt=MOODS)
    instances = [one for each in cleaned.dialogues.values() for one in MOODS.instances(each, max_words=0, seed=0)]
    assert [one.instance_id for one in instances] == ["moods-2", "moods-6", "moods-7", "moods-8"]


def test_a_group_keeps_its_good_rows(tmp_path):
    rows = [f"{row},{number}" for number, row in enumerate(["A cup.,good", "A pot.,bad"] * 4)]
    rows += ["A lid.,fine,0", "A pan.,good,0"]
    cleaned = usable(corpus(tmp_path, rows, header="text,mood,house", group="house"), prompt=MOODS)
    assert [row["line"] for row in cleaned.dialogues["0"]["rows"]] == [2, 11]


def test_a_clean_corpus_and_one_of_dialogues_come_back_as_they_are(tmp_path, write, data):
    clean = corpus(tmp_path, ["A cup.,good"] * 8)
    assert usable(clean, prompt=MOODS) is clean
    dialogues = Tlidb(write(data)).read()
    assert usable(dialogues, prompt=MOODS) is dialogues


def test_a_missing_column_is_raised_at_once(tmp_path):
    with pytest.raises(DataError, match="has no column 'mood', which moods needs: it has 'text', 'label'"):
        usable(corpus(tmp_path, header="text,label"), prompt=MOODS)


def test_texts_longer_than_allowed_are_odd_and_stay(tmp_path):
    cleaned = usable(
        corpus(tmp_path, rows=["A cup.,good", "One two three four.,bad", *ROWS[4:], "A bun.,bad", "A fig.,good"]),
        prompt=MOODS,
        max_words=3,
    )
    rows = cleaned.rows[str(tmp_path / "moods.csv")]
    assert [(odd.line, odd.reason) for odd in rows.odd] == [
        (3, "its text has 4 words and loses the first 1 (data.max_words=3)")
    ]
    assert rows.bad == ()
    assert len(cleaned.dialogues) == 7
