import json
import re
from dataclasses import replace

import pytest

from dfwe.data.friends.tasks import TASKS
from dfwe.errors import ConfigurationError


def files(generator, folder):
    generator.write(folder)
    return {path.name: path.read_bytes() for path in sorted((folder / "TLiDB_Friends").iterdir())}


@pytest.fixture(scope="module")
def written(toy, tmp_path_factory):
    return files(toy, tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def dialogues(written):
    return {one["dialogue_id"]: one for one in json.loads(written["TLiDB_Friends.json"])["data"]}


def ids(written, split):
    return written[f"TTiDB_{split}_ids.txt"].decode().split()


def tasks_of(dialogue):
    keys = set(dialogue) | {key for turn in dialogue["dialogue"] for key in turn}
    return keys & set(TASKS)


def test_the_same_seed_gives_the_same_bytes(toy, written, tmp_path):
    assert files(toy, tmp_path) == written


def test_another_seed_gives_another_corpus(toy, written, tmp_path):
    other = files(replace(toy, seed=toy.seed + 1), tmp_path)
    assert all(other[name] != content for name, content in written.items())


def test_nothing_temporary_is_left(written):
    few = [f"TTiDB_0.1_percent_few_shot_{split}_ids.txt" for split in ("dev", "train")]
    lists = [f"TTiDB_{split}_ids.txt" for split in ("dev", "test", "train")]
    assert list(written) == ["TLiDB_Friends.json", *few, *lists]


def test_splits_have_their_sizes_and_share_no_dialogue(toy, written, dialogues):
    splits = [ids(written, split) for split in ("train", "dev", "test")]
    assert [len(split) for split in splits] == [toy.num_train, toy.num_dev, toy.num_test]
    assert sorted(one for split in splits for one in split) == sorted(dialogues)
    assert all(split == sorted(split) for split in splits)


def test_no_two_dialogues_have_the_same_text(dialogues):
    texts = {tuple(turn["utterance"] for turn in one["dialogue"]) for one in dialogues.values()}
    assert len(texts) == len(dialogues)


def test_ids_name_season_episode_and_scene(dialogues):
    assert all(re.fullmatch(r"s\d\d_e\d\d_c\d\d", one) for one in dialogues)
    assert list(dialogues) == sorted(dialogues)


def test_few_shot_lists_are_a_tenth_of_train_and_dev(written):
    for split in ("train", "dev"):
        few = written[f"TTiDB_0.1_percent_few_shot_{split}_ids.txt"].decode().split()
        assert len(few) == len(ids(written, split)) // 10
        assert set(few) < set(ids(written, split))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_dev_and_test_dialogues_have_every_task(written, dialogues, split):
    assert all(tasks_of(dialogues[one]) == set(TASKS) for one in ids(written, split))


def test_each_task_annotates_its_share_of_train(toy, written, dialogues):
    train = [tasks_of(dialogues[one]) for one in ids(written, "train")]
    for task, share in toy.task_fractions.items():
        assert sum(task in tasks for tasks in train) == round(share * len(train))


def test_the_metadata_of_a_dialogue_names_its_tasks(dialogues):
    assert all(set(one["dialogue_metadata"]) == tasks_of(one) for one in dialogues.values())


def test_instance_ids_are_unique_within_a_task(dialogues):
    for task in ("MELD_emotion_recognition", "character_identification"):
        found = []
        for turn in (turn for one in dialogues.values() for turn in one["dialogue"] if task in turn):
            records = turn[task] if isinstance(turn[task], list) else [turn[task]]
            found += [record["instance_id"] for record in records]
        assert len(found) == len(set(found)) > 500


def test_answers_stand_where_they_say(dialogues):
    for one in dialogues.values():
        for question in (q for group in one.get("question_answering", []) for q in group["qas"]):
            for answer in question["answers"]:
                turn = one["dialogue"][answer["answer_utterance_id"]]
                start = answer["answer_start"]
                is_there = turn["utterance"][max(start, 0) :].startswith(answer["text"])
                assert turn["speakers"] == [answer["text"]] if answer["is_speaker"] else is_there


def test_queries_ask_for_an_entity_of_the_scene(dialogues):
    for one in dialogues.values():
        for query in one.get("reading_comprehension", []):
            among = one["dialogue_metadata"]["reading_comprehension"]["scene_entities"]
            assert query["answer"] in among


def test_corpus_has_multiple_relations_and_answers(dialogues):
    triples = [
        t for one in dialogues.values() for r in one.get("relation_extraction", []) for t in r["relation_triples"]
    ]
    asked = [q for one in dialogues.values() for g in one.get("question_answering", []) for q in g["qas"]]
    assert any(len(triple["relations"]) > 1 for triple in triples)
    assert any(len(question["answers"]) > 1 for question in asked)


def test_no_label_is_more_than_a_third_of_the_emotions(dialogues):
    labels = [
        turn["MELD_emotion_recognition"]["label"]
        for one in dialogues.values()
        for turn in one["dialogue"]
        if "MELD_emotion_recognition" in turn
    ]
    shares = {label: labels.count(label) / len(labels) for label in set(labels)}
    assert len(shares) == 7
    assert max(shares.values()) < 1 / 3
    assert min(shares.values()) > 1 / 30


def test_toy_friends_without_tasks_has_no_annotations(toy, tmp_path):
    written = files(replace(toy, task_fractions={}), tmp_path)
    data = json.loads(written["TLiDB_Friends.json"])
    assert data["metadata"]["tasks"] == []
    assert not any(tasks_of(one) for one in data["data"])


def test_toy_friends_unknown_task_raises(toy):
    with pytest.raises(ConfigurationError, match="no task .*'chess'"):
        replace(toy, task_fractions={"chess": 1.0})


def test_toy_friends_unknown_emotion_raises(toy):
    with pytest.raises(ConfigurationError, match="unknown emotions .*'hunger'"):
        replace(toy, style=replace(toy.style, emotions={"hunger": 1.0}))
