"""Data sets by name: a folder that `datasets` wrote, and no network."""

import math
from datetime import datetime

import datasets
import pytest

from dfwe.data.prompts.answers import single
from dfwe.data.readers.base import RowError
from dfwe.data.readers.hub import HubSplit
from dfwe.data.readers.table import Table
from dfwe.errors import DataError


def source(name, **settings):
    defaults = {"configuration": None, "split": "train", "revision": None, "rename": {}}
    return HubSplit(name=name, **(defaults | settings))


@pytest.fixture
def saved(tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["A cup.", "A lid."], "label": [1, 0]})
    datasets.DatasetDict({"train": rows, "extra": rows.select([1])}).save_to_disk(str(tmp_path / "moods"))
    rows.save_to_disk(str(tmp_path / "alone"))
    return tmp_path


def test_a_saved_folder_is_read_by_split(saved):
    sheet = source("moods", rename={"label": "mood"}).sheet(saved)
    assert sheet.columns == ("text", "mood")
    assert [(row.line, row.cells) for row in sheet.rows] == [
        (1, {"text": "A cup.", "mood": "1"}),
        (2, {"text": "A lid.", "mood": "0"}),
    ]
    assert len(source("moods", split="extra").sheet(saved).rows) == 1


def test_a_folder_of_one_split_is_that_split(saved):
    assert len(source("alone").sheet(saved).rows) == 2
    datasets.Dataset.from_dict({"text": ["A cup."]}, split="train").save_to_disk(str(saved / "named"))
    assert source("named").sheet(saved).origin == "named (train)"
    with pytest.raises(DataError, match="named holds the split 'train' alone, not 'dev'"):
        source("named", split="dev").sheet(saved)


def test_values_that_are_not_json_become_cells(tmp_path):
    row = {"text": "A cup.", "at": datetime(2026, 1, 2, 3), "score": math.nan, "image": b"\xff", "box": [b"\xff"]}
    datasets.Dataset.from_list([row]).save_to_disk(str(tmp_path / "all"))
    cells = source("all").sheet(tmp_path).rows[0].cells
    assert cells == {"text": "A cup.", "at": "2026-01-02T03:00:00", "score": "", "image": (), "box": ()}
    with pytest.raises(RowError, match="column 'image' holds no text"):
        single(cells, column="image")


def test_a_folder_of_one_data_set_is_not_two_splits(saved):
    settings = {"holdout_fractions": {"test": 0.5}, "seed": 0, "id": None, "group": None, "exclude": {}}

    def corpus(name, dev):
        return Table(root=saved, files={"train": source(name), "dev": source(name, split=dev)}, **settings).read()

    assert len(corpus("moods", "extra").splits["dev"]) == 1
    with pytest.raises(DataError, match="two splits have the same rows .'train: alone', 'dev: alone'"):
        corpus("alone", "dev")


def test_a_split_that_is_not_there_is_an_error(saved):
    with pytest.raises(DataError, match="'moods', split 'dev', cannot be loaded"):
        source("moods", split="dev").sheet(saved)


def test_without_a_network_it_says_what_to_do(tmp_path, monkeypatch):
    def offline(*arguments, **names):
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    message = (
        "cannot be loaded .ConnectionError.*Without a network, load it elsewhere, write it with save_to_disk.*moods"
    )
    with pytest.raises(DataError, match=message):
        source("moods").sheet(tmp_path)
