"""The seven tasks' configurations, and what they make of real data where these are there."""

import json
from pathlib import Path

import pytest

from dfwe.config.task_options import read_tasks
from dfwe.config.tasks import load_task
from dfwe.data.examples import collect_instances
from dfwe.data.few_shot import ALL
from dfwe.data.readers.tlidb import Tlidb

FRIENDS = Path(__file__).resolve().parents[3] / "shared" / "data" / "friends" / "tlidb_small"
SEVEN = {
    "emory_emotion": "emory_emotion_recognition",
    "reading_comprehension": "reading_comprehension",
    "character_identification": "character_identification",
    "question_answering": "question_answering",
    "personality": "personality_detection",
    "relation_extraction": "relation_extraction",
    "meld": "MELD_emotion_recognition",
}


@pytest.mark.parametrize(("short", "name"), SEVEN.items())
def test_both_names_give_the_task(short, name):
    assert load_task(short) == load_task(name)
    assert (load_task(short).short, load_task(short).name) == (short, name)
    assert load_task(short).prompt.task == name


@pytest.mark.parametrize("short", SEVEN)
def test_three_other_tasks_are_the_default_sources(short):
    sources = read_tasks()[short].default_sources
    assert len(set(sources)) == 3
    assert set(sources) <= set(SEVEN) - {short}


@pytest.mark.skipif(not FRIENDS.is_dir(), reason="needs the data in ../shared/data/friends/tlidb_small")
@pytest.mark.parametrize("short", SEVEN)
def test_gold_answers_of_the_real_data_score_perfectly(short):
    task = load_task(short)
    corpus = Tlidb(FRIENDS).read()
    instances = collect_instances(corpus, prompt=task.prompt, split="train", max_words=512, seed=0, shots=ALL)
    assert all(len(one.context.split()) <= 513 for one in instances)
    references = [one.references for one in instances]
    assert task.scorer.evaluate([one.targets[-1] for one in instances], references=references).score == 1.0


@pytest.mark.skipif(not FRIENDS.is_dir(), reason="needs the data in ../shared/data/friends/tlidb_small")
def test_labels_and_metrics_are_those_that_the_real_data_name():
    path = FRIENDS / "TLiDB_Friends" / "TLiDB_Friends.json"
    metadata = json.loads(path.read_text())["metadata"]["task_metadata"]
    for short, name in SEVEN.items():
        assert list(load_task(short).labels) == metadata[name].get("labels", [])
    scored = metadata["relation_extraction"]["metric_kwargs"]["multilabel_f1"][0]["labels"]
    assert load_task("relation_extraction").scorer.metrics["F1-micro"].scored == scored
