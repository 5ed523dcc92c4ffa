"""What several processes ask for at once is made once; a lock ends with its holder, however that ended."""

import logging
import multiprocessing
import os
import pickle
import signal
import time

import pytest

from dfwe.errors import StoreError
from dfwe.store.card import CARD
from dfwe.store.store import Store

SPEC = {"seed": 0}
processes = multiprocessing.get_context("spawn")


def made(store, *, seconds=0.0, diary=None):
    def make(folder):
        if diary:
            with diary.open("a") as file:
                file.write(f"{os.getpid()}\n")
        (folder / "part.txt").write_text("begun")
        time.sleep(seconds)
        (folder / "weights.txt").write_text("weights")
        return {"score": 0.5}, ("weights.txt",)

    return store.get_or_make("train", spec=SPEC, make=make, title="train expert a")


def ask(root, diary, seconds):
    made(Store(root), seconds=seconds, diary=diary)


def started(tmp_path, *, num, seconds):
    arguments = (tmp_path / "store", tmp_path / "diary", seconds)
    found = [processes.Process(target=ask, args=arguments) for _ in range(num)]
    for each in found:
        each.start()
    return found


def wait_for(path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def test_four_processes_that_need_the_same_result_make_it_once(tmp_path):
    for each in (asking := started(tmp_path, num=4, seconds=0.5)):
        each.join(timeout=120)
    assert [each.exitcode for each in asking] == [0, 0, 0, 0]
    assert len((tmp_path / "diary").read_text().splitlines()) == 1


def test_who_waits_for_another_process_says_so_once_and_finds_the_result(tmp_path, caplog):
    (maker,) = started(tmp_path, num=1, seconds=1.0)
    wait_for(tmp_path / "diary")
    with caplog.at_level(logging.INFO):
        entry = made(Store(tmp_path / "store"), diary=tmp_path / "diary")
    maker.join(timeout=60)
    assert caplog.text.count("train expert a is in another process's hands: waiting for it") == 1
    assert entry.card.result == {"score": 0.5}
    assert len((tmp_path / "diary").read_text().splitlines()) == 1


def test_the_lock_of_a_killed_process_is_free_and_its_working_folder_still_there(tmp_path):
    (maker,) = started(tmp_path, num=1, seconds=600.0)
    partial = Store(tmp_path / "store").folder("train", spec=SPEC).with_suffix(".partial")
    wait_for(partial / "part.txt")
    os.kill(maker.pid, signal.SIGKILL)
    maker.join(timeout=60)
    assert made(Store(tmp_path / "store")).file("weights.txt").read_text() == "weights"
    assert not partial.exists()


def test_a_result_that_lacked_only_its_name_is_not_made_again(tmp_path):
    store = Store(tmp_path)
    folder = made(store).folder
    folder.rename(partial := folder.with_name(folder.name + ".partial"))
    (partial / "last.ckpt").write_text("scratch")
    found = made(store, diary=tmp_path / "diary")
    assert not (tmp_path / "diary").exists()
    assert sorted(path.name for path in found.folder.iterdir()) == [CARD, "weights.txt"]


def test_a_result_that_lacked_only_its_name_and_is_damaged_is_made_again(tmp_path, caplog):
    store = Store(tmp_path)
    folder = made(store).folder
    folder.rename(partial := folder.with_name(folder.name + ".partial"))
    (partial / "weights.txt").write_text("weighty")
    assert made(store).file("weights.txt").read_text() == "weights"
    assert "it is made again" in caplog.text


def test_a_full_disk_is_one_clear_line_and_the_same_call_goes_on(tmp_path):
    def full(folder):
        raise OSError(28, "No space left on device", str(folder / "weights.txt"))

    store = Store(tmp_path)
    with pytest.raises(StoreError, match=r"the disk is full at .*weights\.txt: make room, .*prune --store .*goes on"):
        store.get_or_make("train", spec=SPEC, make=full)
    assert made(store).card.result == {"score": 0.5}


def test_a_pickled_store_makes_and_finds_as_the_one_that_it_was(tmp_path):
    store = Store(tmp_path)
    made(store)
    again = pickle.loads(pickle.dumps(store))
    assert made(again, diary=tmp_path / "diary").card.result == {"score": 0.5}
    assert not (tmp_path / "diary").exists()


def test_a_store_that_one_may_only_read_is_read(tmp_path, monkeypatch):
    made(Store(tmp_path))

    def refused(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dfwe.store.locks.held_lock", refused)
    assert Store(tmp_path).find("train", spec=SPEC) is not None
