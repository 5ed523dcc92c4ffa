"""Where texts without labels come from."""

import logging
from dataclasses import replace

import pytest

from dfwe.config.instantiate import plain
from dfwe.config.task_data import StudyData, shots_by_task
from dfwe.config.tasks import load_task
from dfwe.config.unlabelled import Pool
from dfwe.errors import ConfigurationError, DataError
from dfwe.store.store import Store

FEW = "data.generator.rows={topic: {train: 20, dev: 5, test: 5}, overlap: {train: 20, dev: 5, test: 5}}"


@pytest.fixture
def data(composed, tmp_path):
    """A function from overrides to the data of a study of 6 shots."""

    def make(*overrides, shots=6):
        task = load_task("toy_topic")
        config = plain(composed("+target=toy_topic", "data=toy_multitask", FEW, *overrides).data)
        by_task = shots_by_task({"toy_topic": shots}, seed=0, tasks=[task])
        return StudyData(Store(tmp_path / "store"), config, max_words=0, seed=0, shots=by_task)

    return make


def pool(*sources, most=100, task="toy_topic"):
    return Pool(load_task(task), tuple(map(load_task, sources)), most, 0)


def test_the_rest_of_train_is_the_pool_without_its_labels(data):
    study = data()
    texts = pool().instances(study)
    labelled = study.instances(load_task("toy_topic"), split="train")
    assert len(labelled) == 6
    assert 0 < len(texts) <= 14  # a text may be there twice
    assert not {each.source for each in texts} & {each.source for each in labelled}
    assert not any(each.targets or each.references for each in texts)
    assert all(each.candidates for each in texts)


def test_with_all_labels_in_use_nothing_is_left(data):
    assert pool().instances(data(shots="all")) == ()


def test_a_pool_is_bounded_and_drawn_by_its_seed(data):
    study, task = data(), load_task("toy_topic")
    first = Pool(task, (), 3, 0).instances(study)
    assert first == Pool(task, (), 3, 0).instances(study)
    assert len(first) == 3
    assert set(first) <= set(pool().instances(study))
    assert Pool(task, (), 3, 0).spec(study) != Pool(task, (), 3, 1).spec(study)


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.csv", "sentence,topic\nA drum.,\nA song.,music\nA drum.,\n"), ("t.jsonl", '{"sentence": "A drum."}\n')],
)
def test_a_table_is_asked_as_the_target_is(data, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    study = data(f"data.unlabelled={tmp_path / name}")
    texts = pool().instances(study)
    assert "A drum." in texts[0].source
    assert len(texts) == (2 if name == "t.csv" else 1)  # the same text once
    assert not any(each.targets or each.references for each in texts)


def test_rows_that_cannot_be_asked_are_left_out_and_counted(data, tmp_path, caplog):
    (tmp_path / "t.csv").write_text("sentence,n\nA drum.,1\n,2\nA song.,3,4\n")
    with caplog.at_level(logging.WARNING):
        assert len(pool().instances(data(f"data.unlabelled={tmp_path / 't.csv'}"))) == 1
    assert "data.unlabelled: 2 of 3 rows left out" in caplog.text


def test_a_column_has_the_name_that_the_task_gave_it(data, tmp_path):
    (tmp_path / "t.csv").write_text("a.sentence,n\nA drum.,1\n")
    task = load_task("toy_topic")
    renamed = replace(task, prompt=replace(task.prompt, context="{a_sentence}", prompt=" Topic:"))
    study = data(f"data.unlabelled={tmp_path / 't.csv'}")
    assert [each.source for each in Pool(renamed, (), 9, 0)._of_file(tmp_path / "t.csv", data=study)] == [
        "A drum. Topic:"
    ]


def test_an_edited_table_is_another_pool(data, tmp_path):
    file = tmp_path / "t.csv"
    specs = []
    for text in ("A drum.", "A flute."):
        file.write_text(f"sentence\n{text}\n")
        specs.append(pool().spec(data(f"data.unlabelled={file}")))
    assert specs[0] != specs[1]


@pytest.mark.parametrize(
    ("name", "content", "error", "match"),
    [
        ("t.csv", "text\nA drum.\n", DataError, "no column 'sentence'"),
        ("t.txt", "A drum.\n", ConfigurationError, r"name a table, \.csv, \.tsv or \.jsonl"),
        ("t.csv", None, DataError, "is missing"),
    ],
)
def test_a_table_that_cannot_be_asked_is_refused(data, tmp_path, name, content, error, match):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=match):
        pool().instances(data(f"data.unlabelled={tmp_path / name}"))


def test_a_table_that_is_missing_has_no_name_in_the_store(data, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        pool().spec(data(f"data.unlabelled={tmp_path}/none.csv"))


def test_dialogues_are_not_read_from_a_table(composed, tmp_path):
    config = plain(composed("+target=meld", f"data.unlabelled={tmp_path}/t.csv").data)
    study = StudyData(Store(tmp_path / "store"), config, max_words=0, seed=0)
    with pytest.raises(ConfigurationError, match="meld asks about dialogues, not rows"):
        list(pool(task="meld")._all(study))


def test_only_sources_with_the_targets_columns_are_asked(data):
    study = data("data.generator.rows.sentiment={train: 8, dev: 2, test: 2}", "data.unlabelled=sources")
    texts = pool("toy_sentiment").instances(study)
    theirs = {each.context for each in study.instances(load_task("toy_sentiment"), split="train")}
    assert {each.context for each in texts} <= theirs
    assert {each.prompt for each in texts} == {" topic:"}
    assert pool("toy_overlap").instances(study) == ()  # it has pairs, under other names
    assert pool("toy_sentiment").spec(study) != pool("toy_overlap").spec(study)
