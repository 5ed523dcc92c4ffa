import json

import pytest

from dfwe.data.friends.prepare import prepare, report_text, summarize
from dfwe.data.friends.split import OfficialSplit

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
