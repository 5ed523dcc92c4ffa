"""Data sets by name: a folder that `datasets` wrote, and no network."""

import datasets
import pytest

from dfwe.data.readers.hub import HubSplit
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
