"""The YAML of a table's task: what it holds is what the study reads."""

import re
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from torch import nn

from dfwe.conf import conf_dir
from dfwe.config.tasks import build_task, own_corpus
from dfwe.errors import DataError
from dfwe.fit.table import LabelledTable, find_columns, read_table
from dfwe.fit.task import OF_MODULES, TableTask, ordered, scale, task_name, yaml_text
from dfwe.io.strict_yaml import read_yaml

DEFAULTS = read_yaml(conf_dir() / "fit.yaml")


def task(path, *, kind="labels", texts=(), group=None, **options):
    source, sheet = read_table(path, encoding="utf-8")
    columns = find_columns(sheet, texts=texts, label="label", group=group, defaults=DEFAULTS)
    table = LabelledTable(path, source, sheet, columns)
    values = ordered(list(table.counts))
    return TableTask("mine", table, kind, values, **{"test": None, "is_source": False, "defaults": DEFAULTS, **options})


def table(folder, rows, header="text,label", name="rows.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf8")
    return path


def read_back(made, tmp_path):
    """The task and its corpus as a study reads them from the YAML."""
    text = yaml_text(made.content(sources=["other"]), comment="made by a test")
    config = OmegaConf.create(yaml.safe_load(text))
    loaded = build_task("mine", config=config)
    return loaded, own_corpus(loaded, files=None, max_invalid_fraction=0.0)


def test_the_yaml_gives_the_task_and_its_splits(tmp_path):
    rows = [f'"The {n}th, cup",{("no", "yes", "01")[n % 3]}' for n in range(30)] + ["   ,no", "blank,"]
    made = task(table(tmp_path, rows))
    loaded, corpus = read_back(made, tmp_path)
    assert loaded.labels == ("01", "no", "yes")
    assert (
        {split: len(ids) for split, ids in corpus.splits.items()} == made.splits() == {"train": 18, "dev": 6, "test": 6}
    )
    (instance,) = loaded.prompt.instances(next(iter(corpus.dialogues.values())), max_words=0, seed=0)
    assert (instance.source, instance.targets) == ("text: The 0th, cup label:", ("no",))


def test_groups_stay_whole(tmp_path):
    rows = [f"text {n},{n % 2},g{n // 3}" for n in range(60)]
    made = task(table(tmp_path, rows, header="text,label,who"), group="who")
    corpus = read_back(made, tmp_path)[1]
    assert {len(group["rows"]) for group in corpus.dialogues.values()} == {3}
    assert made.splits() == {"train": 36, "dev": 12, "test": 12}
    assert made.num_groups("test") == 4


def test_pairs_numbers_and_names_that_templates_cannot_hold(tmp_path):
    rows = [f"one {n},two {n},{n / 8}" for n in range(40)]
    made = task(table(tmp_path, rows, header="a:x,b{y},label"), kind="number", texts=["a:x", "b{y}"])
    loaded, corpus = read_back(made, tmp_path)
    (instance,) = loaded.prompt.instances(next(iter(corpus.dialogues.values())), max_words=0, seed=0)
    assert instance.source == "a_x: one 0 b_y_: two 0 label:"
    assert (instance.targets, instance.candidates[-1]) == (("0.0",), "5.0")


def test_free_text_has_its_metrics(tmp_path):
    made = task(table(tmp_path, [f"text {n},an answer {n}" for n in range(20)]), kind="text")
    loaded, corpus = read_back(made, tmp_path)
    assert (loaded.decode, loaded.labels, list(loaded.scorer.metrics)) == ("greedy", (), ["em", "f1"])
    (instance,) = loaded.prompt.instances(next(iter(corpus.dialogues.values())), max_words=0, seed=0)
    assert instance.targets == ("an answer 0",)


def test_a_test_file_is_the_test_split_and_sources_are_capped(tmp_path):
    rows = [f"text {n},{n % 2}" for n in range(40)]
    (tmp_path / "elsewhere").mkdir()
    test = table(tmp_path / "elsewhere", rows[:5])
    columns = task(table(tmp_path, rows)).table.columns
    made = task(table(tmp_path, rows), test=LabelledTable(test, *read_table(test, encoding="utf-8"), columns))
    assert (
        made.splits()
        == {"dev": 8, "test": 5, "train": 32}
        == {k: len(v) for k, v in read_back(made, tmp_path)[1].splits.items()}
    )
    source = task(table(tmp_path, rows), is_source=True, defaults={**DEFAULTS, "max_source_rows": 10})
    assert source.splits() == {"train": 10, "dev": 4, "test": 4}


