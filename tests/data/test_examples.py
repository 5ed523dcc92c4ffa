"""Instances of a task, and rows that a task refuses."""

import gc

import pytest

from dfwe.data.examples import collect_instances, drop_invalid_rows, paused_garbage_collection
from dfwe.data.few_shot import ALL, Shots
from dfwe.data.prompts.answers import ClassLabel
from dfwe.data.prompts.dialogues import Emotion, QuestionAnswering
from dfwe.data.prompts.template import Template
from dfwe.data.readers.delimited import Delimited
from dfwe.data.readers.table import Table
from dfwe.data.readers.tlidb import Tlidb
from dfwe.errors import DataError

EMOTION = Emotion(task="MELD_emotion_recognition", labels=("fear", "joy", "sadness"))


def test_collect_instances_in_file_order(write, data):
    corpus = Tlidb(write(data)).read()
    instances = collect_instances(corpus, prompt=EMOTION, split="train", max_words=0, seed=0, shots=ALL)
    assert [(one.dialogue_id, one.targets) for one in instances] == [
        ("d3", ("sadness",)),
        ("d3", ("joy",)),
        ("d1", ("sadness",)),
        ("d1", ("joy",)),
    ]


def test_collect_instances_of_listed_dialogues_only(write, data):
    corpus = Tlidb(write(data, train=["d1"])).read()
    instances = collect_instances(corpus, prompt=EMOTION, split="train", max_words=0, seed=0, shots=ALL)
    assert {one.dialogue_id for one in instances} == {"d1"}


def test_collect_split_without_task_raises(write, data):
    root = write(data)
    corpus = Tlidb(root).read()
    prompt = QuestionAnswering(task="question_answering")
    with pytest.raises(DataError, match=f"the dev split of {root}.* has no instance of question_answering in its 1"):
        collect_instances(corpus, prompt=prompt, split="dev", max_words=0, seed=0, shots=ALL)


def test_collect_empty_draw_raises(write, data):
    corpus = Tlidb(write(data)).read()
    with pytest.raises(DataError, match=r"in its 0 dialogues \(data.shots=0.1 draws these of 2\)"):
        collect_instances(corpus, prompt=EMOTION, split="train", max_words=0, seed=0, shots=Shots(0.1, seed=2530))


def test_collect_number_of_shots_counts_instances(write, data):
    corpus = Tlidb(write(data)).read()
    instances = collect_instances(corpus, prompt=EMOTION, split="train", max_words=0, seed=0, shots=Shots(3, seed=1))
    assert len(instances) == 3


ANSWER = ClassLabel(column="mood", labels=("good", "bad"), texts={})
MOODS = Template(task="moods", context="{text}", prompt=" mood:", answer=ANSWER)
ROWS = ["A cup.,good", "A lid.,fine", "A jug.,", ",bad", "A pot.,bad", "A pan.,bad", "A mug.,good"]


def corpus(folder, rows=ROWS, header="text,mood", group=None):
    (folder / "moods.csv").write_text("\n".join([header, *rows]) + "\n")
    file = Delimited(path="moods.csv", delimiter=",", quoting=True, columns=None, encoding="utf-8", rename={})
    cut = {"dev": 0.15, "test": 0.15}
    return Table(
        root=folder, files={"train": file}, holdout_fractions=cut, seed=0, id=None, group=group, exclude={}
    ).read()


def test_drop_invalid_rows_lists_them_with_lines(tmp_path):
    cleaned = drop_invalid_rows(corpus(tmp_path), prompt=MOODS)
    rows = cleaned.row_reports[str(tmp_path / "moods.csv")]
    assert rows.num_rows == 7
    assert [(bad.line, bad.reason) for bad in rows.invalid] == [
        (3, "unknown label 'fine' in column 'mood', expected one of good, bad"),
        (4, "column 'mood' is empty"),
        (5, "column 'text' is empty"),
    ]


def test_drop_invalid_rows_leaves_valid_instances(tmp_path):
    cleaned = drop_invalid_rows(corpus(tmp_path), prompt=MOODS)
    instances = [one for each in cleaned.dialogues.values() for one in MOODS.instances(each, max_words=0, seed=0)]
    assert [one.instance_id for one in instances] == ["moods-2", "moods-6", "moods-7", "moods-8"]


def test_drop_invalid_rows_keeps_valid_rows_of_a_group(tmp_path):
    rows = [f"{row},{number}" for number, row in enumerate(["A cup.,good", "A pot.,bad"] * 4)]
    rows += ["A lid.,fine,0", "A pan.,good,0"]
    cleaned = drop_invalid_rows(corpus(tmp_path, rows, header="text,mood,house", group="house"), prompt=MOODS)
    assert [row["line"] for row in cleaned.dialogues["0"]["rows"]] == [2, 11]


def test_drop_invalid_rows_keeps_valid_corpora(tmp_path, write, data):
    clean = corpus(tmp_path, ["A cup.,good"] * 8)
    assert drop_invalid_rows(clean, prompt=MOODS) is clean
    dialogues = Tlidb(write(data)).read()
    assert drop_invalid_rows(dialogues, prompt=MOODS) is dialogues


def test_drop_invalid_rows_missing_column_raises(tmp_path):
    with pytest.raises(DataError, match="has no column 'mood', which moods needs: it has 'text', 'label'"):
        drop_invalid_rows(corpus(tmp_path, header="text,label"), prompt=MOODS)


def test_drop_invalid_rows_long_texts_are_suspicious(tmp_path):
    cleaned = drop_invalid_rows(
        corpus(tmp_path, rows=["A cup.,good", "One two three four.,bad", *ROWS[4:], "A bun.,bad", "A fig.,good"]),
        prompt=MOODS,
        max_words=3,
    )
    rows = cleaned.row_reports[str(tmp_path / "moods.csv")]
    assert [(odd.line, odd.reason) for odd in rows.suspicious] == [
        (3, "its text has 4 words and loses the first 1 (data.max_words=3)")
    ]
    assert rows.invalid == ()
    assert len(cleaned.dialogues) == 7


def test_garbage_collection_resumes_after_an_error():
    within = []

    def fail():
        with paused_garbage_collection():
            within.append(gc.isenabled())
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert within == [False]
    assert gc.isenabled()


def test_garbage_collection_that_was_off_stays_off():
    gc.disable()
    try:
        with paused_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
