"""The store: named by digest, whole or not at all, never used when damaged."""

import json
import logging

import pytest

from dfwe.errors import StoreError
from dfwe.store.card import CARD, Card, spec_digest
from dfwe.store.store import Store, verify

SPEC = {"seed": 0, "tasks": ["a"]}


def make(store: Store, *, text: str = "weights") -> None:
    folder = store.partial("train", spec=SPEC)
    (folder / "weights.txt").write_text(text)
    (folder / "scratch.txt").write_text("not kept")
    store.commit("train", spec=SPEC, result={"score": 0.5}, keep=("weights.txt",))


def test_a_result_is_found_by_its_spec_and_holds_only_what_was_kept(tmp_path):
    store = Store(tmp_path)
    assert store.find("train", spec=SPEC) is None
    make(store)
    entry = store.find("train", spec=SPEC)
    assert entry is not None
    assert entry.card.result == {"score": 0.5}
    assert sorted(path.name for path in entry.folder.iterdir()) == [CARD, "weights.txt"]


def test_the_name_does_not_depend_on_the_order_of_keys():
    assert spec_digest("train", {"a": 1, "b": 2}) == spec_digest("train", {"b": 2, "a": 1})


def test_any_change_of_the_spec_or_kind_changes_the_name():
    names = {spec_digest(*each) for each in (("a", SPEC), ("b", SPEC), ("a", SPEC | {"seed": 1}))}
    assert len(names) == 3


@pytest.mark.parametrize("damage", ["truncated", "changed", "missing", "no card", "another score", "another name"])
def test_a_damaged_result_is_set_aside_and_never_used(tmp_path, caplog, damage):
    store = Store(tmp_path)
    make(store)
    folder = store.folder("train", spec=SPEC)
    weights = folder / "weights.txt"
    {
        "truncated": lambda: weights.write_text("wei"),
        "changed": lambda: weights.write_text("weighty"),
        "missing": weights.unlink,
        "no card": (folder / CARD).unlink,
        "another score": lambda: (folder / CARD).write_text((folder / CARD).read_text().replace("0.5", "0.6")),
        "another name": lambda: (folder / CARD).write_text((folder / CARD).read_text().replace("train", "merge")),
    }[damage]()
    with caplog.at_level(logging.WARNING):
        assert store.find("train", spec=SPEC) is None
    assert "set aside" in caplog.text
    assert folder.with_name(folder.name + ".corrupt").exists()
    make(store)
    assert store.find("train", spec=SPEC) is not None


def test_verify_names_the_file_that_changed(tmp_path):
    store = Store(tmp_path)
    make(store)
    folder = store.folder("train", spec=SPEC)
    (folder / "weights.txt").write_text("weighty")
    with pytest.raises(StoreError, match=r"weights\.txt is not what was stored"):
        verify(folder)


def test_a_result_of_other_versions_is_used_with_a_warning(tmp_path, caplog):
    store = Store(tmp_path)
    make(store)
    path = store.folder("train", spec=SPEC) / CARD
    card = json.loads(path.read_text())
    card["versions"]["torch"] = "1.0"
    card["sha256"] = ""  # as on cards from before they had one
    path.write_text(json.dumps(card))
    with caplog.at_level(logging.WARNING):
        assert store.find("train", spec=SPEC) is not None
    assert "torch 1.0" in caplog.text


def test_what_a_killed_run_left_is_still_there(tmp_path):
    store = Store(tmp_path)
    (store.partial("train", spec=SPEC) / "last.ckpt").write_text("epoch 1")
    assert (store.partial("train", spec=SPEC) / "last.ckpt").read_text() == "epoch 1"
    assert store.find("train", spec=SPEC) is None


def test_a_file_that_the_card_does_not_list_is_refused(tmp_path):
    store = Store(tmp_path)
    make(store)
    entry = store.find("train", spec=SPEC)
    assert entry is not None
    with pytest.raises(StoreError, match="has no file 'other'"):
        entry.file("other")


@pytest.mark.parametrize("name", ["../elsewhere.txt", "/elsewhere.txt"])
def test_a_card_that_names_a_file_elsewhere_is_refused(name, tmp_path):
    folder = tmp_path / "train-abc"
    folder.mkdir()
    Card("train", "abc", {}, {}, {name: {"sha256": "", "bytes": 0}}, {}).write(folder)
    with pytest.raises(StoreError, match="outside its folder"):
        verify(folder)
