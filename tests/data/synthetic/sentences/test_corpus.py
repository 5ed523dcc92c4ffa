from dataclasses import replace

import pytest

from dfwe.config.tasks import load_task, own_corpus
from dfwe.data.examples import collect_instances
from dfwe.data.few_shot import ALL
from dfwe.data.prompts.template import Sentences
from dfwe.data.synthetic.sentences.tasks import TASKS
from dfwe.errors import ConfigurationError


def files(generator, folder):
    generator.write(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


ROWS = {"train": 100, "dev": 30, "test": 60}


@pytest.fixture(scope="module")
def folder(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    replace(toy, rows=dict.fromkeys(TASKS, ROWS)).write(folder)
    return folder


@pytest.fixture(scope="module")
def small(toy):
    return replace(toy, rows={task: {"train": 30, "dev": 10, "test": 20} for task in ("topic", "overlap")})


def test_write_makes_a_file_per_task_and_split(folder):
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {f"{task}/{split}.tsv" for task in TASKS for split in ("train", "dev", "test")}


def test_write_depends_on_the_seed_only(small, tmp_path):
    first, again = files(small, tmp_path / "a"), files(small, tmp_path / "b")
    other = files(replace(small, seed=small.seed + 1), tmp_path / "c")
    assert first == again
    assert all(other[name] != content for name, content in first.items())


def test_write_more_train_rows_keeps_dev_and_test(small, tmp_path):
    first = files(small, tmp_path / "a")
    more = files(replace(small, rows={"topic": {"train": 60, "dev": 10, "test": 20}}), tmp_path / "b")
    assert all(more[f"topic/{split}.tsv"] == first[f"topic/{split}.tsv"] for split in ("dev", "test"))
    assert more["topic/train.tsv"].startswith(first["topic/train.tsv"])


@pytest.mark.parametrize("task", TASKS)
def test_no_two_rows_of_a_task_have_the_same_sentences(folder, task):
    lines = [line for path in (folder / task).iterdir() for line in path.read_text().splitlines()[1:]]
    assert len({tuple(line.split("\t")[1:-1]) for line in lines}) == len(lines)


@pytest.mark.parametrize("short", TASKS)
def test_task_configurations_read_every_row(folder, short):
    task = load_task(f"toy_{short}")
    corpus = own_corpus(task, files=str(folder), max_invalid_fraction=0.0)
    heads = Sentences(task=task.name, columns=task.head["columns"], answer=task.prompt.answer)
    for split in ("train", "dev", "test"):
        for prompt in (heads, task.prompt):
            instances = collect_instances(corpus, prompt=prompt, split=split, max_words=0, seed=0, shots=ALL)
            assert len(instances) == ROWS[split]
    gold = {instance.references[0] for instance in instances}
    assert gold == set(task.labels) if task.labels else len(gold) > 4


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"weather": {"train": 1, "dev": 1, "test": 1}}, r"the toy data has no task \['weather'\]: its tasks are sent"),
        ({"topic": {"train": 1, "dev": 1}}, "rows.topic needs a number of rows for train, dev and test"),
        ({"topic": {"train": 1, "dev": 0, "test": 1}}, "rows.topic needs a number of rows"),
    ],
)
def test_toy_multitask_unknown_task_or_empty_split_raises(toy, rows, message):
    with pytest.raises(ConfigurationError, match=message):
        replace(toy, rows=rows)
