"""The original releases, where they are at hand: the official counts, and agreement with the benchmark's own files.

Bounds lie a little under what was measured when this test was written.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dfwe.config.tasks import load_task
from dfwe.data.friends.split import read_official_split
from dfwe.data.readers.tlidb import Tlidb
from dfwe.records import SPLITS

FRIENDS = Path(__file__).resolve().parents[4] / "shared" / "data" / "friends"
RAW, SPLIT, SMALL = FRIENDS / "raw", FRIENDS / "official_split.json", FRIENDS / "tlidb_small"
pytestmark = pytest.mark.skipif(
    not (RAW.is_dir() and SPLIT.is_file() and SMALL.is_dir()),
    reason="needs raw/, official_split.json and tlidb_small/ in ../shared/data/friends",
)
COMPARED = {
    "emory_emotion": 0.99,
    "meld": 0.96,
    "question_answering": 0.88,
    "character_identification": 0.93,
    "personality": 0.97,
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """What the command writes; a process of its own, because checking all types takes longer than the work."""
    folder = tmp_path_factory.mktemp("friends")
    options = ["friends", "--raw", str(RAW), "--out", str(folder), "--split", str(SPLIT)]
    subprocess.run([sys.executable, "-m", "dfwe", "data", "prepare", *options], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def report(out):
    return json.loads((out / "TLiDB_Friends" / "prepared.json").read_text())


@pytest.fixture(scope="module")
def corpus(out):
    return Tlidb(out).read()


@pytest.fixture(scope="module")
def both(corpus):
    """The benchmark's own dialogues, each with ours of its id."""
    return [(dialogue, corpus.dialogues.get(name)) for name, dialogue in Tlidb(SMALL).read().dialogues.items()]


def instances(dialogue, task):
    """What is asked and answered by id; contexts aside, which differ in blanks and quotes."""
    found = task.prompt.instances(dialogue, max_words=0, seed=0) if task.name in dialogue["dialogue_metadata"] else ()
    return {(one.instance_id, one.prompt): one.references for one in found}


def test_no_row_is_bad(report):
    assert all(not release["bad_rows"] for release in report["releases"].values())


@pytest.mark.parametrize(("task", "number"), [("question_answering", 1937), ("personality_detection", 550)])
def test_all_official_test_instances_are_there(report, task, number):
    row = report["tasks"][task]
    assert row["instances"]["test"] == row["official_test"] == number


def test_other_complete_tasks_are_near_the_official_counts(report):
    for task in ("reading_comprehension", "relation_extraction"):
        row = report["tasks"][task]
        assert row["instances"]["test"] == pytest.approx(row["official_test"], rel=0.05)


def test_official_dialogues_keep_their_split(corpus):
    official = read_official_split(SPLIT)
    for split in SPLITS:
        assert {official.of(i) for i in corpus.splits[split]} == {split, None}
    assert Counter(i for split in SPLITS for i in corpus.splits[split]) == Counter(list(corpus.dialogues))


@pytest.mark.parametrize("short", [*COMPARED, "reading_comprehension", "relation_extraction"])
def test_every_tasks_prompt_takes_all_dialogues(corpus, report, short):
    task = load_task(short)
    found = [i for d in corpus.dialogues.values() for i in task.prompt.instances(d, max_words=512, seed=0)]
    assert len(found) == len({(one.instance_id, one.prompt) for one in found}) == report["tasks"][task.name]["used"]
    assert all(set(one.targets) <= set(one.candidates) for one in found if one.candidates)


def test_the_benchmarks_dialogues_have_the_same_lines(both):
    assert all(ours is not None for _, ours in both)
    texts = [[Counter(t["utterance"] for t in one["dialogue"]) for one in pair] for pair in both]
    num_same = sum((theirs & ours).total() for theirs, ours in texts)
    assert num_same > 0.96 * sum(theirs.total() for theirs, _ in texts)


@pytest.mark.parametrize(("short", "share"), COMPARED.items())
def test_annotations_agree_with_the_benchmarks(both, short, share):
    task = load_task(short)
    num_same = num_all = 0
    for theirs, ours in both:
        expected, found = instances(theirs, task), instances(ours, task)
        num_all += len(expected)
        num_same += sum(found.get(key) == references for key, references in expected.items())
    assert num_same > share * num_all


def test_relations_agree_with_the_benchmarks(both):
    task = load_task("relation_extraction")
    pairs = [[instances(one, task) for one in pair] for pair in both]
    assert all(ours[key] == references for theirs, ours in pairs for key, references in theirs.items())


def test_relations_have_the_benchmarks_turns(both):
    turns = [[{str(sample["turns"]) for sample in one.get("relation_extraction", ())} for one in pair] for pair in both]
    num_same = sum(len(theirs & ours) for theirs, ours in turns)
    assert num_same > 0.9 * sum(len(theirs) for theirs, _ in turns)


def test_the_benchmarks_queries_are_there(both):
    task = load_task("reading_comprehension")
    for theirs, ours in both:
        asked = {(prompt.split(" Out of ")[0], answer) for (_, prompt), answer in instances(theirs, task).items()}
        assert asked <= {(prompt.split(" Out of ")[0], answer) for (_, prompt), answer in instances(ours, task).items()}
