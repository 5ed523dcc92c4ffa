"""From a folder of releases to a data set that the reader and all tasks' prompts take."""

import json
import os
import subprocess
import sys

import pytest

from dfwe.config.tasks import load_task
from dfwe.data.friends.prepare import prepare, report_text, summarize, write
from dfwe.data.friends.split import OfficialSplit
from dfwe.data.readers.tlidb import Tlidb
from dfwe.errors import DataError, OutputError
from dfwe.records import SPLITS

# by hand from the releases in conftest.py
INSTANCES = {
    "emory_emotion": 10,
    "reading_comprehension": 3,
    "character_identification": 5,
    "question_answering": 3,
    "personality": 5,
    "relation_extraction": 4,
    "meld": 6,
}


@pytest.fixture
def corpus(prepared, tmp_path):
    write(prepared, out=tmp_path / "out", report={"a": 1})
    return Tlidb(tmp_path / "out").read()


def test_the_reader_reads_what_was_written(corpus, prepared, dialogues):
    assert dict(corpus.dialogues) == dialogues
    assert corpus.splits == prepared.split
    assert corpus.few_shot == {"0.1": prepared.few_shot}


@pytest.mark.parametrize(("short", "number"), INSTANCES.items())
def test_every_tasks_prompt_makes_its_instances(corpus, prepared, short, number):
    task = load_task(short)
    found = [i for d in corpus.dialogues.values() for i in task.prompt.instances(d, max_words=512, seed=0)]
    assert len(found) == number == sum(prepared.instances[split][task.name] for split in SPLITS)
    assert len({(one.instance_id, one.prompt) for one in found}) == number
    assert all(one.targets for one in found)
    assert all(set(one.targets) <= set(one.candidates) for one in found if one.candidates)
    assert task.scorer.evaluate([i.targets[-1] for i in found], references=[i.references for i in found]).score == 1.0


def test_contexts_are_made_of_the_scenes_lines(corpus):
    (first, *_) = load_task("meld").prompt.instances(corpus.dialogues["s01_e01_c01"], max_words=0, seed=0)
    assert first.context.startswith(
        "context: [ Scene: A kitchen, the table is full of plums. ] Monica Geller: I'm gonna"
    )
    assert first.context.endswith("Monica Geller: Somebody called Vera Quill sent us a barrel of green paint.")
    (query,) = load_task("reading_comprehension").prompt.instances(corpus.dialogues["s01_e01_c01"], max_words=0, seed=0)
    assert (
        query.prompt == " question: [PLACEHOLDER] thanks Vera. Out of joey or monica or ross or vera, [PLACEHOLDER] is "
    )


def test_a_dialogue_is_in_one_split_over_all_tasks(corpus):
    listed = [i for split in SPLITS for i in corpus.splits[split]]
    assert sorted(listed) == sorted(corpus.dialogues)
    assert len(listed) == len(set(listed))


def test_the_official_split_is_kept(raw):
    ids = {"train": ["s01_e01_c01", "s01_e01_c03"], "dev": ["s02_e01_c01"], "test": ["s01_e01_c02", "unheard"]}
    known = OfficialSplit({split: frozenset(listed) for split, listed in ids.items()})
    split = prepare(raw, official=known, max_invalid_fraction=0.0).split
    assert all(set(listed) - {"unheard"} <= set(split[name]) for name, listed in ids.items())


def test_the_report_and_the_tasks_lie_beside(prepared, tmp_path):
    folder = write(prepared, out=tmp_path / "deep" / "out", report={"a": 1})
    assert json.loads((folder / "prepared.json").read_text()) == {"a": 1}
    assert len(json.loads((folder / "TLiDB_Friends.json").read_text())["metadata"]["tasks"]) == 7
    assert not list(folder.glob("*.partial"))


