"""The original releases, where they are at hand: the official counts, and agreement with the benchmark's own files.

Bounds lie a little under what was measured when this test was written.
"""

from collections import Counter
from pathlib import Path

import pytest

from dfwe.data.friends.prepare import prepare
from dfwe.data.friends.report import OFFICIAL_TEST
from dfwe.data.friends.split import SPLITS, read_known
from dfwe.data.readers.tlidb import Tlidb
from dfwe.stages.tasks import load_task

FRIENDS = Path(__file__).resolve().parents[4] / "shared" / "data" / "friends"
RAW, SPLIT, SMALL = FRIENDS / "raw", FRIENDS / "official_split.json", FRIENDS / "tlidb_small"
pytestmark = pytest.mark.skipif(
    not (RAW.is_dir() and SPLIT.is_file() and SMALL.is_dir()),
    reason="needs raw/, official_split.json and tlidb_small/ in ../shared/data/friends",
)
COMPARED = {
    "emory_emotion": 0.99,
    "meld": 0.96,
    "question_answering": 0.87,
    "character_identification": 0.91,
    "personality": 0.95,
}


@pytest.fixture(scope="module")
def known():
    return read_known(SPLIT)


@pytest.fixture(scope="module")
def prepared(known):
    return prepare(RAW, known=known, max_bad_share=0.01)


@pytest.fixture(scope="module")
def both(prepared):
    """The benchmark's own dialogues, each with ours of its id."""
    ours = {dialogue["dialogue_id"]: dialogue for dialogue in prepared.dialogues}
    return [(dialogue, ours.get(name)) for name, dialogue in Tlidb(SMALL).read().dialogues.items()]


def instances(dialogue, task):
    """What is asked and answered by id; contexts aside, which differ in blanks and quotes."""
    found = task.prompt.instances(dialogue, max_words=0, seed=0) if task.name in dialogue["dialogue_metadata"] else ()
    return {(one.instance_id, one.prompt): one.references for one in found}


def test_no_row_is_bad(prepared):
    assert all(not reading.rows.bad for reading in prepared.readings)


@pytest.mark.parametrize("task", ["question_answering", "personality_detection"])
def test_all_official_test_instances_are_there(prepared, task):
    assert prepared.instances["test"][task] == OFFICIAL_TEST[task]


def test_other_complete_tasks_are_near_the_official_counts(prepared):
    for task in ("reading_comprehension", "relation_extraction"):
        assert prepared.instances["test"][task] == pytest.approx(OFFICIAL_TEST[task], rel=0.05)


def test_official_dialogues_keep_their_split(prepared, known):
    for split in SPLITS:
        assert {known.of(i) for i in prepared.split[split]} <= {split, None}
    listed = Counter(i for split in SPLITS for i in prepared.split[split])
    assert set(listed.values()) == {1}


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
    print(short, num_same, num_all, num_same / num_all)
    assert num_same > share * num_all


def test_relations_agree_with_the_benchmarks(both):
    task = load_task("relation_extraction")
    pairs = [[instances(one, task) for one in pair] for pair in both]
    assert all(ours[key] == references for theirs, ours in pairs for key, references in theirs.items())


def test_the_benchmarks_queries_are_there(both):
    task = load_task("reading_comprehension")
    for theirs, ours in both:
        asked = {(prompt.split(" Out of ")[0], answer) for (_, prompt), answer in instances(theirs, task).items()}
        assert asked <= {(prompt.split(" Out of ")[0], answer) for (_, prompt), answer in instances(ours, task).items()}