def test_splits_are_checked(tmp_path):
    with pytest.raises(DataError, match=r"too few, .*1 for dev.*: a split needs 2; add rows, or name a test file"):
        task(table(tmp_path, [f"text {n},{n % 2}" for n in range(6)])).splits()
    rows = [f"text {n},{'rare' if n == 0 else 'usual'}" for n in range(40)]
    few = task(table(tmp_path, rows), is_source=True, defaults={**DEFAULTS, "max_source_rows": 2})
    with pytest.raises(DataError, match="train has one label only"):
        few.splits()


def test_a_search_needs_no_train_split_of_several_labels(tmp_path):
    rows = [f"text {n},{'rare' if n % 10 == 0 else 'usual'}" for n in range(40)]
    fractions = {"holdout_fractions": DEFAULTS["search_holdout_fractions"]}
    with pytest.raises(DataError, match="train has one label only"):
        task(table(tmp_path, rows), defaults={**DEFAULTS, **fractions, "min_rows": 1}).splits()
    assert task(table(tmp_path, rows), defaults={**DEFAULTS, **fractions}, trains=False).splits()["dev"] == 20


def test_labels_that_look_like_numbers_are_quoted(tmp_path):
    labels = ("1e-05", "2E1", "0.5")
    made = task(table(tmp_path, [f"text {n},{labels[n % 3]}" for n in range(30)]))
    (tmp_path / "task.yaml").write_text(yaml_text(made.content(sources=()), comment="made by a test"))
    assert sorted(read_yaml(tmp_path / "task.yaml")["labels"]) == sorted(labels)


def test_each_split_has_its_share_of_every_label(tmp_path):
    made = task(table(tmp_path, [f"text {n},{'rare' if n < 5 else 'usual'}" for n in range(50)]))
    assert made.reader()["stratify"] == "label"
    assert {split: number["rare"] for split, number in made.answers.items()} == {"train": 3, "dev": 1, "test": 1}
    assert task(table(tmp_path, [f"text {n},{n / 8}" for n in range(40)]), kind="number").reader()["stratify"] is None


def test_words_for_no_label_are_left_out(tmp_path):
    rows = [f"text {n},{('a', 'b', 'NA', ' nan')[n % 4]}" for n in range(80)]
    path = table(tmp_path, rows)
    columns = task(path).table.columns
    missing = LabelledTable(path, *read_table(path, encoding="utf-8"), columns, frozenset(DEFAULTS["missing_labels"]))
    made = TableTask("mine", missing, "labels", ("a", "b"), None, is_source=False, defaults=DEFAULTS)
    assert (list(missing.counts), missing.missing_cells) == (["a", "b"], (" nan", "NA"))
    assert made.splits() == {"train": 24, "dev": 8, "test": 8}
    corpus = read_back(made, tmp_path)[1]
    assert sum(corpus.num_excluded.values()) == 40


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0", "5"], (0.0, 5.0, 0.2, 1)),
        (["0.3", "0.99"], (0.3, 1.0, 0.02, 2)),
        (["-100", "2300"], (-100.0, 2300.0, 100.0, 0)),
        (["12", "12.5"], (12.0, 12.5, 0.02, 2)),
    ],
)
def test_scale_holds_all_values_in_round_steps(values, expected):
    assert scale(values, num_steps=20) == pytest.approx(expected)


def test_num_repeated_counts_rows_of_texts_in_two_splits(tmp_path):
    made = task(table(tmp_path, [f"text {n // 20},{n % 2}" for n in range(40)]))
    assert made.num_repeated() == 40
    assert task(table(tmp_path, [f"text {n},{n % 2}" for n in range(40)])).num_repeated() == 0
    by_text = task(table(tmp_path, [f"text {n // 2},{n % 2}" for n in range(40)]), group="text")
    assert (by_text.num_repeated(), by_text.splits()) == (0, {"train": 24, "dev": 8, "test": 8})


def test_ordered_goes_by_numbers_else_by_the_alphabet():
    assert ordered(["10", "9", "-1"]) == ("-1", "9", "10")
    assert ordered(["b", "A", "10"]) == ("10", "A", "b")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("My Rows (2).csv", "my_rows_2"),
        ("2024.csv", "table_2024"),
        ("meld.csv", "meld_table"),
        ("ü.csv", "table"),
        ("True.csv", "true_table"),
        ("nan.csv", "nan_table"),
        ("train.csv", "train_table"),
    ],
)
def test_task_name_is_the_files_unless_it_is_taken(file, name):
    assert task_name(Path(file), taken=["meld"]) == name
    assert task_name(Path(file), taken=["meld", name]) != name


def test_no_task_is_called_as_what_modules_have():
    assert {name for name in dir(nn.ModuleDict()) if re.fullmatch("[a-z]+[0-9]*", name)} <= {*OF_MODULES}