def test_a_folder_that_cannot_be_made_is_an_error(prepared, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write(prepared, out=tmp_path / "out", report={})


def test_no_release_at_all_is_an_error(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="holds none of the releases: expected folders such as meld/"):
            prepare(folder, official=OfficialSplit(), max_invalid_fraction=0.0)


@pytest.mark.parametrize(
    "left_out", ["question", "emory", "character_i", "character_m", "reading", "pers", "meld", "dialogre"]
)
def test_any_release_may_be_missing(files, lay, dialogues, left_out):
    rest = {name: content for name, content in files.items() if not name.startswith(left_out)}
    assert len(rest) < len(files)
    prepared = prepare(lay_again(lay, rest), official=OfficialSplit(), max_invalid_fraction=0.0)
    assert sum(bool(reading.excerpts) for reading in prepared.readings) == 7
    assert {d["dialogue_id"] for d in prepared.dialogues} - set(dialogues) <= {
        "emory_train_s02_e01_scene07",
        "meld_dev_0000_02",
    }


def lay_again(lay, files):
    """The folder with these files alone."""
    root = lay({})
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.unlink()
    return lay(files)


@pytest.mark.parametrize("release", ["meld", "dialogre", "personality", "question_answering", "emory_emotion/emorynlp"])
def test_one_release_alone_will_do(files, lay, release):
    alone = {name: content for name, content in files.items() if name.startswith(release)}
    prepared = prepare(lay(alone), official=OfficialSplit(), max_invalid_fraction=0.0)
    assert prepared.dialogues


def test_other_files_are_left_alone(files, lay, dialogues):
    files |= {"meld/notes.txt": b"\xff", "reading_comprehension/more.json": b"{", "README": b"", "new/train.json": b"["}
    again = prepare(lay(files), official=OfficialSplit(), max_invalid_fraction=0.0)
    assert {d["dialogue_id"]: d for d in again.dialogues} == dialogues


def test_line_ends_and_byte_order_marks_make_no_difference(files, lay, dialogues):
    for name, content in files.items():
        if not name.endswith(".zip"):
            files[name] = b"\xef\xbb\xbf" + content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    again = prepare(lay(files), official=OfficialSplit(), max_invalid_fraction=0.0)
    assert {d["dialogue_id"]: d for d in again.dialogues} == dialogues


def test_prepare_too_many_invalid_rows_raises(files, lay):
    files["meld/dev_sent_emo.csv"] += b"8,Hum.,Ada,glee,x,9,0,1,1,,\n"
    with pytest.raises(DataError, match="MELD: more than 12.00% of the rows are broken.*1 of 8 rows left out"):
        prepare(lay(files), official=OfficialSplit(), max_invalid_fraction=0.12)
    assert prepare(lay(files), official=OfficialSplit(), max_invalid_fraction=0.125).readings


def test_two_runs_are_equal_whatever_the_hash_seed(raw, tmp_path):
    found = []
    for seed in ("1", "77"):
        subprocess.run(
            [
                sys.executable,
                "-m",
                "dfwe",
                "data",
                "prepare",
                "friends",
                "--raw",
                str(raw),
                "--out",
                str(tmp_path / seed),
            ],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        found.append({path.name: path.read_bytes() for path in (tmp_path / seed / "TLiDB_Friends").iterdir()})
    assert found[0] == found[1]
    assert len(found[0]) == 7


OFFICIAL = OfficialSplit(
    {
        "train": frozenset({"s02_e01_c01"}),
        "dev": frozenset({"s01_e01_c02", "s01_e01_c03"}),
        "test": frozenset({"s01_e01_c01", "s09_e01_c01"}),
    }
)


@pytest.fixture
def summary(raw):
    return summarize(prepare(raw, official=OFFICIAL, max_invalid_fraction=0.0), official=OFFICIAL)


def test_each_task_tells_found_used_and_dropped(summary):
    meld = summary["tasks"]["MELD_emotion_recognition"]
    assert (meld["found"], meld["used"], meld["official_test"]) == (7, 6, 1247)
    assert meld["dropped"] == {"one label a line: another utterance stands in the same line": 1}
    assert meld["instances"]["test"] == 2
    assert {task: row["found"] - row["used"] for task, row in summary["tasks"].items() if row["dropped"]} == {
        "MELD_emotion_recognition": 1,
        "relation_extraction": 2,
    }


def test_instances_of_the_splits_add_up(summary):
    for row in summary["tasks"].values():
        assert sum(row["instances"].values()) == row["used"] == row["found"] - sum(row["dropped"].values())


def test_each_release_tells_its_matches_and_gaps(summary):
    meld = summary["releases"]["MELD"]
    assert (meld["scene_told"], meld["scene_matched"], meld["scene_unmatched"], meld["rows"]) == (0, 2, 1, 7)
    assert meld["missing_files"] == ["train_sent_emo.csv", "test_sent_emo.csv"]
    emory = summary["releases"]["Emory emotion"]
    assert (emory["scene_told"], emory["scene_matched"], emory["rows"]) == (1, 1, 5)
    assert (summary["releases"]["DialogRE"]["scene_matched"], summary["releases"]["DialogRE"]["scene_unmatched"]) == (
        1,
        1,
    )


def test_dialogues_and_hidden_names_are_counted(summary):
    assert sum(summary["dialogues"].values()) == 7
    assert summary["official_split"] == {"train": 1, "dev": 2, "test": 1}
    assert summary["few_shot"] == {"train": 0, "dev": 0}
    assert summary["pairs_across_splits"] == 0
    assert summary["hidden_names"] == {"found": 5, "of": 9}


def test_the_report_is_json(summary):
    assert json.loads(json.dumps(summary)) == summary


def test_the_text_says_it_to_people(summary):
    lines = report_text(summary).splitlines()
    (meld,) = [line for line in lines if line.startswith("MELD_emotion")]
    assert meld.split()[1:3] == ["7", "6"]
    assert meld.endswith("1247 (-99.8%)")
    assert "    dropped 2: alternate names of one person, or a pair named twice" in lines
    assert "MELD: 2 of 3 matched by text (66.7%); not there: train_sent_emo.csv, test_sent_emo.csv" in lines
    assert "hidden names of reading comprehension: 5 of 9 found in other releases" in lines


def test_the_text_says_where_counts_agree(summary):
    summary["tasks"]["personality_detection"]["instances"]["test"] = 550
    assert "550 (the same)" in report_text(summary)


def test_report_counts_invalid_rows(files, lay):
    files["meld/dev_sent_emo.csv"] += b"8,Hum.,Ada,glee,x,9,0,1,1,,\n9,,Ada,joy,x,9,0,1,1,,\n"
    prepared = prepare(lay(files), official=OfficialSplit(), max_invalid_fraction=0.5)
    summary = summarize(prepared, official=OfficialSplit())
    bad = summary["releases"]["MELD"]["bad_rows"]
    assert len(bad) == 2
    assert bad[0].endswith(
        "dev_sent_emo.csv, line 9: unknown label 'glee', expected one of anger, disgust, fear, joy, neutral, "
        "sadness, surprise"
    )
    assert bad[1].endswith("line 10: the utterance is empty")
    assert f"2 of 9 rows are broken, the first: {bad[0]}" in report_text(summary)
