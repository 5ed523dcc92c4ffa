"""Rows as a corpus: ids, groups, splits, and rows left out."""

import pytest

from dfwe.data.readers.delimited import Delimited
from dfwe.data.readers.table import Table
from dfwe.errors import ConfigurationError, DataError


def csv(name):
    return Delimited(path=name, delimiter=",", quoting=True, columns=None, encoding="utf-8", rename={})


def table(root, names, **settings):
    defaults = {"holdout_fractions": {}, "seed": 0, "id": None, "group": None, "exclude": {}}
    return Table(root=root, files={split: csv(name) for split, name in names.items()}, **(defaults | settings))


@pytest.fixture
def one(tmp_path):
    """One file of 20 rows in 10 groups, the rows of a group not together."""
    rows = [f"n{number},house{number % 10},It is {number}.,{'ok' if number % 5 else '?'}" for number in range(20)]
    (tmp_path / "all.csv").write_text("\n".join(["name,house,text,mark", *rows]) + "\n")
    return tmp_path


@pytest.fixture
def three(tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.csv").write_text(f"name,text\n{split}1,A cup.\n{split}2,A lid.\n")
    return tmp_path


FILES = {"train": "train.csv", "dev": "dev.csv", "test": "test.csv"}
CUT = {"dev": 0.2, "test": 0.3}


def test_a_file_for_each_split(three):
    corpus = table(three, FILES).read()
    assert corpus.splits == {split: (f"{split}-2", f"{split}-3") for split in FILES}
    (row,) = corpus.dialogues["dev-3"]["rows"]
    assert row == {
        "id": "dev-3",
        "path": str(three / "dev.csv"),
        "line": 3,
        "cells": {"name": "dev2", "text": "A lid."},
    }


def test_a_column_can_be_the_id(three):
    assert table(three, FILES, id="name").read().splits["dev"] == ("dev1", "dev2")


def test_files_of_one_name_get_ids_with_the_split(three):
    (three / "a").mkdir()
    (three / "dev.csv").rename(three / "a" / "train.csv")
    corpus = table(three, FILES | {"dev": "a/train.csv"}).read()
    assert (corpus.splits["dev"][0], corpus.splits["test"][0]) == ("dev-train-2", "test-2")


def test_one_file_is_cut_by_shares_in_its_order(one):
    splits = table(one, {"train": "all.csv"}, holdout_fractions=CUT).read().splits
    assert {split: len(ids) for split, ids in splits.items()} == {"train": 10, "dev": 4, "test": 6}
    assert len(set(sum(splits.values(), ()))) == 20
    lines = [int(row_id.removeprefix("all-")) for row_id in splits["train"]]
    assert lines == sorted(lines)


def test_table_holdout_depends_on_the_seed_only(one):
    first, again, other = (
        table(one, {"train": "all.csv"}, holdout_fractions=CUT, seed=seed).read().splits for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_groups_are_never_cut(one):
    corpus = table(one, {"train": "all.csv"}, holdout_fractions=CUT, group="house").read()
    assert {split: len(ids) for split, ids in corpus.splits.items()} == {"train": 5, "dev": 2, "test": 3}
    assert [row["id"] for row in corpus.dialogues["house3"]["rows"]] == ["all-5", "all-15"]


def test_dev_alone_is_cut_off_train(three):
    corpus = table(three, {"train": "train.csv", "test": "test.csv"}, holdout_fractions={"dev": 0.5}).read()
    assert len(corpus.splits["train"]) == len(corpus.splits["dev"]) == 1
    assert corpus.splits["test"] == ("test-2", "test-3")


def test_rows_are_left_out_on_purpose_and_counted_apart(one):
    corpus = table(one, {"train": "all.csv"}, holdout_fractions=CUT, exclude={"mark": ["?"]}).read()
    assert len(corpus.dialogues) == 16
    assert corpus.num_excluded == {"mark is '?'": 4}
    assert corpus.row_reports[str(one / "all.csv")].invalid == ()


def test_table_repeated_or_empty_id_is_invalid(three):
    (three / "dev.csv").write_text("name,text\ntrain1,A jug.\ndev1,A pot.\ndev1,A pan.\n,A mug.\n")
    corpus = table(three, FILES, id="name").read()
    assert corpus.splits["dev"] == ("dev1",)
    bad = corpus.row_reports[str(three / "dev.csv")].invalid
    assert [(row.line, row.reason.split(str(three))[0]) for row in bad] == [
        (2, "its id 'train1' is that of "),
        (4, "its id 'dev1' is that of "),
        (5, "its id ('name') is empty"),
    ]


def test_a_group_in_two_files_is_an_error(three):
    (three / "dev.csv").write_text("name,text\ntrain1,A jug.\n")
    with pytest.raises(DataError, match=r"group 'train1' stands in .*train.csv and in .*dev.csv"):
        table(three, FILES, group="name").read()


def test_one_file_for_two_splits_is_an_error(three):
    with pytest.raises(DataError, match="two splits have the same rows"):
        table(three, FILES | {"dev": "./train.csv"}).read()


def test_table_digest_ignores_location(three, tmp_path):
    first = table(three, FILES).read().digest
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in FILES.values():
        (three / name).rename(moved / name)
    assert table(moved, FILES).read().digest == first
    (moved / "dev.csv").write_text("name,text\ndev1,A cup.\ndev2,A pan.\n")
    assert table(moved, FILES).read().digest != first


@pytest.mark.parametrize("column", ["id", "group"])
def test_a_missing_column_is_said_with_those_there_are(three, column):
    with pytest.raises(DataError, match=r"train\.csv has no column 'nom': it has 'name', 'text'"):
        table(three, FILES, **{column: "nom"}).read()


def test_table_empty_holdout_raises(three):
    with pytest.raises(DataError, match=r"holding out 0\.1 of 2 rows leaves none for dev"):
        table(three, {"train": "train.csv", "test": "test.csv"}, holdout_fractions={"dev": 0.1}).read()


@pytest.mark.parametrize(
    ("files", "cut", "message"),
    [
        ({"dev": "dev.csv"}, {"test": 0.1}, "each split needs a file or"),
        ({"train": "train.csv"}, {"dev": 0.1}, "each split needs a file or"),
        (FILES, {"dev": 0.1}, "each split needs a file or"),
        (FILES | {"valid": "x.csv"}, {}, "each split needs a file or"),
        ({"train": "train.csv"}, {"dev": 0.5, "test": 0.5}, "must leave some rows for train"),
    ],
)
def test_table_inconsistent_splits_raise(three, files, cut, message):
    with pytest.raises(ConfigurationError, match=message):
        table(three, files, holdout_fractions=cut)


def test_table_max_examples_limits_groups(one):
    whole = table(one, {"train": "all.csv"}, holdout_fractions=CUT).read().splits
    capped = table(one, {"train": "all.csv"}, holdout_fractions=CUT, max_examples={"test": 2, "dev": 100}).read().splits
    assert [capped[split] for split in ("train", "dev")] == [whole[split] for split in ("train", "dev")]
    assert len(capped["test"]) == 2
    assert capped["test"] == tuple(name for name in whole["test"] if name in capped["test"])


def test_stratify_gives_each_split_its_share(tmp_path):
    rows = [f"It is {number}.,{'rare' if number < 5 else 'usual'}" for number in range(50)]
    (tmp_path / "all.csv").write_text("\n".join(["text,mark", *rows]) + "\n")
    corpus = table(tmp_path, {"train": "all.csv"}, holdout_fractions={"dev": 0.2, "test": 0.2}, stratify="mark").read()
    marks = {
        split: [corpus.dialogues[i]["rows"][0]["cells"]["mark"] for i in ids] for split, ids in corpus.splits.items()
    }
    assert {split: (len(cells), cells.count("rare")) for split, cells in marks.items()} == {
        "train": (30, 3),
        "dev": (10, 1),
        "test": (10, 1),
    }


def test_stratify_cuts_no_group_and_needs_its_column(one):
    settings = {"holdout_fractions": CUT, "group": "house"}
    corpus = table(one, {"train": "all.csv"}, stratify="mark", **settings).read()
    assert {len(group["rows"]) for group in corpus.dialogues.values()} == {2}
    assert {split: len(ids) for split, ids in corpus.splits.items()} == {"train": 5, "dev": 2, "test": 3}
    with pytest.raises(DataError, match=r"all\.csv has no column 'marks'"):
        table(one, {"train": "all.csv"}, stratify="marks", **settings).read()


def test_stratify_leaves_an_empty_split_to_nobody(tmp_path):
    (tmp_path / "all.csv").write_text("text,mark\na,x\nb,x\n")
    with pytest.raises(DataError, match=r"holding out 0\.2 of 2 rows leaves none for test"):
        table(tmp_path, {"train": "all.csv"}, holdout_fractions={"dev": 0.2, "test": 0.2}, stratify="mark").read()
