"""A run's folder is its own: nobody else's results are replaced, nothing empty stays."""

import errno
import json
import logging
import multiprocessing
import os
from pathlib import Path

import pytest
from hydra.core.utils import setup_globals
from omegaconf import OmegaConf

from dfwe.errors import ConfigurationError, OutputError
from dfwe.results.run_folder import (
    OccupiedError,
    RunLog,
    check_same_study,
    create_run_folder,
    forget_failure,
    lock_run_folder,
    note_failure,
    remove_if_empty,
)
from dfwe.run import Jobs
from dfwe.sweeps.folder_callback import FolderCallback

COMMAND = "python -m dfwe.run +target=meld 'sources=[a, b]' seed=0 paths.store=/somewhere"
SAME = ["seed=0", "+target=meld", "sources=[a, b]", "paths.store=/elsewhere", "executor=ray", "report=false"]


def results(folder, **content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(content))


def config(folder, *overrides, raw=None, **more):
    name = raw or str(folder)
    hydra = {"run": {"dir": name}, "sweep": {"dir": name}, "overrides": {"task": list(overrides), "hydra": []}}
    made = OmegaConf.create({"plan_only": False, "hydra": hydra, **more})
    OmegaConf.set_readonly(made.hydra, True)
    return made


def begun(config):
    callback = FolderCallback()
    callback.on_run_start(config)
    return callback, config.hydra.run.dir


def test_the_same_command_in_another_order_may_go_on(tmp_path):
    results(tmp_path, command=COMMAND)
    check_same_study(tmp_path, SAME)
    check_same_study(tmp_path / "new", SAME)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["+target=meld", "sources=[a, b]", "seed=1"],
            r"another study \(seed=0 there, seed=1 here\): set ",
        ),
        ([*SAME, "merge=ties"], r"\(nothing more there, merge=ties here\)"),
        ([f"x{n}=1" for n in range(9)], "x0=1, x1=1, x2=1, 6 more here"),
    ],
)
def test_results_of_another_study_are_not_replaced(tmp_path, overrides, message):
    results(tmp_path, command=COMMAND)
    with pytest.raises(ConfigurationError, match=message):
        check_same_study(tmp_path, overrides)


@pytest.mark.parametrize("content", ["{}", "[1]", "{", '{"command": 3}', "[" * 10_000])
def test_a_results_file_that_is_not_ours_is_not_replaced(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"results\.json"):
        check_same_study(tmp_path, SAME)


def test_a_pipe_or_a_dangling_link_in_its_place_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "results.json")
    with pytest.raises(ConfigurationError, match="must be a file"):
        check_same_study(tmp_path, SAME)
    (tmp_path / "results.json").unlink()
    (tmp_path / "results.json").symlink_to("nowhere")
    with pytest.raises(ConfigurationError, match="is missing"):
        check_same_study(tmp_path, SAME)


def test_runs_of_one_second_have_folders_of_their_own(tmp_path):
    setup_globals()
    configs = [config(tmp_path, raw=f"{tmp_path}/${{now:%Y}}_x") for _ in range(3)]
    folders = [begun(each)[1] for each in configs]
    assert len({folder.rsplit("/", 1)[1] for folder in folders}) == 3
    assert folders[2] == f"{folders[0]}_3"
    assert all(os.path.isdir(folder) for folder in folders)  # noqa: PTH112


def test_a_named_folder_is_used_as_it_is(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    callback, folder = begun(config(tmp_path / "mine"))
    assert folder == str(tmp_path / "mine")
    callback.on_run_end(config(tmp_path / "mine"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_the_command_ends_with_2_before_another_studys_folder_is_touched(tmp_path, capsys):
    results(tmp_path / "mine", command=COMMAND)
    with pytest.raises(SystemExit, match="2"):
        begun(config(tmp_path / "mine", "seed=5"))
    assert capsys.readouterr().err.startswith("error: ")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["results.json"]


def test_a_plan_leaves_no_folder(tmp_path):
    plan = config(tmp_path / "mine", plan_only=True)
    results(tmp_path / "mine", command=COMMAND)
    callback, folder = begun(plan)
    assert not folder.startswith(str(tmp_path))
    callback.on_run_end(plan)
    assert not os.path.exists(folder)  # noqa: PTH110
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["results.json"]


def test_a_run_that_failed_at_once_leaves_no_folder(tmp_path):
    folder = create_run_folder(tmp_path / "2026-01-01" / "run", is_new=True)
    (folder / ".hydra").mkdir()
    (folder / "run.log").touch()
    note_failure(folder, "error: no")
    remove_if_empty(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["results.json", "run.log", "notes.txt"])
def test_a_run_that_left_something_keeps_its_folder(tmp_path, name):
    folder = create_run_folder(tmp_path / "day" / "run", is_new=True)
    (folder / name).write_text("WARNING: that was all")
    remove_if_empty(folder)
    assert (folder / name).exists()


def hold(folder, held, done):
    with lock_run_folder(folder):
        held.set()
        done.wait(60)


def test_a_folder_has_one_writer_at_a_time(tmp_path):
    spawn = multiprocessing.get_context("fork")
    held, done = spawn.Event(), spawn.Event()
    process = spawn.Process(target=hold, args=(tmp_path, held, done))
    process.start()
    assert held.wait(60)
    with pytest.raises(ConfigurationError, match="another process is writing into"), lock_run_folder(tmp_path):
        pytest.fail("two at once")
    done.set()
    process.join()
    with lock_run_folder(tmp_path):
        pass


def test_a_folder_without_room_is_one_line_before_anything_runs(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="^the disk is full at .*/run: make room"):
        create_run_folder(tmp_path / "run", is_new=True)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    for is_new in (False, True):
        with pytest.raises(OutputError, match="is a file, not a folder|file where a folder is wanted"):
            create_run_folder(tmp_path / "file" / "run", is_new=is_new)


def test_a_failure_that_cannot_be_noted_is_no_second_failure(tmp_path):
    note_failure(tmp_path / "gone", "error: no")
    forget_failure(tmp_path / "gone")
    note_failure(tmp_path, "error: no")
    assert (tmp_path / "error.txt").read_text() == "error: no\n"
    forget_failure(tmp_path)
    assert not (tmp_path / "error.txt").exists()


def test_a_log_on_a_full_disk_ends_with_one_line(tmp_path, capsys):
    class Full:
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self):
            pass

        def close(self):
            pass

    handler = RunLog(tmp_path / "run.log")
    handler.stream.close()
    handler.stream = Full()
    logger = logging.Logger("x")
    logger.addHandler(handler)
    for _ in range(3):
        logger.warning("x")
    handler.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"warning: the log {tmp_path}/run.log ends here: No space left on device"]


def test_a_folder_that_another_process_has_is_left_to_it(tmp_path, capsys):
    Jobs(os.getpid())._fail(OccupiedError("another process is writing into it"), folder=tmp_path)
    assert not (tmp_path / "error.txt").exists()
    Jobs(os.getpid())._fail(ConfigurationError("no such model"), folder=tmp_path)
    assert (tmp_path / "error.txt").exists()


def test_a_run_in_the_home_folder_lies_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = OmegaConf.create({"plan_only": False, "hydra": {"run": {"dir": "~/mine"}, "overrides": {"task": []}}})
    FolderCallback().on_run_start(config)
    assert config.hydra.run.dir == str(tmp_path / "mine")
    assert (tmp_path / "mine").is_dir()
