import json
from pathlib import Path

import pytest

from dfwe.data.few_shot import Shots
from dfwe.data.readers.tlidb import Tlidb
from dfwe.errors import DataError

FRIENDS = Path(__file__).resolve().parents[4] / "shared" / "data" / "friends" / "tlidb_small"
FEW_TRAIN, FEW_DEV = "0.1_percent_few_shot_train", "0.1_percent_few_shot_dev"


def test_tlidb_keeps_order_of_file_and_lists(write, data):
    corpus = Tlidb(write(data)).read()
    assert list(corpus.dialogues) == ["d3", "d1", "d2"]
    assert corpus.splits == {"train": ("d1", "d3"), "dev": ("d2",), "test": ()}
    assert corpus.dialogues["d2"] == data["data"][2]


def test_tlidb_reads_few_shot_lists(write, data):
    corpus = Tlidb(write(data, **{FEW_TRAIN: ["d3"], FEW_DEV: []})).read()
    assert corpus.splits == {"train": ("d1", "d3"), "dev": ("d2",), "test": ()}
    assert corpus.few_shot == {"0.1": {"train": ("d3",), "dev": ()}}


def test_without_few_shot_lists_there_are_none(write, data):
    assert Tlidb(write(data)).read().few_shot == {}


def test_the_digest_changes_with_any_file(write, data):
    first = Tlidb(write(data)).read().digest
    assert Tlidb(write(data)).read().digest == first
    assert Tlidb(write(data, **{FEW_TRAIN: ["d3"], FEW_DEV: []})).read().digest != first
    assert Tlidb(write(data, train=["d3"])).read().digest != first
    data["data"][0]["dialogue"][0]["utterance"] = "The kettle is hot."
    assert Tlidb(write(data)).read().digest != first


def test_tlidb_folder_without_files_raises(tmp_path):
    message = f"TLiDB_Friends.json is missing: data.root must be the folder that holds TLiDB_Friends.*'{tmp_path}'"
    with pytest.raises(DataError, match=message):
        Tlidb(tmp_path).read()


@pytest.mark.parametrize("name", ["TTiDB_train_ids.txt", "TTiDB_dev_ids.txt", "TTiDB_test_ids.txt"])
def test_a_missing_list_is_named(write, data, name):
    root = write(data)
    (root / "TLiDB_Friends" / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing"):
        Tlidb(root).read()


def test_one_few_shot_list_without_the_other_is_an_error(write, data):
    with pytest.raises(DataError, match=f"TTiDB_{FEW_DEV}_ids.txt is missing"):
        Tlidb(write(data, **{FEW_TRAIN: ["d3"]})).read()


def test_broken_json_is_an_error_with_file_and_line(write):
    with pytest.raises(DataError, match=r"TLiDB_Friends.json, line 2, column 9: broken JSON"):
        Tlidb(write('{"data":\n        ]}')).read()


@pytest.mark.parametrize("content", ["[]", "{}", '{"data": {}}'])
def test_json_of_another_form_is_an_error(write, content):
    with pytest.raises(DataError, match="must hold an object whose 'data' is a list"):
        Tlidb(write(content)).read()


def test_a_dialogue_id_that_occurs_twice_is_an_error(write, data):
    data["data"].append(data["data"][0])
    with pytest.raises(DataError, match="holds dialogue 'd3' twice"):
        Tlidb(write(data)).read()


def test_a_list_with_an_unknown_dialogue_is_an_error(write, data):
    with pytest.raises(DataError, match=r"TTiDB_dev_ids.txt lists dialogue 'd9', which TLiDB_Friends.json does not"):
        Tlidb(write(data, dev=["d2", "d9"])).read()


def test_a_list_with_a_dialogue_twice_is_an_error(write, data):
    with pytest.raises(DataError, match=r"TTiDB_train_ids.txt lists dialogue 'd1' twice"):
        Tlidb(write(data, train=["d1", "d1"])).read()


def test_a_dialogue_in_two_splits_is_an_error(write, data):
    with pytest.raises(DataError, match=r"TTiDB_test_ids.txt lists dialogue 'd2', which TTiDB_dev_ids.txt lists"):
        Tlidb(write(data, test=["d2"])).read()


def test_few_shot_lists_are_parts_of_their_split(write, data):
    with pytest.raises(DataError, match=f"{FEW_DEV}_ids.txt lists dialogue 'd3', which TTiDB_dev_ids.txt does not"):
        Tlidb(write(data, **{FEW_TRAIN: ["d1"], FEW_DEV: ["d3"]})).read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda dialogue: dialogue.pop("dialogue_id"),
            "dialogue number 1: a dialogue must be an object with 'dialogue_id'",
        ),
        (lambda dialogue: dialogue.pop("dialogue"), "dialogue 'd3' has no list of turns"),
        (
            lambda dialogue: dialogue["dialogue"][1].pop("speakers"),
            "turn 1 of dialogue 'd3' needs 'speakers'",
        ),
        (lambda dialogue: dialogue["dialogue"][2].update(utterance=3), "turn 2 of dialogue 'd3' needs"),
    ],
)
def test_a_dialogue_without_its_parts_is_an_error(write, data, change, message):
    change(data["data"][0])
    with pytest.raises(DataError, match=message):
        Tlidb(write(data)).read()


def test_text_that_is_not_utf8_is_an_error(write, data):
    root = write(data)
    content = json.dumps(data, ensure_ascii=False).replace("kettle", "kéttle").encode("latin-1")
    (root / "TLiDB_Friends" / "TLiDB_Friends.json").write_bytes(content)
    with pytest.raises(DataError, match="must be UTF-8 text"):
        Tlidb(root).read()


@pytest.mark.skipif(not FRIENDS.is_dir(), reason="needs the data in ../shared/data/friends/tlidb_small")
def test_the_rule_draws_the_few_shot_lists_of_the_real_data(tmp_path):
    folder = tmp_path / "TLiDB_Friends"
    folder.mkdir()
    for path in (FRIENDS / "TLiDB_Friends").iterdir():
        if "few_shot" not in path.name:
            (folder / path.name).symlink_to(path)
    tenth = Shots(0.1, seed=2530)
    without, listed = Tlidb(tmp_path).read(), Tlidb(FRIENDS).read()
    drawn = {split: tenth.ids(without, split=split) for split in ("train", "dev", "test")}
    assert drawn == {split: tenth.ids(listed, split=split) for split in drawn}
    assert {split: len(ids) for split, ids in drawn.items()} == {"train": 5, "dev": 1, "test": 10}
