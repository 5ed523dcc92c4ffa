"""Where a study's data come from."""

import pytest

from dfwe.config.instantiate import plain
from dfwe.config.task_data import StudyData, shots_by_task
from dfwe.config.tasks import load_task
from dfwe.errors import ConfigurationError
from dfwe.store.store import Store

FEW = "data.generator.rows={topic: {train: 20, dev: 5, test: 5}, overlap: {train: 20, dev: 5, test: 5}}"


@pytest.fixture
def study_data(composed, tmp_path):
    """A function from overrides to the data of a study."""

    def _study_data(*overrides):
        config = plain(composed("+target=toy_topic", *overrides).data)
        return StudyData(Store(tmp_path / "store"), config, max_words=0, seed=0)

    return _study_data


def test_toy_tasks_find_what_is_generated_once_into_the_store(study_data, tmp_path):
    first, again = (study_data("data=toy_multitask", FEW) for _ in range(2))
    assert [len(first.instances(load_task("toy_topic"), split=split)) for split in ("train", "test")] == [20, 5]
    assert first.root == again.root
    assert tmp_path / "store" in first.root.parents
    assert first.digest(load_task("toy_overlap")) == again.digest(load_task("toy_overlap"))


def test_a_corpus_without_a_folder_is_one_line(composed, tmp_path):
    config = plain(composed("+target=meld", "data=friends", "data.root=null").data)
    with pytest.raises(ConfigurationError, match=r"data\.root must be the folder of the corpus"):
        StudyData(Store(tmp_path), config, max_words=0, seed=0).corpus(load_task("meld"))


def test_files_of_the_users_go_before_generated_ones(study_data, tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / "topic").mkdir(exist_ok=True)
        (tmp_path / "topic" / f"{split}.tsv").write_text(f"id\tsentence\ttopic\n{split}\tA song.\tmusic\n")
    data = study_data("data=toy_multitask", FEW, f"data.files={tmp_path}")
    (instance,) = data.instances(load_task("toy_topic"), split="dev")
    assert instance.references == ("music",)
    assert not (tmp_path / "store").exists()


def test_beside_a_corpus_of_the_studys_own_the_files_must_be_said(study_data):
    with pytest.raises(ConfigurationError, match="where are the files of toy_topic"):
        study_data("data=toy").instances(load_task("toy_topic"), split="dev")


def test_shots_per_class_need_a_closed_set_of_labels():
    tasks = [load_task(name) for name in ("meld", "question_answering")]
    assert shots_by_task({"meld": "8 per class"}, seed=0, tasks=tasks)[tasks[0].name].per_class == 8
    with pytest.raises(ConfigurationError, match="takes 8 per class of question_answering, which has no closed set"):
        shots_by_task("8 per class", seed=0, tasks=tasks)


def test_shots_of_others_are_those_of_tasks_that_are_not_named():
    meld, personality = tasks = [load_task(name) for name in ("meld", "personality")]

    def amounts(setting):
        by_task = shots_by_task(setting, seed=0, tasks=tasks)
        return by_task[meld.name].amount, by_task[personality.name].amount

    assert amounts({"meld": 5, "others": 0.1}) == (5, 0.1)
    assert amounts({"MELD_emotion_recognition": 5}) == (5, "all")
    assert amounts(0.1) == (0.1, 0.1)
