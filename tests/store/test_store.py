"""The store: named by digest, whole or not at all, never used when damaged."""

import errno
import hashlib
import json
import logging
import os
from dataclasses import replace

import pytest

from dfwe.errors import DfweError, OutputError, StoreError
from dfwe.io.files import replacing
from dfwe.store.card import CARD, FORMAT, Card, NewerFormatError, UnreadableError, spec_digest
from dfwe.store.store import Store, full_disk_errors, verify

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


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002], ids=oct)
def test_others_may_read_a_result_as_the_umask_says(tmp_path, mask):
    before = os.umask(mask)
    try:
        folder = Store(tmp_path).partial("train", spec={"a": 1})
        (folder / "weights").write_text("some libraries write private files")
        (folder / "weights").chmod(0o600)
        entry = Store(tmp_path).commit("train", spec={"a": 1}, result={}, keep=("weights",))
    finally:
        os.umask(before)
    assert entry.file("weights").stat().st_mode & 0o777 == 0o666 & ~mask
    assert entry.folder.stat().st_mode & 0o777 == 0o777 & ~mask


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


@pytest.mark.parametrize("reader", ["pathlib.Path.read_bytes", "dfwe.store.store.file_digest"], ids=["card", "file"])
def test_a_result_that_cannot_be_read_now_is_left_as_it_is(tmp_path, monkeypatch, reader):
    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    make(Store(tmp_path))
    monkeypatch.setattr(reader, refused)
    with pytest.raises(UnreadableError, match="cannot be read: Permission denied"):
        Store(tmp_path).find("train", spec=SPEC)
    monkeypatch.undo()
    assert Store(tmp_path).find("train", spec=SPEC) is not None


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
    folder = store.folder("train", spec=SPEC)
    card = Card.read(folder)
    replace(card, versions={**card.versions, "torch": "1.0"}).write(folder)
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


def rewritten(path, **more):
    """The card with other content, and the digest that it then has."""
    content = json.loads(path.read_text()) | more
    plain = {key: value for key, value in content.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content | {"sha256": digest}))


def test_a_card_with_fields_of_a_newer_version_is_used(tmp_path, caplog):
    store = Store(tmp_path)
    make(store)
    path = store.folder("train", spec=SPEC) / CARD
    files = json.loads(path.read_text())["files"]
    rewritten(path, licence="MIT", files={name: file | {"mtime": 1} for name, file in files.items()})
    with caplog.at_level(logging.WARNING):
        assert Store(tmp_path).find("train", spec=SPEC).card.result == {"score": 0.5}
    assert caplog.text == ""


def test_a_newer_format_is_never_called_damage(tmp_path):
    store = Store(tmp_path)
    make(store)
    folder = store.folder("train", spec=SPEC)
    rewritten(folder / CARD, format=FORMAT + 1)
    before = (folder / CARD).read_bytes()
    for act in (lambda: store.find("train", spec=SPEC), lambda: make_again(store)):
        with pytest.raises(NewerFormatError, match=r"newer version of dfwe \(format \d+, this one reads up to \d+\)"):
            act()
    assert (folder / CARD).read_bytes() == before
    assert [path.name for path in tmp_path.glob("train-*")] == [folder.name]


def make_again(store):
    store.get_or_make("train", spec=SPEC, make=lambda folder: pytest.fail("made"))


def test_a_link_to_a_result_is_used_and_one_to_nowhere_is_one_line(tmp_path):
    store = Store(tmp_path / "store")
    make(store)
    folder = store.folder("train", spec=SPEC)
    folder.rename(tmp_path / "large disk")
    folder.symlink_to(tmp_path / "large disk")
    with pytest.raises(StoreError, match="is not what was stored"):  # its folder has another name
        verify(tmp_path / "large disk")
    assert Store(tmp_path / "store").find("train", spec=SPEC) is not None
    (tmp_path / "large disk").rename(tmp_path / "gone")
    with pytest.raises(StoreError, match="is a link that leads nowhere"):
        Store(tmp_path / "store").find("train", spec=SPEC)


def test_a_store_that_is_a_file_is_one_line_for_a_study(tmp_path):
    (tmp_path / "store").touch()
    with pytest.raises(OutputError, match="a file where a folder is wanted|is a file, not a folder"):
        make_again(Store(tmp_path / "store"))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_store_that_may_not_be_written_is_one_line(tmp_path, number):
    def refuse(folder):
        raise OSError(number, os.strerror(number), str(folder / "weights"))

    with pytest.raises(OutputError, match="cannot be written: .*name another place"):
        Store(tmp_path).get_or_make("train", spec=SPEC, make=refuse)


def test_a_full_disk_elsewhere_is_not_taken_for_the_stores(tmp_path):
    (tmp_path / "store").mkdir()
    for place, words in (("run", "make room there, or name"), ("store", "dfwe store prune --store")):
        (tmp_path / place).mkdir(exist_ok=True)
        with pytest.raises(DfweError, match=f"^the disk is full at .*{place}/a: .*{words}"):  # noqa: SIM117
            with full_disk_errors(tmp_path / "store"), replacing(tmp_path / place / "a"):
                raise OSError(errno.ENOSPC, "No space left on device")


def test_a_card_that_names_a_file_that_cannot_be_is_an_error(tmp_path):
    folder = tmp_path / "train-0123456789abcdef"
    folder.mkdir()
    files = {"a" * 3000: {"sha256": "0", "bytes": 1}}
    Card("train", "0123456789abcdef", {}, {}, files, {}).write(folder)
    with pytest.raises(StoreError, match="cannot be read: File name too long"):
        verify(folder)
